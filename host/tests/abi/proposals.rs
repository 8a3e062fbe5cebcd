//! Which of WebAssembly's proposals a module may use. What is off is refused when the module is compiled, by its name.

use turquoise_host::{Engine, Error};

/// A part of a module for each proposal, and the words by which wasmtime names what is off. What builds on another
/// proposal is named by that one.
const OFF: [(&str, &str); 21] = [
    ("multiple memories", "(memory 1) (memory 1)"),
    ("memory64 must be enabled", "(memory i64 1)"),
    ("threads must be enabled", "(memory 1 1 shared)"),
    ("threads support is not enabled", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
    ("shared-everything-threads", "(type (shared (func)))"),
    ("custom page sizes", "(memory 1 (pagesize 1))"),
    ("SIMD support is not enabled", "(func (drop (i32x4.splat (i32.const 0))))"),
    ("SIMD support is not enabled", "(func (param v128))"),
    (
        "SIMD support is not enabled",
        "(func (drop (i8x16.relaxed_swizzle (i32x4.splat (i32.const 0)) (i32x4.splat (i32.const 0)))))",
    ),
    ("reference types", "(func (param externref))"),
    ("reference types", "(table 1 externref)"),
    ("multiple tables", "(table 1 funcref) (table 1 funcref)"),
    ("reference types", "(table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1))))"),
    ("reference types", "(type $f (func)) (func (param (ref $f)))"),
    ("gc", "(type (struct))"),
    ("exceptions", "(tag)"),
    ("exceptions", "(func (throw_ref (unreachable)))"),
    ("tail calls", "(func $f (return_call $f))"),
    ("stack switching", "(type $f (func)) (type (cont $f))"),
    (
        "wide arithmetic",
        "(func (drop (drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))))",
    ),
    ("bulk-memory proposal", r#"(data $d "x") (func (data.drop $d))"#),
];

/// What toolchains take for granted.
const ON: [&str; 8] = [
    "(global (export \"g\") (mut i32) (i32.const 0))",
    "(func (drop (i32.extend8_s (i32.const 0))))",
    "(func (drop (i32.trunc_sat_f64_s (f64.const 0))))",
    "(func (result i32 i64) (i32.const 0) (i64.const 0))",
    "(memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 1)))",
    "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))",
    "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    "(table 1 funcref) (func (call_indirect (i32.const 0)))",
];

fn compile(engine: &Engine, part: &str) -> Result<(), Error> {
    let version = r#"(func (export "proxy_abi_version_0_2_1"))"#;
    engine.compile(format!("(module {part} {version})").as_bytes()).map(|_| ())
}

#[test]
fn what_is_not_needed_is_off() {
    let engine = Engine::new().unwrap();
    let taken: Vec<_> = OFF
        .into_iter()
        .filter_map(|(words, part)| match compile(&engine, part) {
            Err(Error::Compile { reason }) if reason.contains(words) => None,
            other => Some((part, other)),
        })
        .collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

/// The text format has no word for it any more: a module of one function, `try end`.
const LEGACY_EXCEPTIONS: &[u8] =
    b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x07\x01\x05\0\x06\x40\x0b\x0b";

#[test]
fn exceptions_of_the_first_kind_are_off() {
    let refused = Engine::new().unwrap().compile(LEGACY_EXCEPTIONS).unwrap_err().to_string();
    assert!(refused.contains("legacy_exceptions feature required"), "{refused}");
}

#[test]
fn what_toolchains_agreed_on_is_on() {
    let engine = Engine::new().unwrap();
    for part in ON {
        assert_eq!(compile(&engine, part), Ok(()), "{part}");
    }
}

#[test]
fn a_component_is_no_module() {
    let refused = Engine::new().unwrap().compile(b"(component)").unwrap_err();
    assert!(matches!(refused, Error::Compile { .. }), "{refused}");
}
