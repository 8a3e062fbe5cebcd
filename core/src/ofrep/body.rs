//! The body of a request: the evaluation context that the caller states.

use serde_json::{Map, Value as Json};

use crate::value::TARGETING_KEY;

/// The most attributes that a context may have. The look-up table of a context is not seeded, so somebody could send
/// names that all fall into one place of it: with so many they cost less than reading them did.
const MOST_ATTRIBUTES: usize = 1000;

/// What a caller states. Its targeting key is apart from the rest.
#[derive(Debug, Default)]
pub(super) struct Stated {
    pub(super) targeting_key: Option<String>,
    pub(super) attributes: Map<String, Json>,
}

impl Stated {
    /// Reads a body; an empty one, and one without `context`, state nothing. The error says what is wrong.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // Deep nesting is refused by the parser, at 128.
        let json: Json =
            serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))?;
        let Json::Object(mut members) = json else {
            return Err("the body must be an object with `context`".to_owned());
        };
        let mut attributes = match members.remove("context") {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(attributes)) => attributes,
            Some(_) => return Err("`context` must be an object".to_owned()),
        };
        if attributes.len() > MOST_ATTRIBUTES {
            return Err(format!(
                "`context` has {} attributes, {MOST_ATTRIBUTES} are allowed",
                attributes.len()
            ));
        }
        let targeting_key = match attributes.remove(TARGETING_KEY) {
            None | Some(Json::Null) => None,
            Some(Json::String(key)) => Some(key).filter(|key| !key.is_empty()),
            Some(_) => return Err("`context.targetingKey` must be a string".to_owned()),
        };
        Ok(Self { targeting_key, attributes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_enough() {
        for body in ["", "{}", r#"{"context":null}"#, r#"{"context":{},"more":1}"#] {
            let stated = Stated::parse(body.as_bytes()).unwrap();
            assert!(stated.targeting_key.is_none() && stated.attributes.is_empty(), "{body}");
        }
        let stated = Stated::parse(r#"{"context":{"targetingKey":"ä","n":1}}"#.as_bytes()).unwrap();
        assert_eq!(stated.targeting_key.as_deref(), Some("ä"));
        assert_eq!(stated.attributes.len(), 1);
    }

    #[test]
    fn what_is_no_context_is_refused() {
        let deep = format!(r#"{{"context":{{"a":{}{}}}}}"#, "[".repeat(60_000), "]".repeat(60_000));
        let wide: Vec<_> = (0..1001).map(|i| format!("\"{i}\":1")).collect();
        let wide = format!(r#"{{"context":{{{}}}}}"#, wide.join(","));
        for (body, part) in [
            ("{", "EOF"),
            (" \n", "EOF"),
            ("[]", "`context`"),
            (r#"{"context":[]}"#, "must be an object"),
            (r#"{"context":"x"}"#, "must be an object"),
            (r#"{"context":{"targetingKey":5}}"#, "`context.targetingKey` must be a string"),
            (r#"{"context":{}} x"#, "trailing"),
            (&deep, "recursion"),
            (&wide, "1001"),
        ] {
            let error = Stated::parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(Stated::parse(b"{\"context\":{\"a\":\"\xff\"}}").is_err());
    }
}
