//! Prerequisites: flags that the rules of other flags ask for. They must exist, and none may lead back to itself.

use std::collections::HashMap;

use super::Compiler;
use crate::flag::FlagId;
use crate::json::Path;
use crate::problem::Severity;
use crate::text::Text;

/// How long a chain of prerequisites may be: each link is a rule that is evaluated inside another.
const MOST_LINKS: usize = 8;

/// How far the search for cycles has come with a flag.
#[derive(Clone, Copy)]
enum Visit {
    UnderWay,
    /// The longest chain from here has so many links.
    Done(usize),
}

/// The search for cycles.
#[derive(Default)]
struct Search {
    /// What each flag asks for.
    asks: HashMap<FlagId, Vec<(Text, Option<FlagId>)>>,
    visits: HashMap<FlagId, Visit>,
    chain: Vec<FlagId>,
}

impl Compiler {
    /// Forgets what an earlier flag of the same key asks for: the later one counts alone.
    pub(super) fn supersede(&mut self, key: &str) {
        let asked = self.texts.find(key).and_then(|key| self.asking.remove(&key)).unwrap_or_default();
        for prerequisite in self.snapshot.rules.prerequisites.get_mut(asked).unwrap_or_default() {
            prerequisite.asker = None;
        }
    }

    /// Finds the flags behind the keys, and refuses what is unknown, cyclic or too long a chain.
    pub(super) fn prerequisites(&mut self, path: &Path<'_>) {
        let mut search = Search::default();
        for index in 0..self.snapshot.rules.prerequisites.len() {
            let Some(prerequisite) = self.snapshot.rules.prerequisites.get(index).copied() else { break };
            let flag = self.find_flag(self.texts.get(prerequisite.key));
            if let Some(slot) = self.snapshot.rules.prerequisites.get_mut(index) {
                slot.flag = flag;
            }
            let asker = prerequisite.asker.and_then(|asker| self.find_flag(self.texts.get(asker)));
            if let Some(asker) = asker {
                search.asks.entry(asker).or_default().push((prerequisite.key, flag));
            }
        }
        let mut askers: Vec<_> = search.asks.keys().copied().collect();
        askers.sort_unstable();
        for asker in askers {
            self.follow(asker, &mut search, path);
        }
        let known =
            |asked: Vec<(Text, Option<FlagId>)>| asked.into_iter().filter_map(|(_, flag)| flag).collect();
        self.in_use.asks = search.asks.into_iter().map(|(asker, asked)| (asker, known(asked))).collect();
    }

    /// Follows a flag's prerequisites in depth and returns how many links the longest chain has. A chain that is too
    /// long ends the search there, so the recursion is bounded.
    fn follow(&mut self, id: FlagId, search: &mut Search, path: &Path<'_>) -> usize {
        let known = search.visits.get(&id).copied();
        search.chain.push(id);
        let links = match known {
            Some(Visit::UnderWay) if !self.problems.has_room(Severity::Document) => {
                self.problems.skip();
                0
            }
            Some(Visit::UnderWay) => {
                let start = search.chain.iter().position(|flag| *flag == id).unwrap_or(0);
                let names = search.chain.iter().skip(start).map(|flag| format!("`{}`", self.flag_key(*flag)));
                let cycle = names.collect::<Vec<_>>().join(" -> ");
                self.refuse_targeting(id, path, &format!("prerequisites form a cycle: {cycle}"));
                0
            }
            Some(Visit::Done(links)) => links,
            None if search.chain.len() > MOST_LINKS + 1 => 0,
            None => {
                search.visits.insert(id, Visit::UnderWay);
                let mut links = 0;
                for (wanted, flag) in search.asks.get(&id).cloned().unwrap_or_default() {
                    match flag {
                        Some(flag) => links = links.max(1 + self.follow(flag, search, path)),
                        None => {
                            let wanted = self.texts.get(wanted);
                            let message = format!("there is no flag `{wanted}`, which the rule asks for");
                            self.refuse_targeting(id, path, &message);
                        }
                    }
                }
                search.visits.insert(id, Visit::Done(links));
                links
            }
        };
        if search.chain.len() - 1 + links > MOST_LINKS {
            let message = format!(
                "more than {MOST_LINKS} prerequisites, one asking for the next, lead through this flag"
            );
            self.refuse_flag(id, path, &message);
        }
        search.chain.pop();
        links
    }

    fn refuse_targeting(&mut self, id: FlagId, path: &Path<'_>, message: &str) {
        let Self { problems, texts, snapshot, .. } = self;
        let key = snapshot.flags.get(id.0 as usize).map_or("", |flag| texts.get(flag.key));
        problems.refuse(&path.key(key).key("targeting"), message);
    }

    fn refuse_flag(&mut self, id: FlagId, path: &Path<'_>, message: &str) {
        let Self { problems, texts, snapshot, .. } = self;
        let key = snapshot.flags.get(id.0 as usize).map_or("", |flag| texts.get(flag.key));
        problems.refuse(&path.key(key), message);
    }

    pub(super) fn flag_key(&self, flag: FlagId) -> &str {
        self.snapshot.flags.get(flag.0 as usize).map_or("", |flag| self.texts.get(flag.key))
    }
}
