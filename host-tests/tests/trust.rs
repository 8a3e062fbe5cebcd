//! What the source offers and may not be taken: signatures, sizes, versions.

use std::time::Duration;

use host_tests::{
    CLUSTER, FIRST_TICK, Running, Signer, Signing, configuration_with_source, document_with, start,
    with_fields,
};
use serde_json::{Value, json};
use turquoise_core::SignedFields;
use turquoise_host::LogLevel;
use turquoise_host::simulated::{CalloutFailure, Response};

const INTERVAL: Duration = Duration::from_secs(1);

/// A document of this version whose release has this default.
fn document(variant: &str, version: &Value) -> String {
    document_with(|document| {
        document["flags"]["release"]["defaultVariant"] = json!(variant);
        document["metadata"] = json!({ "version": version });
    })
    .to_string()
}

fn green() -> String {
    document("green", &Value::Null)
}

fn configuration(source: &Value) -> Value {
    let mut configuration = configuration_with_source();
    configuration["source"].as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    configuration
}

fn running(source: &Value) -> Running {
    Running::new(&configuration(source))
}

fn increasing() -> Value {
    json!({ "versions": "increasing" })
}

fn trusting(signers: &[&Signer]) -> Value {
    json!({ "publicKeys": signers.iter().map(|signer| signer.public_key()).collect::<Vec<_>>() })
}

/// Answers the next question.
fn offer(running: &Running, response: Response) {
    // A source that fails is asked less often, and a VM that leads takes its time to be replaced.
    for _ in 0..10 {
        if running.proxy.callouts().is_empty() {
            running.advance(INTERVAL);
        }
    }
    running.callout().answer(response).unwrap();
}

fn document_answer(body: &str) -> Response {
    Response::new(200).header("etag", "\"1\"").json(body)
}

fn signed(body: &str, signers: &[&Signer]) -> Response {
    Signing::by(signers).sign(document_answer(body), body)
}

/// Asserts that what came last was refused, and only that.
fn assert_refused(running: &Running, reason: &str, times: u64, message: &str) {
    assert_eq!(running.refusals(reason), times, "{reason}: {:?}", running.proxy.metrics());
    assert_eq!(running.fetches("refused"), times);
    assert!(running.proxy.logged(LogLevel::Error, message), "{message}: {:?}", running.proxy.logs());
}

#[test]
fn a_document_signed_by_a_configured_key_is_in_force() {
    let signer = Signer::new(7);
    let running = running(&trusting(&[&signer]));
    offer(&running, signed(&green(), &[&signer]));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    assert_eq!((running.fetches("updated"), running.refusals("signature")), (1, 0));
}

#[test]
fn what_nobody_trusted_signed_is_refused_and_says_what_is_wrong() {
    let (signer, stranger) = (Signer::new(7), Signer::new(9));
    let body = green();
    let tampered = body.replacen("blue", "blu\\u0065", 1);
    let running = running(&trusting(&[&signer]));
    let ours = Signing::by(&[&signer]).fields(&body);
    let theirs = Signing::by(&[&stranger]).fields(&body);
    let garbage = SignedFields { input: "garbage!".to_owned(), ..ours.clone() };
    let forged = SignedFields {
        input: theirs.input.replace(&stranger.id(), &signer.id()),
        signature: theirs.signature.replace(&stranger.id(), &signer.id()),
        ..theirs.clone()
    };
    let other_digest =
        SignedFields { digest: Signing::by(&[&signer]).fields(&tampered).digest, ..ours.clone() };
    let cases = [
        (document_answer(&body), "it is not signed".to_owned()),
        (with_fields(document_answer(&body), &garbage), "cannot be read".to_owned()),
        (with_fields(document_answer(&body), &theirs), format!("signed with `{}`", stranger.id())),
        (
            with_fields(document_answer(&body), &forged),
            format!("the signature by `{}` does not fit", signer.id()),
        ),
        (with_fields(document_answer(&tampered), &ours), "does not fit its bytes".to_owned()),
        (
            with_fields(document_answer(&tampered), &other_digest),
            format!("the signature by `{}` does not fit", signer.id()),
        ),
    ];
    for (number, (response, message)) in cases.into_iter().enumerate() {
        offer(&running, response);
        assert_refused(&running, "signature", number as u64 + 1, &message);
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
    }
    assert_eq!(running.document_gauge("generation"), Some(1));
}

#[test]
fn an_etag_does_not_keep_a_signature_away_that_comes_later() {
    let signer = Signer::new(7);
    let running = running(&trusting(&[&signer]));
    offer(&running, signed(&green(), &[]));
    assert_eq!(running.proxy.callouts().len(), 0, "the source is not asked in a loop");
    running.advance(INTERVAL);
    assert_eq!(running.callout().header("if-none-match"), None);
    offer(&running, signed(&green(), &[&signer]));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
}

#[test]
fn keys_are_rotated_while_both_sign_in_one_header_or_two() {
    let (old, new) = (Signer::new(7), Signer::new(8));
    for trusted in [&[&old][..], &[&new], &[&old, &new]] {
        let both = Signing::by(&[&old, &new]).fields(&green());
        let (one, two) = (Signing::by(&[&old]).fields(&green()), Signing::by(&[&new]).fields(&green()));
        let apart = with_fields(document_answer(&green()), &one)
            .header("signature-input", two.input)
            .header("signature", two.signature);
        for response in [with_fields(document_answer(&green()), &both), apart] {
            let running = running(&trusting(trusted));
            offer(&running, response);
            assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
        }
    }
}

#[test]
fn a_configuration_with_other_keys_takes_what_the_proxy_has_if_one_of_them_signed_it() {
    let (old, new) = (Signer::new(7), Signer::new(8));
    let running = running(&trusting(&[&old]));
    offer(&running, signed(&green(), &[&old]));
    let upstream_under = |signers: &[&Signer]| {
        let plugin = running.vm.configure(configuration(&trusting(signers)).to_string()).unwrap();
        let hello = turquoise_host::simulated::Request::get("shop.example.com", "/hello");
        plugin.request(hello).unwrap().request_header("x-turquoise-upstream")
    };
    assert_eq!(upstream_under(&[&old, &new]).as_deref(), Some("shop_green"), "from the first request on");
    assert_eq!(running.refusals("signature"), 0);
    assert_eq!(upstream_under(&[&new]).as_deref(), Some("shop_blue"), "the inlined one");
    assert_eq!(running.refusals("signature"), 1);
    assert!(running.proxy.logged(LogLevel::Error, "refused under this configuration"));
}

#[test]
fn a_configuration_with_keys_does_not_take_what_was_fetched_without() {
    let running = running(&json!({}));
    offer(&running, signed(&green(), &[]));
    let keys = configuration(&trusting(&[&Signer::new(7)]));
    let plugin = running.vm.configure(keys.to_string()).unwrap();
    let hello = turquoise_host::simulated::Request::get("shop.example.com", "/hello");
    let exchange = plugin.request(hello).unwrap();
    assert_eq!(exchange.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
}

#[test]
fn what_is_too_large_is_refused_by_its_announced_length_and_by_its_real_one() {
    let body = green();
    let limit = json!({ "maxBytes": body.len() - 1 });
    let plain = || Response::new(200).header("etag", "\"1\"").json(&body);
    for response in [
        plain().header("content-length", body.len().to_string()),
        plain(),
        plain().header("content-length", "0"),
        // What is announced counts before anything is copied.
        Response::new(200).header("content-length", "99999999").json("{}"),
    ] {
        let running = running(&limit);
        offer(&running, response);
        assert_refused(&running, "size", 1, "`source.maxBytes` allows");
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
    }
    let running = running(&json!({ "maxBytes": body.len() }));
    offer(&running, plain().header("content-length", body.len().to_string()));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
}

#[test]
fn what_is_too_large_does_not_come_again_while_it_is_the_same() {
    let running = running(&json!({ "maxBytes": 10 }));
    offer(&running, Response::new(200).header("etag", "\"big\"").json(green()));
    running.advance(INTERVAL);
    assert_eq!(running.callout().header("if-none-match").as_deref(), Some("\"big\""));
}

#[test]
fn an_answer_without_headers_may_have_broken_off_or_been_too_large() {
    let running = running(&json!({}));
    running.callout().fail(CalloutFailure::TooLong).unwrap();
    assert!(running.proxy.logged(LogLevel::Error, "broke off, or is larger than the proxy takes"));
}

#[test]
fn where_versions_increase_an_older_one_is_refused_naming_both_and_the_setting() {
    let running = running(&increasing());
    offer(&running, Response::new(200).json(document("green", &json!("2026-11-20.10"))));
    offer(
        &running,
        Response::new(200).header("etag", "\"o\"").json(document("blue", &json!("2026-11-20.9"))),
    );
    assert_refused(&running, "version", 1, "`2026-11-20.9` is older than `2026-11-20.10`");
    assert!(running.proxy.logged(LogLevel::Error, "`source.versions` is `increasing`"));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    // The same version, a newer one, and one without are taken.
    for (variant, version) in [
        ("blue", json!("2026-11-20.10")),
        ("green", json!("2026-11-21.1")),
        ("blue", Value::Null),
        ("green", json!(7)),
    ] {
        offer(&running, Response::new(200).json(document(variant, &version)));
        assert_eq!(running.upstream("ada"), Some(format!("shop_{variant}")), "{version}");
    }
    assert_eq!(running.refusals("version"), 1);
}

#[test]
fn an_older_version_is_taken_since_the_source_is_the_truth() {
    let running = running(&json!({}));
    offer(&running, Response::new(200).json(document("green", &json!("2"))));
    offer(&running, Response::new(200).json(document("blue", &json!("1"))));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
    assert_eq!(running.refusals("version"), 0);
}

#[test]
fn an_inlined_document_may_be_newer_than_what_the_source_has() {
    let mut configuration = configuration(&increasing());
    configuration["document"] = serde_json::from_str(&document("blue", &json!("9"))).unwrap();
    let running = Running::new(&configuration);
    offer(&running, Response::new(200).json(document("green", &json!("1"))));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    // From then on it is the source's own versions that count.
    offer(&running, Response::new(200).json(document("blue", &json!("0"))));
    assert_refused(&running, "version", 1, "`0` is older than `1`");
}

#[test]
fn the_version_in_force_is_remembered_by_the_proxy_and_not_by_one_vm() {
    let configuration = configuration(&increasing());
    let running = Running::new(&configuration);
    offer(&running, Response::new(200).json(document("green", &json!("2"))));
    let _late = start(&running.proxy, &configuration);
    running.advance(FIRST_TICK);
    running.vm.stop();
    offer(&running, Response::new(200).json(document("blue", &json!("1"))));
    assert_refused(&running, "version", 1, "`1` is older than `2`");
}

#[test]
fn refusals_are_counted_by_reason() {
    let running = running(&json!({}));
    for (body, reason) in [("{", "not_json"), ("\u{ff}", "not_json"), ("{}", "invalid"), ("[]", "invalid")] {
        let before = running.refusals(reason);
        offer(&running, Response::new(200).json(body));
        assert_eq!(running.refusals(reason), before + 1, "{body}");
    }
    for reason in ["signature", "size", "version", "fatal"] {
        let name = format!("turquoise_refusals_total.reason=.={reason};.;");
        assert_eq!(running.proxy.counter(&name), Some(0), "defined, so that it can be alerted on: {reason}");
    }
}

#[test]
fn compiling_is_timed() {
    let running = running(&json!({}));
    offer(&running, Response::new(200).json(green()));
    let times = running.proxy.histogram("turquoise_compile_microseconds");
    assert_eq!(times.map(|times| times.len()), Some(1));
}

#[test]
fn sources_have_gauges_of_their_own_without_their_secrets() {
    let running = running(&json!({ "path": "/teams/a.json?token=s3cret" }));
    let metrics = running.proxy.metrics();
    let name = format!("turquoise_document_generation.source=.={CLUSTER}/teams/a.json;.;");
    assert_eq!(metrics.get(&name), Some(&1), "{metrics:?}");
    assert!(metrics.keys().all(|name| !name.contains("s3cret")), "{metrics:?}");
}
