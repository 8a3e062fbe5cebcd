//! Gates against servers: whatever a server takes a path for, a gate on that is closed.
//!
//! A server is a choice of the things that servers do to a path. It knows nothing of how gates compare paths.

use proptest::prelude::*;
use serde_json::{Value, json};
use turquoise_core::{Context, Request, Scratch, fuzzing};

use crate::{NOW, compile};

/// What a server does to a path before it looks for what is there.
#[derive(Clone, Debug)]
struct Server {
    /// How often it decodes, and whether it does so before it takes the path apart.
    decodes: usize,
    decodes_first: bool,
    /// It takes what follows two slashes for a host.
    has_authority: bool,
    cuts: bool,
    backslashes: bool,
    parameters: bool,
    trims: bool,
    merges: bool,
    resolves: bool,
    ignores_case: bool,
    ignores_last_slash: bool,
}

impl Server {
    fn segments(&self, path: &str) -> Vec<String> {
        let decode = |text: String| (0..self.decodes).fold(text, |text, _| decoded(&text));
        let mut path = path.split('?').next().unwrap().to_owned();
        if self.decodes_first {
            path = decode(path);
        }
        if self.cuts {
            path = path.split(['?', '#', '\0']).next().unwrap().to_owned();
        }
        if self.backslashes {
            path = path.replace('\\', "/");
        }
        let mut segments: Vec<_> = path.split('/').skip(1).map(str::to_owned).collect();
        if self.has_authority && segments.first().is_some_and(String::is_empty) && segments.len() > 1 {
            segments.drain(..2);
        }
        for segment in &mut segments {
            if self.parameters {
                *segment = segment.split(';').next().unwrap().to_owned();
            }
            if !self.decodes_first {
                *segment = decode(segment.clone());
            }
            if self.trims && !segment.trim_matches('.').is_empty() {
                *segment = segment.trim_end_matches(['.', ' ']).to_owned();
            }
            if self.ignores_case {
                *segment = segment.to_lowercase();
            }
        }
        if self.merges {
            segments.retain(|segment| !segment.is_empty());
        }
        if self.resolves {
            let mut resolved = Vec::new();
            for segment in segments {
                match segment.as_str() {
                    "." => {}
                    ".." => drop(resolved.pop()),
                    _ => resolved.push(segment),
                }
            }
            segments = resolved;
        }
        if self.ignores_last_slash && segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        segments
    }
}

fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = rest.strip_prefix('%').and_then(|code| u8::from_str_radix(code.get(..2)?, 16).ok());
        out.push(code.map_or(c, char::from));
        rest = &rest[if code.is_some() { 3 } else { c.len_utf8() }..];
    }
    out
}

/// A route: with a gate or not, exact or not, and its segments.
type Route = (bool, bool, Vec<String>);

fn takes((_, is_exact, pattern): &Route, segments: &[String]) -> bool {
    if *is_exact { segments == pattern } else { segments.starts_with(pattern) }
}

struct Get<'a>(&'a str);

impl Request for Get<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        std::iter::empty()
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn host(&self) -> &[u8] {
        b"shop.example.com"
    }

    fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn property(&self, _: &str) -> Option<&str> {
        None
    }
}

fn server() -> impl Strategy<Value = Server> {
    let yes = any::<bool>;
    let how = (yes(), yes(), yes(), yes(), yes());
    ((0..3_usize, yes(), yes(), yes(), yes()), how, yes()).prop_map(|(first, second, ignores_last_slash)| {
        let (decodes, decodes_first, has_authority, cuts, backslashes) = first;
        let (parameters, trims, merges, resolves, ignores_case) = second;
        Server {
            decodes,
            decodes_first,
            has_authority,
            cuts,
            backslashes,
            parameters,
            trims,
            merges,
            resolves,
            ignores_case,
            ignores_last_slash,
        }
    })
}

const PIECES: &[&str] = &[
    "/", "/", "/", "/a", "/b", "/a", "/b", "/A", "a", "%61", "%2561", "/..", "/.", ";x", ";", "%2f", "%252F",
    "\\", "%5C", "/%2e%2e", "/..;", "%00", "%3f", "#", ".", "%20", "?", "%3b", "..", "%",
];

fn route() -> impl Strategy<Value = Route> {
    let segment = prop::sample::select(&["a", "b"][..]).prop_map(str::to_owned);
    (any::<bool>(), any::<bool>(), prop::collection::vec(segment, 1..3))
}

fn document(routes: &[Route]) -> Value {
    let route = |(number, (has_gate, is_exact, segments)): (usize, &Route)| {
        let path =
            json!({ (if *is_exact { "exact" } else { "prefix" }): format!("/{}", segments.join("/")) });
        let mut route = json!({ "name": format!("r{number}"), "match": { "path": path }, "flag": "up" });
        if *has_gate {
            route["gate"] = json!({ "flag": "off" });
        }
        route
    };
    let off = json!({ "state": "ENABLED", "variants": { "off": false }, "defaultVariant": "off" });
    let up = json!({ "state": "ENABLED", "variants": { "up": "up" }, "defaultVariant": "up" });
    json!({ "flags": { "off": off, "up": up }, "routes": routes.iter().enumerate().map(route).collect::<Vec<_>>() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_server_sees_what_a_closed_gate_is_for(
        routes in prop::collection::vec(route(), 1..5),
        servers in prop::collection::vec(server(), 8),
        paths in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES), 1..9), 8),
    ) {
        let snapshot = compile(&document(&routes).to_string());
        let context = Context::new(json!({}));
        for path in paths.iter().map(|pieces| format!("/{}", pieces.concat())) {
            let decision = snapshot.decide(&Get(&path), &context, NOW, &mut Scratch::default());
            fuzzing::explained_request(&snapshot, &Get(&path));
            for server in &servers {
                let segments = server.segments(&path);
                // The route that this request would take if the client had written it as the server reads it.
                let taken = routes.iter().find(|route| takes(route, &segments));
                if taken.is_some_and(|(has_gate, ..)| *has_gate) {
                    prop_assert!(decision.closed.is_some(), "{path} is {segments:?} for {server:?}");
                }
            }
        }
    }

    #[test]
    fn a_path_that_every_server_takes_for_another_meets_no_gate(
        segments in prop::collection::vec(prop::sample::select(&["c", "d", "e%20f", "G", "é", "h.i", "%C3%A9", "j;k=l"][..]), 1..6),
        slash in any::<bool>(),
    ) {
        let snapshot = compile(&document(&[(true, false, vec!["a".to_owned()]), (true, true, vec!["c".to_owned(), "b".to_owned()])]).to_string());
        let path = format!("/{}{}", segments.join("/"), if slash { "/" } else { "" });
        let decision = snapshot.decide(&Get(&path), &Context::new(json!({})), NOW, &mut Scratch::default());
        prop_assert_eq!(decision.closed, None, "{}", path);
    }
}
