//! A fault on purpose, in a module that only tests build: it kills the VM that meets it, as a defect would.

use crate::host::{self, Headers, LogLevel};

/// Whoever sends this header, client or source, gets the VM killed.
const HEADER: &str = "x-turquoise-test-trap";

/// By this line the module can be told from the one that ships, which must not hold it. The header would not do: the
/// compiler turns a comparison into numbers.
const LAST_WORDS: &str = "the feature `trap` is in this module, and was asked for";

/// Traps if a request, or an answer of the source, asks for it.
pub(crate) fn if_asked(headers: &Headers) {
    if headers.get(HEADER).is_some() {
        host::log(LogLevel::Critical, LAST_WORDS);
        std::process::abort();
    }
}
