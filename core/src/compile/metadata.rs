//! Metadata: the flag set's lies under each flag's, and the flag's wins.

use serde_json::{Map, Value};

use super::Compiler;
use crate::json::{Kind, Path};
use crate::rule::FractionalVersion;
use crate::text::Text;
use crate::version;

impl Compiler {
    pub(super) fn set_metadata(&mut self, raw: &str, path: &Path<'_>) {
        let Some(value) = self.value(raw, path) else { return };
        let Some(metadata) = self.metadata_object(value, path) else { return };
        self.snapshot.version = version::of_metadata(&metadata).map(|version| self.texts.intern(&version));
        self.fractional = match metadata.get("fractional").map(|version| (version, version.as_str())) {
            None | Some((_, Some("v2"))) => FractionalVersion::V2,
            Some((_, Some("v3"))) => FractionalVersion::V3,
            Some((other, _)) => {
                let message = format!("must be \"v2\" or \"v3\", this is {other}; \"v2\" holds");
                self.problems.warn(&path.key("fractional"), message);
                FractionalVersion::V2
            }
        };
        if !metadata.is_empty() {
            self.metadata_text = self.texts.intern(&Value::Object(metadata.clone()).to_string());
        }
        self.metadata = metadata;
    }

    /// A flag's metadata merged over the flag set's, and whether it is for clients.
    pub(super) fn flag_metadata(&mut self, value: Option<&Value>, path: &Path<'_>) -> (Text, bool) {
        let metadata = value.and_then(|value| self.metadata_object(value.clone(), path)).unwrap_or_default();
        if metadata.is_empty() {
            return (self.metadata_text, is_for_clients(&self.metadata));
        }
        let mut merged = self.metadata.clone();
        merged.extend(metadata);
        let client = is_for_clients(&merged);
        (self.texts.intern(&Value::Object(merged).to_string()), client)
    }

    fn metadata_object(&mut self, value: Value, path: &Path<'_>) -> Option<Map<String, Value>> {
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
                self.problems.refuse(path, format!("metadata is an object, this is {}", Kind::of(&other)));
                None
            }
        }
    }
}

fn is_for_clients(metadata: &Map<String, Value>) -> bool {
    metadata.get("client") == Some(&Value::Bool(true))
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}
