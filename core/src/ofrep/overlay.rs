//! The context of an OFREP request: what the caller states, under what the proxy knows.
//!
//! Without that order, a browser could claim an attribute on which the operator relies. What is configured is therefore
//! never taken from the body, not even where the request lacks it; unless the configuration trusts its callers.

use serde_json::{Map, Value as Json};

use super::body::Stated;
use crate::request::{Request, RequestContext};
use crate::settings::ContextSettings;
use crate::snapshot::Snapshot;
use crate::value::{Attribute, Attributes, Context, TARGETING_KEY, Value, split_head};

/// What begins with this is read off the request itself.
const REQUEST: &str = "request.";

/// What the rules of one snapshot read that does not come from the body.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// Configured attributes.
    configured: Vec<String>,
    /// Attributes of the request itself.
    requested: Vec<String>,
}

impl Overlay {
    pub(super) fn new(snapshot: &Snapshot, settings: &ContextSettings) -> Self {
        let (reads_anything, mut reads) = (snapshot.reads_anything(), Vec::new());
        reads.extend(snapshot.attributes());
        let is_read = |name: &String| {
            reads_anything || reads.iter().any(|path| lies_in(path, name) || lies_in(name, path))
        };
        let names = settings.attributes.keys().filter(|name| *name != TARGETING_KEY && is_read(name));
        let (requested, configured) = names.cloned().partition(|name: &String| name.starts_with(REQUEST));
        let mut overlay = Self { configured, requested };
        let requested = reads.iter().filter(|path| path.starts_with(REQUEST));
        overlay.requested.extend(requested.map(|path| (*path).to_owned()));
        overlay
    }

    /// Every value that is not the body's, in an order that the snapshot and the configuration give.
    pub(super) fn visit<A: Attributes>(&self, request: &A, mut visit: impl FnMut(Option<&[u8]>)) {
        for name in self.configured.iter().chain(&self.requested) {
            visit(text(request.get(Attribute::at(name))).map(str::as_bytes));
        }
    }

    /// What the caller stated, with what the proxy knows put over it, or under it where callers are `trusted`.
    pub(super) fn apply<'a, R: Request + ?Sized>(
        &self,
        stated: Stated,
        targeting_key: Option<&str>,
        request: RequestContext<'a, R>,
        trusted: bool,
    ) -> OverlaidContext<'a, R> {
        let mut members = stated.attributes;
        members.remove("request");
        for name in &self.configured {
            let known = text(request.get(Attribute::at(name)));
            // Of what trusted callers state nothing is taken away.
            if !(trusted && (known.is_none() || is_stated(&members, name))) {
                put(&mut members, name, known);
            }
        }
        if let Some(key) = targeting_key {
            members.insert(TARGETING_KEY.to_owned(), key.into());
        }
        OverlaidContext { body: Context::new(Json::Object(members)), request }
    }
}

/// Whether `path` is `name`, or a part of it.
fn lies_in(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What a request says is text, if it says anything.
fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Whether something stands at a dotted path, or in the way of it.
fn is_stated(members: &Map<String, Json>, path: &str) -> bool {
    let (mut members, mut path) = (members, path);
    loop {
        let (head, rest) = split_head(path);
        match (members.get(head), rest) {
            (None | Some(Json::Null), _) => return false,
            (Some(Json::Object(inner)), Some(rest)) => (members, path) = (inner, rest),
            _ => return true,
        }
    }
}

/// Removes what stands at a dotted path. Where something on the way is no object, all of that goes: it would stand where
/// the operator's own attribute has its place.
fn take(members: &mut Map<String, Json>, path: &str) {
    let mut members = members;
    let mut rest = path;
    while let Some((head, behind)) = rest.split_once('.') {
        match members.get(head) {
            Some(Json::Object(_)) => {}
            Some(_) => {
                members.remove(head);
                return;
            }
            None => return,
        }
        let Some(Json::Object(inner)) = members.get_mut(head) else { return };
        (members, rest) = (inner, behind);
    }
    members.remove(rest);
}

/// Makes `value` what stands at a dotted path, whatever stood there.
fn put(members: &mut Map<String, Json>, path: &str, value: Option<&str>) {
    // A member of that whole name is out of reach of most rules, and no more to be believed.
    members.remove(path);
    take(members, path);
    let Some(value) = value else { return };
    let mut members = members;
    let mut rest = path;
    while let Some((head, behind)) = rest.split_once('.') {
        let next = members.entry(head).or_insert(Json::Null);
        if !next.is_object() {
            *next = Json::Object(Map::new());
        }
        let Json::Object(inner) = next else { return };
        (members, rest) = (inner, behind);
    }
    members.insert(rest.to_owned(), value.into());
}

/// The evaluation context of an OFREP request.
#[derive(Debug)]
pub(super) struct OverlaidContext<'a, R: ?Sized> {
    body: Context,
    request: RequestContext<'a, R>,
}

impl<R: Request + ?Sized> Attributes for OverlaidContext<'_, R> {
    fn get<'a>(&'a self, attribute: Attribute<'_>) -> Value<'a> {
        match attribute.path.starts_with(REQUEST) {
            true => self.request.get(attribute),
            false => self.body.get(attribute),
        }
    }

    fn contains(&self, attribute: Attribute<'_>) -> bool {
        match attribute.path.starts_with(REQUEST) {
            true => self.request.contains(attribute),
            false => self.body.contains(attribute),
        }
    }

    fn whole(&self) -> Value<'_> {
        self.body.whole()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_known_takes_the_place_of_what_was_claimed() {
        for (claimed, path, value, expected) in [
            (r#"{"role":"admin","n":1}"#, "role", Some("user"), r#"{"n":1,"role":"user"}"#),
            (r#"{"role":"admin"}"#, "role", None, "{}"),
            (r#"{"role":{"name":"admin"}}"#, "role", None, "{}"),
            (r#"{"user":{"role":"admin","n":1}}"#, "user.role", Some("u"), r#"{"user":{"role":"u","n":1}}"#),
            (r#"{"user":{"role":"admin","n":1}}"#, "user.role", None, r#"{"user":{"n":1}}"#),
            (r#"{"user":"x","user.role":"admin"}"#, "user.role", Some("u"), r#"{"user":{"role":"u"}}"#),
            (r#"{"user":"admin"}"#, "user.role", None, "{}"),
            (r#"{"user":{"a":["admin"],"n":1}}"#, "user.a.b.c", None, r#"{"user":{"n":1}}"#),
            (r#"{"user":{"n":1}}"#, "user.role.name", None, r#"{"user":{"n":1}}"#),
            (r#"{"roles":["admin"]}"#, "roles.0", None, "{}"),
            (r#"{"roles":["admin"]}"#, "roles.0", Some("u"), r#"{"roles":{"0":"u"}}"#),
        ] {
            let Ok(Json::Object(mut members)) = serde_json::from_str(claimed) else { panic!("{claimed}") };
            put(&mut members, path, value);
            let expected: Json = serde_json::from_str(expected).unwrap();
            assert_eq!(Json::Object(members), expected, "{claimed} {path} {value:?}");
        }
    }

    #[test]
    fn what_trusted_callers_state_is_found() {
        let stated = json!({ "role": "a", "nil": null, "user": { "role": "a", "nil": null }, "plain": "a", "list": ["a"] });
        for path in ["role", "user", "user.role", "user.role.name", "plain.role", "list", "list.0", "list.7"]
        {
            assert!(is_stated(stated.as_object().unwrap(), path), "{path}");
        }
        for path in ["other", "nil", "nil.role", "user.other", "user.nil", "user.nil.role", "other.role"] {
            assert!(!is_stated(stated.as_object().unwrap(), path), "{path}");
        }
    }
}
