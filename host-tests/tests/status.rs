//! The status page: who sees it, and what is on it.

use std::time::Duration;

use host_tests::{CLUSTER, FIRST_TICK, Running, configuration_with_source, document_with, proxy, start};
use serde_json::{Value, json};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Outcome, Request, Response};

const PAGE: &str = "/.turquoise/status";

fn configuration(status: Value) -> Value {
    let mut configuration = configuration_with_source();
    configuration["status"] = status;
    configuration
}

fn running(status: Value) -> Running {
    Running::new(&configuration(status))
}

fn with_token() -> Running {
    running(json!({ "tokens": ["other", "s3cret"] }))
}

/// A request from `client` to the proxy's `address`.
fn between(request: Request, client: &str, address: &str) -> Request {
    request.property(&["source", "address"], client).property(&["destination", "address"], address)
}

fn local(request: Request) -> Request {
    between(request, "127.0.0.1:40000", "127.0.0.1:10000")
}

fn get() -> Request {
    Request::get("shop.example.com", PAGE)
}

fn ask(running: &Running, request: Request) -> Outcome {
    running.vm.exchange(request, 200).unwrap()
}

fn page(running: &Running) -> Value {
    let outcome = ask(running, get().header("authorization", "Bearer s3cret"));
    assert_eq!(outcome.status(), 200);
    serde_json::from_slice(&outcome.response.unwrap().body).unwrap()
}

#[test]
fn without_the_setting_there_is_no_page() {
    let running = Running::new(&configuration_with_source());
    let outcome = ask(&running, local(get()));
    assert!(outcome.local_response.is_none());
    assert_eq!(outcome.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
}

#[test]
fn it_is_served_at_its_path_alone() {
    let running = running(json!({ "path": "/ops/turquoise", "allowLocal": true }));
    let at = |path: &str| ask(&running, local(Request::get("h", path))).local_response.is_some();
    assert!(at("/ops/turquoise") && at("/ops/turquoise?pretty"));
    assert!(!at(PAGE) && !at("/ops/turquoise/") && !at("/ops"));
}

#[test]
fn with_tokens_only_a_token_opens_it() {
    let running = with_token();
    let outcome = ask(&running, get().header("authorization", "bearer s3cret"));
    assert_eq!(outcome.status(), 200);
    assert_eq!(outcome.response_header("content-type").as_deref(), Some("application/json"));
    assert_eq!(outcome.response_header("cache-control").as_deref(), Some("no-store"));
    for refused in [
        get(),
        local(get()),
        get().header("authorization", "Bearer s3cre"),
        get().header("authorization", "Basic s3cret"),
        get().header("authorization", b"Bearer \xff"),
    ] {
        let outcome = ask(&running, refused);
        assert_eq!(outcome.status(), 401);
        assert_eq!(outcome.response_header("www-authenticate").as_deref(), Some("Bearer"));
        assert!(outcome.response.unwrap().body.is_empty());
    }
}

#[test]
fn where_it_is_allowed_this_machine_sees_it() {
    let running = running(json!({ "allowLocal": true }));
    let status = |client: &str, address: &str| ask(&running, between(get(), client, address)).status();
    for (client, address) in [
        ("127.0.0.1:40000", "127.0.0.1:10000"),
        ("127.9.9.9:1", "127.0.0.1:10000"),
        ("[::1]:40000", "[::1]:10000"),
        ("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:10000"),
    ] {
        assert_eq!(status(client, address), 200, "{client}");
    }
    for (client, address) in [
        ("203.0.113.9:4711", "10.0.0.1:10000"),
        ("128.0.0.1:1", "127.0.0.1:10000"),
        // What Envoy says of a client that sends `x-forwarded-for: 127.0.0.1`, unless it is told better.
        ("127.0.0.1:0", "10.0.0.1:10000"),
        ("/var/run/socket", "/var/run/socket"),
        ("", ""),
    ] {
        let outcome = ask(&running, between(get(), client, address));
        assert_eq!(outcome.status(), 404, "{client}");
        assert!(outcome.response.unwrap().body.is_empty());
    }
    assert_eq!(ask(&running, get()).status(), 404, "addresses that the proxy does not know");
}

#[test]
fn nobody_is_let_in_by_his_address_unless_the_configuration_says_so() {
    let proxy = proxy();
    let vm = proxy.start_vm("").unwrap();
    assert!(!vm.configure(configuration(json!({})).to_string()).unwrap().accepted());
    assert!(proxy.logged(LogLevel::Critical, "`tokens` is missing"), "{:?}", proxy.logs());
    // Behind the PROXY protocol, both addresses are whatever the client states.
    assert_eq!(ask(&with_token(), local(get())).status(), 401);
}

#[test]
fn where_local_clients_are_allowed_others_need_a_token() {
    let running = running(json!({ "tokens": ["s3cret"], "allowLocal": true }));
    let remote = |request: Request| between(request, "203.0.113.9:4711", "10.0.0.1:10000");
    assert_eq!(ask(&running, local(get())).status(), 200);
    assert_eq!(ask(&running, remote(get().header("authorization", "Bearer s3cret"))).status(), 200);
    assert_eq!(ask(&running, remote(get())).status(), 401);
}

#[test]
fn it_is_read_only() {
    let running = running(json!({ "allowLocal": true }));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let outcome = ask(&running, local(Request::new(method, "h", PAGE)));
        assert_eq!((outcome.status(), outcome.response_header("allow")), (405, Some("GET, HEAD".to_owned())));
        assert!(outcome.response.unwrap().body.is_empty());
    }
    assert_eq!(
        ask(&running, Request::new("POST", "h", PAGE)).status(),
        404,
        "to others it is not even there"
    );
    let head = ask(&running, local(Request::new("HEAD", "h", PAGE)));
    assert_eq!(head.status(), 200);
    assert!(head.response_header("content-length").unwrap().parse::<usize>().unwrap() > 100);
    assert!(head.response.unwrap().body.is_empty());
}

#[test]
fn before_anything_was_fetched_it_says_so() {
    let page = page(&with_token());
    assert_eq!((&page["inForce"], &page["generation"]), (&json!("inlined"), &json!(1)));
    assert_eq!(
        (&page["ageSeconds"], &page["etag"], &page["lastError"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let source = json!({ "cluster": CLUSTER, "authority": CLUSTER, "path": "/document.json", "signed": false, "audience": null, "alternates": false });
    assert_eq!(page["source"], source);
    assert_eq!(page["counts"]["flags"], 3);
    assert_eq!(page["counts"]["routes"], 2);
}

#[test]
fn it_follows_what_happens() {
    let running = with_token();
    let document = document_with(|document| {
        document["metadata"] = json!({ "version": "7" });
        document["flags"]["greeting"]["targeting"] = json!({ "no_such_operator": [1] });
    });
    running.callout().answer(Response::new(200).header("etag", "\"1\"").json(document.to_string())).unwrap();
    running.advance(Duration::from_secs(1));
    running.callout().answer(Response::new(200).header("etag", "\"2\"").json("{}")).unwrap();
    let page = page(&running);
    assert_eq!(
        (&page["inForce"], &page["generation"], &page["version"]),
        (&json!("fetched"), &json!(2), &json!("7"))
    );
    assert_eq!((&page["etag"], &page["ageSeconds"]), (&json!("\"1\""), &json!(1)));
    assert_eq!(page["fingerprint"].as_str().unwrap().len(), 16);
    let error = &page["lastError"];
    assert_eq!((&error["stage"], &error["path"]), (&json!("invalid"), &json!("$")));
    assert!(error["time"].as_str().unwrap().starts_with("2026-01-01T00:00:01"), "{error}");
    assert!(error["message"].as_str().unwrap().contains("`flags` is missing"), "{error}");
    let fetches = json!({ "updated": 1, "not_modified": 0, "refused": 1, "failed": 0 });
    assert_eq!(page["counts"]["fetches"], fetches);
    assert_eq!(page["counts"]["refusals"]["invalid"], 1);
    assert_eq!(page["counts"]["failingFlags"], 1);
    assert_eq!(page["problems"][0]["path"], "$.flags.greeting.targeting");
    assert_eq!(page["vm"]["leads"], true);
}

#[test]
fn every_vm_tells_the_same_of_the_proxy_and_its_own_of_itself() {
    let proxy = proxy();
    let configuration = configuration(json!({ "tokens": ["s3cret"] }));
    let vms = [start(&proxy, &configuration), start(&proxy, &configuration)];
    proxy.advance(FIRST_TICK).unwrap();
    proxy.callouts().remove(0).answer(500).unwrap();
    let pages: Vec<Value> = vms
        .iter()
        .map(|(vm, _)| {
            let outcome = vm.exchange(get().header("authorization", "Bearer s3cret"), 200).unwrap();
            serde_json::from_slice(&outcome.response.unwrap().body).unwrap()
        })
        .collect();
    assert!(pages[0]["lastError"]["message"].as_str().unwrap().contains("status 500"), "{}", pages[0]);
    for key in ["lastError", "counts", "generation", "fingerprint"] {
        assert_eq!(pages[0][key], pages[1][key], "{key}");
    }
    assert_ne!(pages[0]["vm"]["id"], pages[1]["vm"]["id"]);
    let leaders = pages.iter().filter(|page| page["vm"]["leads"] == true).count();
    assert_eq!(leaders, 1);
}
