//! The document that the scenario changes: a file, edited as a user edits it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The text that every scenario starts with.
pub const START: &str = include_str!("../document.json");

/// A document in a file.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    value: Value,
    large: bool,
}

/// One value to put into a document, at a JSON pointer.
#[derive(Clone, Debug)]
pub struct Edit {
    pointer: &'static str,
    value: Value,
}

/// What an edit did.
#[derive(Clone, Debug)]
pub struct Change {
    /// When the new file was in place.
    pub written: Instant,
    /// Each difference: a path with the old and the new value.
    pub differences: Vec<Difference>,
}

/// One value that differs between two documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: keys joined by dots.
    pub path: String,
    /// What was there.
    pub old: Option<Value>,
    /// What is there now.
    pub new: Option<Value>,
}

impl Document {
    /// Puts the start document into `directory`.
    pub fn create(directory: &Path) -> Result<Self> {
        let value = serde_json::from_str(START).context("`document.json` is no JSON")?;
        let document = Self { path: directory.join("document.json"), value, large: false };
        fs::write(&document.path, START)
            .with_context(|| format!("cannot write `{}`", document.path.display()))?;
        Ok(document)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The document as it is written to the file.
    #[must_use]
    pub fn text(&self) -> String {
        // Spaces would double what is large.
        match self.large {
            true => self.value.to_string(),
            false => format!("{:#}\n", self.value),
        }
    }

    /// Makes the edits and replaces the file.
    pub fn change(&mut self, edits: &[Edit]) -> Result<Change> {
        let old = self.value.clone();
        for edit in edits {
            edit.apply(&mut self.value)?;
        }
        let written = self.replace(&self.text())?;
        Ok(Change { written, differences: differences(&old, &self.value) })
    }

    /// Adds so many flags and routes that no request of the scenario meets: what a large organisation has.
    pub fn enlarge(&mut self, flags: usize, routes: usize) -> Result<Instant> {
        let parent = |key: &str| format!("the document has no `{key}`");
        let all = self.value["flags"].as_object_mut().with_context(|| parent("flags"))?;
        for number in 0..flags {
            let flag = json!({
                "state": "ENABLED",
                "variants": { "on": true, "off": false },
                "defaultVariant": "off",
                "targeting": { "if": [
                    { "in": [{ "var": "email" }, [format!("anna{number}@example.com"), "ben@example.com"]] }, "on",
                    { "fractional": [["on", number % 100], ["off", 100 - number % 100]] },
                ] },
                "metadata": {
                    "kind": "release", "owner": format!("team-{}", number % 50), "expires": "2027-01-31",
                    "description": format!("What feature {number} does, in a sentence or two as people write them."),
                },
            });
            all.insert(format!("feature-{number:05}"), flag);
        }
        let all = self.value["routes"].as_array_mut().with_context(|| parent("routes"))?;
        for number in 0..routes {
            all.push(json!({
                "name": format!("route-{number}"),
                "match": {
                    "hosts": [format!("shop-{}.example.org", number / 10)],
                    "path": { "prefix": format!("/section-{}", number % 10) },
                },
                "flag": "shop-release",
            }));
        }
        self.large = true;
        self.replace(&self.text())
    }

    /// Replaces the file by any text; what is remembered for further edits stays. The file is renamed into place, as
    /// editors do it: a reader sees the old one or the new one.
    pub fn replace(&self, text: &str) -> Result<Instant> {
        let problem = || format!("cannot replace `{}`", self.path.display());
        let directory = self.path.parent().with_context(problem)?;
        let file = tempfile::NamedTempFile::new_in(directory).with_context(problem)?;
        fs::write(file.path(), text).with_context(problem)?;
        let written = Instant::now();
        file.persist(&self.path).with_context(problem)?;
        Ok(written)
    }
}

impl Edit {
    /// Sends everybody to this variant of the release.
    #[must_use]
    pub fn release(variant: &str) -> Self {
        Self { pointer: "/flags/shop-release/defaultVariant", value: json!(variant) }
    }

    /// Sends those to green who are testers, and nobody else: without an `else`, `if` leaves it to the default.
    #[must_use]
    pub fn testers_to_green() -> Self {
        let value = json!({ "if": [{ "==": [{ "var": "tester" }, "green"] }, "green"] });
        Self { pointer: "/flags/shop-release/targeting", value }
    }

    /// Puts the closed gate on a host and what lies under a path.
    #[must_use]
    pub fn gate_on_host(host: &str, path: &str) -> Self {
        Self { pointer: "/routes/0/match", value: json!({ "hosts": [host], "path": { "prefix": path } }) }
    }

    /// Turns the feature on for this share of the users.
    #[must_use]
    pub fn feature_for(percent: u32) -> Self {
        let value = json!({ "fractional": [["on", percent], ["off", 100 - percent]] });
        Self { pointer: "/flags/new-greeting/targeting", value }
    }

    /// Turns the feature off for everybody, whatever its rules say: the kill switch.
    #[must_use]
    pub fn feature_killed() -> Self {
        Self { pointer: "/flags/new-greeting/state", value: json!("DISABLED") }
    }

    /// Opens or closes the gate before `/api/special_feature`.
    #[must_use]
    pub fn special_feature(open: bool) -> Self {
        let variant = if open { "on" } else { "off" };
        Self { pointer: "/flags/special-feature/defaultVariant", value: json!(variant) }
    }

    /// Gives the document this version.
    #[must_use]
    pub fn version(version: &str) -> Self {
        Self { pointer: "/metadata/version", value: json!(version) }
    }

    /// Makes the release's variant `green` choose this upstream.
    #[must_use]
    pub fn green_upstream(upstream: &str) -> Self {
        Self { pointer: "/flags/shop-release/variants/green", value: json!(upstream) }
    }

    fn apply(&self, document: &mut Value) -> Result<()> {
        let (parent, key) = self.pointer.rsplit_once('/').unwrap_or(("", self.pointer));
        let object = document.pointer_mut(parent).and_then(Value::as_object_mut);
        ensure!(object.is_some(), "the document has no object at `{parent}`");
        if let Some(object) = object {
            object.insert(key.to_owned(), self.value.clone());
        }
        Ok(())
    }
}

fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(old), Some(new), &mut found);
    found
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (old, new) {
        let removed = before.keys().filter(|key| !after.contains_key(*key));
        for key in after.keys().chain(removed) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&path, before.get(key), after.get(key), found);
        }
    } else if old != new {
        found.push(Difference { path: path.to_owned(), old: old.cloned(), new: new.cloned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_replaces_the_file_and_says_what_changed() {
        let directory = tempfile::tempdir().unwrap();
        let mut document = Document::create(directory.path()).unwrap();
        let change = document.change(&[Edit::release("green"), Edit::feature_for(10)]).unwrap();
        let paths: Vec<_> = change.differences.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, ["flags.shop-release.defaultVariant", "flags.new-greeting.targeting"]);
        assert_eq!(change.differences[0].old, Some(json!("blue")));
        assert_eq!(change.differences[1].old, None);
        let written: Value = serde_json::from_str(&fs::read_to_string(document.path()).unwrap()).unwrap();
        assert_eq!(written.pointer("/flags/shop-release/defaultVariant"), Some(&json!("green")));
    }

    #[test]
    fn the_inlined_start_is_the_document() {
        let yaml = include_str!("../envoy.yaml");
        let json: String = yaml
            .lines()
            .skip_while(|line| line.trim() != "value: |")
            .skip(1)
            .take_while(|line| line.starts_with("                            "))
            .collect();
        let config: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(config["document"], serde_json::from_str::<Value>(START).unwrap());
    }
}
