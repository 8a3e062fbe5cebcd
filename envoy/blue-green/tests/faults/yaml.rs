//! Parts of `envoy.yaml`, moved to where a test needs them. The file is written by people with care for its layout, so
//! lines and indentation are enough to go by.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use envoy_harness::envoy::Config;

/// The inlined document, with the comma before it.
const DOCUMENT: &str = ",\n                              \"document\": {";
const DOCUMENT_END: &str = "\n                              }";

const LISTENERS: &str = "static_resources:\n  listeners:\n";
const CLUSTERS: &str = "\n  clusters:\n";
const SOURCE: &str = "    - name: turquoise_config\n";

/// What Envoy wants on its command line when it is configured by files.
pub(crate) const NODE: [&str; 4] = ["--service-node", "test", "--service-cluster", "test"];

/// `envoy.yaml` without an inlined document.
pub(crate) fn without_document(config: Config) -> Result<Config> {
    let (start, end) = (find(&config, DOCUMENT)?, DOCUMENT_END);
    let rest = config.text().get(start..).unwrap_or_default();
    let length = rest.find(end).context("the inlined document has no end")? + end.len();
    let document = rest.get(..length).unwrap_or_default().to_owned();
    config.replace(&document, "")
}

/// `envoy.yaml` with its listener in `file`, from where Envoy takes it again whenever the file is replaced.
pub(crate) fn with_listener_in(config: Config, file: &Path) -> Result<Config> {
    let listener = listener(&config)?;
    replace(file, &resource("envoy.config.listener.v3.Listener", &listener))?;
    let config = config.replace(&format!("{LISTENERS}{listener}"), "static_resources:")?;
    dynamic(config, "lds_config", file)
}

/// The listener's lines in `envoy.yaml`.
fn listener(config: &Config) -> Result<String> {
    let start = find(config, LISTENERS)? + LISTENERS.len();
    let end = find(config, CLUSTERS)?;
    Ok(config.text().get(start..end).unwrap_or_default().to_owned())
}

/// `envoy.yaml` with the source's cluster to be taken from `file`, where there is none yet, and the file's text that
/// defines it.
pub(crate) fn with_source_in(config: Config, file: &Path) -> Result<(Config, String)> {
    let start = find(&config, SOURCE)?;
    let cluster = config.text().get(start..).unwrap_or_default().to_owned();
    replace(file, "resources: []\n")?;
    let config = dynamic(config.replace(&cluster, "")?, "cds_config", file)?;
    Ok((config, resource("envoy.config.cluster.v3.Cluster", &cluster)))
}

/// Renames a file with this text into place: Envoy notices that, and never reads half of it.
pub(crate) fn replace(file: &Path, text: &str) -> Result<()> {
    let other = file.with_extension("new");
    fs::write(&other, text)?;
    fs::rename(&other, file).with_context(|| format!("cannot replace `{}`", file.display()))
}

fn dynamic(config: Config, kind: &str, file: &Path) -> Result<Config> {
    let path = file.display();
    let source =
        format!("dynamic_resources:\n  {kind}: {{ path_config_source: {{ path: \"{path}\" }} }}\n\n");
    config.replace("static_resources:", &format!("{source}static_resources:"))
}

/// The entries of a list, four columns in, as resources of this type.
fn resource(kind: &str, entry: &str) -> String {
    let lines: String =
        entry.lines().map(|line| format!("{}\n", line.get(4..).unwrap_or_default())).collect();
    let typed = format!("- \"@type\": type.googleapis.com/{kind}\n  name:");
    format!("resources:\n{}", lines.replacen("- name:", &typed, 1))
}

fn find(config: &Config, text: &str) -> Result<usize> {
    config.text().find(text).with_context(|| format!("`envoy.yaml` has no `{text}`"))
}
