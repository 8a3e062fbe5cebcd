//! Explanations as indented text.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value as Json;

use super::{Bucketing, Explanation, Step};
use crate::rule::{Comparison, Network, Node, Operator, VersionOperator};

/// What a document calls an operator; empty for values.
pub(super) fn operator(node: Node) -> &'static str {
    match node {
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Constant(_) => "",
        Node::List(_) => "",
        Node::Attribute(_) | Node::Member(_) | Node::Whole | Node::Computed(_) => "var",
        Node::FlagKey | Node::Timestamp | Node::Or0(..) => "var",
        Node::If(_) => "if",
        Node::And(_) => "and",
        Node::Or(_) => "or",
        Node::Not(_) => "!",
        Node::Truthy(_) => "!!",
        Node::Compare(comparison, _) => self::comparison(comparison),
        Node::In(..) | Node::OneOf(..) => "in",
        Node::StartsWith(..) => "starts_with",
        Node::EndsWith(..) => "ends_with",
        Node::Operator(operator, _) | Node::Spread(operator, _) => match operator {
            Operator::Compare(comparison) => self::comparison(comparison),
            Operator::In => "in",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Max => "max",
            Operator::Min => "min",
            Operator::Merge => "merge",
            Operator::Cat => "cat",
            Operator::Substr => "substr",
            Operator::Missing => "missing",
            Operator::MissingSome => "missing_some",
            Operator::SemVer => "sem_ver",
            Operator::StartsWith => "starts_with",
            Operator::EndsWith => "ends_with",
            Operator::Fractional => "fractional",
        },
        Node::Map(..) => "map",
        Node::Filter(..) => "filter",
        Node::All(..) => "all",
        Node::Some(..) => "some",
        Node::None(..) => "none",
        Node::Reduce(_) => "reduce",
        Node::Version(..) => "sem_ver",
        Node::Fractional(_) => "fractional",
        Node::Split(_) => "split",
        Node::Ramp(_) => "ramp",
        Node::Prerequisite(_) => "flag",
        Node::Cidr(..) => "cidr",
        Node::Matches(..) => "matches",
        Node::Misuse => "misuse",
    }
}

fn comparison(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::StrictEqual => "===",
        Comparison::StrictNotEqual => "!==",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

pub(super) fn version_operator(operator: VersionOperator) -> &'static str {
    match operator {
        VersionOperator::Equal => "=",
        VersionOperator::NotEqual => "!=",
        VersionOperator::Less => "<",
        VersionOperator::LessOrEqual => "<=",
        VersionOperator::Greater => ">",
        VersionOperator::GreaterOrEqual => ">=",
        VersionOperator::Caret => "^",
        VersionOperator::Tilde => "~",
    }
}

/// A network as a document writes it.
pub(super) fn network(network: &Network) -> Json {
    let address = Ipv6Addr::from_bits(network.address);
    Json::from(match (address.to_ipv4_mapped(), network.bits.checked_sub(96)) {
        (Some(address), Some(bits)) => format!("{}/{bits}", IpAddr::V4(address)),
        _ => format!("{}/{}", IpAddr::V6(address), network.bits),
    })
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Explanation {
    pub(super) fn write(&self, f: &mut Formatter<'_>, indent: usize) -> fmt::Result {
        write!(f, "flag `{}`", self.flag)?;
        match (&self.variant, &self.value) {
            (Some(variant), Some(value)) => {
                write!(f, ": variant `{variant}`, value {}", super::read::shown(value))?;
            }
            _ => f.write_str(": no value")?,
        }
        writeln!(f, ", {}", self.error_code.unwrap_or(self.reason))?;
        writeln!(f, "{:indent$}because {}", "", self.because, indent = indent + 2)?;
        match &self.rule {
            Some(rule) => rule.write(f, None, indent + 2),
            None => Ok(()),
        }
    }
}

impl Step {
    /// Which argument of the operator above this is.
    fn label(&self, above: Option<&Step>) -> String {
        let Some(above) = above else { return self.path.clone() };
        let rest = self.path.strip_prefix(&above.path).unwrap_or(&self.path);
        let quoted = format!("[{}]", Json::from(above.operator));
        let rest = rest.strip_prefix(&quoted).unwrap_or_else(|| {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            rest.strip_prefix(above.operator).unwrap_or(rest)
        });
        let label = rest.strip_prefix('.').unwrap_or(rest);
        match self.item {
            Some(item) => format!("{label} for item {item}"),
            None => label.to_owned(),
        }
    }

    fn write(&self, f: &mut Formatter<'_>, above: Option<&Step>, indent: usize) -> fmt::Result {
        write!(f, "{:indent$}{} ", "", self.label(above))?;
        if !self.operator.is_empty() {
            f.write_str(self.operator)?;
            if let Some(attribute) = &self.attribute {
                write!(f, " `{attribute}`")?;
            }
            f.write_str(" -> ")?;
        }
        match (&self.value, self.error) {
            (_, Some(error)) => write!(f, "error: {error}")?,
            (Some(value), None) => write!(f, "{value}")?,
            (None, None) => f.write_str("nothing")?,
        }
        if let Some(because) = &self.because {
            write!(f, " ({because})")?;
        }
        writeln!(f)?;
        let indent = indent + 2;
        for step in &self.steps {
            step.write(f, Some(self), indent)?;
        }
        if let Some(bucketing) = &self.bucketing {
            bucketing.write(f, indent)?;
        }
        if let Some(prerequisite) = &self.prerequisite {
            write!(f, "{:indent$}", "")?;
            prerequisite.write(f, indent)?;
        }
        Ok(())
    }
}

impl Bucketing {
    fn write(&self, f: &mut Formatter<'_>, indent: usize) -> fmt::Result {
        writeln!(f, "{:indent$}key {} ({})", "", self.key, self.by)?;
        write!(f, "{:indent$}hash {} ({}), ", "", self.hash, self.algorithm)?;
        match self.place {
            Some([place, of]) => writeln!(f, "place {place} of {of}")?,
            None => writeln!(f, "place {} %", percent(self.percent))?,
        }
        for share in &self.shares {
            let variant =
                if share.variant.is_null() { "(a rule)".to_owned() } else { share.variant.to_string() };
            let (from, to, here) = (share.from, share.to, if share.here { " <- here" } else { "" });
            let share = percent(share.percent);
            writeln!(f, "{:indent$}{variant} from {from} to below {to}, {share} %{here}", "")?;
        }
        let Some(height) = &self.height else { return Ok(()) };
        write!(f, "{:indent$}height {} % at {}", "", percent(height.percent), height.at)?;
        let point = |(time, share): &(String, f64)| format!("{} % at {time}", percent(*share));
        match &height.between {
            [Some(before), Some(after)] => writeln!(f, ", between {} and {}", point(before), point(after)),
            [Some(last), None] => writeln!(f, ", after the last point, {}", point(last)),
            [None, Some(first)] => writeln!(f, ", before the first point, {}", point(first)),
            [None, None] => writeln!(f),
        }
    }
}

/// A percentage with at most three decimals.
fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}
