//! The measured loops as a WebAssembly module without imports: a call from JavaScript costs more than an evaluation, so
//! the loop is inside. What is measured of compiling is a call for each step.
#![expect(unsafe_code, reason = "a symbol is exported under its own name by an unsafe attribute only")]

use std::cell::RefCell;

use turquoise_benches::scenario::{Prepared, Scenario, Unused, repeat};
use turquoise_core::fuzzing::HOSTILE;
use turquoise_core::{Compilation, CompileOptions, Snapshot};

thread_local! {
    static PREPARED: RefCell<Option<Prepared>> = const { RefCell::new(None) };
    static DOCUMENT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static COMPILATION: RefCell<Option<Compilation<'static>>> = const { RefCell::new(None) };
    static SNAPSHOT: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
}

/// Compiles the document and prepares a context of so many attributes (7 or 107).
#[unsafe(no_mangle)]
pub extern "C" fn prepare(attributes: u32) {
    let unused = if attributes == 7 { Unused::None } else { Unused::Hundred };
    PREPARED.with_borrow_mut(|prepared| *prepared = Some(Prepared::new(unused)));
}

/// Evaluates the scenario of this number so many times; how often there was a variant.
#[unsafe(no_mangle)]
pub extern "C" fn run(scenario: u32, times: u32) -> u32 {
    PREPARED.with_borrow_mut(|prepared| match (prepared, Scenario::ALL.get(scenario as usize)) {
        (Some(prepared), Some(scenario)) => repeat(prepared, *scenario, times),
        _ => 0,
    })
}

/// Writes the hostile document of this number in about so many bytes; how many they are, or 0 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn write_hostile(number: u32, bytes: u32) -> u32 {
    let Some((_, write)) = HOSTILE.get(number as usize) else { return 0 };
    let document = write(bytes as usize).into_bytes();
    let length = document.len() as u32;
    DOCUMENT.set(document);
    length
}

/// Begins to compile it, as the proxy does with large documents; 1 if that goes on.
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> u32 {
    let options = CompileOptions { without_positions: true, ..CompileOptions::default() };
    let compilation = Compilation::new(DOCUMENT.take(), options).ok();
    let goes_on = compilation.is_some();
    COMPILATION.set(compilation);
    u32::from(goes_on)
}

/// Compiles so many bytes more; 1 when all is read.
#[unsafe(no_mangle)]
pub extern "C" fn advance(bytes: u32) -> u32 {
    let advance = |compilation: &mut Option<Compilation<'_>>| {
        compilation.as_mut().is_none_or(|compilation| compilation.advance(bytes as usize))
    };
    u32::from(COMPILATION.with_borrow_mut(advance))
}

/// Ends it; 1 if the document is accepted.
#[unsafe(no_mangle)]
pub extern "C" fn finish() -> u32 {
    let snapshot = COMPILATION.take().and_then(|compilation| compilation.finish().ok());
    let accepted = snapshot.is_some();
    SNAPSHOT.set(snapshot);
    u32::from(accepted)
}

/// Forgets the snapshot; 1 if there was one.
#[unsafe(no_mangle)]
pub extern "C" fn forget() -> u32 {
    u32::from(SNAPSHOT.take().is_some())
}
