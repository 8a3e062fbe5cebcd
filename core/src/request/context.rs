//! The evaluation context of a request: what each attribute name means, decided once per snapshot, read when asked.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use super::{Request, cookie, host_name, path_only, query};
use crate::settings::{AttributeSource, ContextSettings, KeySource};
use crate::snapshot::Snapshot;
use crate::value::{Attribute, Attributes, TARGETING_KEY, Value};

/// Where each attribute of one snapshot comes from.
#[derive(Debug, Default)]
pub struct Bindings {
    /// By [`Attribute::index`].
    sources: Vec<Source>,
}

/// Where an attribute comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    TargetingKey,
    Method,
    Path,
    Host,
    Header(String),
    Query(String),
    Cookie(String),
    Property(String),
    Absent,
}

impl Source {
    fn of(path: &str, settings: &ContextSettings) -> Self {
        if path == TARGETING_KEY {
            return Self::TargetingKey;
        }
        if let Some(source) = settings.attributes.get(path) {
            return match source {
                AttributeSource::Header(name) => Self::Header(name.clone()),
                AttributeSource::Cookie(name) => Self::Cookie(name.clone()),
                AttributeSource::Query(name) => Self::Query(name.clone()),
                AttributeSource::Property(name) => Self::Property(name.clone()),
            };
        }
        let Some(request) = path.strip_prefix("request.") else { return Self::Absent };
        match request.split_once('.') {
            None => match request {
                "method" => Self::Method,
                "path" => Self::Path,
                "host" => Self::Host,
                _ => Self::Absent,
            },
            // A name may hold dots itself, so everything that follows is the name.
            Some(("headers", name)) => Self::Header(name.to_ascii_lowercase()),
            Some(("query", name)) => Self::Query(name.to_owned()),
            Some(("cookies", name)) => Self::Cookie(name.to_owned()),
            Some(_) => Self::Absent,
        }
    }
}

impl Bindings {
    /// Decides for each attribute that the snapshot's rules name where it comes from.
    pub fn new(snapshot: &Snapshot, settings: &ContextSettings) -> Self {
        Self { sources: snapshot.attributes().map(|path| Source::of(path, settings)).collect() }
    }
}

/// What a request says about its targeting key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetingKey<'a> {
    /// It carries one.
    Known(&'a str),
    /// It carries none, and gets an anonymous one that the cookie of this name shall keep.
    Anonymous(&'a str),
    /// It carries none, and the configuration gives it none.
    Absent,
}

impl ContextSettings {
    /// The first of the configured sources that holds a targeting key.
    pub fn targeting_key<'a, R: Request + ?Sized>(&'a self, request: &'a R) -> TargetingKey<'a> {
        if let Some(key) = self.named_key(request) {
            return TargetingKey::Known(key);
        }
        match (self.anonymous_key(request), self.anonymous_cookie()) {
            (Some(key), _) => TargetingKey::Known(key),
            (None, Some(name)) => TargetingKey::Anonymous(name),
            (None, None) => TargetingKey::Absent,
        }
    }

    /// The targeting key that says who somebody is: the first one before the search ends with an anonymous cookie.
    pub(crate) fn named_key<'a, R: Request + ?Sized>(&'a self, request: &'a R) -> Option<&'a str> {
        for source in &self.targeting_key {
            let value = match source {
                KeySource::Header(name) => request.header(name.as_bytes()).and_then(text),
                KeySource::Cookie(name) => cookies(request, name).next(),
                KeySource::AnonymousCookie(_) => return None,
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                return Some(value);
            }
        }
        None
    }

    /// The anonymous targeting key that a request carries.
    pub(crate) fn anonymous_key<'a, R: Request + ?Sized>(&'a self, request: &'a R) -> Option<&'a str> {
        // A sibling domain may have set a cookie of the same name, which a browser sends first.
        cookies(request, self.anonymous_cookie()?).find(|value| is_anonymous_id(value))
    }

    fn anonymous_cookie(&self) -> Option<&str> {
        self.targeting_key.iter().find_map(|source| match source {
            KeySource::AnonymousCookie(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// Whether a value is one that we gave: 128 bits in lower-case hexadecimal. Anything else in the cookie is replaced.
fn is_anonymous_id(value: &str) -> bool {
    value.len() == 32 && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The values of all cookies of this name that are text.
fn cookies<'a, R: Request + ?Sized>(request: &'a R, name: &str) -> impl Iterator<Item = &'a str> {
    let headers = request.headers().filter(|(header, _)| *header == b"cookie");
    headers.flat_map(move |(_, header)| cookie::values(header, name.as_bytes()).filter_map(text))
}

/// How many attributes of a request are remembered. Looking one up costs what the client's headers are long, and a
/// rule may ask often; few rules ask for more than these.
const REMEMBERED: usize = 8;

/// Where an attribute was found.
#[derive(Clone, Copy, Debug)]
enum Found<'a> {
    Text(Option<&'a str>),
    /// By its place among the query's parameters.
    Parameter(Option<usize>),
}

/// A request as an evaluation context.
#[derive(Debug)]
pub struct RequestContext<'a, R: ?Sized> {
    request: &'a R,
    bindings: &'a Bindings,
    settings: &'a ContextSettings,
    targeting_key: Option<&'a str>,
    /// The query's parameters, decoded when the first one is asked for.
    query: OnceCell<Vec<(Cow<'a, str>, Cow<'a, str>)>>,
    /// Attributes by their number, the oldest giving way.
    remembered: [Cell<Option<(u32, Found<'a>)>>; REMEMBERED],
    oldest: Cell<usize>,
}

impl<'a, R: Request + ?Sized> RequestContext<'a, R> {
    /// The context of `request` for the snapshot that `bindings` was made for.
    pub fn new(
        request: &'a R,
        bindings: &'a Bindings,
        settings: &'a ContextSettings,
        targeting_key: Option<&'a str>,
    ) -> Self {
        let (query, remembered, oldest) = (OnceCell::new(), Default::default(), Cell::new(0));
        Self { request, bindings, settings, targeting_key, query, remembered, oldest }
    }

    fn find(&self, source: &Source) -> Found<'a> {
        Found::Text(match source {
            Source::TargetingKey => self.targeting_key,
            Source::Method => text(self.request.method()),
            Source::Path => text(path_only(self.request.path())),
            Source::Host => host_name(self.request.host()).and_then(text),
            Source::Header(name) => self.request.header(name.as_bytes()).and_then(text),
            Source::Query(name) => {
                return Found::Parameter(self.parameters().iter().position(|(key, _)| key == name));
            }
            Source::Cookie(name) => cookies(self.request, name).next(),
            Source::Property(name) => self.request.property(name),
            Source::Absent => None,
        })
    }

    fn parameters(&self) -> &[(Cow<'a, str>, Cow<'a, str>)] {
        self.query.get_or_init(|| form_urlencoded::parse(query(self.request.path())).collect())
    }

    fn find_once(&self, index: u32, source: &Source) -> Found<'a> {
        // What is a field of the request need not be remembered.
        if !matches!(source, Source::Header(_) | Source::Query(_) | Source::Cookie(_)) {
            return self.find(source);
        }
        let known = |cell: &Cell<Option<(u32, Found<'a>)>>| cell.get().filter(|(known, _)| *known == index);
        if let Some((_, found)) = self.remembered.iter().find_map(known) {
            return found;
        }
        let found = self.find(source);
        let oldest = self.oldest.get();
        if let Some(cell) = self.remembered.get(oldest) {
            cell.set(Some((index, found)));
        }
        self.oldest.set((oldest + 1) % REMEMBERED);
        found
    }
}

impl<R: Request + ?Sized> Attributes for RequestContext<'_, R> {
    fn get<'a>(&'a self, attribute: Attribute<'_>) -> Value<'a> {
        let bound =
            attribute.index.and_then(|index| Some((index, self.bindings.sources.get(index as usize)?)));
        let found = match bound {
            Some((index, source)) => self.find_once(index, source),
            None => self.find(&Source::of(attribute.path, self.settings)),
        };
        let value = match found {
            Found::Text(text) => text,
            Found::Parameter(place) => {
                place.and_then(|place| self.parameters().get(place)).map(|(_, value)| &**value)
            }
        };
        value.map_or(Value::Null, Value::String)
    }
}
