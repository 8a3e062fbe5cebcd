//! Flags that routes and gates use, and the flags that these ask for, must be able to choose a variant.
//!
//! A flag that fails has no value, and then the proxy's own default route serves everybody: a typo would take a release
//! back, and nobody would be told. So what makes such a flag fail refuses the document, as a flag that does not exist
//! does (docs/adr/0013). A disabled flag has no value because somebody wants it so; its rule is not in force.

use std::collections::{HashMap, HashSet};

use super::Compiler;
use crate::flag::{FlagId, State};
use crate::json::{JsonPath, Path};

/// Flags in use, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct InUse {
    /// Why a flag's rule gives somebody what is no variant.
    misnamed: HashMap<FlagId, String>,
    /// The flags that a flag's rule asks for.
    pub(super) asks: HashMap<FlagId, Vec<FlagId>>,
    seen: HashSet<FlagId>,
    /// Flags that are still to be looked at.
    queue: Vec<Link>,
}

/// A flag that something in use rests on.
#[derive(Debug)]
struct Link {
    /// The route's or the gate's flag, and where that one names it.
    root: FlagId,
    place: JsonPath,
    flag: FlagId,
}

impl Compiler {
    /// Notes whether a flag's rule gives what is no variant; of a key that stands twice, the last flag counts.
    pub(super) fn misnames(&mut self, flag: FlagId, reason: Option<String>, path: &Path<'_>) {
        match reason {
            Some(reason) => {
                self.count_misnamed(&reason, path);
                self.in_use.misnamed.insert(flag, reason)
            }
            None => self.in_use.misnamed.remove(&flag),
        };
    }

    /// Notes that the route or the gate at `path` uses a flag, and refuses the document if the flag cannot choose.
    pub(super) fn uses(&mut self, id: FlagId, path: &Path<'_>) {
        let is_first = self.in_use.seen.insert(id);
        if let Some(defect) = self.defect(id, is_first) {
            let message = format!("the flag `{}` {defect}", self.flag_key(id));
            self.problems.refuse(path, message);
        }
        if is_first {
            self.in_use.queue.push(Link { root: id, place: path.to_json_path(), flag: id });
        }
    }

    /// Looks at the flags that the next flag in use asks for, and returns how many they are; none when all are done.
    pub(super) fn next_in_use(&mut self) -> Option<usize> {
        let Link { root, place, flag } = self.in_use.queue.pop()?;
        let asked = self.in_use.asks.remove(&flag).unwrap_or_default();
        for flag in asked.iter().copied() {
            if !self.in_use.seen.insert(flag) {
                continue;
            }
            if let Some(defect) = self.defect(flag, true) {
                let (asks, asked) = (self.flag_key(root), self.flag_key(flag));
                let message = format!("the flag `{asks}` rests on `{asked}`, which {defect}");
                self.problems.refuse_at(place.clone(), message);
            }
            self.in_use.queue.push(Link { root, place: place.clone(), flag });
        }
        Some(asked.len())
    }

    /// Why a flag fails for somebody, if that can be seen. `in_full` with the place and the reason: once is enough.
    fn defect(&self, id: FlagId, in_full: bool) -> Option<String> {
        let state = self.snapshot.flags.get(id.0 as usize)?.state;
        let (what, reason) = match (state, self.in_use.misnamed.get(&id)) {
            (State::Broken(reason), _) => ("does not compile", self.texts.get(reason)),
            (State::Targeted(_), Some(reason)) => ("gives what is no variant", reason.as_str()),
            _ => return None,
        };
        Some(if in_full { format!("{what}: {reason}") } else { format!("{what} (see above)") })
    }
}

#[cfg(test)]
mod tests;
