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
                let asker = *self.hashes.key.get_or_insert_with(|| self.texts.intern(self.flag));
                let key = self.intern(key);
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
        let place = self.address(networks);
        if let Some(known) = place.and_then(|place| self.known.networks.get(&place)) {
            return Node::Cidr(address, *known);
        }
        if listed.len() > MOST_NETWORKS {
            return self.problem(&path, format!("more than {MOST_NETWORKS} networks"));
        }
        let mut compiled = Vec::with_capacity(listed.len());
        for (index, network) in listed.iter().enumerate() {
            self.charge(1, 0);
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
        let is_whole = compiled.len() == listed.len();
        self.rules.networks.push(compiled.into());
        let number = (self.rules.networks.len() - 1) as u32;
        self.known.networks.extend(place.filter(|_| is_whole).map(|place| (place, number)));
        Node::Cidr(address, number)
    }

    /// `matches`: a text and a pattern.
    pub(super) fn matches(&mut self, values: &[Value], path: &Path<'_>, depth: usize) -> Node {
        let [text, Value::String(pattern)] = values else {
            return self.problem(path, "`matches` needs a text and a pattern, a string");
        };
        let text = self.rule(text, &path.index(0), depth + 1);
        if pattern.len() > MOST_PATTERN {
            let message = format!("a pattern has at most {MOST_PATTERN} bytes, this has {}", pattern.len());
            return self.problem(&path.index(1), message);
        }
        if self.rules.pattern_bytes > self.most_bytes {
            // The document is refused once its size is looked at, after this rule.
            return Node::Null;
        }
        let Self { rules, known, .. } = self;
        let compiled = known.patterns.entry(self.texts.intern(pattern)).or_insert_with(|| {
            let compiled = compile_pattern(pattern).map_err(|error| error.to_string())?;
            rules.pattern_bytes = rules.pattern_bytes.saturating_add(compiled.memory());
            rules.patterns.push(compiled);
            Ok((rules.patterns.len() - 1) as u32)
        });
        match compiled {
            Ok(number) => Node::Matches(text, *number),
            Err(error) => {
                let message = format!("`{pattern}` is no pattern: {error}");
                self.problem(&path.index(1), message)
            }
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
