//! Routes: read with unknown keys refused, since a misspelt condition would match everything.

use std::collections::HashSet;
use std::iter::Enumerate;
use std::vec::IntoIter;

use serde_json::{Map, Value};

use super::Compiler;
use super::cover::Cover;
use crate::flag::FlagId;
use crate::json::{Kind, Path};
use crate::names::{listed, unknown_key};
use crate::problem::Severity;
use crate::request::Host;
use crate::route::{Gate, HeaderCondition, HeaderMatch, IndexBuilder, PathPattern, Route, RouteId, Spelling};
use crate::settings::{is_token, parse_duration};
use crate::text::Text;

/// Routes so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    names: HashSet<Text>,
    matches: Vec<Option<Match>>,
    cover: Cover,
}

/// Routes that are being put into the index.
#[derive(Debug)]
pub(super) struct Indexing {
    matches: Enumerate<IntoIter<Option<Match>>>,
    index: IndexBuilder,
    gates: IndexBuilder,
}

impl From<Reading> for Indexing {
    fn from(reading: Reading) -> Self {
        let places = reading.matches.iter().flatten().map(|route| route.hosts.len()).sum();
        let (index, gates) = (IndexBuilder::new(places), IndexBuilder::default());
        Self { matches: reading.matches.into_iter().enumerate(), index, gates }
    }
}

/// A route before it is put into the index.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) name: Text,
    /// `None` matches every host; a suffix begins with its dot.
    pub(super) hosts: Vec<Option<Text>>,
    pub(super) path: PathPattern,
    pub(super) methods: Vec<Text>,
    pub(super) headers: Vec<HeaderMatch>,
    flag: Option<FlagId>,
    pub(super) gate: Option<Gate>,
}

impl Compiler {
    /// Reads the next route.
    pub(super) fn route_item(&mut self, text: &str, reading: &mut Reading, path: &Path<'_>) {
        let path = path.index(reading.matches.len());
        let value = self.value(text, &path);
        let matched = value.and_then(|value| self.route(&value, &mut reading.names, &path));
        if let Some(Match { hosts, methods, headers, .. }) = &matched {
            self.count_route(hosts.len(), methods.len(), headers.len(), &path);
        }
        reading.matches.push(matched);
        self.covered(&reading.matches, &mut reading.cover, &path);
    }

    /// Puts the next route into the index; false when there are no more, and the index is done.
    pub(super) fn index_route(&mut self, indexing: &mut Indexing) -> bool {
        let Some((position, matched)) = indexing.matches.next() else {
            self.snapshot.routes.index = std::mem::take(&mut indexing.index).finish();
            self.snapshot.routes.gates = std::mem::take(&mut indexing.gates).finish();
            return false;
        };
        // Where one of them is missing, the document is refused, so that positions need not be routes.
        let Some(Match { name, hosts, path, methods, headers, flag, gate }) = matched else { return true };
        let id = RouteId(position as u32);
        indexing.index.add(&self.texts, &hosts, path, id);
        if gate.is_some() {
            let spelling = self.spelling(path);
            let (empty, root) = (self.texts.intern(""), PathPattern::Exact(self.texts.intern("/")));
            // A canonical path is looked for here alone, and the root with its slash.
            let canonical = if spelling == PathPattern::Exact(empty) { root } else { spelling };
            indexing.index.add(&self.texts, &hosts, canonical, id);
            indexing.gates.add(&self.texts, &hosts, spelling, id);
            self.snapshot.routes.gates_name_methods |= !methods.is_empty();
        }
        let (methods, headers) = (methods.into(), headers.into());
        self.snapshot.routes.routes.push(Route { name, path, methods, headers, flag, gate });
        true
    }

    /// A pattern by the spelling of its path.
    fn spelling(&mut self, pattern: PathPattern) -> PathPattern {
        let (text, _) = pattern.parts();
        let spelling = Spelling::of(self.texts.get(text).as_bytes());
        let spelling = self.texts.intern(spelling.path());
        match pattern {
            PathPattern::Exact(_) => PathPattern::Exact(spelling),
            PathPattern::Prefix(_) => PathPattern::Prefix(spelling),
        }
    }

    /// A route; none where it cannot be used, and then the document is refused.
    fn route(&mut self, value: &Value, names: &mut HashSet<Text>, path: &Path<'_>) -> Option<Match> {
        let route = self.members(value, path, &["name", "match", "flag", "gate", "guardrail"])?;
        let name = self.route_name(route.get("name"), names, path);
        if !route.contains_key("flag") && !route.contains_key("gate") {
            self.problems.refuse(path, "a route needs a `flag`, a `gate` or both");
        }
        let flag = route.get("flag").and_then(|flag| self.release_flag(flag, &path.key("flag")));
        let gate = route.get("gate").and_then(|gate| self.gate(gate, &path.key("gate")));
        if let Some(guardrail) = route.get("guardrail") {
            self.guardrail(guardrail, flag, &path.key("guardrail"));
        }
        let matched = match route.get("match") {
            Some(value) => self.matched(value, &path.key("match")),
            None => self.matched(&Value::Object(Map::new()), path),
        };
        let matched = matched?;
        let (text, _) = matched.path.parts();
        if gate.is_some() && Spelling::of(self.texts.get(text).as_bytes()).is_ambiguous() {
            let message = "a gate's path must not go up by `..` nor begin with two slashes: servers do not agree where \
                           that leads; write the path itself";
            self.problems.refuse(&path.key("match").key("path"), message);
        }
        Some(Match { name: name?, flag, gate, ..matched })
    }

    fn route_name(
        &mut self,
        value: Option<&Value>,
        names: &mut HashSet<Text>,
        path: &Path<'_>,
    ) -> Option<Text> {
        let name = match value {
            Some(Value::String(name)) if !name.is_empty() => self.texts.intern(name),
            Some(other) => {
                self.problems.refuse(&path.key("name"), format!("must be a name, this is {other}"));
                return None;
            }
            None => {
                self.problems.refuse(path, "`name` is missing: metrics and logs call the route by it");
                return None;
            }
        };
        if !names.insert(name) {
            let texts = &self.texts;
            let message = || format!("another route is called `{}` already", texts.get(name));
            self.problems.refuse_with(&path.key("name"), message);
        }
        Some(name)
    }

    /// The members of an object that has none but these.
    fn members<'v>(
        &mut self,
        value: &'v Value,
        path: &Path<'_>,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Value::Object(members) = value else {
            self.problems.refuse(path, format!("must be an object, this is {}", Kind::of(value)));
            return None;
        };
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            self.problems.refuse_with(&path.key(key), || unknown_key(key, known));
        }
        Some(members)
    }

    fn flag_id(&mut self, value: &Value, path: &Path<'_>) -> Option<FlagId> {
        let Value::String(key) = value else {
            self.problems.refuse(path, format!("must be the key of a flag, this is {}", Kind::of(value)));
            return None;
        };
        let id = self.find_flag(key);
        if id.is_none() {
            self.problems.refuse(path, format!("there is no flag `{key}` in the document"));
        }
        id
    }

    /// A flag whose values are upstreams.
    fn release_flag(&mut self, value: &Value, path: &Path<'_>) -> Option<FlagId> {
        let id = self.flag_id(value, path)?;
        let wrong = match self.releases.get(&id) {
            Some(0) => 0,
            // What another route says of the flag already, this one only counts.
            Some(wrong) if !self.problems.has_room(Severity::Document) => {
                (0..*wrong).for_each(|_| self.problems.skip());
                *wrong
            }
            _ => self.check_release(id, path)?,
        };
        self.releases.insert(id, wrong);
        self.uses(id, path);
        Some(id)
    }

    /// Refuses values that are no upstreams; how many those are.
    fn check_release(&mut self, id: FlagId, path: &Path<'_>) -> Option<usize> {
        let mut wrong = 0;
        let flag = self.snapshot.flags.get(id.0 as usize)?;
        let key = self.texts.get(flag.key);
        for variant in self.snapshot.variants_of(flag) {
            let name = self.texts.get(variant.name);
            let problem = match variant.string.map(|text| self.texts.get(text)) {
                None => "is not a string: an upstream is named by one".to_owned(),
                Some(upstream) if upstream.len() > MAX_UPSTREAM_BYTES => {
                    let length = upstream.len();
                    format!("has {length} bytes; the name of an upstream has at most {MAX_UPSTREAM_BYTES}")
                }
                Some(upstream) if !is_upstream(upstream) => {
                    format!("is `{upstream}`, which cannot name an upstream in a header")
                }
                Some(upstream) => match &self.upstreams {
                    Some(allowed) if !allowed.set.contains(upstream) => {
                        let allowed = listed(allowed.list.iter().map(String::as_str));
                        format!(
                            "is the upstream `{upstream}`, which is none of the configured ones ({allowed})"
                        )
                    }
                    _ => continue,
                },
            };
            wrong += 1;
            self.problems.refuse_with(path, || format!("variant `{name}` of `{key}` {problem}"));
        }
        Some(wrong)
    }

    fn gate(&mut self, value: &Value, path: &Path<'_>) -> Option<Gate> {
        let gate = self.members(value, path, &["flag", "status"])?;
        let status = match gate.get("status") {
            None => Some(404),
            Some(status) => status.as_u64().filter(|status| (400..=599).contains(status)),
        };
        if status.is_none() {
            self.problems.refuse(&path.key("status"), "must be an HTTP status from 400 to 599");
        }
        let Some(flag) = gate.get("flag") else {
            self.problems.refuse(path, "`flag` is missing: the flag that opens the gate");
            return None;
        };
        let flag_path = path.key("flag");
        let flag = self.flag_id(flag, &flag_path)?;
        self.uses(flag, &flag_path);
        Some(Gate { flag, status: status? as u16 })
    }

    fn matched(&mut self, value: &Value, path: &Path<'_>) -> Option<Match> {
        let known = ["hosts", "path", "methods", "headers"];
        let members = self.members(value, path, &known)?;
        let hosts = match members.get("hosts") {
            None => Some(vec![None]),
            Some(hosts) => self
                .strings(hosts, &path.key("hosts"), "host", host_pattern)
                .map(|hosts| hosts.into_iter().map(Some).collect()),
        };
        let methods = match members.get("methods") {
            None => Some(Vec::new()),
            Some(methods) => self.strings(methods, &path.key("methods"), "method", |method| {
                if is_token(method) { Ok(method.to_owned()) } else { Err("a method is a word such as `GET`") }
            }),
        };
        let pattern = match members.get("path") {
            None => Some(PathPattern::Prefix(self.texts.intern(""))),
            Some(pattern) => self.path_pattern(pattern, &path.key("path")),
        };
        let headers = match members.get("headers") {
            None => Some(Vec::new()),
            Some(headers) => self.header_matches(headers, &path.key("headers")),
        };
        // With a condition that was not understood, nobody knows which requests are meant.
        if !members.keys().all(|key| known.contains(&key.as_str())) {
            return None;
        }
        Some(Match {
            name: Text::default(),
            hosts: hosts?,
            path: pattern?,
            methods: methods?,
            headers: headers?,
            flag: None,
            gate: None,
        })
    }

    fn strings(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        what: &str,
        check: impl Fn(&str) -> Result<String, &'static str>,
    ) -> Option<Vec<Text>> {
        let items = match value {
            Value::Array(items) if !items.is_empty() => items,
            _ => {
                self.problems.refuse(path, format!("must be an array with at least one {what}"));
                return None;
            }
        };
        let read =
            |(index, item): (usize, &Value)| match item.as_str().ok_or("must be a string").and_then(&check) {
                Ok(text) => Some(self.texts.intern(&text)),
                Err(reason) => {
                    self.problems.refuse(&path.index(index), format!("{item}: {reason}"));
                    None
                }
            };
        let texts: Vec<_> = items.iter().enumerate().map(read).collect();
        texts.into_iter().collect()
    }

    fn path_pattern(&mut self, value: &Value, path: &Path<'_>) -> Option<PathPattern> {
        let members = self.members(value, path, &["exact", "prefix"])?;
        let (key, exact, value) = match (members.get("exact"), members.get("prefix")) {
            (Some(value), None) => ("exact", true, value),
            (None, Some(value)) => ("prefix", false, value),
            _ => {
                self.problems.refuse(path, "must have either `exact` or `prefix`");
                return None;
            }
        };
        let path = &path.key(key);
        match value.as_str() {
            Some(text) if text.starts_with('/') && !text.contains(['?', '#']) => Some(if exact {
                PathPattern::Exact(self.texts.intern(text))
            } else {
                PathPattern::Prefix(self.texts.intern(text.trim_end_matches('/')))
            }),
            _ => {
                self.problems.refuse(
                    path,
                    format!("must be a path that begins with `/`, without query, this is {value}"),
                );
                None
            }
        }
    }

    fn header_matches(&mut self, value: &Value, path: &Path<'_>) -> Option<Vec<HeaderMatch>> {
        let Value::Object(headers) = value else {
            self.problems.refuse(
                path,
                format!("must be an object of conditions by header, this is {}", Kind::of(value)),
            );
            return None;
        };
        let matches: Vec<_> = headers
            .iter()
            .map(|(name, condition)| self.header_match(name, condition, &path.key(name)))
            .collect();
        matches.into_iter().collect()
    }

    fn header_match(&mut self, name: &str, condition: &Value, path: &Path<'_>) -> Option<HeaderMatch> {
        if !is_token(name) {
            self.problems.refuse(path, "is not the name of a header");
            return None;
        }
        let members = self.members(condition, path, &["exact", "present"])?;
        let condition = match (members.get("exact"), members.get("present")) {
            (Some(Value::String(text)), None) => HeaderCondition::Exact(self.texts.intern(text)),
            (None, Some(Value::Bool(present))) => HeaderCondition::Present(*present),
            _ => {
                self.problems.refuse(path, "must have either `exact`, a string, or `present`, true or false");
                return None;
            }
        };
        Some(HeaderMatch { name: self.texts.intern(&name.to_ascii_lowercase()), condition })
    }

    /// Checks a guardrail's shape. Nothing enforces guardrails yet, and whoever relies on one must be told.
    fn guardrail(&mut self, value: &Value, flag: Option<FlagId>, path: &Path<'_>) {
        let known = ["watch", "fallback", "window", "minRequests", "maxErrorRate", "cooldown"];
        let Some(guardrail) = self.members(value, path, &known) else { return };
        for key in ["window", "cooldown"] {
            if let Some(value) = guardrail.get(key)
                && value.as_str().and_then(parse_duration).is_none()
            {
                self.problems
                    .refuse(&path.key(key), format!("must be a duration such as \"10s\", this is {value}"));
            }
        }
        let Some(flag) = flag.and_then(|flag| self.snapshot.flags.get(flag.0 as usize)).copied() else {
            return;
        };
        let Self { guarded, snapshot, texts, .. } = self;
        let names = guarded
            .entry(flag.key)
            .or_insert_with(|| snapshot.variants_of(&flag).iter().map(|variant| variant.name).collect());
        let watched = guardrail.get("watch").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for value in watched.iter().chain(guardrail.get("fallback")) {
            let name = value.as_str().and_then(|name| texts.find(name));
            if !name.is_some_and(|name| names.contains(&name)) {
                let message = || format!("{value} is no variant of `{}`", texts.get(flag.key));
                self.problems.refuse_with(path, message);
            }
        }
        self.problems.warn(path, "this version does not enforce guardrails: nothing falls back by itself");
    }
}

/// The longest name of an upstream, in bytes. It travels in a header of every request.
const MAX_UPSTREAM_BYTES: usize = 255;

/// Whether a text can name an upstream.
fn is_upstream(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A host as the index has it: in lower case, a suffix with its leading dot.
fn host_pattern(host: &str) -> Result<String, &'static str> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let name = host.strip_prefix("*.");
    if host.contains(':') && !host.ends_with(']') {
        return Err("a host is given without its port; every port matches");
    }
    if !host.is_ascii() {
        return Err("a name outside ASCII is written as it is sent, as `xn--…`");
    }
    let found = Host::of(name.unwrap_or(&host).as_bytes());
    let found = found.as_ref().and_then(|host| std::str::from_utf8(host.as_bytes()).ok());
    match (found, name) {
        (Some(found), None) => Ok(found.to_owned()),
        (Some(found), Some(_)) if !found.starts_with('[') => Ok(format!(".{found}")),
        _ => {
            Err("a host is a name, or `*.` and a name; a name has letters, digits, `-` and `_` between dots")
        }
    }
}
