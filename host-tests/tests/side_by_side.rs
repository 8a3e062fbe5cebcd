//! Configurations that share a source, one after the other or at the same time: keys that rotate, documents that overtake
//! one another.

use std::time::Duration;

use host_tests::{
    FIRST_TICK, Signer, Signing, configuration_with_source, document_with, proxy, start, upstream, upstreams,
};
use serde_json::{Value, json};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Response, SimulatedProxy};

const INTERVAL: Duration = Duration::from_secs(1);

fn trusting(signers: &[&Signer]) -> Value {
    let mut configuration = configuration_with_source();
    configuration["source"]["publicKeys"] =
        signers.iter().map(|signer| Value::from(signer.public_key())).collect();
    configuration["source"]["versions"] = json!("increasing");
    configuration
}

/// Another configuration with the same source.
fn other(timeout: &str) -> Value {
    let mut configuration = configuration_with_source();
    configuration["source"]["timeout"] = json!(timeout);
    configuration
}

fn versioned(variant: &str, version: &Value, flags: usize) -> String {
    document_with(|document| {
        document["flags"]["release"]["defaultVariant"] = json!(variant);
        document["metadata"] = json!({ "version": version });
        for number in 0..flags {
            document["flags"][format!("feature-{number}")] = json!({
                "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": { "if": [{ "==": [{ "var": "a" }, format!("value {number}")] }, "on"] }
            });
        }
    })
    .to_string()
}

fn green() -> String {
    versioned("green", &Value::Null, 0)
}

fn answer(etag: &str, body: &str, signers: &[&Signer]) -> Response {
    Signing::by(signers).sign(Response::new(200).header("etag", etag).json(body), body)
}

/// Lets so many intervals pass in which every question is answered before its time is up.
fn pass(proxy: &SimulatedProxy, intervals: u32, answer: impl Fn(Option<&str>) -> Response) {
    for _ in 0..10 * intervals {
        proxy.advance(INTERVAL / 10).unwrap();
        for callout in proxy.callouts() {
            callout.answer(answer(callout.header("if-none-match").as_deref())).unwrap();
        }
    }
}

#[test]
fn every_vm_takes_a_declined_document_once_it_is_signed_anew() {
    let (old, new) = (Signer::new(7), Signer::new(8));
    let proxy = proxy();
    let before: Vec<_> = (0..3).map(|_| start(&proxy, &trusting(&[&old]))).collect();
    proxy.advance(FIRST_TICK).unwrap();
    proxy.callouts()[0].answer(answer("\"1\"", &green(), &[&old])).unwrap();
    assert_eq!(upstreams(&before), ["shop_green"; 3]);
    let after: Vec<_> = (0..3).map(|_| start(&proxy, &trusting(&[&new]))).collect();
    before.iter().for_each(|(vm, _)| vm.stop());
    assert_eq!(upstreams(&after), ["shop_blue"; 3], "nobody whom they trust has signed it");
    pass(&proxy, 20, |known| match known {
        Some(_) => Response::new(304).header("etag", "\"1\""),
        None => answer("\"1\"", &green(), &[&old, &new]),
    });
    assert_eq!(upstreams(&after), ["shop_green"; 3]);
}

#[test]
fn a_document_that_is_signed_anew_is_known_by_its_new_signature() {
    let (old, new) = (Signer::new(7), Signer::new(8));
    for says_so_in_304 in [false, true] {
        let proxy = proxy();
        let (vm, plugin) = start(&proxy, &trusting(&[&old, &new]));
        proxy.advance(FIRST_TICK).unwrap();
        proxy.callouts()[0].answer(answer("\"1\"", &green(), &[&old])).unwrap();
        assert_eq!(upstream(&plugin), "shop_green");
        pass(&proxy, 3, |known| match known {
            Some(_) if says_so_in_304 => Signing::by(&[&new]).sign(Response::new(304), &green()),
            _ => answer("\"2\"", &green(), &[&new]),
        });
        let successor = vm.configure(trusting(&[&new]).to_string()).unwrap();
        assert_eq!(upstream(&successor), "shop_green", "{says_so_in_304}: {:?}", proxy.logs());
    }
}

#[test]
fn what_takes_long_to_compile_does_not_displace_what_came_meanwhile() {
    let bare = |mut configuration: Value| {
        configuration.as_object_mut().unwrap().remove("document");
        configuration
    };
    for (first, second) in [(other("500ms"), other("501ms")), (other("500ms"), bare(other("501ms")))] {
        let proxy = proxy();
        let vms =
            [start(&proxy, &first), start(&proxy, &first), start(&proxy, &second), start(&proxy, &second)];
        proxy.advance(FIRST_TICK).unwrap();
        let questions = proxy.callouts();
        assert_eq!(questions.len(), 2, "one for each configuration");
        proxy.set_pace(Duration::from_micros(400));
        let (five, six) = (versioned("blue", &json!("5"), 3_000), versioned("green", &json!("6"), 0));
        questions[0].answer(answer("\"5\"", &five, &[])).unwrap();
        questions[1].answer(answer("\"6\"", &six, &[])).unwrap();
        // The source answers nothing more.
        proxy.advance(2 * INTERVAL).unwrap();
        assert_eq!(upstreams(&vms), ["shop_green"; 4]);
    }
}

#[test]
fn what_is_refused_destroys_nothing_that_another_configuration_makes_known() {
    let proxy = proxy();
    let vms =
        [start(&proxy, &other("500ms")), start(&proxy, &other("500ms")), start(&proxy, &other("501ms"))];
    proxy.advance(FIRST_TICK).unwrap();
    upstreams(&vms);
    let questions = proxy.callouts();
    proxy.set_pace(Duration::from_micros(400));
    let large = versioned("green", &Value::Null, 3_000);
    let wrong = document_with(|document| {
        document["flags"]["release"]["variants"]["green"] = json!("nowhere");
        document["padding"] = json!("x".repeat(large.len()));
    })
    .to_string();
    questions[0].answer(answer("\"1\"", &large, &[])).unwrap();
    questions[1].answer(answer("\"2\"", &wrong, &[])).unwrap();
    pass(&proxy, 5, |_| answer("\"2\"", &wrong, &[]));
    assert_eq!(upstreams(&vms), ["shop_green"; 3]);
}

#[test]
fn a_version_holds_under_every_configuration() {
    let (old, new) = (Signer::new(7), Signer::new(8));
    let proxy = proxy();
    let (vm, plugin) = start(&proxy, &trusting(&[&old]));
    proxy.advance(FIRST_TICK).unwrap();
    let five = versioned("blue", &json!("5"), 0);
    proxy.callouts()[0].answer(answer("\"5\"", &five, &[&old])).unwrap();
    assert_eq!(upstream(&plugin), "shop_blue");
    // Whoever does not trust what the proxy has does not take anything older for it.
    let three = versioned("green", &json!("3"), 0);
    let (_, successor) = start(&proxy, &trusting(&[&new]));
    vm.stop();
    pass(&proxy, 20, |_| answer("\"3\"", &three, &[&new]));
    assert_eq!(upstream(&successor), "shop_blue");
    assert!(proxy.logged(LogLevel::Error, "`3` is older than `5`"), "{:?}", proxy.logs());
    pass(&proxy, 20, |_| answer("\"7\"", &versioned("green", &json!("7"), 0), &[&new]));
    assert_eq!(upstream(&successor), "shop_green");
}

#[test]
fn who_trusts_anybody_opens_no_way_back_for_who_does_not() {
    let signer = Signer::new(7);
    let proxy = proxy();
    let (strict_vm, strict) = start(&proxy, &trusting(&[&signer]));
    proxy.advance(FIRST_TICK).unwrap();
    let five = versioned("green", &json!("5"), 0);
    proxy.callouts()[0].answer(answer("\"5\"", &five, &[&signer])).unwrap();
    assert_eq!(upstream(&strict), "shop_green");
    let (trusting_vm, anybody) = start(&proxy, &configuration_with_source());
    // Somebody in the source's place has a document without a version, unsigned, and then an old one, signed.
    let forged = versioned("blue", &Value::Null, 1);
    pass(&proxy, 3, |_| answer("\"f\"", &forged, &[]));
    assert_eq!((upstream(&strict), upstream(&anybody)), ("shop_green".to_owned(), "shop_blue".to_owned()));
    trusting_vm.stop();
    let three = versioned("blue", &json!("3"), 2);
    pass(&proxy, 20, |_| answer("\"3\"", &three, &[&signer]));
    assert_eq!(upstream(&strict), "shop_green");
    drop(strict_vm);
}

#[test]
fn a_limit_holds_for_what_the_proxy_has_too() {
    let proxy = proxy();
    start(&proxy, &configuration_with_source());
    proxy.advance(FIRST_TICK).unwrap();
    proxy.callouts()[0].answer(answer("\"1\"", &green(), &[])).unwrap();
    let mut narrow = configuration_with_source();
    narrow["source"]["maxBytes"] = json!(10);
    let (_, plugin) = start(&proxy, &narrow);
    assert_eq!(upstream(&plugin), "shop_blue");
}
