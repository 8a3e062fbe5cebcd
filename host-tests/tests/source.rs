//! Documents that arrive: fetched, swapped, refused, not available.

use std::time::Duration;

use host_tests::{CLUSTER, FIRST_TICK, Running, configuration_with_source, document_with, module};
use serde_json::{Value, json};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{CalloutFailure, Response, SimulatedProxy};

const INTERVAL: Duration = Duration::from_secs(1);

/// The document with another default variant of the release.
fn switched_to(variant: &str) -> Value {
    document_with(|document| document["flags"]["release"]["defaultVariant"] = json!(variant))
}

fn answer(document: &Value, etag: &str) -> Response {
    Response::new(200).header("etag", etag).json(document.to_string())
}

fn running() -> Running {
    Running::new(&configuration_with_source())
}

#[test]
fn the_document_is_fetched_soon_and_takes_over_as_a_whole() {
    let running = running();
    let callout = running.callout();
    assert_eq!(callout.cluster(), CLUSTER);
    assert_eq!(callout.header(":path").as_deref(), Some("/document.json"));
    assert_eq!(callout.header(":authority").as_deref(), Some(CLUSTER));
    assert_eq!(callout.header("if-none-match"), None);
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));

    let under_way = running.request(turquoise_host::simulated::Request::get("h", "/api/special_feature"));
    callout.answer(answer(&switched_to("green"), "\"1\"")).unwrap();
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    under_way.finish().unwrap();
    assert_eq!((running.fetches("updated"), running.document_gauge("generation")), (1, Some(2)));
}

#[test]
fn polling_is_conditional_on_the_etag() {
    let running = running();
    running.callout().answer(answer(&switched_to("green"), "\"1\"")).unwrap();
    running.advance(INTERVAL);
    let callout = running.callout();
    assert_eq!(callout.header("if-none-match").as_deref(), Some("\"1\""));
    callout.answer(304).unwrap();
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    assert_eq!((running.fetches("not_modified"), running.fetches("updated")), (1, 1));
}

#[test]
fn the_same_document_again_is_no_new_generation() {
    let running = running();
    for _ in 0..3 {
        running.callout().answer(Response::new(200).json(switched_to("green").to_string())).unwrap();
        running.advance(INTERVAL);
    }
    assert_eq!(running.document_gauge("generation"), Some(2));
    assert_eq!((running.fetches("updated"), running.fetches("not_modified")), (1, 2));
}

#[test]
fn one_callout_is_in_flight_and_a_lost_one_is_given_up() {
    let running = running();
    let first = running.callout();
    running.advance(Duration::from_millis(100));
    assert_eq!(running.proxy.callouts_made(), 1);
    first.forget();
    running.advance(INTERVAL * 3);
    assert!(running.proxy.callouts_made() > 1, "an answer that never comes does not stop the polling");
}

#[test]
fn a_document_that_is_refused_changes_nothing_and_says_why() {
    let running = running();
    running.callout().answer(answer(&switched_to("green"), "\"1\"")).unwrap();
    let broken: [(String, &str); 5] = [
        ("<html>".to_owned(), "not JSON"),
        ("{\"flags\": {".to_owned(), "not JSON"),
        (json!({ "routes": [] }).to_string(), "`flags` is missing"),
        (switched_to("purple").to_string(), "$.flags.release.defaultVariant"),
        (
            document_with(|d| d["flags"]["release"]["variants"]["green"] = json!("other_cluster"))
                .to_string(),
            "`other_cluster`",
        ),
    ];
    for (number, (body, reason)) in broken.into_iter().enumerate() {
        running.advance(INTERVAL);
        running
            .callout()
            .answer(Response::new(200).header("etag", format!("\"b{number}\"")).body(body))
            .unwrap();
        assert!(running.proxy.logged(LogLevel::Error, reason), "{reason}: {:?}", running.proxy.logs());
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
        assert_eq!(running.fetches("refused"), number as u64 + 1);
        assert_eq!(running.document_gauge("generation"), Some(2));
    }
}

/// A mistake in a release's rule would send everybody to the proxy's own default route.
#[test]
fn a_release_or_a_gate_with_a_mistake_in_its_rule_changes_nothing_and_says_where() {
    let running = running();
    running.callout().answer(answer(&switched_to("green"), "\"1\"")).unwrap();
    let with = |flag: &str, rule: Value| {
        document_with(|document| document["flags"][flag]["targeting"] = rule).to_string()
    };
    let tester = json!({ "==": [{ "var": "request.headers.x-tester" }, "yes"] });
    let mistakes = [
        (
            with("release", json!({ "if": [{ "=!": [1, 2] }, "green"] })),
            "$.routes[0].flag",
            "`=!` is no operator",
        ),
        (with("release", json!({ "if": [tester, "gren"] })), "$.routes[0].flag", "did you mean `green`?"),
        (
            with("special", json!({ "if": [{ "$ref": "testers" }, "on"] })),
            "$.routes[0].gate.flag",
            "`testers`",
        ),
        (with("special", tester.clone()), "$.routes[0].gate.flag", "$.flags.special.targeting"),
    ];
    for (number, (body, place, reason)) in mistakes.into_iter().enumerate() {
        running.advance(INTERVAL);
        running.callout().answer(Response::new(200).body(body)).unwrap();
        let said = |line: &str| line.contains(place) && line.contains(reason);
        assert!(
            host_tests::lines(&running.proxy, LogLevel::Error).iter().any(|line| said(line)),
            "{place} {reason}: {:?}",
            running.proxy.logs()
        );
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
        assert_eq!(running.refusals("invalid"), number as u64 + 1);
        assert_eq!(running.document_gauge("generation"), Some(2));
    }
    running.advance(INTERVAL);
    let alone = with("greeting", json!({ "no_such": [] }));
    running.callout().answer(Response::new(200).body(alone)).unwrap();
    assert_eq!(running.document_gauge("generation"), Some(3), "a flag that no route uses fails alone");
}

#[test]
fn what_was_refused_is_not_sent_again_and_does_not_count_as_fresh() {
    let running = running();
    running.callout().answer(Response::new(200).header("etag", "\"bad\"").body("{}")).unwrap();
    for second in 1..=3 {
        running.advance(INTERVAL);
        let callout = running.callout();
        assert_eq!(callout.header("if-none-match").as_deref(), Some("\"bad\""));
        callout.answer(304).unwrap();
        assert_eq!(running.document_gauge("age_seconds"), Some(second));
    }
}

#[test]
fn a_source_that_fails_leaves_the_rules_in_force_and_is_reported_once() {
    let running = running();
    running.callout().answer(answer(&switched_to("green"), "\"1\"")).unwrap();
    // It is asked less and less often.
    let next = || {
        while running.proxy.callouts().is_empty() {
            running.advance(INTERVAL);
        }
        running.callout()
    };
    for failure in [CalloutFailure::Refused, CalloutFailure::Timeout, CalloutFailure::Truncated] {
        running.proxy.clear_logs();
        for _ in 0..3 {
            next().fail(failure).unwrap();
        }
        let errors = running.proxy.logs().iter().filter(|line| line.level == LogLevel::Error).count();
        assert_eq!(errors, 1, "{failure:?}: {:?}", running.proxy.logs());
        assert_eq!(running.upstream("ada").as_deref(), Some("shop_green"));
    }
    assert_eq!(running.fetches("failed"), 9);
    let callout = next();
    assert!(running.document_gauge("age_seconds").unwrap() >= 9);
    callout.answer(304).unwrap();
    assert_eq!(running.document_gauge("age_seconds"), Some(0));
    assert!(running.proxy.logged(LogLevel::Info, "answers again"));
}

#[test]
fn errors_of_the_source_are_told_by_status() {
    let running = running();
    running.callout().answer(Response::new(500).body("oops")).unwrap();
    assert!(running.proxy.logged(LogLevel::Error, "status 500"), "{:?}", running.proxy.logs());
}

#[test]
fn an_unknown_cluster_is_named() {
    let proxy = SimulatedProxy::new(module());
    let vm = proxy.start_vm("").unwrap();
    assert!(vm.configure(configuration_with_source().to_string()).unwrap().accepted());
    proxy.advance(FIRST_TICK).unwrap();
    assert!(proxy.logged(LogLevel::Error, "no cluster `turquoise_config`"), "{:?}", proxy.logs());
    let outcome = vm.exchange(turquoise_host::simulated::Request::get("h", "/hello"), 200).unwrap();
    assert_eq!(outcome.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
}

#[test]
fn configured_headers_are_sent() {
    let mut configuration = configuration_with_source();
    configuration["source"]["headers"] = json!({ "Authorization": "Bearer s3cret" });
    configuration["source"]["path"] = json!("/teams/shop.json");
    configuration["source"]["authority"] = json!("config.internal");
    let callout = Running::new(&configuration).callout();
    assert_eq!(callout.header("authorization").as_deref(), Some("Bearer s3cret"));
    assert_eq!(callout.header(":path").as_deref(), Some("/teams/shop.json"));
    assert_eq!(callout.header(":authority").as_deref(), Some("config.internal"));
}

#[test]
fn a_new_configuration_runs_beside_the_one_that_drains() {
    let running = running();
    running.callout().answer(answer(&switched_to("green"), "\"1\"")).unwrap();
    let mut second = configuration_with_source();
    second["upstreamHeader"] = json!("x-where");
    let plugin = running.vm.configure(second.to_string()).unwrap();
    assert!(plugin.accepted());
    let hello = || turquoise_host::simulated::Request::get("h", "/hello");
    let new = plugin.request(hello()).unwrap();
    assert_eq!(new.request_header("x-where").as_deref(), Some("shop_green"), "what the proxy has");
    let old = running.plugin.request(hello()).unwrap();
    assert_eq!(old.request_header("x-turquoise-upstream").as_deref(), Some("shop_green"));
}
