//! The route of a request against an oracle that tries every route in the order of the document.
//!
//! Hosts, paths, methods and headers come from few pieces, so that most routes overlap with others.

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::{Request, RouteId, fuzzing};

use crate::compile;

/// A route's `match`.
#[derive(Clone, Debug)]
struct Match {
    hosts: Vec<String>,
    path: Option<(bool, String)>,
    methods: Vec<String>,
    headers: Vec<(String, Option<String>, bool)>,
}

impl Match {
    fn json(&self) -> Value {
        let mut json = json!({});
        if !self.hosts.is_empty() {
            json["hosts"] = json!(self.hosts);
        }
        if let Some((exact, path)) = &self.path {
            json["path"] = json!({ (if *exact { "exact" } else { "prefix" }): path });
        }
        if !self.methods.is_empty() {
            json["methods"] = json!(self.methods);
        }
        for (name, value, present) in &self.headers {
            json["headers"][name] = match value {
                Some(value) => json!({ "exact": value }),
                None => json!({ "present": present }),
            };
        }
        json
    }

    /// Whether a request matches, by the words of the documentation.
    fn accepts(&self, request: &Get) -> bool {
        let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let is_host = |pattern: &String| match pattern.to_lowercase().strip_prefix('*') {
            Some(suffix) => host.ends_with(suffix),
            None => host == pattern.to_lowercase(),
        };
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        let is_path = match &self.path {
            None => true,
            Some((true, exact)) => path == exact,
            Some((false, prefix)) => {
                let prefix = prefix.trim_end_matches('/');
                path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        };
        // Of a name that is given twice, the last condition counts, as in every object.
        let last = |position: usize, name: &str| {
            !self.headers.iter().skip(position + 1).any(|(other, _, _)| other == name)
        };
        let has_header = |(position, (name, value, present)): (usize, &(String, Option<String>, bool))| {
            let mut values =
                request.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
            !last(position, name)
                || match value {
                    Some(value) => values.any(|other| other == value),
                    None => values.next().is_some() == *present,
                }
        };
        (self.hosts.is_empty() || self.hosts.iter().any(is_host))
            && is_path
            && (self.methods.is_empty() || self.methods.contains(&request.method))
            && self.headers.iter().enumerate().all(has_header)
    }
}

#[derive(Clone, Debug)]
struct Get {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Request for Get {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
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

fn pick(of: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(of).prop_map(str::to_owned)
}

const HOSTS: &[&str] =
    &["example.com", "shop.example.com", "a.shop.example.com", "Shop.Example.COM", "com", "localhost"];
const SUFFIXES: &[&str] = &["*.example.com", "*.com", "*.shop.example.com", "*.Example.com"];
const SEGMENTS: &[&str] = &["a", "b", "ab", "", "a%20b", "é"];
const METHODS: &[&str] = &["GET", "POST", "get"];
const HEADERS: &[&str] = &["x-a", "x-b"];
const VALUES: &[&str] = &["1", "2", ""];

/// A path of a few segments; `ends` with a slash or not.
fn path() -> impl Strategy<Value = String> {
    (prop::collection::vec(pick(SEGMENTS), 0..4), any::<bool>()).prop_map(|(segments, slash)| {
        let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if slash || path.is_empty() { format!("{path}/") } else { path }
    })
}

fn matched() -> impl Strategy<Value = Match> {
    let host = prop_oneof![pick(HOSTS), pick(SUFFIXES)];
    let header = (pick(HEADERS), prop::option::of(pick(VALUES)), any::<bool>());
    (
        prop::collection::vec(host, 0..3),
        prop::option::weighted(0.8, (any::<bool>(), path())),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(pick(METHODS), 1..3)],
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(header, 1..3)],
    )
        .prop_map(|(hosts, path, methods, headers)| Match { hosts, path, methods, headers })
}

fn request() -> impl Strategy<Value = Get> {
    let host = (pick(HOSTS), pick(&["", ":80", ".", ".:8080"])).prop_map(|(host, end)| host + &end);
    let path = (path(), pick(&["", "?a=/b", "#c", "?x#y"])).prop_map(|(path, end)| path + &end);
    (pick(METHODS), host, path, prop::collection::vec((pick(HEADERS), pick(VALUES)), 0..4))
        .prop_map(|(method, host, path, headers)| Get { method, host, path, headers })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_route_that_matches_is_found(
        routes in prop::collection::vec(matched(), 0..24),
        requests in prop::collection::vec(request(), 1..24),
    ) {
        let json: Vec<_> = routes.iter().enumerate()
            .map(|(number, matched)| json!({ "name": format!("r{number}"), "match": matched.json(), "flag": "flag" }))
            .collect();
        let flag = json!({ "state": "ENABLED", "variants": { "blue": "b" }, "defaultVariant": "blue" });
        let snapshot = compile(&json!({ "flags": { "flag": flag }, "routes": json }).to_string());
        for request in &requests {
            let expected = routes.iter().position(|route| route.accepts(request));
            prop_assert_eq!(snapshot.route(request).map(RouteId::index), expected, "{:?}", request);
            fuzzing::explained_request(&snapshot, request);
        }
    }
}
