//! Names that are nearly right: what somebody probably meant.

/// The name among `known` that is nearest to `name`, if it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // One slip in four characters; in a short name, one.
    let most = (length / 4).max(1);
    let name = name.to_lowercase();
    // Names whose lengths differ by more differ by more; so most need not be compared.
    let alike = known.into_iter().filter(|known| known.chars().count().abs_diff(length) <= most);
    let distance = |known: &str| strsim::osa_distance(&name, &known.to_lowercase());
    let (distance, nearest) = alike.map(|known| (distance(known), known)).min_by_key(|(d, _)| *d)?;
    (distance <= most && distance < nearest.chars().count()).then_some(nearest)
}

/// What to say of a key that is none of `known`.
pub(crate) fn unknown_key(key: &str, known: &[&str]) -> String {
    if let Some(nearest) = nearest(key, known.iter().copied()) {
        return format!("unknown key `{key}`; did you mean `{nearest}`?");
    }
    let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
    format!("unknown key `{key}`; allowed are {}", known.join(", "))
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
}
