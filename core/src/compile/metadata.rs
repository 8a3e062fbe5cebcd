//! Metadata: the flag set's and each flag's own, kept apart until an answer is written ([`crate::metadata`]).

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Compiler;
use crate::json::{Kind, Path};
use crate::metadata::{Override, OwnMetadata};
use crate::rule::FractionalVersion;
use crate::text::position;
use crate::version;

/// The flag set's metadata while flags are compiled, which every flag inherits.
#[derive(Debug, Default)]
pub(super) struct SetMetadata {
    /// Where each value lies in the metadata's text, by its key.
    values: HashMap<String, (u32, u32)>,
    client: bool,
}

impl Compiler {
    pub(super) fn set_metadata(&mut self, raw: &str, path: &Path<'_>) {
        let Some(value) = self.value(raw, path) else { return };
        let Some(metadata) = self.metadata_object(&value, path) else { return };
        self.snapshot.version = version::of_metadata(metadata).map(|version| self.texts.intern(&version));
        self.fractional = match metadata.get("fractional").map(|version| (version, version.as_str())) {
            None | Some((_, Some("v2"))) => FractionalVersion::V2,
            Some((_, Some("v3"))) => FractionalVersion::V3,
            Some((other, _)) => {
                let message = format!("must be \"v2\" or \"v3\", this is {other}; \"v2\" holds");
                self.problems.warn(&path.key("fractional"), message);
                FractionalVersion::V2
            }
        };
        if metadata.is_empty() {
            return;
        }
        let mut text = String::new();
        self.set_metadata.client = says_client(metadata).unwrap_or_default();
        for (key, value) in metadata {
            text.push(if text.is_empty() { '{' } else { ',' });
            push_key(&mut text, key);
            let start = position(text.len());
            text.push_str(&value.to_string());
            self.set_metadata.values.insert(key.clone(), (start, position(text.len())));
        }
        text.push('}');
        self.snapshot.metadata = self.texts.intern(&text);
    }

    /// A flag's own metadata, and whether the flag is for clients.
    pub(super) fn flag_metadata(&mut self, value: Option<&Value>, path: &Path<'_>) -> (OwnMetadata, bool) {
        let inherited = self.set_metadata.client;
        let Some(metadata) = value.and_then(|value| self.metadata_object(value, path)) else {
            return (OwnMetadata::default(), inherited);
        };
        let (mut added, first) = (String::new(), self.snapshot.overrides.len());
        for (key, value) in metadata {
            let value = value.to_string();
            if let Some((start, end)) = self.set_metadata.values.get(key) {
                let value = self.texts.intern(&value);
                self.snapshot.overrides.push(Override { start: *start, end: *end, value });
                continue;
            }
            if !added.is_empty() {
                added.push(',');
            }
            push_key(&mut added, key);
            added.push_str(&value);
        }
        let overrides = self.snapshot.overrides.get_mut(first..).unwrap_or_default();
        overrides.sort_unstable_by_key(|place| place.start);
        let (first_override, overrides) = (position(first), position(overrides.len()));
        let own = OwnMetadata { added: self.texts.intern(&added), first_override, overrides };
        (own, says_client(metadata).unwrap_or(inherited))
    }

    fn metadata_object<'v>(&mut self, value: &'v Value, path: &Path<'_>) -> Option<&'v Map<String, Value>> {
        match value {
            Value::Object(metadata) => {
                for (key, value) in metadata.iter().filter(|(_, value)| !is_scalar(value)) {
                    let kind = Kind::of(value);
                    let message = format!(
                        "metadata is strings, numbers and booleans, which is all that OFREP's clients read; this is {kind}"
                    );
                    self.problems.warn(&path.key(key), message);
                }
                Some(metadata)
            }
            Value::Null => None,
            other => {
                self.problems.refuse(path, format!("metadata is an object, this is {}", Kind::of(other)));
                None
            }
        }
    }
}

fn push_key(out: &mut String, key: &str) {
    out.push_str(&Value::from(key).to_string());
    out.push(':');
}

/// What metadata says about whether flags are for clients, if it says anything.
fn says_client(metadata: &Map<String, Value>) -> Option<bool> {
    metadata.get("client").map(|client| *client == Value::Bool(true))
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}
