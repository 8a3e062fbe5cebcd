//! Routes: which requests a flag decides, and how the route of a request is found.

mod gates;
mod index;
mod methods;
mod spelling;

use crate::flag::{FlagId, VariantId};
use crate::request::{Host, Request, path_only};
use crate::snapshot::Snapshot;
use crate::text::Text;

pub(crate) use gates::Taken;
pub(crate) use index::{Index, IndexBuilder, PathPattern};
pub(crate) use methods::Overrides;
pub(crate) use spelling::Spelling;

/// A route of one snapshot, counted in the order of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub(crate) u32);

impl RouteId {
    /// A number below [`Snapshot::route_count`], for tables with a place for every route.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All routes of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) routes: Vec<Route>,
    /// All routes by the patterns that the document writes; those with a gate also by their spelling.
    pub(crate) index: Index,
    /// The routes with a gate, by the [`Spelling`] of their paths.
    pub(crate) gates: Index,
    /// Whether a route with a gate names methods.
    pub(crate) gates_name_methods: bool,
}

/// A compiled route. Hosts are in the index, and so is the path; what remains is compared one by one.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: Text,
    /// As the document writes it.
    pub(crate) path: PathPattern,
    /// Any of these; all methods when empty.
    pub(crate) methods: Box<[Text]>,
    /// All of these.
    pub(crate) headers: Box<[HeaderMatch]>,
    pub(crate) flag: Option<FlagId>,
    pub(crate) gate: Option<Gate>,
}

/// A condition on one header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderMatch {
    /// In lower case.
    pub(crate) name: Text,
    pub(crate) condition: HeaderCondition,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum HeaderCondition {
    Exact(Text),
    Present(bool),
}

/// A flag that must be on, and the status that answers while it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) flag: FlagId,
    pub(crate) status: u16,
}

impl Routes {
    pub(crate) fn size(&self) -> usize {
        let inner = |route: &Route| {
            route.methods.len() * size_of::<Text>() + route.headers.len() * size_of::<HeaderMatch>()
        };
        self.routes.capacity() * size_of::<Route>()
            + self.routes.iter().map(inner).sum::<usize>()
            + self.index.size()
            + self.gates.size()
    }
}

impl Snapshot {
    /// How many routes there are.
    pub fn route_count(&self) -> usize {
        self.routes.routes.len()
    }

    /// All routes, in the order of the document.
    pub fn routes(&self) -> impl Iterator<Item = RouteId> + use<> {
        (0..self.routes.routes.len() as u32).map(RouteId)
    }

    /// A route's name.
    pub fn route_name(&self, route: RouteId) -> &str {
        self.routes.routes.get(route.index()).map_or("", |route| self.text.get(route.name))
    }

    /// The flag that chooses the upstream of a route's requests.
    pub fn route_flag(&self, route: RouteId) -> Option<FlagId> {
        self.routes.routes.get(route.index())?.flag
    }

    /// The flag that opens a route, and the status that answers while it does not.
    pub fn route_gate(&self, route: RouteId) -> Option<(FlagId, u16)> {
        self.routes.routes.get(route.index())?.gate.map(|gate| (gate.flag, gate.status))
    }

    /// The first route that matches host and path as they are written. Gates hold for other spellings, too, so that
    /// [`decide`](Self::decide) may find an earlier one, or one that is closed.
    pub fn route<R: Request + ?Sized>(&self, request: &R) -> Option<RouteId> {
        self.route_under(self.host(request).as_ref(), request, &self.overrides(request))
    }

    /// The methods that a request could mean besides its own; none where no gate names methods.
    pub(crate) fn overrides<R: Request + ?Sized>(&self, request: &R) -> Overrides {
        match self.routes.gates_name_methods {
            true => Overrides::of(request),
            false => Overrides::default(),
        }
    }

    /// The host that a request asks for; none where no route names hosts.
    pub(crate) fn host<R: Request + ?Sized>(&self, request: &R) -> Option<Host> {
        self.routes.index.names_hosts().then(|| Host::of(request.host())).flatten()
    }

    fn route_under<R: Request + ?Sized>(
        &self,
        host: Option<&Host>,
        request: &R,
        overrides: &Overrides,
    ) -> Option<RouteId> {
        let (host, path) = (host.map(Host::as_bytes), path_only(request.path()));
        let own = request.method();
        let could_mean = |method: &[u8]| overrides.could_mean(own, method);
        self.routes.index.find(&self.text, host, path, |id| self.matches(id, request, &could_mean))
    }

    /// Whether a route whose host and path match also matches in method and headers; `means` says which methods a gate
    /// takes the request's for.
    fn matches<R: Request + ?Sized>(&self, id: RouteId, request: &R, means: &dyn Fn(&[u8]) -> bool) -> bool {
        let Some(route) = self.routes.routes.get(id.index()) else { return false };
        let is_method = |method: &Text| self.is_method(route, *method, request, means);
        let has_header = |header: &HeaderMatch| {
            let mut values = request
                .headers()
                .filter(|(name, _)| name.eq_ignore_ascii_case(self.text.get(header.name).as_bytes()));
            match header.condition {
                HeaderCondition::Exact(text) => {
                    values.any(|(_, value)| value == self.text.get(text).as_bytes())
                }
                HeaderCondition::Present(present) => values.next().is_some() == present,
            }
        };
        (route.methods.is_empty() || route.methods.iter().any(is_method))
            && route.headers.iter().all(has_header)
    }

    /// Whether a request has a method of a route; a gate holds for every request that could mean it.
    pub(crate) fn is_method<R: Request + ?Sized>(
        &self,
        route: &Route,
        method: Text,
        request: &R,
        means: &dyn Fn(&[u8]) -> bool,
    ) -> bool {
        let method = self.text.get(method).as_bytes();
        match route.gate {
            Some(_) => means(method),
            None => method == request.method(),
        }
    }

    /// Whether the gate opens for this value: it is closed by `false`, by a variant named `off`, and where there is
    /// no value (a disabled flag, an error, a flag without default).
    pub(crate) fn opens(&self, variant: Option<VariantId>) -> bool {
        variant.is_some_and(|variant| {
            let variant = self.variant(variant);
            variant.json != "false" && variant.name != "off"
        })
    }
}
