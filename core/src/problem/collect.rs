//! Collecting problems while a document compiles, and placing them in its text at the end.

use std::collections::HashMap;

use super::{Problem, Severity};
use crate::json::{JsonPath, Path, Position, locate};

/// How many problems of one document are kept, and how many more for each severity that is worse; a file that is wrong
/// throughout needs no more to show it.
const MOST: usize = 100;

/// How many bytes of paths and messages are kept, beyond the first problem of each severity: a key of a megabyte stands in
/// the path of everything that is wrong below it.
const MAX_BYTES: usize = 1 << 20;

/// How many flags a problem names that fails several; the others are counted.
const MOST_NAMED: usize = 5;

/// How a hint begins that follows a message.
const HINT: &str = "; did you mean ";

/// The part of a document that flags share.
const SHARED: &str = "$evaluators";

/// Problems so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Draft>,
    /// The numbers of those in `$evaluators`, by path and message without its hint: every flag that uses the rule comes
    /// upon them again.
    shared: HashMap<(JsonPath, String), Option<usize>>,
    /// The bytes of all paths and messages in the list.
    bytes: usize,
    /// The worst severity in the list.
    worst: Option<Severity>,
    /// How many found no room.
    unlisted: usize,
    refused: bool,
}

/// A problem that has no place in the text yet.
#[derive(Debug)]
struct Draft {
    severity: Severity,
    path: JsonPath,
    /// The place within the value at `path`, if it is more exact.
    within: Option<Position>,
    message: String,
    /// The flags that fail because of it, where `path` does not say so.
    flags: Vec<String>,
    /// How many flags fail beyond those.
    more_flags: usize,
}

impl Problems {
    /// Refuses the document.
    pub(crate) fn refuse(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.refuse_with(path, || message.into());
    }

    /// Refuses the document; the message is not made where it finds no room.
    pub(crate) fn refuse_with(&mut self, path: &Path<'_>, message: impl FnOnce() -> String) {
        self.refused = true;
        match self.has_room(Severity::Document) {
            true => _ = self.add(Severity::Document, path.to_json_path(), message()),
            false => self.skip(),
        }
    }

    /// The same, of a place that was noted before.
    pub(crate) fn refuse_at(&mut self, path: JsonPath, message: impl Into<String>) {
        self.refused = true;
        match self.has_room(Severity::Document) {
            true => _ = self.add(Severity::Document, path, message.into()),
            false => self.skip(),
        }
    }

    /// Refuses the document because of something at a place within the value at `path`.
    pub(crate) fn refuse_within(&mut self, path: &Path<'_>, within: Position, message: String) {
        self.refused = true;
        if !self.has_room(Severity::Document) {
            return self.skip();
        }
        if let Some(draft) = self
            .add(Severity::Document, path.to_json_path(), message)
            .and_then(|index| self.list.get_mut(index))
        {
            draft.within = Some(within);
        }
    }

    pub(crate) fn warn(&mut self, path: &Path<'_>, message: impl Into<String>) {
        match self.has_room(Severity::Warning) {
            true => _ = self.add(Severity::Warning, path.to_json_path(), message.into()),
            false => self.skip(),
        }
    }

    /// Adds what is wrong with the rule of `flag`. In `$evaluators` it is one problem for all flags that use the rule;
    /// where no flag is meant, `flag` is empty.
    pub(crate) fn of_rule(&mut self, severity: Severity, path: JsonPath, message: String, flag: &str) {
        if !path.begins_with(SHARED) {
            self.add(severity, path, message);
            return;
        }
        // Once the list is full, nobody looks for hints, and it is the same problem all the same.
        let plain = message.split(HINT).next().unwrap_or_default().to_owned();
        let known = self.shared.get(&(path.clone(), plain.clone())).copied();
        let index = match known {
            Some(index @ Some(_)) => index,
            // It is counted already; but what it costs may be worse by now.
            Some(None) if !self.has_room(severity) => None,
            _ => {
                self.unlisted -= usize::from(known.is_some());
                let index = self.add(severity, path.clone(), message);
                self.shared.insert((path, plain), index);
                index
            }
        };
        let Some(draft) = index.and_then(|index| self.list.get_mut(index)) else { return };
        if severity == Severity::Flag
            && !flag.is_empty()
            && draft.flags.last().is_none_or(|last| last != flag)
        {
            draft.severity = severity;
            match draft.flags.len() {
                MOST_NAMED => draft.more_flags += 1,
                _ => draft.flags.push(flag.to_owned()),
            }
        }
    }

    fn add(&mut self, severity: Severity, path: JsonPath, message: String) -> Option<usize> {
        self.refused |= severity == Severity::Document;
        if !self.has_room(severity) {
            self.skip();
            return None;
        }
        self.bytes += path.bytes() + message.len();
        self.worst = self.worst.max(Some(severity));
        self.list.push(Draft { severity, path, within: None, message, flags: Vec::new(), more_flags: 0 });
        Some(self.list.len() - 1)
    }

    /// Counts a problem that [`Self::has_room`] has no room for.
    pub(crate) fn skip(&mut self) {
        self.unlisted += 1;
    }

    /// What is worse must be among the problems, however many lesser ones came before it.
    pub(crate) fn has_room(&self, severity: Severity) -> bool {
        let most = match severity {
            Severity::Warning => MOST,
            Severity::Flag => 2 * MOST,
            Severity::Document => 3 * MOST,
        };
        self.list.len() < most && (self.bytes < MAX_BYTES || self.worst < Some(severity))
    }

    /// The problems, and whether the document is refused; with their places in it and in its order, if that is wanted.
    pub(crate) fn finish(self, document: &str, with_positions: bool) -> (Vec<Problem>, bool) {
        let paths: Vec<_> = self.list.iter().map(|draft| &draft.path).collect();
        let places = if with_positions { locate(document, &paths) } else { vec![None; paths.len()] };
        let mut placed: Vec<_> = self.list.into_iter().zip(places).collect();
        // Stable, so that what stands at the same place keeps the order in which it was found.
        placed.sort_by_key(|(_, place)| place.map(|(offset, _)| offset));
        let mut problems: Vec<_> = placed
            .into_iter()
            .map(|(draft, place)| draft.placed(place.map(|(_, position)| position)))
            .collect();
        if self.unlisted > 0 {
            let message = match self.unlisted {
                1 => "1 more problem is not listed".to_owned(),
                more => format!("{more} more problems are not listed"),
            };
            let (severity, path) = (Severity::Warning, JsonPath::default());
            problems.push(Problem { severity, path, position: None, message });
        }
        (problems, self.refused)
    }
}

impl Draft {
    fn placed(self, start: Option<Position>) -> Problem {
        let position = match (start, self.within) {
            (Some(start), Some(within)) => Some(start.followed_by(within)),
            (start, _) => start,
        };
        let message = match self.flags.as_slice() {
            [] => self.message,
            flags => {
                let names: Vec<_> = flags.iter().map(|flag| format!("`{flag}`")).collect();
                let more = match self.more_flags {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("{} (used by {}{more})", self.message, names.join(", "))
            }
        };
        Problem { severity: self.severity, path: self.path, position, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lesser_problems_do_not_hide_a_worse_one() {
        let mut problems = Problems::default();
        for severity in [Severity::Warning, Severity::Flag, Severity::Document] {
            for _ in 0..10 * MOST {
                problems.add(severity, JsonPath::default(), String::new());
            }
        }
        let (mut list, refused) = problems.finish("{}", true);
        assert_eq!(list.pop().unwrap().message, "2700 more problems are not listed");
        let count = |severity| list.iter().filter(|problem| problem.severity == severity).count();
        let counts = [Severity::Warning, Severity::Flag, Severity::Document].map(count);
        assert_eq!((counts, refused), ([MOST; 3], true));
    }

    #[test]
    fn long_paths_and_messages_leave_room_for_the_first_of_what_is_worse() {
        let mut problems = Problems::default();
        let long = "k".repeat(MAX_BYTES / 4);
        let path = Path::Root.key(&long);
        for _ in 0..10 {
            problems.warn(&path, "odd");
        }
        for _ in 0..10 {
            problems.refuse(&path, "wrong");
        }
        let (list, refused) = problems.finish("{}", true);
        let messages: Vec<_> = list.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["odd", "odd", "odd", "odd", "wrong", "15 more problems are not listed"]);
        assert!(refused);
    }

    #[test]
    fn what_several_flags_share_is_one_problem_that_names_them() {
        let mut problems = Problems::default();
        let root = Path::Root.key(SHARED);
        for flag in ["a", "a", "b", "c", "d", "e", "f", "g"] {
            let hint = if flag == "a" { "; did you mean `right`?" } else { "" };
            problems.of_rule(Severity::Flag, root.key("x").to_json_path(), format!("wrong{hint}"), flag);
        }
        let (list, _) = problems.finish("{}", true);
        let messages: Vec<_> = list.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["wrong; did you mean `right`? (used by `a`, `b`, `c`, `d`, `e` and 2 more)"]);
    }
}
