//! What [`Rules`] have already, so that it need not be found by a search, compiled or stored again.

use std::collections::HashMap;

use crate::rule::{Arguments, AttributePath, Rules};
use crate::text::{Interner, Text};
use crate::value::{head_hash, split_head};

/// What the rules have already. Values in `$evaluators` are known by where they stand: they stay there while the document
/// is compiled.
#[derive(Debug, Default)]
pub(in crate::compile) struct Known {
    /// Numbers of attributes by their paths.
    attributes: HashMap<Text, u32>,
    /// Numbers of patterns by their texts, or why they are none.
    pub(super) patterns: HashMap<Text, Result<u32, String>>,
    pub(super) constants: HashMap<usize, u32>,
    /// Lists of texts.
    pub(super) lists: HashMap<usize, Arguments>,
    /// Lists of networks.
    pub(super) networks: HashMap<usize, u32>,
    /// Whether the document is refused because of what flags refer to.
    pub(super) is_too_much: bool,
}

impl Known {
    /// The number of the attribute at `path`; each path has one.
    pub(in crate::compile) fn attribute(
        &mut self,
        rules: &mut Rules,
        texts: &mut Interner,
        path: &str,
    ) -> u32 {
        let text = texts.intern(path);
        *self.attributes.entry(text).or_insert_with(|| {
            let head = split_head(path).0.len() as u32;
            rules.attributes.push(AttributePath { path: text, head_hash: head_hash(path), head });
            (rules.attributes.len() - 1) as u32
        })
    }
}
