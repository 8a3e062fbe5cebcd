//! The walk over a rule: which arguments of each operator are evaluated, and what each gives.
//!
//! One machine evaluates every part again, and its own values go from part to part: what is shown of them is for readers
//! alone. What a part built is forgotten when its operator has been taken apart.

use serde_json::Value as Json;

use super::read::{number, reason, shown, shown_by};
use super::{Budget, Explanation, ReadAttribute, Step};
use crate::eval::coerce::{compare, truthy};
use crate::eval::{Fault, List, MOST_STEPS, Machine, Operand, Room, Scope, Scratch, Timestamp, View};
use crate::flag::Flag;
use crate::json::Path;
use crate::rule::{Arguments, Comparison, Node, NodeId, Operator};
use crate::snapshot::Snapshot;
use crate::value::{Attribute, Attributes};

/// An explanation in the making.
pub(super) struct Walk<'a, 's, A: ?Sized> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) attributes: &'a A,
    pub(super) flag: &'a Flag,
    pub(super) now: Timestamp,
    pub(super) machine: Machine<'a, 's, A>,
    left: &'s mut Budget,
    read: Vec<ReadAttribute>,
    /// Whether everything above took too much work. Each part then gets the room that it had there, so that the one that
    /// ran out of it is found; elsewhere all parts had enough.
    ran_out: bool,
}

/// What a step gave, or why it failed. It can be looked at until the step above has been taken apart.
pub(super) type Given<'a> = Result<Operand<'a>, Fault>;

impl<'a, 's, A: Attributes + ?Sized> Walk<'a, 's, A> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        attributes: &'a A,
        flag: &'a Flag,
        now: Timestamp,
        scratch: &'s mut Scratch,
        left: &'s mut Budget,
    ) -> Self {
        let machine = Machine::new(snapshot, attributes, flag, now, scratch);
        Self { snapshot, attributes, flag, now, machine, left, read: Vec::new(), ran_out: true }
    }

    /// Explains the flag's rule.
    pub(super) fn rule(&mut self, node: NodeId) -> Step {
        self.step(node, &Path::Root.key("targeting")).0
    }

    pub(super) fn into_read(self) -> Vec<ReadAttribute> {
        self.read
    }

    /// Asks the machine for what it has done before; it costs nothing again.
    pub(super) fn ask<T>(&mut self, question: impl FnOnce(&mut Machine<'a, 's, A>) -> T) -> T {
        let (room, mark) = (self.machine.room(), self.machine.mark());
        self.machine.set_room(Room::ALL);
        let answer = question(&mut self.machine);
        self.machine.release(mark);
        self.machine.set_room(room);
        answer
    }

    pub(super) fn is_true(&self, value: Operand<'a>) -> bool {
        truthy(self.machine.view(&value))
    }

    /// Explains the node at `path`.
    pub(super) fn step(&mut self, id: NodeId, path: &Path<'_>) -> (Step, Given<'a>) {
        if !self.ran_out {
            self.machine.set_room(Room::ALL);
        }
        let (before, start) = (self.machine.room(), self.machine.mark());
        let given = self.machine.eval(id);
        let after = self.machine.room();
        if given.is_err() {
            self.machine.release(start);
        }
        let mut step = Step {
            path: place(path),
            value: given.as_ref().ok().map(|value| shown_by(&self.machine, value)),
            error: given.as_ref().err().map(|fault| reason(*fault)),
            ..Step::default()
        };
        if matches!(given, Ok(Operand::Number(number)) if !number.is_finite()) {
            step.because = Some("a number that JSON does not have".to_owned());
        }
        if self.left.steps == 0 || self.left.levels == 0 {
            step.because = Some("not taken apart: the explanation is long enough".to_owned());
            return (step, given);
        }
        self.left.steps -= 1;
        self.left.levels -= 1;
        let end = self.machine.mark();
        let outer = self.ran_out;
        self.ran_out &= matches!(given, Err(Fault::TooMuchWork));
        self.machine.set_room(before.less_a_step());
        self.take_apart(id, path, &mut step);
        self.ran_out = outer;
        self.machine.release(end);
        self.machine.set_room(after);
        self.left.levels += 1;
        (step, given)
    }

    /// Explains an argument.
    fn argument(&mut self, step: &mut Step, path: &Path<'_>, index: usize, id: NodeId) -> Given<'a> {
        let (inner, given) = self.step(id, &path.index(index));
        step.steps.push(inner);
        given
    }

    /// Explains an argument and says whether it holds.
    fn condition(
        &mut self,
        step: &mut Step,
        path: &Path<'_>,
        index: usize,
        id: NodeId,
    ) -> Result<bool, Fault> {
        let (mut inner, given) = self.step(id, &path.index(index));
        let holds = given.map(|value| self.is_true(value));
        inner.holds = holds.ok();
        step.steps.push(inner);
        holds
    }

    fn take_apart(&mut self, id: NodeId, path: &Path<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let node = snapshot.rules.node(id);
        step.operator = super::text::operator(node);
        let path = &path.key(step.operator);
        match node {
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Constant(_) => {}
            Node::Misuse => step.because = Some("the arguments make no sense".to_owned()),
            Node::List(arguments) | Node::Operator(_, arguments) => {
                let mut first = None;
                for (index, id) in snapshot.rules.arguments(arguments).iter().enumerate() {
                    let Ok(given) = self.argument(step, path, index, *id) else { return };
                    first = first.or(Some(given));
                }
                self.placed_by(node, first);
            }
            Node::Attribute(index) => {
                let attribute = snapshot.rules.attributes.get(index as usize);
                self.reads(attribute.map_or("", |attribute| snapshot.text.get(attribute.path)), step);
            }
            Node::Member(path) => step.attribute = Some(snapshot.text.get(path).to_owned()),
            Node::Whole => self.reads("", step),
            Node::FlagKey => self.reads("$flagd.flagKey", step),
            Node::Timestamp => self.reads("$flagd.timestamp", step),
            Node::Computed(name) => {
                let given = self.argument(step, path, 0, name);
                if let (Ok(name), Scope::Root) = (given, self.machine.scope)
                    && let Some(name) = self.machine.with_path(&name, str::to_owned)
                {
                    self.reads(&name, step);
                }
            }
            Node::Or0(value, default) => {
                if let Ok(Operand::Null) = self.argument(step, path, 0, value) {
                    let _ = self.argument(step, path, 1, default);
                }
            }
            Node::If(arguments) => self.branch(arguments, path, step),
            Node::And(arguments) => self.until(arguments, false, path, step),
            Node::Or(arguments) => self.until(arguments, true, path, step),
            Node::Compare(comparison, arguments) => self.compared(comparison, arguments, path, step),
            Node::Not(inner) | Node::Truthy(inner) => {
                let _ = self.condition(step, path, 0, inner);
            }
            Node::Spread(_, inner) => {
                let Ok(given) = self.argument(step, path, 0, inner) else { return };
                let first = match List::of(given) {
                    Some(list) => self.machine.item(list, 0),
                    None => Some(given),
                };
                self.placed_by(node, first);
            }
            Node::In(one, other) | Node::StartsWith(one, other) | Node::EndsWith(one, other) => {
                if self.argument(step, path, 0, one).is_ok() {
                    let _ = self.argument(step, path, 1, other);
                }
            }
            Node::OneOf(needle, texts) => {
                if self.argument(step, path, 0, needle).is_err() {
                    return;
                }
                let texts = snapshot
                    .rules
                    .texts
                    .get(texts.start as usize..(texts.start + texts.len) as usize)
                    .unwrap_or_default()
                    .iter()
                    .map(|listed| Json::from(snapshot.text.get(listed.text)));
                let texts: Json = texts.collect();
                step.steps.push(spelt_out(&path.index(1), &texts));
            }
            Node::Version(version, index) => {
                if self.argument(step, path, 0, version).is_err() {
                    return;
                }
                if let Some(test) = snapshot.rules.versions.get(index as usize) {
                    let operator = super::text::version_operator(test.operator);
                    let version = snapshot.text.get(test.version);
                    step.steps.push(spelt_out(&path.index(1), &Json::from(operator)));
                    step.steps.push(spelt_out(&path.index(2), &Json::from(version)));
                }
            }
            Node::Cidr(address, index) => {
                if self.argument(step, path, 0, address).is_err() {
                    return;
                }
                let networks = snapshot.rules.networks.get(index as usize).map_or(&[][..], |list| list);
                let networks: Json = networks.iter().map(super::text::network).collect();
                step.steps.push(spelt_out(&path.index(1), &networks));
            }
            Node::Matches(text, index) => {
                if self.argument(step, path, 0, text).is_err() {
                    return;
                }
                let pattern =
                    snapshot.rules.patterns.get(index as usize).map_or("", |pattern| pattern.regex.as_str());
                step.steps.push(spelt_out(&path.index(1), &Json::from(pattern)));
            }
            Node::Map(list, body) => self.mapping(list, body, path, step),
            Node::Filter(list, body) => self.rounds(list, body, path, step, |_| false),
            Node::All(list, body) => self.rounds(list, body, path, step, |holds| !holds),
            Node::Some(list, body) | Node::None(list, body) => {
                self.rounds(list, body, path, step, |holds| holds);
            }
            Node::Reduce(arguments) => self.reduction(arguments, path, step),
            Node::Fractional(index) => self.fractional(index, path, step),
            Node::Split(index) => self.split(index, path, step),
            Node::Ramp(index) => self.ramp(index, path, step),
            Node::Prerequisite(index) => step.prerequisite = self.prerequisite(index).map(Box::new),
        }
    }

    /// Notes that the targeting key was read by a `fractional` whose first value is no key.
    fn placed_by(&mut self, node: Node, first: Option<Operand<'a>>) {
        let (Node::Operator(Operator::Fractional, _) | Node::Spread(Operator::Fractional, _)) = node else {
            return;
        };
        if first.is_some_and(|first| !matches!(self.machine.view(&first), View::Text(_))) {
            self.targeting_key();
        }
    }

    /// Notes that an attribute was read.
    fn reads(&mut self, name: &str, step: &mut Step) {
        step.attribute = Some(name.to_owned());
        let value = step.value.clone().unwrap_or_default();
        self.note(name, value);
    }

    fn note(&mut self, name: &str, value: Json) {
        if !self.read.iter().any(|read| read.name == name) {
            self.read.push(ReadAttribute { name: name.to_owned(), value });
        }
    }

    /// The targeting key, if it is a text.
    pub(super) fn targeting_key(&mut self) -> Option<String> {
        let value = match self.attributes.get(Attribute::targeting_key()) {
            crate::Value::String(key) => Json::from(key),
            crate::Value::Number(key) => number(key),
            crate::Value::Bool(key) => Json::Bool(key),
            crate::Value::Json(key) => key.clone(),
            crate::Value::Null => Json::Null,
        };
        self.note(crate::value::TARGETING_KEY, shown(&value));
        value.as_str().filter(|key| !key.is_empty()).map(str::to_owned)
    }

    fn branch(&mut self, arguments: Arguments, path: &Path<'_>, step: &mut Step) {
        let arguments = self.snapshot.rules.arguments(arguments);
        for (index, pair) in arguments.chunks_exact(2).enumerate() {
            let [condition, result] = pair else { continue };
            match self.condition(step, path, 2 * index, *condition) {
                Err(_) => return,
                Ok(false) => {}
                Ok(true) => {
                    let _ = self.argument(step, path, 2 * index + 1, *result);
                    let because = format!("[{}] holds, so [{}] is the result", 2 * index, 2 * index + 1);
                    step.because = Some(because);
                    return;
                }
            }
        }
        let conditions = if arguments.len() > 3 { "no condition holds" } else { "[0] does not hold" };
        step.because = match arguments {
            [only] => {
                let _ = self.argument(step, path, 0, *only);
                None
            }
            [.., last] if arguments.len() % 2 == 1 => {
                let _ = self.argument(step, path, arguments.len() - 1, *last);
                Some(format!("{conditions}, so [{}] is the result", arguments.len() - 1))
            }
            _ => Some(format!("{conditions}, and nothing holds otherwise")),
        };
    }

    fn until(&mut self, arguments: Arguments, stop: bool, path: &Path<'_>, step: &mut Step) {
        let arguments = self.snapshot.rules.arguments(arguments);
        for (index, id) in arguments.iter().enumerate() {
            let Ok(given) = self.condition(step, path, index, *id) else { return };
            if given == stop {
                let holds = if stop { "holds" } else { "does not hold" };
                step.because = Some(format!("[{index}] {holds}"));
                return;
            }
        }
        step.because = Some(if stop { "none holds" } else { "all hold" }.to_owned());
    }

    /// As far as the first pair that does not compare so.
    fn compared(&mut self, comparison: Comparison, arguments: Arguments, path: &Path<'_>, step: &mut Step) {
        let mut left = None;
        for (index, id) in self.snapshot.rules.arguments(arguments).iter().enumerate() {
            let Ok(right) = self.argument(step, path, index, *id) else { return };
            let view = |value| self.machine.view(value);
            let so = left.as_ref().map(|left| compare(comparison, view(left), view(&right)));
            if so == Some(false) {
                return;
            }
            left = Some(right);
        }
    }

    fn prerequisite(&mut self, index: u32) -> Option<Explanation> {
        let snapshot = self.snapshot;
        let prerequisite = snapshot.rules.prerequisites.get(index as usize)?;
        let key = snapshot.text.get(prerequisite.key);
        let steps = if self.ran_out { self.machine.room().steps } else { MOST_STEPS };
        let (attributes, now) = (self.attributes, self.now);
        Some(snapshot.explain_within(key, prerequisite.flag, attributes, now, steps, self.left))
    }
}

/// A value that stands in the document.
fn spelt_out(path: &Path<'_>, value: &Json) -> Step {
    Step { path: place(path), value: Some(shown(value)), ..Step::default() }
}

/// A place in the flag.
fn place(path: &Path<'_>) -> String {
    let place = path.to_json_path().to_string();
    place.strip_prefix("$.").unwrap_or(&place).to_owned()
}
