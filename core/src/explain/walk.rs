//! The walk over a rule: which arguments of each operator are evaluated, and what each gives.

use serde_json::Value as Json;

use super::read::{json, number, reason, shown};
use super::{Budget, Explanation, ReadAttribute, Step};
use crate::eval::coerce::{compare, truthy};
use crate::eval::{Fault, Machine, Scope, Scratch, Timestamp, View};
use crate::flag::Flag;
use crate::json::Path;
use crate::rule::{Arguments, Comparison, Node, NodeId};
use crate::snapshot::Snapshot;
use crate::value::{Attribute, Attributes};

/// An explanation in the making.
pub(super) struct Walk<'a, A: ?Sized> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) attributes: &'a A,
    pub(super) flag: &'a Flag,
    pub(super) now: Timestamp,
    left: &'a mut Budget,
    read: Vec<ReadAttribute>,
    scratch: Scratch,
}

/// What names mean where a step stands.
#[derive(Clone, Copy)]
pub(super) enum Names<'v> {
    Context,
    Item(&'v Json),
    Reduce { accumulator: &'v Json, current: &'v Json },
}

/// What a step gave, or why it failed.
pub(super) type Given = Result<Json, Fault>;

impl<'a, A: Attributes + ?Sized> Walk<'a, A> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        attributes: &'a A,
        flag: &'a Flag,
        now: Timestamp,
        left: &'a mut Budget,
    ) -> Self {
        Self { snapshot, attributes, flag, now, left, read: Vec::new(), scratch: Scratch::default() }
    }

    /// Explains the flag's rule.
    pub(super) fn rule(&mut self, node: NodeId) -> Step {
        self.step(node, &Path::Root.key("targeting"), Names::Context).0
    }

    pub(super) fn into_read(self) -> Vec<ReadAttribute> {
        self.read
    }

    /// What a machine makes of a node alone.
    pub(super) fn eval(&mut self, node: NodeId, names: Names<'_>) -> Given {
        self.ask(names, |machine| {
            let value = machine.eval(node)?;
            Ok(json(machine, &value))
        })
    }

    pub(super) fn ask<T>(
        &mut self,
        names: Names<'_>,
        question: impl FnOnce(&mut Machine<'_, '_, A>) -> T,
    ) -> T {
        let (attributes, flag) = (self.attributes, self.flag);
        let mut machine = Machine::new(self.snapshot, attributes, flag, self.now, &mut self.scratch);
        machine.scope = match names {
            Names::Context => Scope::Root,
            Names::Item(item) => Scope::Item(item.into()),
            Names::Reduce { accumulator, current } => {
                Scope::Reduce { accumulator: accumulator.into(), current: current.into() }
            }
        };
        question(&mut machine)
    }

    /// Explains the node at `path`.
    pub(super) fn step(&mut self, id: NodeId, path: &Path<'_>, names: Names<'_>) -> (Step, Given) {
        let given = self.eval(id, names);
        let mut step = Step {
            path: place(path),
            value: given.as_ref().ok().map(shown),
            error: given.as_ref().err().map(|fault| reason(*fault)),
            ..Step::default()
        };
        if self.left.steps == 0 || self.left.levels == 0 {
            step.because = Some("not taken apart: the explanation is long enough".to_owned());
            return (step, given);
        }
        self.left.steps -= 1;
        self.left.levels -= 1;
        self.take_apart(id, path, names, &mut step);
        self.left.levels += 1;
        (step, given)
    }

    fn take_apart(&mut self, id: NodeId, path: &Path<'_>, names: Names<'_>, step: &mut Step) {
        let snapshot = self.snapshot;
        let node = snapshot.rules.node(id);
        step.operator = super::text::operator(node);
        let path = &path.key(step.operator);
        let mut argument = |walk: &mut Self, index: usize, id: NodeId| {
            let (inner, given) = walk.step(id, &path.index(index), names);
            step.steps.push(inner);
            given
        };
        match node {
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Constant(_) => {}
            Node::Misuse => step.because = Some("the arguments make no sense".to_owned()),
            Node::List(arguments) | Node::Operator(_, arguments) => {
                for (index, id) in snapshot.rules.arguments(arguments).iter().enumerate() {
                    if argument(self, index, *id).is_err() {
                        break;
                    }
                }
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
                let given = argument(self, 0, name);
                if let (Ok(Json::String(name)), Names::Context) = (given, names) {
                    self.reads(&name, step);
                }
            }
            Node::Or0(value, default) => {
                if let Ok(Json::Null) = argument(self, 0, value) {
                    let _ = argument(self, 1, default);
                }
            }
            Node::If(arguments) => step.because = self.branch(arguments, &mut argument),
            Node::And(arguments) => step.because = self.until(arguments, false, &mut argument),
            Node::Or(arguments) => step.because = self.until(arguments, true, &mut argument),
            Node::Compare(comparison, arguments) => self.compared(comparison, arguments, &mut argument),
            Node::Not(inner) | Node::Truthy(inner) | Node::Spread(_, inner) => {
                let _ = argument(self, 0, inner);
            }
            Node::In(one, other) | Node::StartsWith(one, other) | Node::EndsWith(one, other) => {
                if argument(self, 0, one).is_ok() {
                    let _ = argument(self, 1, other);
                }
            }
            Node::OneOf(needle, texts) => {
                let _ = argument(self, 0, needle);
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
                let _ = argument(self, 0, version);
                if let Some(test) = snapshot.rules.versions.get(index as usize) {
                    let operator = super::text::version_operator(test.operator);
                    let version = snapshot.text.get(test.version);
                    step.steps.push(spelt_out(&path.index(1), &Json::from(operator)));
                    step.steps.push(spelt_out(&path.index(2), &Json::from(version)));
                }
            }
            Node::Cidr(address, index) => {
                let _ = argument(self, 0, address);
                let networks = snapshot.rules.networks.get(index as usize).map_or(&[][..], |list| list);
                let networks: Json = networks.iter().map(super::text::network).collect();
                step.steps.push(spelt_out(&path.index(1), &networks));
            }
            Node::Matches(text, index) => {
                let _ = argument(self, 0, text);
                let pattern =
                    snapshot.rules.patterns.get(index as usize).map_or("", |pattern| pattern.regex.as_str());
                step.steps.push(spelt_out(&path.index(1), &Json::from(pattern)));
            }
            Node::Map(list, body) | Node::Filter(list, body) => {
                self.rounds(list, body, path, names, step, |_| false);
            }
            Node::All(list, body) => self.rounds(list, body, path, names, step, |holds| !holds),
            Node::Some(list, body) | Node::None(list, body) => {
                self.rounds(list, body, path, names, step, |holds| holds);
            }
            Node::Reduce(arguments) => self.reduction(arguments, path, names, step),
            Node::Fractional(index) => self.fractional(index, path, names, step),
            Node::Split(index) => self.split(index, path, names, step),
            Node::Ramp(index) => self.ramp(index, path, names, step),
            Node::Prerequisite(index) => step.prerequisite = self.prerequisite(index).map(Box::new),
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

    fn branch(
        &mut self,
        arguments: Arguments,
        argument: &mut impl FnMut(&mut Self, usize, NodeId) -> Given,
    ) -> Option<String> {
        let arguments = self.snapshot.rules.arguments(arguments);
        for (index, pair) in arguments.chunks_exact(2).enumerate() {
            let [condition, result] = pair else { continue };
            let holds = argument(self, 2 * index, *condition).ok()?;
            if truthy(View::from(&holds)) {
                let _ = argument(self, 2 * index + 1, *result);
                return Some(format!("[{}] holds, so [{}] is the result", 2 * index, 2 * index + 1));
            }
        }
        let conditions = if arguments.len() > 3 { "no condition holds" } else { "[0] does not hold" };
        match arguments {
            [only] => {
                let _ = argument(self, 0, *only);
                None
            }
            [.., last] if arguments.len() % 2 == 1 => {
                let _ = argument(self, arguments.len() - 1, *last);
                Some(format!("{conditions}, so [{}] is the result", arguments.len() - 1))
            }
            _ => Some(format!("{conditions}, and nothing holds otherwise")),
        }
    }

    fn until(
        &mut self,
        arguments: Arguments,
        stop: bool,
        argument: &mut impl FnMut(&mut Self, usize, NodeId) -> Given,
    ) -> Option<String> {
        let arguments = self.snapshot.rules.arguments(arguments);
        for (index, id) in arguments.iter().enumerate() {
            let given = argument(self, index, *id).ok()?;
            if truthy(View::from(&given)) == stop {
                let holds = if stop { "holds" } else { "does not hold" };
                return Some(format!("[{index}] {holds}"));
            }
        }
        Some(if stop { "none holds" } else { "all hold" }.to_owned())
    }

    /// As far as the first pair that does not compare so.
    fn compared(
        &mut self,
        comparison: Comparison,
        arguments: Arguments,
        argument: &mut impl FnMut(&mut Self, usize, NodeId) -> Given,
    ) {
        let mut left = None;
        for (index, id) in self.snapshot.rules.arguments(arguments).iter().enumerate() {
            let Ok(right) = argument(self, index, *id) else { return };
            let so = left.as_ref().map(|left| compare(comparison, View::from(left), View::from(&right)));
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
        Some(snapshot.explain_within(key, prerequisite.flag, self.attributes, self.now, self.left))
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
