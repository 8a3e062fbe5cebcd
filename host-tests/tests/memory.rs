//! What documents and answers take of a VM's memory: bounded, whatever a document is made of, and no VM dies of it.

use std::time::Duration;

use host_tests::{Running, configuration_with_source, document_with};
use serde_json::{Value, json};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Outcome, Request, Response};

#[path = "../../core/tests/memory/greedy.rs"]
mod greedy;

/// Less than a request to the source may take.
const STEP: Duration = Duration::from_millis(200);

const ALL: &str = "/ofrep/v1/evaluate/flags";

fn running() -> Running {
    let mut configuration = configuration_with_source();
    configuration["ofrep"] = json!({ "enabled": true });
    Running::new(&configuration)
}

/// The shop's document that sends everybody to `variant`.
fn switched_to(variant: &str) -> Value {
    document_with(|document| document["flags"]["release"]["defaultVariant"] = json!(variant))
}

/// It with a megabyte of the flag set's metadata and ten thousand flags.
fn with_metadata(variant: &str) -> Value {
    let mut document = switched_to(variant);
    document["metadata"] = json!({ "text": "x".repeat(500_000) });
    for number in 0..10_000 {
        document["flags"][format!("feature-{number:05}")] = json!({ "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on", "metadata": { "owner": number } });
    }
    document
}

/// Answers the source's next request.
fn publish(running: &Running, document: String) {
    let asked = (0..100).any(|_| {
        if running.proxy.callouts().is_empty() {
            running.advance(STEP);
        }
        !running.proxy.callouts().is_empty()
    });
    assert!(asked, "the source is not asked: {:?}", running.proxy.logs());
    running.callout().answer(Response::new(200).json(document)).unwrap();
    // It compiles in slices.
    running.advance(STEP);
}

fn ask(running: &Running, path: &str) -> Outcome {
    let request =
        Request::new("POST", "shop.example.com", path).header("content-type", "application/json").body("{}");
    running.request(request).outcome()
}

fn megabytes(running: &Running) -> f64 {
    running.vm.memory_size() as f64 / 1e6
}

#[test]
fn half_a_megabyte_of_metadata_with_ten_thousand_flags_is_in_force_in_little_memory() {
    let running = running();
    let before = megabytes(&running);
    let document = with_metadata("green").to_string();
    println!("a document of {} bytes", document.len());
    publish(&running, document);
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"), "{:?}", running.proxy.logs());
    let after = megabytes(&running);
    println!("the VM's memory: {before:.1} MB before, {after:.1} MB after");
    assert!(after - before < 16.0, "{before} MB, then {after} MB");

    let one = ask(&running, &format!("{ALL}/feature-00007")).response.expect("an answer");
    assert_eq!(one.status(), 200);
    let one: Value = serde_json::from_str(&one.body_text()).unwrap();
    assert_eq!(one["metadata"]["text"].as_str().map(str::len), Some(500_000), "with the flag set's metadata");
}

#[test]
fn an_answer_for_all_flags_that_would_be_too_large_is_an_error_and_takes_no_memory() {
    let running = running();
    publish(&running, with_metadata("green").to_string());
    let before = megabytes(&running);
    for _ in 0..20 {
        let answer = ask(&running, ALL).response.expect("an answer");
        let body: Value = serde_json::from_str(&answer.body_text()).unwrap();
        assert_eq!((answer.status(), &body["errorCode"]), (400, &json!("GENERAL")));
        let details = body["errorDetails"].as_str().unwrap();
        assert!(details.contains("more than 8388608 bytes") && answer.body_text().len() < 500, "{details}");
    }
    assert!(megabytes(&running) - before < 1.0, "{before} MB, then {} MB", megabytes(&running));

    // Here only building it shows that it is too large.
    let mut document = switched_to("green");
    for number in 0..100 {
        document["flags"][format!("large-{number}")] =
            json!({ "state": "ENABLED", "variants": { "v": "v".repeat(100_000) }, "defaultVariant": "v" });
    }
    publish(&running, document.to_string());
    let sizes: Vec<_> = (0..20)
        .map(|_| {
            assert_eq!(ask(&running, ALL).response.expect("an answer").status(), 400);
            megabytes(&running)
        })
        .collect();
    assert!(sizes[19] - sizes[0] < 1.0 && sizes[19] - before < 60.0, "{before} MB, then {sizes:.1?}");
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
}

#[test]
fn what_takes_too_much_memory_is_refused_and_the_last_good_document_stays() {
    let running = running();
    publish(&running, switched_to("green").to_string());
    let mut large = switched_to("blue");
    large["flags"]["large"] = json!({ "state": "ENABLED", "variants": { "v": vec![0; 4 << 20] } });
    publish(&running, large.to_string());
    assert!(
        running.proxy.logged(LogLevel::Error, "$.flags.large: compiling up to here takes"),
        "{:?}",
        running.proxy.logs()
    );
    assert_eq!(running.refusals("invalid"), 1);
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"), "the last good one");
    publish(&running, switched_to("blue").to_string());
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"), "and the next good one");
}

/// A VM's memory never shrinks, so its size is the most that any of these needed.
#[test]
fn no_vm_dies_whatever_a_document_is_made_of() {
    let running = running();
    let start = megabytes(&running);
    for (name, document) in greedy::documents(1 << 17) {
        let (before, bytes) = (megabytes(&running), document.len());
        publish(&running, document);
        println!("{name}, {bytes} bytes: {before:.1} MB, then {:.1} MB", megabytes(&running));
        publish(&running, switched_to("green").to_string());
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"), "after {name}");
    }
    // 64 times 128 KiB and 4 MiB, for the one in force and the next, half as much again while lists move.
    let most = 3.0 * (64.0 * 0.131 + 4.2);
    assert!(megabytes(&running) - start < most, "{start} MB, then {} MB", megabytes(&running));
}

#[test]
fn an_inlined_document_that_takes_too_much_memory_is_refused_with_its_configuration() {
    let running = running();
    let mut configuration = configuration_with_source();
    configuration["document"] = document_with(|document| {
        document["flags"]["large"] = json!({ "state": "ENABLED", "variants": { "v": vec![0; 4 << 20] } });
    });
    let refused = running.vm.configure(configuration.to_string()).expect("no trap");
    assert!(!refused.accepted());
    assert!(
        running.proxy.logged(LogLevel::Error, "$.flags.large: compiling up to here takes"),
        "{:?}",
        running.proxy.logs()
    );
    assert_eq!(host_tests::upstream(&running.plugin), "shop_blue", "the configuration before serves");
}
