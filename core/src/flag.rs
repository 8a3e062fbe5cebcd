//! Flags and what evaluating one gives.

use std::fmt;

use crate::eval::{Fault, Machine, Operand, Scratch, Timestamp};
use crate::metadata::OwnMetadata;
use crate::rule::NodeId;
use crate::snapshot::Snapshot;
use crate::text::Text;
use crate::value::Attributes;

/// A flag of one snapshot. It means nothing to another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlagId(pub(crate) u32);

/// A variant of one snapshot's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantId(pub(crate) u32);

impl VariantId {
    /// A number below [`Snapshot::variant_count`], for tables with a place for every variant.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A compiled flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) key: Text,
    pub(crate) metadata: OwnMetadata,
    /// Whether its metadata, or else the flag set's, says `"client": true`.
    pub(crate) client: bool,
    pub(crate) first_variant: u32,
    pub(crate) variants: u32,
    pub(crate) default: Option<VariantId>,
    pub(crate) state: State,
}

/// What a flag does when it is evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    Disabled,
    /// No targeting: the default variant.
    Static,
    Targeted(NodeId),
    /// Its targeting does not compile, for this reason.
    Broken(Text),
}

/// A compiled variant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledVariant {
    pub(crate) name: Text,
    /// Its value as JSON.
    pub(crate) json: Text,
    /// Its value, if that is a string.
    pub(crate) string: Option<Text>,
}

/// Why a value was chosen, in OpenFeature's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The flag has no targeting.
    Static,
    /// Targeting chose nothing, or there is no default variant.
    Default,
    /// Targeting chose the variant.
    TargetingMatch,
    /// The flag is disabled; the caller's default holds.
    Disabled,
    /// There was an error; the caller's default holds.
    Error,
}

impl Reason {
    /// As OpenFeature and OFREP spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Disabled => "DISABLED",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong in an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvaluationError {
    /// No such flag.
    FlagNotFound,
    /// The flag's targeting does not compile.
    Parse,
    /// Targeting named a variant that the flag does not have.
    UnknownVariant,
    /// Targeting calculated with something that cannot count as a number.
    NotANumber,
    /// Targeting looked for items in what has none.
    NotAList,
    /// An operator of the targeting got arguments that it cannot take.
    Arguments,
    /// Evaluating the targeting took more work than is allowed.
    TooMuchWork,
}

impl EvaluationError {
    /// OpenFeature's error code.
    pub fn code(self) -> &'static str {
        match self {
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::Parse => "PARSE_ERROR",
            _ => "GENERAL",
        }
    }
}

impl From<Fault> for EvaluationError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotANumber => Self::NotANumber,
            Fault::NotAList => Self::NotAList,
            Fault::Arguments => Self::Arguments,
            Fault::TooMuchWork => Self::TooMuchWork,
        }
    }
}

/// The result of evaluating a flag: small, copyable, without text. The snapshot has the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The flag, if there is one of that key.
    pub flag: Option<FlagId>,
    /// The variant, if there is a value.
    pub variant: Option<VariantId>,
    /// Why.
    pub reason: Reason,
    /// What went wrong, when the reason is [`Reason::Error`].
    pub error: Option<EvaluationError>,
}

impl Evaluation {
    fn failed(flag: Option<FlagId>, error: EvaluationError) -> Self {
        Self { flag, variant: None, reason: Reason::Error, error: Some(error) }
    }
}

impl Snapshot {
    /// Evaluates the flag with this key. It allocates nothing, and costs the same however many flags there are.
    pub fn evaluate<A: Attributes + ?Sized>(
        &self,
        key: &str,
        attributes: &A,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Evaluation {
        match self.flag(key) {
            Some(flag) => self.evaluate_flag(flag, attributes, now, scratch),
            None => Evaluation::failed(None, EvaluationError::FlagNotFound),
        }
    }

    /// Evaluates a flag of this snapshot.
    pub fn evaluate_flag<A: Attributes + ?Sized>(
        &self,
        id: FlagId,
        attributes: &A,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Evaluation {
        let Some(flag) = self.flags.get(id.0 as usize) else {
            return Evaluation::failed(None, EvaluationError::FlagNotFound);
        };
        let by_default = |reason| match flag.default {
            None => Evaluation { flag: Some(id), variant: None, reason: Reason::Default, error: None },
            variant => Evaluation { flag: Some(id), variant, reason, error: None },
        };
        let rule = match flag.state {
            State::Disabled => {
                return Evaluation { flag: Some(id), variant: None, reason: Reason::Disabled, error: None };
            }
            State::Static => return by_default(Reason::Static),
            State::Broken(_) => return Evaluation::failed(Some(id), EvaluationError::Parse),
            State::Targeted(rule) => rule,
        };
        let machine = Machine::new(self, attributes, flag, now, scratch);
        // None: the rule gave null. Some(None): it named no variant.
        let result = machine.run(rule, |machine, value| match value {
            // A text of the document: equal texts are one.
            Operand::Constant(name) => Some(
                self.variants_of(flag)
                    .iter()
                    .zip(flag.first_variant..)
                    .find_map(|(variant, index)| (variant.name == name).then_some(VariantId(index))),
            ),
            value => machine.with_name(value, |name| self.variant_named(flag, name)),
        });
        match result {
            Err(fault) => Evaluation::failed(Some(id), fault.into()),
            Ok(None) => by_default(Reason::Default),
            Ok(Some(None)) => Evaluation::failed(Some(id), EvaluationError::UnknownVariant),
            Ok(Some(variant)) => {
                Evaluation { flag: Some(id), variant, reason: Reason::TargetingMatch, error: None }
            }
        }
    }

    /// The variant that holds where the targeting chooses none.
    pub(crate) fn default_variant(&self, flag: FlagId) -> Option<VariantId> {
        self.flags.get(flag.0 as usize)?.default
    }

    /// The variant of this name.
    pub(crate) fn variant_named(&self, flag: &Flag, name: &str) -> Option<VariantId> {
        self.variants_of(flag)
            .iter()
            .zip(flag.first_variant..)
            .find_map(|(variant, index)| self.text.is(variant.name, name).then_some(VariantId(index)))
    }

    pub(crate) fn variants_of(&self, flag: &Flag) -> &[CompiledVariant] {
        let start = flag.first_variant as usize;
        self.variants.get(start..start.saturating_add(flag.variants as usize)).unwrap_or_default()
    }

    /// Whether any rule reads the clock. Where none does, the time given to an evaluation does not matter.
    pub fn reads_clock(&self) -> bool {
        self.reads_clock
    }

    /// Whether any rule may read attributes that [`Snapshot::attributes`] does not name: by a path that it computes, or
    /// all of them.
    pub(crate) fn reads_anything(&self) -> bool {
        use crate::rule::{Node, Operator as O};
        let missing = |operator| matches!(operator, O::Missing | O::MissingSome);
        self.rules.nodes.iter().any(|node| match node {
            Node::Whole | Node::Computed(_) => true,
            Node::Operator(operator, _) | Node::Spread(operator, _) => missing(*operator),
            _ => false,
        })
    }
}
