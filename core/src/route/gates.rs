//! Which gates a request meets, however it is spelled.
//!
//! A route without a gate takes the paths and hosts that are written as the document writes them. A route with one also
//! takes those that some server could take for the same: its gate must hold for what the application sees. So a request
//! that can be read in several ways meets several gates, and passes only if all of them are open.

use super::methods::is_taken_for;
use super::spelling::{Spelling, is_canonical};
use super::{PathPattern, Route, RouteId};
use crate::request::{Host, Request, without_query};
use crate::snapshot::Snapshot;

/// Where a request goes by the routes, before any flag is asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The route that decides.
    pub(crate) route: Option<RouteId>,
    /// Later routes whose gates must be open as well, in the order of the document.
    pub(crate) others: Vec<RouteId>,
}

impl Snapshot {
    /// The routes that a request takes in all of its readings.
    pub(crate) fn taken<R: Request + ?Sized>(&self, request: &R) -> Taken {
        let routes = &self.routes;
        let host = self.host(request);
        let overrides = self.overrides(request);
        let route = self.route_under(host.as_ref(), request, &overrides);
        let path = without_query(request.path());
        let is_overridden = !overrides.is_empty();
        let has_host = host.is_some() || !routes.gates.names_hosts();
        if routes.gates.is_empty() || (is_canonical(path) && has_host && !is_overridden) {
            return Taken { route, others: Vec::new() };
        }
        let spelling = Spelling::of(path);
        let mut met = Vec::new();
        let found = |found: &[u32]| {
            // Of several routes with one pattern, the first that takes the request takes all of them. But each method that
            // the request could mean may have another first.
            let own = request.method();
            let mut first = |means: &dyn Fn(&[u8]) -> bool| {
                met.extend(found.iter().find(|id| self.matches(RouteId(**id), request, means)));
            };
            first(&|method| is_taken_for(own, method));
            for meant in overrides.methods() {
                first(&|method| is_taken_for(meant, method));
            }
            if overrides.is_any() {
                met.extend(found.iter().filter(|id| self.matches(RouteId(**id), request, &|_| true)));
            }
        };
        let host = host.as_ref().map(Host::as_bytes);
        if spelling.is_ambiguous() || !has_host {
            routes.gates.scan(&self.text, host, |is_exact, pattern| spelling.meets(is_exact, pattern), found);
        } else {
            routes.gates.visit(&self.text, host, spelling.path().as_bytes(), found);
        }
        met.sort_unstable();
        met.dedup();
        let mut others: Vec<_> = met.into_iter().map(RouteId).filter(|id| Some(*id) != route).collect();
        let Some(route) = route else {
            let first = (!others.is_empty()).then(|| others.remove(0));
            return Taken { route: first, others };
        };
        let is_cut = path.contains(&b'#');
        if self.takes_every_reading(route, is_cut || spelling.is_ambiguous(), is_overridden) {
            others.retain(|id| *id < route);
        }
        match others.first().copied() {
            Some(first) if first < route => {
                // The route that the path takes as it is written has a say, too.
                let place = others.partition_point(|id| *id < route);
                others.insert(place, route);
                others.remove(0);
                Taken { route: Some(first), others }
            }
            _ => Taken { route: Some(route), others },
        }
    }

    /// Whether a route that takes the path as it is written takes it in every other reading as well, so that none of them
    /// comes to the routes below it. Its segments stand at the start of them all, unless the path goes up from there, or
    /// what stands behind a `#` belongs to it.
    fn takes_every_reading(&self, route: RouteId, is_ambiguous: bool, is_overridden: bool) -> bool {
        let Some(Route { path, methods, .. }) = self.routes.routes.get(route.index()) else { return false };
        let takes_all = matches!(path, PathPattern::Prefix(prefix) if self.text.get(*prefix).is_empty());
        (takes_all || !is_ambiguous) && (methods.is_empty() || !is_overridden)
    }

    /// Whether a server could take the request's path for one that the pattern of a gate matches.
    pub(crate) fn meets<R: Request + ?Sized>(&self, pattern: PathPattern, request: &R) -> bool {
        let (text, _) = pattern.parts();
        let is_exact = matches!(pattern, PathPattern::Exact(_));
        let pattern = Spelling::of(self.text.get(text).as_bytes());
        Spelling::of(without_query(request.path())).meets(is_exact, pattern.path())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A request that counts how often it is looked at.
    struct Counting {
        path: String,
        looks: Cell<usize>,
    }

    impl Request for Counting {
        fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
            self.looks.set(self.looks.get() + 1);
            [(&b"x-http-method-override"[..], &b"DELETE"[..])].into_iter()
        }

        fn method(&self) -> &[u8] {
            b"POST"
        }

        fn host(&self) -> &[u8] {
            b"shop.example.com"
        }

        fn path(&self) -> &[u8] {
            self.looks.set(self.looks.get() + 1);
            self.path.as_bytes()
        }

        fn property(&self, _: &str) -> Option<&str> {
            None
        }
    }

    fn snapshot(routes: &[String]) -> Snapshot {
        let flag =
            r#"{ "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" }"#;
        let document = format!(r#"{{ "flags": {{ "f": {flag} }}, "routes": [{}] }}"#, routes.join(","));
        Snapshot::compile(document.as_bytes()).unwrap()
    }

    fn gate(name: &str, path: &str, method: &str) -> String {
        format!(
            r#"{{ "name": "{name}", "match": {{ "path": {{ "prefix": "{path}" }}, "methods": ["{method}"] }}, "gate": {{ "flag": "f" }} }}"#
        )
    }

    fn taken(snapshot: &Snapshot, path: &str) -> (Taken, usize) {
        let request = Counting { path: path.to_owned(), looks: Cell::new(0) };
        let taken = snapshot.taken(&request);
        (taken, request.looks.get())
    }

    #[test]
    fn a_request_is_read_once_however_many_gates_it_meets() {
        let gates = |count| -> Vec<_> {
            (0..count).map(|n| gate(&format!("g{n}"), &format!("/{n}"), "DELETE")).collect()
        };
        let path = format!("/.../{}?{}", "a/".repeat(100), "&_method=x".repeat(1000));
        let (few, looks) = taken(&snapshot(&gates(2)), &path);
        let (many, as_many) = taken(&snapshot(&gates(500)), &path);
        assert_eq!((few.others.len(), many.others.len()), (1, 499), "it meets them all");
        assert_eq!(looks, as_many);
    }

    #[test]
    fn a_gate_for_one_method_hides_none_for_the_method_that_is_meant() {
        let snapshot = snapshot(&[gate("post", "/items", "POST"), gate("delete", "/items", "DELETE")]);
        let (Taken { route, others }, _) = taken(&snapshot, "/items/1");
        assert_eq!((route, others), (Some(RouteId(0)), vec![RouteId(1)]));
    }
}
