//! Names that are nearly right: what somebody probably meant.

use std::fmt::Write as _;

/// The longest name for which a nearer one is looked for, in characters, and how many names are looked at.
const MAX_LENGTH: usize = 64;
const MAX_KNOWN: usize = 10_000;

/// How many pairs of characters are compared for one name: the time of comparing two names is the product of their
/// lengths.
const MAX_PAIRS: usize = 50_000;

/// How many names a message lists; the others are counted.
const MAX_LISTED: usize = 20;

/// The name among `known` that is nearest to `name`, if it is near enough to be a slip of the hand. Long names, and names
/// that come after very many others, are left out.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().take(MAX_LENGTH + 1).count();
    if length > MAX_LENGTH {
        return None;
    }
    // One slip in four characters; in a short name, one.
    let most = (length / 4).max(1);
    let name = name.to_lowercase();
    // Names whose lengths differ by more differ by more; so most need not be compared.
    let is_alike = |known: &&str| known.chars().take(length + most + 1).count().abs_diff(length) <= most;
    let alike = known.into_iter().take(MAX_KNOWN).filter(is_alike).take(MAX_PAIRS / (length + 1).pow(2));
    let distance = |known: &str| strsim::osa_distance(&name, &known.to_lowercase());
    let (distance, nearest) = alike.map(|known| (distance(known), known)).min_by_key(|(d, _)| *d)?;
    (distance <= most && distance < nearest.chars().count()).then_some(nearest)
}

/// What to say of a key that is none of `known`.
pub(crate) fn unknown_key(key: &str, known: &[&str]) -> String {
    if let Some(nearest) = nearest(key, known.iter().copied()) {
        return format!("unknown key `{key}`; did you mean `{nearest}`?");
    }
    format!("unknown key `{key}`; allowed are {}", listed(known.iter().copied()))
}

/// Names for a message; of many, how many more there are.
pub(crate) fn listed<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for name in names.by_ref().take(MAX_LISTED) {
        let comma = if list.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(list, "{comma}`{name}`");
    }
    match names.count() {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_proposed() {
        let known = ["targeting", "variants", "state", "in"];
        assert_eq!(nearest("targetting", known), Some("targeting"));
        assert_eq!(nearest("Variant", known), Some("variants"));
        assert_eq!(nearest("sate", known), Some("state"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", known), None);
    }

    #[test]
    fn looking_for_what_was_meant_is_bounded() {
        let (long, longer) = ("n".repeat(100_000), "n".repeat(100_001));
        assert_eq!(nearest(&long, [longer.as_str()]), None);
        let names: Vec<_> = (0..MAX_PAIRS).map(|number| format!("{number:06}")).collect();
        let known = || names.iter().map(String::as_str);
        assert_eq!(nearest("00000l", known()), Some("000000"));
        assert_eq!(nearest("abcdef", known().chain(["abcdeg"])), None, "it comes after too many others");
        assert!(listed(known()).ends_with("`000019` and 49980 more"));
    }
}
