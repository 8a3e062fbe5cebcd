//! A request of the proxy as the core sees it.

use std::cell::OnceCell;

use turquoise_core::{AttributeSource, ContextSettings, Request};

use crate::host::{self, Headers};
use crate::live::Live;

/// The names of all properties that the configuration maps to attributes.
pub(crate) fn property_names(settings: &ContextSettings) -> Vec<String> {
    let name = |source: &AttributeSource| match source {
        AttributeSource::Property(name) => Some(name.clone()),
        _ => None,
    };
    settings.attributes.values().filter_map(name).collect()
}

/// The request headers, and the properties that were asked for so far.
pub(crate) struct ProxyRequest<'a> {
    headers: &'a Headers,
    live: &'a Live,
    /// What the proxy answered, in the order of the names; asked for once, and only when a rule reads it.
    properties: Vec<OnceCell<Option<String>>>,
}

impl<'a> ProxyRequest<'a> {
    pub(crate) fn new(headers: &'a Headers, live: &'a Live) -> Self {
        let properties = live.property_names.iter().map(|_| OnceCell::new()).collect();
        Self { headers, live, properties }
    }

    /// Whether the client came by https: as the proxy before us says, or as this one knows.
    pub(crate) fn is_https(&self) -> bool {
        let scheme = self.headers.get("x-forwarded-proto").or_else(|| self.headers.get(":scheme"));
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https"))
    }
}

impl Request for ProxyRequest<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // A reserved header that the client sent was removed, and no rule may see it either.
        let settings = &self.live.settings;
        self.headers.iter().filter(|(name, _)| !name.starts_with(b":") && !settings.is_reserved(name))
    }

    fn method(&self) -> &[u8] {
        self.headers.get(":method").unwrap_or_default()
    }

    fn host(&self) -> &[u8] {
        self.headers.get(":authority").or_else(|| self.headers.get("host")).unwrap_or_default()
    }

    fn path(&self) -> &[u8] {
        self.headers.get(":path").unwrap_or_default()
    }

    fn property(&self, name: &str) -> Option<&str> {
        let index = self.live.property_names.iter().position(|known| known == name)?;
        self.properties.get(index)?.get_or_init(|| host::property(name)).as_deref()
    }
}
