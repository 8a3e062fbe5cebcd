//! Why a request goes where it goes: who asks, which routes match and why, and what their flags say.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Explanation;
use crate::eval::{Scratch, Timestamp};
use crate::request::{Bindings, Host, Request, RequestContext, TargetingKey, path_only};
use crate::route::{HeaderCondition, PathPattern, RouteId};
use crate::settings::{ContextSettings, KeySource};
use crate::snapshot::Snapshot;
use crate::text::Text;

/// How many routes that do not match are listed.
const MOST_ROUTES: usize = 20;

/// Why a request goes where it goes. Printed, it is indented text; serialized, it is for machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestExplanation {
    /// The method, the host and the path.
    pub request: [String; 3],
    /// Who asks.
    pub targeting_key: KeyExplanation,
    /// The routes up to the one that matches, or all of them.
    pub routes: Vec<RouteExplanation>,
    /// How many more routes there are that do not match.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_routes: usize,
    /// The route that matches.
    pub route: Option<String>,
    /// Its gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateExplanation>,
    /// The flag that chooses the upstream, unless the gate is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<Explanation>,
    /// Where the request goes; none leaves it to the proxy's own default route.
    pub upstream: Option<String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A targeting key and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyExplanation {
    /// The key.
    pub value: Option<String>,
    /// Where it came from, in words.
    pub from: String,
}

/// Whether a route matches, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteExplanation {
    /// Its name.
    pub name: String,
    /// Whether it matches.
    pub matches: bool,
    /// What matches, or the first thing that does not.
    pub because: String,
}

/// A gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateExplanation {
    /// Whether it lets requests through.
    pub open: bool,
    /// The status that answers where it does not.
    pub status: u16,
    /// Its flag.
    pub flag: Explanation,
}

impl Snapshot {
    /// Decides a request and shows how. A client without a targeting key that would be given one gets `new_client`.
    pub fn explain_request<R: Request + ?Sized>(
        &self,
        request: &R,
        settings: &ContextSettings,
        new_client: &str,
        now: Timestamp,
    ) -> RequestExplanation {
        let targeting_key = targeting_key(settings, request, new_client);
        let bindings = Bindings::new(self, settings);
        let context = RequestContext::new(request, &bindings, settings, targeting_key.value.as_deref());
        let decision = self.decide(request, &context, now, &mut Scratch::default());
        let (routes, more_routes) = self.explain_routes(request, decision.route);
        let explain = |evaluation: Option<_>| self.explain_evaluation(&evaluation?, &context, now);
        let gate = decision.route.and_then(|route| self.route_gate(route)).and_then(|(_, status)| {
            let open = decision.closed.is_none();
            Some(GateExplanation { open, status, flag: explain(decision.gate)? })
        });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        RequestExplanation {
            request: [text(request.method()), text(request.host()), text(request.path())],
            routes,
            more_routes,
            route: decision.route.map(|route| self.route_name(route).to_owned()),
            gate,
            flag: explain(decision.flag),
            upstream: decision.upstream(self).map(str::to_owned),
            targeting_key,
        }
    }

    /// The routes that come before the one that matches, which is the last.
    fn explain_routes<R: Request + ?Sized>(
        &self,
        request: &R,
        found: Option<RouteId>,
    ) -> (Vec<RouteExplanation>, usize) {
        let before = found.map_or(self.route_count(), RouteId::index);
        let listed = self.routes().take(before.min(MOST_ROUTES)).chain(found);
        let explain = |route: RouteId| {
            let matches = Some(route) == found;
            let because = match self.conditions(route, request) {
                Ok(met) if !matches => {
                    format!("{met}; but a gate below is closed that the request meets, too")
                }
                Ok(because) | Err(because) => because,
            };
            RouteExplanation { name: self.route_name(route).to_owned(), matches, because }
        };
        (listed.map(explain).collect(), before.saturating_sub(MOST_ROUTES))
    }

    /// What of a route matches; an error with the first condition that does not.
    pub(crate) fn conditions<R: Request + ?Sized>(&self, id: RouteId, request: &R) -> Result<String, String> {
        let text = |text: Text| self.text.get(text);
        let Some(route) = self.routes.routes.get(id.index()) else { return Err(String::new()) };
        let mut met = Vec::new();
        let (host, path) = (Host::of(request.host()), path_only(request.path()));
        let shown =
            |host: &str| if host.starts_with('.') { format!("`*{host}`") } else { format!("`{host}`") };
        let mut hosts: Vec<_> = self.routes.index.hosts_of(id).into_iter().map(text).collect();
        hosts.sort_unstable();
        hosts.dedup();
        if !hosts.is_empty() {
            let host = host.as_ref().map(Host::as_bytes);
            let is_host = |pattern: &&&str| {
                host.is_some_and(|host| {
                    host == pattern.as_bytes()
                        || pattern.starts_with('.') && host.ends_with(pattern.as_bytes())
                })
            };
            match hosts.iter().find(is_host) {
                Some(host) => met.push(format!("host {}", shown(host))),
                None if host.is_none() && route.gate.is_some() => {
                    met.push("what it says is no host, which may be any".to_owned());
                }
                None => {
                    let hosts: Vec<_> = hosts.iter().map(|host| shown(host)).collect();
                    return Err(format!("the host is not {}", hosts.join(" or ")));
                }
            }
        }
        let (pattern, _) = route.path.parts();
        let pattern = text(pattern);
        let (is_written, what, otherwise) = match route.path {
            PathPattern::Exact(_) => (
                pattern.as_bytes() == path,
                format!("path `{pattern}`"),
                format!("the path is not `{pattern}`"),
            ),
            PathPattern::Prefix(_) => (
                path.strip_prefix(pattern.as_bytes())
                    .is_some_and(|rest| rest.is_empty() || pattern.is_empty() || rest.starts_with(b"/")),
                format!("path under `{pattern}`"),
                format!("the path does not lie under `{pattern}`"),
            ),
        };
        match is_written {
            true if pattern.is_empty() => {}
            true => met.push(what),
            false if route.gate.is_some() && self.meets(route.path, request) => {
                met.push(format!("{what} in another spelling"));
            }
            false => return Err(otherwise),
        }
        if !route.methods.is_empty() {
            let methods: Vec<_> = route.methods.iter().map(|method| format!("`{}`", text(*method))).collect();
            let (overrides, own) = (self.overrides(request), request.method());
            let could_mean = |method: &[u8]| overrides.could_mean(own, method);
            let is_method = |method: &Text| self.is_method(route, *method, request, &could_mean);
            if !route.methods.iter().any(is_method) {
                return Err(format!("the method is not {}", methods.join(" or ")));
            }
            met.push(format!("method {}", methods.join(" or ")));
        }
        for header in &route.headers {
            let name = text(header.name);
            let mut values =
                request.headers().filter(|(header, _)| header.eq_ignore_ascii_case(name.as_bytes()));
            let (holds, condition) = match header.condition {
                HeaderCondition::Exact(exact) => (
                    values.any(|(_, value)| value == text(exact).as_bytes()),
                    format!("is `{}`", text(exact)),
                ),
                HeaderCondition::Present(true) => (values.next().is_some(), "is present".to_owned()),
                HeaderCondition::Present(false) => (values.next().is_none(), "is absent".to_owned()),
            };
            if !holds {
                return Err(format!("it is not so that the header `{name}` {condition}"));
            }
            met.push(format!("header `{name}` {condition}"));
        }
        Ok(if met.is_empty() { "it matches every request".to_owned() } else { met.join(", ") })
    }
}

fn targeting_key<R: Request + ?Sized>(
    settings: &ContextSettings,
    request: &R,
    new_client: &str,
) -> KeyExplanation {
    for source in &settings.targeting_key {
        // Each source alone, by the same code that looks through all of them.
        let alone = ContextSettings { targeting_key: vec![source.clone()], attributes: BTreeMap::new() };
        let from = match source {
            KeySource::Header(name) => format!("from the header `{name}`"),
            KeySource::Cookie(name) => format!("from the cookie `{name}`"),
            KeySource::AnonymousCookie(name) => format!("from the anonymous cookie `{name}`"),
        };
        match alone.targeting_key(request) {
            TargetingKey::Known(key) => return KeyExplanation { value: Some(key.to_owned()), from },
            TargetingKey::Anonymous(cookie) => {
                let from = format!("of a new client: the cookie `{cookie}` will keep a random one");
                return KeyExplanation { value: Some(new_client.to_owned()), from };
            }
            TargetingKey::Absent => {}
        }
    }
    KeyExplanation { value: None, from: "no source has one".to_owned() }
}

impl Display for RequestExplanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [method, host, path] = &self.request;
        writeln!(f, "{method} {host}{path}")?;
        match &self.targeting_key {
            KeyExplanation { value: Some(key), from } => {
                writeln!(f, "  targeting key {}, {from}", serde_json::Value::from(key.as_str()))?;
            }
            KeyExplanation { value: None, from } => writeln!(f, "  no targeting key: {from}")?,
        }
        for RouteExplanation { name, matches, because } in &self.routes {
            if *matches && self.more_routes > 0 {
                writeln!(f, "  {} more routes do not match", self.more_routes)?;
            }
            let matches = if *matches { "matches" } else { "does not match" };
            writeln!(f, "  route `{name}` {matches}: {because}")?;
        }
        if self.route.is_none() {
            if self.more_routes > 0 {
                writeln!(f, "  {} more routes do not match", self.more_routes)?;
            }
            writeln!(f, "  no route matches")?;
        }
        if let Some(GateExplanation { open, status, flag }) = &self.gate {
            match open {
                true => write!(f, "  the gate is open: ")?,
                false => write!(f, "  the gate is closed and answers {status}: ")?,
            }
            flag.write(f, 2)?;
        }
        if let Some(flag) = &self.flag {
            f.write_str("  ")?;
            flag.write(f, 2)?;
        }
        let failed = self.flag.as_ref().is_some_and(|flag| flag.error_code.is_some());
        match (&self.upstream, self.gate.as_ref().is_some_and(|gate| !gate.open)) {
            (Some(upstream), _) if failed => {
                writeln!(f, "  upstream `{upstream}`: the flag failed, so its default variant serves")
            }
            (Some(upstream), _) => writeln!(f, "  upstream `{upstream}`"),
            (None, true) => writeln!(f, "  no upstream: the gate answers"),
            (None, false) => writeln!(f, "  no upstream: the proxy's own default route serves"),
        }
    }
}
