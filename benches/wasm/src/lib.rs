//! The measured loop as a WebAssembly module without imports: a call from JavaScript costs more than an evaluation, so
//! the loop is inside.
#![expect(unsafe_code, reason = "a symbol is exported under its own name by an unsafe attribute only")]

use std::cell::RefCell;

use turquoise_benches::scenario::{Prepared, Scenario, Unused, repeat};

thread_local! {
    static PREPARED: RefCell<Option<Prepared>> = const { RefCell::new(None) };
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
