//! Our own operators without buckets: `flag`, `cidr`, `matches`.

use regex_lite::RegexBuilder;
use serde_json::Value;

use super::RuleCompiler;
use crate::eval::parse_network;
use crate::json::Path;
use crate::rule::{Node, Pattern, Prerequisite};

/// The largest compiled pattern, in bytes: it bounds what a match can cost.
const MOST_PATTERN: usize = 1 << 15;

/// The size from which on limits are tried, each twice the one before.
const LEAST_PATTERN: usize = 256;

/// How much of a pattern is visited in the time of one step, in bytes (measured: `[ab]{0,400}c` is 16 KiB, and costs
/// 10 µs for each byte of the text).
const BYTES_A_STEP: usize = 32;

/// The most networks of one `cidr`.
const MOST_NETWORKS: usize = 10_000;

impl RuleCompiler<'_> {
    /// `flag`: another flag's variant.
    pub(super) fn prerequisite(&mut self, values: &[Value], path: &Path<'_>) -> Node {
        match values {
            [Value::String(key)] => {
                let (asker, key) = (self.texts.intern(self.flag), self.texts.intern(key));
                self.rules.prerequisites.push(Prerequisite { asker: Some(asker), key, flag: None });
                Node::Prerequisite((self.rules.prerequisites.len() - 1) as u32)
            }
            _ => self.problem(path, "must be the key of a flag"),
        }
    }

    /// `cidr`: an address and one or more networks.
    pub(super) fn cidr(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Node {
        let [address, networks] = values else {
            return self.problem(path, "`cidr` needs an address and a network, or an array of networks");
        };
        let address = self.rule(address, &path.index(0), depth + 1);
        let path = path.index(1);
        let (listed, is_list) = match networks {
            Value::Array(networks) => (networks.as_slice(), true),
            network => (std::slice::from_ref(network), false),
        };
        if listed.len() > MOST_NETWORKS {
            return self.problem(&path, format!("more than {MOST_NETWORKS} networks"));
        }
        let mut compiled = Vec::with_capacity(listed.len());
        for (index, network) in listed.iter().enumerate() {
            match network.as_str().and_then(parse_network) {
                Some(network) => compiled.push(network),
                None => {
                    let message =
                        format!("{network} is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
                    let path = if is_list { path.index(index) } else { path };
                    self.problem(&path, message);
                }
            }
        }
        self.rules.networks.push(compiled.into());
        Node::Cidr(address, (self.rules.networks.len() - 1) as u32)
    }

    /// `matches`: a text and a pattern.
    pub(super) fn matches(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Node {
        let [text, Value::String(pattern)] = values else {
            return self.problem(path, "`matches` needs a text and a pattern, a string");
        };
        let text = self.rule(text, &path.index(0), depth + 1);
        if self.rules.pattern_bytes > self.most_bytes {
            // The document is refused once its size is looked at, after this rule.
            return Node::Null;
        }
        match compile_pattern(pattern) {
            Ok(compiled) => {
                self.rules.pattern_bytes = self.rules.pattern_bytes.saturating_add(compiled.memory());
                self.rules.patterns.push(compiled);
                Node::Matches(text, (self.rules.patterns.len() - 1) as u32)
            }
            Err(error) => self.problem(&path.index(1), format!("`{pattern}` is no pattern: {error}")),
        }
    }
}

/// Compiles a pattern under the smallest limit that it fits: `regex-lite` does not tell a pattern's size, which says
/// how many states a match may visit at each byte of the text.
fn compile_pattern(pattern: &str) -> Result<Pattern, regex_lite::Error> {
    let mut limit = LEAST_PATTERN;
    loop {
        match RegexBuilder::new(pattern).size_limit(limit).build() {
            Ok(regex) => return Ok(Pattern { regex, size: limit, steps: (limit / BYTES_A_STEP) as u32 }),
            Err(error) if limit >= MOST_PATTERN => return Err(error),
            Err(_) => limit *= 2,
        }
    }
}
