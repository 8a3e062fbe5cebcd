//! Bearer tokens (RFC 6750): who may read the document.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::{Choice, ConstantTimeEq as _};

use super::routes::Origin;
use crate::document::reason;
use crate::failure::Failure;

/// The tokens that are accepted; without any, everybody is.
#[derive(Default)]
pub(super) struct Tokens(Vec<String>);

impl Tokens {
    /// Reads a file with a token on each line: two while one replaces the other.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(file) = file else { return Ok(Self::default()) };
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Work(format!("cannot read `{name}`: {}", reason(&error))))?;
        let tokens: Vec<_> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        // An empty file must not open what somebody meant to close.
        if tokens.is_empty() {
            return Err(Failure::Work(format!("`{name}` holds no token: write one on a line of its own")));
        }
        Ok(Self(tokens))
    }

    /// Whether one of the tokens is given. How long it takes does not tell how much of a token is right.
    fn admit(&self, headers: &HeaderMap) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
        let Some((scheme, given)) = given else { return false };
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return false;
        }
        let equal = |found: Choice, token: &String| found | token.as_bytes().ct_eq(given.trim_ascii());
        self.0.iter().fold(Choice::from(0), equal).into()
    }
}

/// Answers 401 to who has no token. A browser's preflight never has one, and learns nothing.
pub(super) async fn authorize(State(origin): State<Arc<Origin>>, request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS && !origin.tokens.admit(request.headers()) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    next.run(request).await
}
