//! Who the load's users are, and what makes an answer to them a right one.

use envoy_harness::http::Reply;
use envoy_harness::load::{Seen, User};
use serde_json::Value;

/// The path that the load asks for.
pub const PATH: &str = "/hello";

/// Users with names that differ from run to run, so that each run draws other buckets. Half of them say who they are by
/// a header, half by a cookie.
#[must_use]
pub fn users(count: usize) -> Vec<User> {
    let run = std::process::id();
    let user = |number| {
        let name = format!("user-{run}-{number}");
        let header = if number % 2 == 0 {
            ("x-user-id".to_owned(), name.clone())
        } else {
            ("cookie".to_owned(), format!("theme=dark; uid={name}"))
        };
        User { name, headers: vec![header] }
    };
    (0..count).map(user).collect()
}

/// A user whose requests carry the header that lets testers see green first.
#[must_use]
pub fn tester() -> User {
    let name = "tester".to_owned();
    let headers = [("x-user-id", "tester"), ("x-tester", "green")];
    User { name, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec() }
}

/// Reads an answer to [`PATH`]. Everything in it has to fit together and to be for this very user: an answer that got
/// mixed up on the way is a failure, whatever its status.
pub fn hello(user: &User, reply: &Reply) -> Result<Seen, String> {
    let body: Value = serde_json::from_slice(&reply.body).map_err(|error| format!("no JSON: {error}"))?;
    let text =
        |key: &str| body.get(key).and_then(Value::as_str).ok_or_else(|| format!("no `{key}` in {body}"));
    let feature = body.get("newGreeting").and_then(Value::as_bool).ok_or("no `newGreeting`")?;
    let (version, colour, greeting) = (text("version")?, text("colour")?, text("greeting")?);
    if !matches!((version, colour), ("v1", "blue") | ("v2", "green")) {
        return Err(format!("version `{version}` in `{colour}`"));
    }
    if greeting != if feature { "Good to see you!" } else { "Hello." } {
        return Err(format!("greeting `{greeting}` with the feature {}", if feature { "on" } else { "off" }));
    }
    if text("user")? != user.name {
        return Err(format!("answer for `{}` to `{}`", text("user")?, user.name));
    }
    Ok(Seen { version: version.to_owned(), colour: colour.to_owned(), feature })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(body: &str) -> Result<Seen, String> {
        let reply =
            Reply { status: Default::default(), headers: Default::default(), body: body.to_owned().into() };
        hello(&tester(), &reply)
    }

    #[test]
    fn a_right_answer_is_read() {
        let body = r#"{"version":"v2","colour":"green","greeting":"Good to see you!","newGreeting":true,"user":"tester"}"#;
        let seen = Seen { version: "v2".to_owned(), colour: "green".to_owned(), feature: true };
        assert_eq!(judge(body), Ok(seen));
    }

    #[test]
    fn what_does_not_fit_together_is_a_failure() {
        let wrong = [
            (
                r#"{"version":"v2","colour":"blue","greeting":"Hello.","newGreeting":false,"user":"tester"}"#,
                "version `v2` in `blue`",
            ),
            (
                r#"{"version":"v1","colour":"blue","greeting":"Hello.","newGreeting":true,"user":"tester"}"#,
                "greeting `Hello.` with the feature on",
            ),
            (
                r#"{"version":"v1","colour":"blue","greeting":"Hello.","newGreeting":false,"user":"user-1"}"#,
                "answer for `user-1` to `tester`",
            ),
            (
                r#"{"version":"v1","colour":"blue","greeting":"Hello.","newGreeting":false,"user":null}"#,
                "no `user` in",
            ),
            ("upstream connect error", "no JSON"),
        ];
        for (body, reason) in wrong {
            let error = judge(body).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
