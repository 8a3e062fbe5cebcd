//! Which gates a request meets, however it is spelled.
//!
//! A route without a gate takes the paths and hosts that are written as the document writes them. A route with one also
//! takes those that some server could take for the same: its gate must hold for what the application sees. So a request
//! that can be read in several ways meets several gates, and passes only if all of them are open.

use super::spelling::{Spelling, is_canonical};
use super::{PathPattern, Route, RouteId};
use crate::request::{Host, Request, query, without_query};
use crate::settings::is_same_header;
use crate::snapshot::Snapshot;

/// Headers by which frameworks let a request say that it means another method.
const METHOD_OVERRIDES: [&[u8]; 3] = [b"x-http-method-override", b"x-http-method", b"x-method-override"];

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
        let route = self.route_under(host.as_ref(), request);
        let path = without_query(request.path());
        let is_overridden = routes.gates_name_methods && is_overridden(request);
        let has_host = host.is_some() || !routes.gates.names_hosts();
        if routes.gates.is_empty() || (is_canonical(path) && has_host && !is_overridden) {
            return Taken { route, others: Vec::new() };
        }
        let spelling = Spelling::of(path);
        let mut met = Vec::new();
        // Of several routes with one pattern, the first that takes the request takes all of them.
        let found = |found: &[u32]| met.extend(found.iter().find(|id| self.matches(RouteId(**id), request)));
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

/// Whether a server could take the request for one with this method: it answers HEAD as it does GET, without the body.
pub(super) fn could_mean<R: Request + ?Sized>(request: &R, method: &[u8]) -> bool {
    request.method().eq_ignore_ascii_case(method)
        || (method.eq_ignore_ascii_case(b"GET") && request.method().eq_ignore_ascii_case(b"HEAD"))
        || overriding(request).any(|other| other.trim_ascii().eq_ignore_ascii_case(method))
        || in_query(request).any(|other| other.eq_ignore_ascii_case(method))
}

fn is_overridden<R: Request + ?Sized>(request: &R) -> bool {
    overriding(request).next().is_some() || in_query(request).next().is_some()
}

fn overriding<R: Request + ?Sized>(request: &R) -> impl Iterator<Item = &[u8]> {
    let is_override = |name: &[u8]| METHOD_OVERRIDES.iter().any(|known| is_same_header(name, known));
    request.headers().filter(move |(name, _)| is_override(name)).map(|(_, value)| value)
}

fn in_query<R: Request + ?Sized>(request: &R) -> impl Iterator<Item = Vec<u8>> {
    let query = query(request.path());
    // Most queries have no such parameter, and need not be decoded.
    let query = if query.windows(7).any(|seven| seven == b"_method") { query } else { &[] };
    form_urlencoded::parse(query)
        .filter(|(name, _)| name == "_method")
        .map(|(_, value)| value.as_bytes().to_vec())
}
