//! The request that `--request` describes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use turquoise_core::{Request, Settings};

use crate::failure::Failure;
use crate::input;

const OPTION: &str = "--request";

/// A request to decide.
#[derive(Debug)]
pub(crate) struct GivenRequest {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    properties: BTreeMap<String, String>,
}

impl GivenRequest {
    /// Reads the request that the argument holds.
    pub(crate) fn parse(argument: &str) -> Result<Self, Failure> {
        let source = input::text(OPTION, argument)?;
        let wrong = |reason: &str| Err(input::not_object(OPTION, &source, reason));
        let members = match serde_json::from_slice(&source.bytes) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return wrong("this is JSON, but no object"),
            Err(error) => return wrong(&format!("not JSON: {error}")),
        };
        Self::read(members).map_err(|reason| Failure::Usage(format!("{OPTION}: {reason}")))
    }

    /// Unknown keys are refused, because a misspelt one would decide something else.
    fn read(members: Map<String, Value>) -> Result<Self, String> {
        let (mut method, mut host, mut path) = (None, None, None);
        let (mut fields, mut properties) = (Vec::new(), BTreeMap::new());
        for (key, value) in members {
            match (key.as_str(), value) {
                ("method", Value::String(text)) => method = Some(text),
                ("host", Value::String(text)) => host = Some(text),
                ("path", Value::String(text)) => path = Some(text),
                ("headers", Value::Object(described)) => fields = headers(described)?,
                ("properties", Value::Object(described)) => properties = self::properties(described)?,
                ("method" | "host" | "path", other) => {
                    return Err(format!("`{key}` is `{other}`: write a string"));
                }
                ("headers" | "properties", other) => {
                    return Err(format!("`{key}` is `{other}`: write an object of strings by name"));
                }
                _ => {
                    return Err(format!(
                        "unknown key `{key}`; allowed are `method`, `host`, `path`, `headers`, `properties`"
                    ));
                }
            }
        }
        // As in HTTP/1, where the host is a header.
        let of_header = || fields.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone());
        Ok(Self {
            method: method.unwrap_or_else(|| "GET".to_owned()),
            host: host.or_else(of_header).unwrap_or_default(),
            path: path.unwrap_or_else(|| "/".to_owned()),
            headers: fields,
            properties,
        })
    }

    /// Removes the headers that only the filter may set, as the filter does before it looks at anything.
    pub(crate) fn strip(&mut self, settings: &Settings) {
        self.headers.retain(|(name, _)| !settings.is_reserved(name.as_bytes()));
    }
}

/// Header fields from an object: a string, or an array of strings for a header that came several times.
fn headers(described: Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::with_capacity(described.len());
    for (name, value) in described {
        if name.is_empty() || name.starts_with(':') {
            return Err(format!(
                "`{name}` is no header: the request has `method`, `host` and `path` of its own"
            ));
        }
        let lower = name.to_ascii_lowercase();
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let Value::String(value) = value else {
                return Err(format!(
                    "the header `{name}` is `{value}`: write a string, or an array of strings"
                ));
            };
            headers.push((lower.clone(), value));
        }
    }
    Ok(headers)
}

fn properties(described: Map<String, Value>) -> Result<BTreeMap<String, String>, String> {
    let text = |(name, value)| match value {
        Value::String(value) => Ok((name, value)),
        other => Err(format!("the property `{name}` is `{other}`: write a string")),
    };
    described.into_iter().map(text).collect()
}

impl Request for GivenRequest {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}
