//! Metadata: what stands beside every evaluation, the flag's own over the flag set's.
//!
//! The flag set's is kept once and each flag's own once. Merging them for each flag beforehand would multiply the one
//! by the number of the others, so they are merged when an answer is written: members keep the flag set's order, an own
//! value takes the place of the flag set's of the same key, and what only the flag has follows in its order.

use std::fmt;

use crate::snapshot::Snapshot;
use crate::text::Text;

/// A flag's own metadata, prepared for being merged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnMetadata {
    /// The members whose keys the flag set's metadata lacks, as in a JSON object but without its braces.
    pub(crate) added: Text,
    /// Consecutive entries of `Snapshot::overrides`, in the order of their places.
    pub(crate) first_override: u32,
    pub(crate) overrides: u32,
}

/// A flag's own value in the place of the flag set's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Override {
    /// Where the flag set's value lies in the text of its metadata.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The flag's own, as JSON.
    pub(crate) value: Text,
}

/// The metadata of an evaluation: a JSON object that is put together as it is written (by [`fmt::Display`]).
#[derive(Clone, Copy)]
pub struct Metadata<'a> {
    snapshot: &'a Snapshot,
    own: OwnMetadata,
}

impl<'a> Metadata<'a> {
    /// The flag set's metadata with a flag's own over it; `None` where there is neither.
    pub(crate) fn new(snapshot: &'a Snapshot, own: OwnMetadata) -> Option<Self> {
        let is_empty =
            snapshot.text.get(snapshot.metadata).is_empty() && snapshot.text.get(own.added).is_empty();
        (!is_empty).then_some(Self { snapshot, own })
    }

    /// How many bytes the object has.
    pub(crate) fn size(self) -> usize {
        let mut length = 0usize;
        self.each_piece(|piece| length = length.saturating_add(piece.len()));
        length
    }

    pub(crate) fn write(self, out: &mut String) {
        self.each_piece(|piece| out.push_str(piece));
    }

    /// Hands over the object's text from front to back.
    fn each_piece(self, mut take: impl FnMut(&'a str)) {
        let Self { snapshot, own } = self;
        let added = snapshot.text.get(own.added);
        let Some(set) = snapshot.text.get(snapshot.metadata).strip_suffix('}') else {
            ["{", added, "}"].into_iter().for_each(take);
            return;
        };
        let first = own.first_override as usize;
        let overrides = snapshot.overrides.get(first..first.saturating_add(own.overrides as usize));
        let mut done = 0;
        for Override { start, end, value } in overrides.unwrap_or_default() {
            take(set.get(done..*start as usize).unwrap_or_default());
            take(snapshot.text.get(*value));
            done = *end as usize;
        }
        take(set.get(done..).unwrap_or_default());
        if !added.is_empty() {
            take(",");
            take(added);
        }
        take("}");
    }
}

impl fmt::Display for Metadata<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.each_piece(|piece| result = result.and_then(|()| f.write_str(piece)));
        result
    }
}

impl fmt::Debug for Metadata<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use crate::Snapshot;

    fn document(set: &Value, own: &[&Value]) -> String {
        let flag = |own: &&Value| json!({ "state": "ENABLED", "variants": { "v": 1 }, "metadata": own });
        let flags: Map<_, _> =
            own.iter().enumerate().map(|(number, own)| (format!("f{number}"), flag(own))).collect();
        json!({ "metadata": set, "flags": flags }).to_string()
    }

    /// What is answered for a flag, and the same by merging two maps.
    fn both(set: &Value, own: &Value) -> (Option<String>, Option<String>) {
        let snapshot = Snapshot::compile(document(set, &[own]).as_bytes()).unwrap();
        let answered = snapshot.metadata(snapshot.flag("f0")).map(|metadata| {
            assert_eq!(metadata.size(), metadata.to_string().len());
            metadata.to_string()
        });
        let mut merged = set.as_object().cloned().unwrap_or_default();
        merged.extend(own.as_object().cloned().unwrap_or_default());
        (answered, (!merged.is_empty()).then(|| Value::Object(merged).to_string()))
    }

    #[test]
    fn the_flags_own_lies_over_the_flag_sets_in_the_flag_sets_order() {
        let set = json!({ "a": 1, "b": "two", "c": { "d": [] } });
        for (own, expected) in [
            (json!(null), r#"{"a":1,"b":"two","c":{"d":[]}}"#),
            (json!({}), r#"{"a":1,"b":"two","c":{"d":[]}}"#),
            (json!({ "z": 1, "y": "\"" }), r#"{"a":1,"b":"two","c":{"d":[]},"z":1,"y":"\""}"#),
            (json!({ "c": 3, "x": 4, "a": null }), r#"{"a":null,"b":"two","c":3,"x":4}"#),
            (
                json!({ "b": "a longer value than before" }),
                r#"{"a":1,"b":"a longer value than before","c":{"d":[]}}"#,
            ),
        ] {
            let (answered, merged) = both(&set, &own);
            assert_eq!((answered.as_deref(), merged.as_deref()), (Some(expected), Some(expected)));
        }
        assert_eq!(both(&json!({}), &json!({})), (None, None));
        assert_eq!(both(&json!(null), &json!({ "a": 1 })).0.as_deref(), Some(r#"{"a":1}"#));
    }

    fn object() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            "[a-c\"é]{0,3}".prop_map(Value::from)
        ];
        prop::collection::vec(("[a-d\"]{0,2}", value), 0..6)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn it_is_what_merging_two_maps_gives(set in object(), own in object()) {
            let (answered, merged) = both(&set, &own);
            prop_assert_eq!(answered, merged);
        }
    }

    #[test]
    fn the_flag_sets_metadata_is_kept_once_for_all_flags() {
        let set = json!({ "text": "x".repeat(100_000) });
        let (none, own) = (json!(null), json!({ "owner": "me" }));
        let size = |own: &[&Value]| {
            let snapshot = Snapshot::compile(document(&set, own).as_bytes()).unwrap();
            let last = snapshot.metadata(snapshot.flags().last()).unwrap();
            assert!(last.size() > 100_000);
            snapshot.size()
        };
        for own in [&none, &own] {
            let more = size(&[own; 1000]) - size(&[own]);
            assert!(more < 1000 * 300, "{more} bytes more for 999 flags");
        }
    }
}
