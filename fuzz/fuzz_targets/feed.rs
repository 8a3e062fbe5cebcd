//! The body is in turquoise-core, where `cargo test` runs it too.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| turquoise_core::fuzzing::feed(bytes));
