//! Answers without an evaluation: statuses, and the protocol's bodies for what went wrong.

use super::Endpoint;
use super::evaluation::write_string;

/// What a client gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; JSON wherever there is one.
    pub body: String,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn bare(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) fn json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body }
    }

    /// A request that is not evaluated for reasons of HTTP. Clients read an error code from every error's body.
    pub(super) fn refused(endpoint: &Endpoint, status: u16, details: &str) -> Self {
        Self { status, ..Self::failed(endpoint, "GENERAL", details) }
    }

    /// A request that cannot be evaluated, by the protocol's error code.
    pub(super) fn failed(endpoint: &Endpoint, code: &str, details: &str) -> Self {
        let mut body = "{".to_owned();
        if let Endpoint::Flag(key) = endpoint {
            body.push_str("\"key\":");
            write_string(&mut body, key);
            body.push(',');
        }
        body.push_str("\"errorCode\":\"");
        body.push_str(code);
        body.push_str("\",\"errorDetails\":");
        write_string(&mut body, details);
        body.push('}');
        Self::json(400, body)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
