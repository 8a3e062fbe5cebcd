//! What the fuzz targets do with their bytes, in one place, so that `cargo test` can do it too (`tests/fuzz_bodies.rs`).
//!
//! A body must not panic, must not run long, and asserts what holds for every document: see [`check`].
//! Built with the feature `fuzzing` only.

mod configuration;
mod explained;
mod feed;
mod grammar;
mod hostile;
mod message;
mod ofrep;
mod served;
mod signature;

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::flag::{Evaluation, Reason};
use crate::ofrep::{write_evaluation, write_flag_header};
use crate::request::Request;
use crate::snapshot::Snapshot;
use crate::value::Context;
use crate::{Compilation, CompileError, CompileOptions, Decision, Scratch, Timestamp};

pub use configuration::configuration;
pub use explained::request as explained_request;
pub use feed::feed;
pub use grammar::Choices;
pub use hostile::{HOSTILE, Hostile};
pub use ofrep::ofrep;
pub use signature::signature;

/// A time within the schedules that [`Choices`] writes.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// Whatever bytes: most are no document, and those that are one go through everything.
pub fn document(bytes: &[u8]) {
    let upstreams = ["blue".to_owned(), "green".to_owned()];
    let restricted = CompileOptions { upstreams: Some(&upstreams), ..CompileOptions::default() };
    if Snapshot::compile_with(bytes, restricted).is_ok() {
        assert!(Snapshot::compile(bytes).is_ok(), "an option refuses documents and accepts none");
    }
    let compiled = Snapshot::compile(bytes);
    in_slices(bytes, compiled.as_ref());
    match compiled {
        Err(error) => {
            assert!(error.causes().next().is_some(), "a refusal has a cause");
            assert!(!error.to_string().is_empty());
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
            assert!(is_json || error.is_syntax(), "what is no JSON is refused for it: {error}");
        }
        Ok(snapshot) => {
            let context = serde_json::json!({ "targetingKey": "user", "email": "ada@example.com", "n": 1.5, "l": [1, "a"] });
            check(&snapshot, &Context::new(context));
            check(&snapshot, &Context::default());
        }
    }
}

/// A document comes to the same, however small the slices are in which it is compiled.
fn in_slices(bytes: &[u8], whole: Result<&Snapshot, &CompileError>) {
    let step = bytes.len() % 7 + 1;
    let sliced = Compilation::new(bytes, CompileOptions::default()).and_then(|mut compilation| {
        // As many as there are bytes at most, and a few for what follows them.
        for _ in 0..2 * bytes.len() + 100 {
            if compilation.advance(step) {
                break;
            }
        }
        assert!(compilation.advance(step), "compiling in slices of {step} bytes ends");
        compilation.finish()
    });
    match (whole, &sliced) {
        (Ok(whole), Ok(sliced)) => {
            assert_eq!(whole.fingerprint(), sliced.fingerprint());
            assert_eq!(whole.problems(), sliced.problems());
            assert_eq!(whole.flags().count(), sliced.flags().count());
        }
        (Err(whole), Err(sliced)) => assert_eq!(whole.to_string(), sliced.to_string()),
        (whole, sliced) => {
            assert_eq!(whole.is_ok(), sliced.is_ok(), "compiled in slices of {step} bytes, and in one");
        }
    }
}

/// A document and a context that [`Choices`] makes of the bytes: every byte is a choice, so that what a fuzzer changes
/// changes a rule and not just whether the text is JSON.
pub fn document_and_context(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let document = choices.document();
    let context = choices.context();
    let snapshot = match Snapshot::compile(document.to_string().as_bytes()) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            assert!(error.causes().next().is_some(), "a refusal has a cause");
            return;
        }
    };
    let reversed = match &context {
        Json::Object(members) => Json::Object(members.clone().into_iter().rev().collect()),
        other => other.clone(),
    };
    let reversed = Context::new(reversed);
    let context = Context::new(context);
    check(&snapshot, &context);
    let mut scratch = Scratch::default();
    for flag in snapshot.flags() {
        let evaluation = snapshot.evaluate_flag(flag, &context, NOW, &mut scratch);
        let other = snapshot.evaluate_flag(flag, &reversed, NOW, &mut scratch);
        assert_eq!(evaluation, other, "the order of attributes does not matter");
    }
}

/// What holds for every snapshot and context.
///
/// # Panics
/// If it does not.
pub fn check(snapshot: &Snapshot, context: &Context) {
    let mut scratch = Scratch::default();
    let mut out = String::new();
    for flag in snapshot.flags() {
        let key = snapshot.key(flag);
        assert_eq!(snapshot.flag(key), Some(flag), "a flag is found by its key");
        let evaluation = snapshot.evaluate(key, context, NOW, &mut scratch);
        assert_eq!(evaluation.flag, Some(flag));
        assert_eq!(evaluation.error.is_some(), evaluation.reason == Reason::Error);
        if let Some(variant) = evaluation.variant {
            assert!(snapshot.variants(flag).any(|own| own == variant), "the variant is the flag's own");
            assert!(!matches!(evaluation.reason, Reason::Error | Reason::Disabled));
        }
        let again = snapshot.evaluate_flag(flag, context, NOW, &mut Scratch::default());
        assert_eq!(evaluation, again, "what the scratch held before does not matter");

        out.clear();
        write_evaluation(&mut out, snapshot, key, &evaluation);
        let answer: Result<Json, _> = serde_json::from_str(&out);
        assert!(answer.is_ok_and(|answer| answer.get("key").is_some_and(|k| k == key)), "no JSON: {out}");
    }
    out.clear();
    write_flag_header(&mut out, snapshot, snapshot.flags(), context, NOW, &mut scratch);
    assert!(out.is_ascii() && serde_json::from_str::<Json>(&out).is_ok(), "no header: {out}");

    for path in ["/", "/special", "/checkout", "/checkout/pay?x=1", ""] {
        explained_request(snapshot, &Get(path));
        let decision = snapshot.decide(&Get(path), context, NOW, &mut scratch);
        // An empty path is another spelling of the root, for which a gate may stand before the route.
        let is_written = decision.route == snapshot.route(&Get(path));
        assert!(is_written || (path.is_empty() && decision.gate.is_some()), "{path}: {decision:?}");
        assert!(decision.route.is_some() || decision == Decision::default());
        assert!(decision.closed.is_none() || (decision.gate.is_some() && decision.flag.is_none()));
        assert!(decision.upstream(snapshot).is_none_or(|upstream| !upstream.is_empty()));
        if let Some(Evaluation { flag: Some(flag), error: Some(_), .. }) = decision.flag {
            assert_eq!(
                decision.variant(snapshot),
                snapshot.default_variant(flag),
                "no failure leaves the release"
            );
        }
    }
    explained::flags(snapshot, context);
    used(snapshot);
    assert!(snapshot.problems().iter().all(|problem| !problem.to_string().is_empty()));
    assert!(snapshot.size() >= snapshot.variant_count());
}

/// What routes and gates use compiles, and what that asks for.
fn used(snapshot: &Snapshot) {
    let gates = snapshot.routes().filter_map(|route| snapshot.route_gate(route)).map(|(flag, _)| flag);
    let mut queue: Vec<_> =
        snapshot.routes().filter_map(|route| snapshot.route_flag(route)).chain(gates).collect();
    let mut seen = HashSet::new();
    while let Some(flag) = queue.pop() {
        if !seen.insert(flag) {
            continue;
        }
        let key = snapshot.key(flag);
        assert!(
            snapshot.failing_flags().all(|failing| failing != flag),
            "`{key}` is in use and does not compile"
        );
        let asks = snapshot.rules.prerequisites.iter();
        let asks = asks.filter(|asks| asks.asker.is_some_and(|asker| snapshot.text.get(asker) == key));
        queue.extend(asks.filter_map(|asks| asks.flag));
    }
}

/// A request for a path.
struct Get<'a>(&'a str);

impl Request for Get<'_> {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        [(&b"x-beta"[..], &b"yes"[..]), (b"host", b"shop.example.com")].into_iter()
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn host(&self) -> &[u8] {
        b"Shop.example.com.:8080"
    }

    fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn property(&self, _: &str) -> Option<&str> {
        None
    }
}
