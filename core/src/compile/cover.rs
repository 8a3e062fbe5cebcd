//! Routes to which no request comes, because an earlier one takes all of theirs.
//!
//! An earlier route covers a later one when each of its conditions holds for every request that the later one matches.
//! Routes that only several earlier ones together cover are not found: they are rare, and looking for them is not cheap.

use std::collections::HashMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::Compiler;
use super::route::Match;
use crate::json::Path;
use crate::route::{HeaderCondition, HeaderMatch, PathPattern};
use crate::text::{Interner, Text};

/// How many pairs of routes are compared at most; only thousands of routes with the same host and path reach it.
const MOST_COMPARED: usize = 100_000;

/// What looking for covering routes may cost in a document: a place looked up or a name compared is about ten, and more
/// the longer it is. Ordinary documents of 50,000 routes stay below it; past it, no more covered routes are found.
const MAX_WORK: usize = 8_000_000;

/// How many bytes are hashed or compared for one of those.
const BYTES_A_UNIT: usize = 16;

/// The longest host that any request names.
const MAX_HOST: usize = 255;

/// A host pattern (none: every host), whether the path is exact, and the path.
type Place<'t> = (Option<&'t str>, bool, &'t str);

/// Where the routes so far lie, to find the one that covers the next.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// Positions of routes by the hash of their places; different places may share one.
    places: HashMap<u64, Vec<usize>>,
    compared: usize,
    work: usize,
}

impl Compiler {
    /// Looks whether an earlier route covers the last of these, and warns at its `path`.
    pub(super) fn covered(&mut self, routes: &[Option<Match>], cover: &mut Cover, path: &Path<'_>) {
        if let Some((earlier, every_spelling)) = cover.next(routes, &self.texts) {
            let earlier = self.texts.get(earlier);
            let is_gate = routes.last().and_then(Option::as_ref).is_some_and(|route| route.gate.is_some());
            let message = match is_gate && !every_spelling {
                false => format!("no request comes here: the route `{earlier}` above takes all that would"),
                true => format!(
                    "at most other spellings of its path come here: the route `{earlier}` above takes all that is \
                     written as here"
                ),
            };
            self.problems.warn(path, message);
        }
    }
}

impl Cover {
    /// Takes in the last of these routes; the name of the first route that covers it, and whether that one takes every
    /// spelling of its path, too.
    fn next(&mut self, routes: &[Option<Match>], texts: &Interner) -> Option<(Text, bool)> {
        let (last, earlier) = routes.split_last()?;
        let route = last.as_ref()?;
        let Self { places, compared, work } = self;
        let mut spend = |units: usize| {
            *work = work.saturating_add(units);
            *work <= MAX_WORK
        };
        // Whatever covers the route covers its first host, and stands where a look-up of it would come past.
        let cover = route.hosts.first().and_then(|host| {
            let host = host.map(|host| texts.get(host));
            for place in wider_places(host, route.path, texts) {
                let bytes = place.0.map_or(0, str::len) + place.2.len();
                if !spend(10 + bytes / BYTES_A_UNIT) {
                    return None;
                }
                for position in places.get(&hash(place)).into_iter().flatten() {
                    let Some(candidate) = earlier.get(*position).and_then(Option::as_ref) else { continue };
                    *compared += 1;
                    if *compared > MOST_COMPARED || !spend(pairs(candidate, route)) {
                        return None;
                    }
                    if covers(candidate, route, texts) {
                        return Some((candidate.name, takes_every_spelling(candidate, texts)));
                    }
                }
            }
            None
        });
        let (exact, path) = parts(route.path, texts);
        let path_hash = xxh3_64(path.as_bytes());
        for host in &route.hosts {
            let host = host.map(|host| texts.get(host));
            places.entry(joined(host, exact, path_hash)).or_default().push(earlier.len());
        }
        cover
    }
}

fn hash((host, exact, path): Place<'_>) -> u64 {
    joined(host, exact, xxh3_64(path.as_bytes()))
}

fn joined(host: Option<&str>, exact: bool, path: u64) -> u64 {
    xxh3_64_with_seed(host.unwrap_or_default().as_bytes(), path.rotate_left(2 + u32::from(exact)))
}

/// What comparing two routes costs: every host, method and header of one with those of the other.
fn pairs(one: &Match, other: &Match) -> usize {
    let pairs = |one: usize, other: usize| one.saturating_mul(other);
    10 + pairs(one.hosts.len(), other.hosts.len())
        + pairs(one.methods.len(), other.methods.len())
        + pairs(one.headers.len(), other.headers.len())
}

fn parts(path: PathPattern, texts: &Interner) -> (bool, &str) {
    match path {
        PathPattern::Exact(text) => (true, texts.get(text)),
        PathPattern::Prefix(text) => (false, texts.get(text)),
    }
}

/// All places that hold what lies at a host and a path.
fn wider_places<'t>(
    host: Option<&'t str>,
    path: PathPattern,
    texts: &'t Interner,
) -> impl Iterator<Item = Place<'t>> {
    let (exact, path) = parts(path, texts);
    // What follows each dot, with the dot; the host itself may begin with one.
    let suffixes = host.into_iter().flat_map(|host| {
        let inner = host.bytes().enumerate().skip(1).filter(|(_, byte)| *byte == b'.');
        inner.filter_map(|(dot, _)| host.get(dot..)).map(Some)
    });
    let hosts = host.map(Some).into_iter().chain(suffixes).chain([None]);
    hosts.flat_map(move |host| {
        let ends = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(slash, _)| slash);
        let prefixes = ends.chain([path.len()]).filter_map(|end| path.get(..end));
        let prefixes = prefixes.map(move |prefix| (host, false, prefix));
        prefixes.chain(exact.then_some((host, true, path)))
    })
}

/// Whether every request that `later` matches is one that `earlier` matches.
fn covers(earlier: &Match, later: &Match, texts: &Interner) -> bool {
    let host = |later: &Option<Text>| earlier.hosts.iter().any(|host| host_covers(*host, *later, texts));
    let header = |earlier: &HeaderMatch| later.headers.iter().any(|later| header_covers(earlier, later));
    later.hosts.iter().all(host)
        && path_covers(earlier.path, later.path, texts)
        && (earlier.methods.is_empty()
            || !later.methods.is_empty()
                && later.methods.iter().all(|method| earlier.methods.contains(method)))
        && earlier.headers.iter().all(header)
}

/// Whether a route takes a path however it is written, and whatever the request names as its host.
fn takes_every_spelling(route: &Match, texts: &Interner) -> bool {
    let takes_all = route.hosts.contains(&None)
        && matches!(route.path, PathPattern::Prefix(prefix) if texts.get(prefix).is_empty());
    route.gate.is_some() || takes_all
}

fn host_covers(wide: Option<Text>, narrow: Option<Text>, texts: &Interner) -> bool {
    let (Some(wide), Some(narrow)) = (wide, narrow) else { return wide.is_none() };
    if wide == narrow {
        return true;
    }
    let (wide, narrow) = (texts.get(wide), texts.get(narrow));
    wide.len() <= MAX_HOST && wide.starts_with('.') && narrow.ends_with(wide)
}

fn path_covers(wide: PathPattern, narrow: PathPattern, texts: &Interner) -> bool {
    match (wide, parts(narrow, texts)) {
        (PathPattern::Exact(_), _) => wide == narrow,
        (PathPattern::Prefix(prefix), (_, path)) => {
            path.strip_prefix(texts.get(prefix)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

/// Whether the condition `wide` holds wherever `narrow` does.
fn header_covers(wide: &HeaderMatch, narrow: &HeaderMatch) -> bool {
    wide.name == narrow.name
        && match (wide.condition, narrow.condition) {
            (HeaderCondition::Exact(wide), HeaderCondition::Exact(narrow)) => wide == narrow,
            (HeaderCondition::Present(wide), HeaderCondition::Present(narrow)) => wide == narrow,
            (HeaderCondition::Present(wide), HeaderCondition::Exact(_)) => wide,
            (HeaderCondition::Exact(_), HeaderCondition::Present(_)) => false,
        }
}

#[cfg(test)]
mod tests {
    use crate::Snapshot;

    /// Which routes of a document no request comes to.
    fn covered(matches: &[&str]) -> Vec<String> {
        let route = |(index, matched): (usize, &&str)| {
            format!(r#"{{ "name": "r{index}", "match": {{ {matched} }}, "flag": "f" }}"#)
        };
        let routes: Vec<_> = matches.iter().enumerate().map(route).collect();
        let document = format!(
            r#"{{ "flags": {{ "f": {{ "state": "ENABLED", "variants": {{ "v": "up" }} }} }}, "routes": [{}] }}"#,
            routes.join(",")
        );
        let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
        snapshot.problems().iter().map(|problem| format!("{} {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn what_an_earlier_route_takes_is_found() {
        for (earlier, later) in [
            ("", r#""path": { "exact": "/a" }"#),
            (r#""path": { "prefix": "/a" }"#, r#""path": { "prefix": "/a/b" }"#),
            (r#""path": { "prefix": "/a/" }"#, r#""path": { "exact": "/a" }"#),
            (r#""path": { "exact": "/a" }"#, r#""path": { "exact": "/a" }, "methods": ["GET"]"#),
            (r#""hosts": ["*.example.com"]"#, r#""hosts": ["a.example.com", "*.b.example.com"]"#),
            (r#""hosts": ["a.test", "b.test"]"#, r#""hosts": ["b.test"], "path": { "prefix": "/x" }"#),
            (r#""methods": ["GET", "HEAD"]"#, r#""methods": ["HEAD"]"#),
            (r#""headers": { "x": { "present": true } }"#, r#""headers": { "X": { "exact": "1" } }"#),
        ] {
            let found = covered(&[earlier, later]);
            assert_eq!(
                found,
                ["$.routes[1] no request comes here: the route `r0` above takes all that would"],
                "{earlier} | {later}"
            );
        }
    }

    #[test]
    fn what_gets_requests_of_its_own_is_not() {
        for (earlier, later) in [
            (r#""path": { "exact": "/a" }"#, ""),
            (r#""path": { "prefix": "/a" }"#, r#""path": { "prefix": "/ab" }"#),
            (r#""path": { "exact": "/a" }"#, r#""path": { "prefix": "/a" }"#),
            (r#""hosts": ["*.example.com"]"#, r#""hosts": ["example.com"]"#),
            (r#""hosts": ["*.b.example.com"]"#, r#""hosts": ["*.example.com"]"#),
            (r#""hosts": ["a.test"]"#, r#""hosts": ["a.test", "b.test"]"#),
            (r#""hosts": ["a.test"]"#, ""),
            (r#""methods": ["GET"]"#, ""),
            (r#""methods": ["GET"]"#, r#""methods": ["GET", "HEAD"]"#),
            (r#""headers": { "x": { "exact": "1" } }"#, r#""headers": { "x": { "exact": "2" } }"#),
            (r#""headers": { "x": { "exact": "1" } }"#, r#""headers": { "x": { "present": true } }"#),
            (r#""headers": { "x": { "present": false } }"#, r#""headers": { "x": { "exact": "1" } }"#),
        ] {
            assert_eq!(covered(&[earlier, later]), [""; 0], "{earlier} | {later}");
        }
    }

    #[test]
    fn a_gate_still_gets_the_other_spellings_of_a_path_that_an_earlier_route_takes() {
        let problems = |earlier: &str| {
            let document = format!(
                r#"{{ "flags": {{ "f": {{ "state": "ENABLED", "variants": {{ "v": "up" }} }} }}, "routes": [
                    {{ "name": "earlier", {earlier} }},
                    {{ "name": "gate", "match": {{ "path": {{ "exact": "/a/b" }} }}, "gate": {{ "flag": "f" }} }} ] }}"#
            );
            let snapshot = Snapshot::compile(document.as_bytes()).unwrap();
            snapshot.problems().iter().map(|problem| problem.message.clone()).collect::<String>()
        };
        for (earlier, begins) in [
            (r#""match": { "path": { "prefix": "/a" } }, "flag": "f""#, "at most other spellings"),
            (r#""match": { "path": { "prefix": "/a" } }, "gate": { "flag": "f" }"#, "no request comes here"),
            (r#""flag": "f""#, "no request comes here"),
        ] {
            assert!(problems(earlier).starts_with(begins), "{earlier}: {}", problems(earlier));
        }
    }
}
