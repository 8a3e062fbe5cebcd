//! Requests that last: what they keep alive, and how many may wait.

use std::time::Duration;

use host_tests::{Running, configuration_with_source, document_with};
use serde_json::{Value, json};
use turquoise_host::simulated::{Exchange, Progress, Request, Response};

const ALL: &str = "/ofrep/v1/evaluate/flags";

/// The document with half a megabyte of texts.
fn large(number: usize) -> Value {
    document_with(|document| {
        for flag in 0..500 {
            let text = format!("{number}-{flag}-").repeat(100);
            document["flags"][format!("text-{flag}")] =
                json!({ "state": "ENABLED", "variants": { "text": text }, "defaultVariant": "text" });
        }
    })
}

fn change(running: &Running, document: &Value) {
    running.callout().answer(Response::new(200).json(document.to_string())).unwrap();
    running.advance(Duration::from_secs(1));
}

/// A proxy that serves OFREP as well, and fetches its documents.
fn serving(ofrep: Value) -> Running {
    let mut configuration = configuration_with_source();
    configuration["ofrep"] = ofrep;
    Running::new(&configuration)
}

fn waiting(running: &Running, headers: &[(&str, &str)]) -> Exchange {
    let request = Request::new("POST", "shop.example.com", ALL).unfinished();
    running.request(headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

/// `begin` starts a request under each of many documents, all of which stay open. Linear memory must not grow with them:
/// thirty documents of half a megabyte would be 15 MB and more. What is allowed for is what the allocator leaves between.
fn is_flat(running: &Running, begin: impl Fn() -> Exchange) -> Vec<Exchange> {
    let round = |start: usize| {
        let step = |number| {
            change(running, &large(number));
            begin()
        };
        let open: Vec<_> = (start..start + 10).map(step).collect();
        (open, running.vm.memory_size())
    };
    let (mut open, warm) = round(0);
    for start in [10, 20, 30] {
        let (more, size) = round(start);
        open.extend(more);
        assert!(size <= warm + (4 << 20), "{warm} bytes after 10 documents, {size} after {}", start + 10);
    }
    open
}

#[test]
fn open_requests_keep_no_document_alive() {
    let running = serving(json!({}));
    let open = is_flat(&running, || running.request(Request::get("shop.example.com", "/hello")));
    for exchange in open {
        let outcome = exchange.respond(Response::new(200)).unwrap();
        assert_eq!(outcome.status(), 200);
        assert!(
            outcome.response_header("set-cookie").unwrap().starts_with("tq_id="),
            "kept for the response"
        );
        exchange.finish().unwrap();
    }
}

#[test]
fn requests_that_wait_for_a_body_keep_no_document_and_no_headers() {
    let running = serving(json!({ "enabled": true }));
    let long = "x".repeat(60_000);
    is_flat(&running, || waiting(&running, &[("x-long", &long)]));
    // Forty times 60 KB are less than that allows for, two hundred times are not.
    let before = running.vm.memory_size();
    let open: Vec<_> = (0..200).map(|_| waiting(&running, &[("x-long", &long)])).collect();
    let after = running.vm.memory_size();
    assert!(after - before < 4 << 20, "{before} bytes, then {after} with {} requests that wait", open.len());
}

#[test]
fn what_waited_is_answered_by_what_is_in_force_when_its_body_is_there() {
    let running = serving(json!({ "enabled": true }));
    let exchange = waiting(&running, &[("x-user-email", "ada@example.com"), ("x-tester", "yes")]);
    assert_eq!(exchange.progress(), Progress::Paused);
    exchange.send_body("{\"conte", false).unwrap();
    change(&running, &document_with(|document| document["flags"]["special"]["defaultVariant"] = json!("on")));
    exchange.send_body("xt\":{}}", true).unwrap();
    let outcome = exchange.outcome();
    let body: Value = serde_json::from_str(&outcome.response.unwrap().body_text()).unwrap();
    let value = |key: &str| {
        let flags = body["flags"].as_array().unwrap();
        flags.iter().find(|flag| flag["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!(value("special"), json!(true), "the new document");
    assert_eq!((value("greeting"), value("release")), (json!(true), json!("shop_green")), "its own headers");
}

#[test]
fn only_so_many_requests_wait_for_their_bodies() {
    let running = serving(json!({ "enabled": true, "maxBodyBytes": 1 << 20 }));
    let mut open: Vec<_> = (0..64).map(|_| waiting(&running, &[])).collect();
    assert!(open.iter().all(|exchange| exchange.progress() == Progress::Paused));
    let refused = || {
        let outcome = waiting(&running, &[]).outcome();
        assert_eq!(outcome.status(), 503);
        assert_eq!(outcome.response_header("retry-after").as_deref(), Some("1"));
        let body: Value = serde_json::from_str(&outcome.response.unwrap().body_text()).unwrap();
        assert_eq!(body["errorCode"], "GENERAL");
        let details = body["errorDetails"].as_str().unwrap();
        assert!(details.starts_with("64 requests wait"), "{details}");
    };
    refused();
    let whole = Request::new("POST", "shop.example.com", ALL);
    assert_eq!(running.request(whole).outcome().status(), 200, "what need not wait is answered");
    assert!(running.upstream("ada").is_some(), "and everything else is routed");

    open.pop().unwrap().finish().unwrap();
    open.push(waiting(&running, &[]));
    assert_eq!(open[63].progress(), Progress::Paused, "in the place of the one that went away");
    refused();
    open[0].send_body("{}", true).unwrap();
    assert_eq!(open[0].outcome().status(), 200);
    assert_eq!(
        waiting(&running, &[]).progress(),
        Progress::Paused,
        "in the place of the one that was answered"
    );
    refused();
    let counter = "turquoise_ofrep_requests_total.endpoint=.=flags;.;status=.=503;.;";
    assert_eq!(running.proxy.counter(counter), Some(3));
}
