//! Large documents: many flags, many routes.

use serde_json::{Map, Value, json};
use turquoise_core::Request;

use crate::scenario::Scenario;

/// The key of the flag at `position` of [`simple_flags`].
pub fn flag_key(position: usize) -> String {
    format!("feature-{position:05}")
}

/// A document of `count` flags as most are: two variants, a default, no rule.
pub fn simple_flags(count: usize) -> String {
    let flag =
        json!({ "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" });
    flags(count, |_| flag.clone())
}

/// A document of `count` flags of every scenario in turn.
pub fn mixed_flags(count: usize) -> String {
    flags(count, |position| Scenario::ALL[position % Scenario::ALL.len()].flag())
}

fn flags(count: usize, flag: impl Fn(usize) -> Value) -> String {
    let flags: Map<_, _> = (0..count).map(|position| (flag_key(position), flag(position))).collect();
    json!({ "flags": flags }).to_string()
}

/// A document of `count` routes: ten paths, one below the other in threes, under each of as many hosts as it takes.
/// Every tenth has a condition on a header besides.
pub fn routes(count: usize) -> String {
    let routes: Vec<_> = (0..count)
        .map(|position| {
            let mut matched = json!({
                "hosts": [host(position)],
                "path": { "prefix": path(position) },
            });
            if position % 10 == 9 {
                matched["headers"] = json!({ "x-beta": { "exact": "yes" } });
            }
            json!({ "name": format!("route-{position}"), "match": matched, "flag": "release" })
        })
        .collect();
    let release =
        json!({ "state": "ENABLED", "variants": { "blue": "b", "green": "g" }, "defaultVariant": "blue" });
    json!({ "flags": { "release": release }, "routes": routes }).to_string()
}

fn host(position: usize) -> String {
    format!("shop-{}.example.com", position / 10)
}

fn path(position: usize) -> String {
    let (section, depth) = (position % 10 / 3, position % 10 % 3);
    format!("/section-{section}{}", "/deeper".repeat(2 - depth))
}

/// A request with eight headers, as a browser sends at least.
#[derive(Clone, Debug)]
pub struct Browser {
    host: String,
    path: String,
}

impl Browser {
    /// A request that the route at `position` of [`routes`] matches.
    pub fn to(position: usize) -> Self {
        Self { host: host(position), path: format!("{}/item?id=7", path(position)) }
    }

    /// A request that no route matches.
    pub fn to_nowhere() -> Self {
        Self { host: "nowhere.example.org".to_owned(), path: "/section-1/deeper/item".to_owned() }
    }
}

const HEADERS: [(&[u8], &[u8]); 8] = [
    (b"accept", b"text/html"),
    (b"accept-encoding", b"gzip, br"),
    (b"accept-language", b"de"),
    (b"cookie", b"uid=user-4711; theme=dark"),
    (b"user-agent", b"Mozilla/5.0"),
    (b"x-beta", b"yes"),
    (b"x-forwarded-for", b"192.0.2.1"),
    (b"x-request-id", b"0123456789abcdef"),
];

impl Request for Browser {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        HEADERS.into_iter()
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn property(&self, _: &str) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use turquoise_core::Snapshot;

    #[test]
    fn each_request_has_its_route() {
        let snapshot = Snapshot::compile(routes(300).as_bytes()).unwrap();
        for position in 0..300 {
            let route = snapshot.route(&Browser::to(position)).map(turquoise_core::RouteId::index);
            // The shorter paths of a section hold the longer ones, which come first.
            assert_eq!(route, Some(position), "{:?}", Browser::to(position));
        }
        assert_eq!(snapshot.route(&Browser::to_nowhere()), None);
    }

    #[test]
    fn large_documents_compile_without_a_problem() {
        for document in [simple_flags(1_000), mixed_flags(1_000), routes(1_000)] {
            assert_eq!(Snapshot::compile(document.as_bytes()).unwrap().problems().first(), None);
        }
    }
}
