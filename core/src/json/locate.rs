//! Where values stand in a document: all that are asked for in one descent, which visits only what leads to them.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::entries::{Entries, entries};
use super::path::{JsonPath, Position, Step};

/// For each path the byte at which its value begins, and the place of that byte. A path that goes on past what exists
/// (a key that is missing) gives the place of the innermost value that does exist; a text that is not JSON has no places.
pub(crate) fn locate(document: &str, paths: &[&JsonPath]) -> Vec<Option<(usize, Position)>> {
    let mut offsets = vec![None; paths.len()];
    if paths.is_empty() {
        return Vec::new();
    }
    if let Ok(root) = serde_json::from_str::<&RawValue>(document) {
        let wanted = paths.iter().enumerate().map(|(index, path)| (path.steps(), index)).collect();
        descend(document, root, wanted, &mut offsets);
    }
    positions(document, &offsets)
}

/// Paths that begin at a value: the steps that remain, and the path's number.
type Wanted<'p> = Vec<(&'p [Step], usize)>;

/// The recursion goes as deep as the longest path.
fn descend(document: &str, raw: &RawValue, wanted: Wanted<'_>, offsets: &mut [Option<usize>]) {
    let offset = offset_in(document, raw);
    for (_, index) in &wanted {
        if let Some(slot) = offsets.get_mut(*index) {
            *slot = Some(offset);
        }
    }
    let mut inner: HashMap<&Step, Wanted<'_>> = HashMap::new();
    for (steps, index) in wanted {
        if let Some((step, rest)) = steps.split_first() {
            inner.entry(step).or_default().push((rest, index));
        }
    }
    if inner.is_empty() {
        return;
    }
    match entries(raw) {
        Ok(Entries::Map(members)) => {
            let mut keys: HashMap<&str, Wanted<'_>> = HashMap::new();
            for (step, wanted) in inner {
                if let Step::Key(key) = step {
                    keys.insert(key, wanted);
                }
            }
            // As everywhere: of a key that stands twice, the last counts.
            for (name, raw) in members.into_iter().rev() {
                if let Some(wanted) = keys.remove(&*name) {
                    descend(document, raw, wanted, offsets);
                }
            }
        }
        Ok(Entries::Array(items)) => {
            for (step, wanted) in inner {
                if let Step::Index(index) = step
                    && let Some(raw) = items.get(*index)
                {
                    descend(document, raw, wanted, offsets);
                }
            }
        }
        Ok(Entries::Scalar) | Err(_) => {}
    }
}

/// How far into `document` the slice `raw` begins; it must be a slice of it.
fn offset_in(document: &str, raw: &RawValue) -> usize {
    (raw.get().as_ptr() as usize).saturating_sub(document.as_ptr() as usize)
}

/// The places of all these bytes, in one pass over the text.
fn positions(text: &str, offsets: &[Option<usize>]) -> Vec<Option<(usize, Position)>> {
    let mut order: Vec<_> =
        offsets.iter().enumerate().filter_map(|(index, offset)| Some(((*offset)?, index))).collect();
    order.sort_unstable();
    let mut positions = vec![None; offsets.len()];
    let (mut done, mut at) = (0, Position { line: 1, column: 1 });
    for (offset, index) in order {
        at = at.followed_by(Position::of_end(text.get(done..offset).unwrap_or_default()));
        done = offset;
        if let Some(slot) = positions.get_mut(index) {
            *slot = Some((offset, at));
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::super::Path;
    use super::*;

    #[test]
    fn values_are_found_by_line_and_column() {
        let document = "{\n  \"flags\": {\n    \"é\": [1, {\"x\": 2}], \"a\": 1, \"a\": 2\n  }\n}";
        let root = Path::Root;
        let (flags, missing) = (root.key("flags"), root.key("routes"));
        let list = flags.key("é");
        let second = list.index(1);
        let paths = [second.key("x"), list, flags.key("a"), missing, list.index(7)];
        let paths = paths.map(Path::to_json_path);
        let places = locate(document, &paths.iter().collect::<Vec<_>>());
        let places: Vec<_> =
            places.into_iter().map(|place| place.map(|(_, place)| (place.line, place.column))).collect();
        assert_eq!(places[..3], [Some((3, 20)), Some((3, 10)), Some((3, 38))]);
        assert_eq!(places[3], Some((1, 1)), "what is missing is reported where it should stand");
        assert_eq!(places[4], Some((3, 10)));
    }

    #[test]
    fn a_text_that_is_not_json_has_no_places() {
        assert_eq!(locate("{", &[&JsonPath::default()]), [None]);
    }
}
