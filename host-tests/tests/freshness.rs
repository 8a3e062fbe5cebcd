//! What signatures say beside who wrote a document: whether it is still the one, and for whom it is.

use std::time::Duration;

use host_tests::{
    Running, START, Signer, Signing, configuration_with_source, document_with, start, with_fields,
};
use serde_json::{Value, json};
use turquoise_core::SignedFields;
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Request, Response};

const INTERVAL: Duration = Duration::from_secs(1);

fn document(variant: &str) -> String {
    document_with(|document| document["flags"]["release"]["defaultVariant"] = json!(variant)).to_string()
}

fn configuration(signers: &[&Signer], audience: Option<&str>) -> Value {
    let mut configuration = configuration_with_source();
    let source = &mut configuration["source"];
    source["publicKeys"] = signers.iter().map(|signer| Value::from(signer.public_key())).collect();
    if let Some(audience) = audience {
        source["audience"] = json!(audience);
    }
    configuration["status"] = json!({ "tokens": ["t"] });
    configuration
}

/// Answers whatever is asked, now and a second later.
fn second(running: &Running, answer: impl Fn(Option<&str>) -> Response) {
    let answer_all = || {
        for callout in running.proxy.callouts() {
            callout.answer(answer(callout.header("if-none-match").as_deref())).unwrap();
        }
    };
    answer_all();
    // In steps that are shorter than the source's timeout.
    for _ in 0..10 {
        running.advance(INTERVAL / 10);
        answer_all();
    }
}

/// A source that has `body`, under this ETag, and answers with these fields.
fn source<'a>(
    body: &'a str,
    etag: &'a str,
    fields: &'a SignedFields,
) -> impl Fn(Option<&str>) -> Response + 'a {
    move |known| match known == Some(etag) {
        true => with_fields(Response::new(304).header("etag", etag), fields),
        false => with_fields(Response::new(200).header("etag", etag).json(body), fields),
    }
}

fn status(running: &Running) -> Value {
    let page = Request::get("shop.example.com", "/.turquoise/status").header("authorization", "Bearer t");
    let outcome = running.request(page).outcome();
    serde_json::from_slice(&outcome.response.unwrap().body).unwrap()
}

fn elapsed(running: &Running) -> u64 {
    let now = running.proxy.now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    now.as_secs() - START
}

#[test]
fn a_source_that_is_frozen_ages_and_expires_and_what_is_in_force_stays() {
    let signer = Signer::new(7);
    let running = Running::new(&configuration(&[&signer], None));
    let green = document("green");
    let fields = Signing { lifetime: 20, ..Signing::by(&[&signer]) }.fields(&green);
    // Whatever is asked, somebody answers with what the source once said.
    for _ in 0..10 {
        second(&running, source(&green, "\"1\"", &fields));
    }
    let page = status(&running);
    assert!(page["ageSeconds"].as_u64() >= Some(9), "{page}");
    assert_eq!((&page["signature"]["expired"], running.document_gauge("expired")), (&json!(false), Some(0)));
    assert!(running.fetches("not_modified") >= 5, "it is told the same all the time");
    for _ in 0..20 {
        second(&running, source(&green, "\"1\"", &fields));
    }
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"), "it stays in force");
    let page = status(&running);
    assert!(page["ageSeconds"].as_u64() >= Some(29), "{page}");
    assert_eq!((&page["signature"]["expired"], running.document_gauge("expired")), (&json!(true), Some(1)));
    assert_eq!(page["lastError"]["stage"], "expired");
    let message =
        "the document in force is not confirmed any more: its signature expired at 2026-01-01T00:00:20Z";
    assert!(running.proxy.logged(LogLevel::Error, message), "{:?}", running.proxy.logs());
    assert!(running.refusals("expired") > 0);
    // A new VM of the same proxy goes by it, too.
    let (_vm, late) = start(&running.proxy, &configuration(&[&signer], None));
    let exchange = late.request(Request::get("shop.example.com", "/hello")).unwrap();
    assert_eq!(exchange.request_header("x-turquoise-upstream").as_deref(), Some("shop_green"));
    // And so does one whose configuration trusts another key beside.
    let (_vm, other) = start(&running.proxy, &configuration(&[&signer, &Signer::new(8)], None));
    let exchange = other.request(Request::get("shop.example.com", "/hello")).unwrap();
    assert_eq!(exchange.request_header("x-turquoise-upstream").as_deref(), Some("shop_green"));
    // The source is there again.
    let renewed = Signing::by(&[&signer]).at(elapsed(&running)).fields(&green);
    second(&running, source(&green, "\"1\"", &renewed));
    second(&running, source(&green, "\"1\"", &renewed));
    let page = status(&running);
    assert_eq!((&page["signature"]["expired"], running.document_gauge("expired")), (&json!(false), Some(0)));
    assert!(page["ageSeconds"].as_u64() <= Some(3), "{page}");
    assert!(running.proxy.logged(LogLevel::Info, "the source answers again"));
}

#[test]
fn a_304_with_a_newer_signature_renews_without_a_body() {
    let signer = Signer::new(7);
    let running = Running::new(&configuration(&[&signer], None));
    let green = document("green");
    for _ in 0..60 {
        let now = elapsed(&running) + 1;
        let fields = Signing { lifetime: 10, ..Signing::by(&[&signer]) }.at(now).fields(&green);
        second(&running, source(&green, "\"1\"", &fields));
    }
    let page = status(&running);
    assert!(page["ageSeconds"].as_u64() <= Some(2), "{page}");
    assert_eq!((running.fetches("updated"), running.refusals("expired")), (1, 0));
    assert!(running.fetches("not_modified") >= 50, "it never came whole again");
}

#[test]
fn a_304_whose_signature_is_missing_or_wrong_renews_nothing() {
    let (signer, stranger) = (Signer::new(7), Signer::new(9));
    let green = document("green");
    let first = Signing::by(&[&signer]).fields(&green);
    let newer = Signing::by(&[&signer]).at(20).fields(&green);
    for (fields, reason) in [
        (SignedFields::default(), None),
        (Signing::by(&[&stranger]).at(20).fields(&green), Some("signature")),
        (Signing::by(&[&signer]).at(20).fields(&document("blue")), Some("signature")),
        (
            SignedFields { input: newer.input.replace("expires=1", "expires=2"), ..newer.clone() },
            Some("signature"),
        ),
        (Signing::by(&[&signer]).at(100_000).fields(&green), Some("future")),
    ] {
        let running = Running::new(&configuration(&[&signer], None));
        second(&running, source(&green, "\"1\"", &first));
        for _ in 0..29 {
            second(&running, |_| with_fields(Response::new(304).header("etag", "\"1\""), &fields));
        }
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
        assert!(status(&running)["ageSeconds"].as_u64() >= Some(28), "{fields:?}");
        if let Some(reason) = reason {
            assert!(running.refusals(reason) > 0, "{reason}: {:?}", running.proxy.metrics());
            assert_eq!(status(&running)["lastError"]["stage"], reason);
        }
    }
}

#[test]
fn what_was_signed_before_what_is_in_force_is_a_replay() {
    let signer = Signer::new(7);
    let running = Running::new(&configuration(&[&signer], None));
    let (blue, green) = (document("blue"), document("green"));
    let signed = |body: &str, at| Signing::by(&[&signer]).at(at).fields(body);
    second(&running, source(&blue, "\"b\"", &signed(&blue, 0)));
    second(&running, source(&green, "\"g\"", &signed(&green, 2)));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    for _ in 0..10 {
        second(&running, source(&blue, "\"b\"", &signed(&blue, 0)));
    }
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    assert!(running.refusals("replayed") > 0);
    assert!(
        running
            .proxy
            .logged(LogLevel::Error, "it was signed at 2026-01-01T00:00:00Z, before what is in force")
    );
    assert_eq!(status(&running)["lastError"]["stage"], "replayed");
    // What a 304 renewed counts as well.
    for _ in 0..10 {
        second(&running, source(&green, "\"g\"", &signed(&green, 10)));
    }
    for _ in 0..10 {
        second(&running, source(&blue, "\"b\"", &signed(&blue, 9)));
    }
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    // Signed in the same second, and signed again: no replay.
    for _ in 0..10 {
        second(&running, source(&blue, "\"b\"", &signed(&blue, 10)));
    }
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
    second(&running, source(&green, "\"g\"", &signed(&green, 11)));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
}

#[test]
fn a_replay_is_told_from_what_the_proxy_knows_and_not_one_vm() {
    let signer = Signer::new(7);
    let running = Running::new(&configuration(&[&signer], None));
    let (blue, green) = (document("blue"), document("green"));
    second(&running, source(&green, "\"g\"", &Signing::by(&[&signer]).at(1).fields(&green)));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    let (_vm, late) = start(&running.proxy, &configuration(&[&signer], None));
    running.advance(INTERVAL);
    running.vm.stop();
    for _ in 0..20 {
        second(&running, source(&blue, "\"b\"", &Signing::by(&[&signer]).fields(&blue)));
    }
    let exchange = late.request(Request::get("shop.example.com", "/hello")).unwrap();
    assert_eq!(exchange.request_header("x-turquoise-upstream").as_deref(), Some("shop_green"));
    assert!(running.refusals("replayed") > 0, "{:?}", running.proxy.logs());
}

#[test]
fn a_proxy_without_a_document_takes_none_that_has_expired() {
    let signer = Signer::new(7);
    let running = Running::new(&configuration(&[&signer], None));
    let green = document("green");
    let expired = Signing { lifetime: 0, ..Signing::by(&[&signer]) }.fields(&green);
    running.advance(3 * INTERVAL);
    second(&running, source(&green, "\"1\"", &expired));
    second(&running, source(&green, "\"1\"", &expired));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"), "the inlined one");
    assert!(running.refusals("expired") > 0);
    // Signed again, the same bytes under the same ETag are taken.
    for _ in 0..5 {
        let fields = Signing::by(&[&signer]).at(elapsed(&running)).fields(&green);
        second(&running, source(&green, "\"1\"", &fields));
    }
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
}

#[test]
fn a_document_for_others_is_refused() {
    let signer = Signer::new(7);
    let green = document("green");
    for (named, taken) in [(Some("production"), true), (Some("staging"), false), (None, false)] {
        let running = Running::new(&configuration(&[&signer], Some("production")));
        let fields = Signing { audience: named, ..Signing::by(&[&signer]) }.fields(&green);
        second(&running, source(&green, "\"1\"", &fields));
        let upstream = if taken { "shop_green" } else { "shop_blue" };
        assert_eq!(running.upstream("ada").as_deref(), Some(upstream), "{named:?}");
        assert_eq!(running.refusals("audience") == 0, taken, "{named:?}");
        if !taken {
            assert_eq!(status(&running)["lastError"]["stage"], "audience");
            assert!(running.proxy.logged(LogLevel::Error, "`source.audience` is `production`"));
        }
        assert_eq!(status(&running)["source"]["audience"], "production");
    }
    // Who names no audience takes what is for anybody.
    let running = Running::new(&configuration(&[&signer], None));
    let fields = Signing { audience: Some("staging"), ..Signing::by(&[&signer]) }.fields(&green);
    second(&running, source(&green, "\"1\"", &fields));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
}

#[test]
fn a_configuration_with_another_audience_does_not_take_over_what_the_proxy_has() {
    let signer = Signer::new(7);
    let running = Running::new(&configuration(&[&signer], Some("staging")));
    let green = document("green");
    let fields = Signing { audience: Some("staging"), ..Signing::by(&[&signer]) }.fields(&green);
    second(&running, source(&green, "\"1\"", &fields));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    let plugin = running.vm.configure(configuration(&[&signer], Some("production")).to_string()).unwrap();
    let exchange = plugin.request(Request::get("shop.example.com", "/hello")).unwrap();
    assert_eq!(
        exchange.request_header("x-turquoise-upstream").as_deref(),
        Some("shop_blue"),
        "the inlined one"
    );
    assert_eq!(running.refusals("audience"), 1);
}
