//! What holds for all documents, contexts and requests, tried on random ones; and naive oracles, written from the
//! description alone, that the fast code must agree with.
//!
//! Cases come from proptest, with a new seed in every run; what fails is printed in its smallest form.

mod attributes;
mod explained;
mod fractional;
mod gates;
mod murmur3;
mod ramp;
mod robust;
mod routes;
mod shares;

use serde_json::{Value, json};
use turquoise_core::{Context, Scratch, Snapshot, Timestamp};

/// A time within the schedules that are used here.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A document with one flag, `flag`, with this targeting and these variants.
fn document(variants: &Value, targeting: &Value) -> String {
    json!({ "flags": { "flag": {
        "state": "ENABLED", "variants": variants, "defaultVariant": null, "targeting": targeting } } })
    .to_string()
}

fn compile(document: &str) -> Snapshot {
    match Snapshot::compile(document.as_bytes()) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("{error}\n{document}"),
    }
}

/// The variant of `flag`, by its name.
fn variant<'s>(snapshot: &'s Snapshot, context: &Context, now: Timestamp) -> Option<&'s str> {
    let evaluation = snapshot.evaluate("flag", context, now, &mut Scratch::default());
    evaluation.variant.map(|variant| snapshot.variant(variant).name)
}
