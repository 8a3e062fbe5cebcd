//! Bearer tokens (RFC 6750): who may read the document.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use turquoise_core::Tokens;

use super::routes::Origin;
use crate::document::reason;
use crate::failure::Failure;

/// Reads a file with a token on each line: two while one replaces the other. Without a file, everybody is let in.
pub(super) fn read(file: &[PathBuf]) -> Result<Tokens, Failure> {
    let mut tokens = Tokens::default();
    let [file, ..] = file else { return Ok(tokens) };
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Work(format!("cannot read `{name}`: {}", reason(&error))))?;
    for (line, number) in text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty()) {
        tokens
            .add(line.to_owned())
            .map_err(|error| Failure::Work(format!("`{name}`, line {number}: {error}")))?;
    }
    // An empty file must not open what somebody meant to close.
    if tokens.is_empty() {
        return Err(Failure::Work(format!("`{name}` holds no token: write one on a line of its own")));
    }
    Ok(tokens)
}

/// Answers 401 to who has no token. A browser's preflight never has one, and learns nothing.
pub(super) async fn authorize(State(origin): State<Arc<Origin>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let tokens = Arc::clone(&origin.tokens.borrow());
    if request.method() != Method::OPTIONS && !tokens.is_empty() && !tokens.admit(shown) {
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    next.run(request).await
}
