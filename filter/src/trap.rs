//! Faults on purpose, in a module that only tests build: they kill the VM that meets them, as a defect would.

use crate::host::{self, Headers, LogLevel};

/// Whoever sends this header, client or source, gets the VM killed.
const HEADER: &str = "x-turquoise-test-trap";

/// A document that holds this kills whoever compiles it.
const DOCUMENT: &[u8] = b"x-turquoise-test-trap-compile";

/// A document that holds this kills whoever takes it over from shared data.
const SHARED_DOCUMENT: &[u8] = b"x-turquoise-test-trap-follow";

/// By this line the module can be told from the one that ships, which must not hold it. The header would not do: the
/// compiler turns a comparison into numbers.
const LAST_WORDS: &str = "the feature `trap` is in this module, and was asked for";

/// Traps if a request, or an answer of the source, asks for it.
pub(crate) fn if_asked(headers: &Headers) {
    if headers.get(HEADER).is_some() {
        die();
    }
}

/// Traps if a document that is about to be compiled asks for it.
pub(crate) fn if_compiled(document: &[u8], is_new: bool) {
    let holds = |text: &[u8]| document.windows(text.len()).any(|window| window == text);
    if holds(DOCUMENT) || (!is_new && holds(SHARED_DOCUMENT)) {
        die();
    }
}

fn die() -> ! {
    host::log(LogLevel::Critical, LAST_WORDS);
    std::process::abort();
}
