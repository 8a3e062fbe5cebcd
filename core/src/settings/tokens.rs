//! Tokens that a client shows as `authorization: Bearer TOKEN` (RFC 6750).

use std::fmt;
use std::hint::black_box;

use serde::Deserialize;

/// The tokens that open something. They are never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Tokens(Vec<Token>);

/// What is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token is printable ASCII without spaces, and not empty")
    }
}

impl std::error::Error for InvalidToken {}

impl Tokens {
    /// One more token.
    ///
    /// # Errors
    /// An empty token would let everybody in, and one with a space could not be sent. The message does not show it: it
    /// goes to a log.
    pub fn add(&mut self, token: String) -> Result<(), InvalidToken> {
        self.0.push(Token::try_from(token)?);
        Ok(())
    }

    /// Whether no token is configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an `authorization` header shows one of the tokens.
    pub fn admit(&self, authorization: Option<&[u8]>) -> bool {
        let Some((scheme, shown)) = authorization.and_then(|value| value.split_at_checked(7)) else {
            return false;
        };
        self.contain(shown.trim_ascii()) && scheme.eq_ignore_ascii_case(b"bearer ")
    }

    /// Whether this is one of the tokens. Every token is compared, and wholly, so that the time tells nothing but
    /// lengths.
    pub(crate) fn contain(&self, shown: &[u8]) -> bool {
        self.0.iter().fold(false, |found, token| found | token.is(shown))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct Token(String);

impl Token {
    fn is(&self, shown: &[u8]) -> bool {
        let difference =
            self.0.bytes().zip(shown).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
        self.0.len() == shown.len() && difference == 0
    }
}

impl TryFrom<String> for Token {
    type Error = InvalidToken;

    fn try_from(token: String) -> Result<Self, InvalidToken> {
        let valid = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        valid.then_some(Self(token)).ok_or(InvalidToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_is_admitted() {
        let tokens: Tokens = serde_json::from_str(r#"["first", "second"]"#).unwrap();
        for admitted in ["Bearer first", "bearer second", "BEARER  first "] {
            assert!(tokens.admit(Some(admitted.as_bytes())), "{admitted}");
        }
        for refused in
            ["Bearer", "Bearer ", "Bearer firs", "Bearer first2", "Basic first", "first", "Bearer First", ""]
        {
            assert!(!tokens.admit(Some(refused.as_bytes())), "{refused}");
        }
        assert!(!tokens.admit(None));
        assert!(!Tokens::default().admit(Some(b"Bearer ")));
        assert_eq!(format!("{tokens:?}"), "Tokens(2)");
    }
}
