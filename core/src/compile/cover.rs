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

/// A host pattern (none: every host), whether the path is exact, and the path.
type Place<'t> = (Option<&'t str>, bool, &'t str);

/// Where the routes so far lie, to find the one that covers the next.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// Positions of routes by the hash of their places; different places may share one.
    places: HashMap<u64, Vec<usize>>,
    compared: usize,
}

impl Compiler {
    /// Looks whether an earlier route covers the last of these, and warns at its `path`.
    pub(super) fn covered(&mut self, routes: &[Option<Match>], cover: &mut Cover, path: &Path<'_>) {
        if let Some(earlier) = cover.next(routes, &self.texts) {
            let message = format!(
                "no request comes here: the route `{}` above takes all that would",
                self.texts.get(earlier)
            );
            self.problems.warn(path, message);
        }
    }
}

impl Cover {
    /// Takes in the last of these routes; the name of the first route that covers it.
    fn next(&mut self, routes: &[Option<Match>], texts: &Interner) -> Option<Text> {
        let (last, earlier) = routes.split_last()?;
        let route = last.as_ref()?;
        let Self { places, compared } = self;
        // Whatever covers the route covers its first host, and stands where a look-up of it would come past.
        let cover = route.hosts.first().and_then(|host| {
            let host = host.map(|host| texts.get(host));
            let positions =
                wider_places(host, route.path, texts).filter_map(|place| places.get(&hash(place)));
            let candidates = positions.flatten().filter_map(|position| earlier.get(*position)?.as_ref());
            let cover = candidates.take(MOST_COMPARED.saturating_sub(*compared)).find(|candidate| {
                *compared += 1;
                covers(candidate, route, texts)
            });
            cover.map(|cover| cover.name)
        });
        let (exact, path) = parts(route.path, texts);
        for host in &route.hosts {
            let place = (host.map(|host| texts.get(host)), exact, path);
            places.entry(hash(place)).or_default().push(earlier.len());
        }
        cover
    }
}

fn hash((host, exact, path): Place<'_>) -> u64 {
    let host = host.map_or(0, |host| xxh3_64(host.as_bytes()));
    xxh3_64_with_seed(path.as_bytes(), host.wrapping_add(u64::from(exact)))
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

fn host_covers(wide: Option<Text>, narrow: Option<Text>, texts: &Interner) -> bool {
    let (Some(wide), Some(narrow)) = (wide, narrow) else { return wide.is_none() };
    let (wide, narrow) = (texts.get(wide), texts.get(narrow));
    wide == narrow || wide.starts_with('.') && narrow.ends_with(wide)
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
}
