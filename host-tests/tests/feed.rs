//! What VMs and configurations share: what is kept of a source, how often it is asked, and what is cleared away.

use std::time::Duration;

use host_tests::{
    CLUSTER, FIRST_TICK, Running, callout, configuration_with_source, document_gauge, document_with, lines,
    proxy, start, upstream, upstreams,
};
use serde_json::{Value, json};
use turquoise_core::feed::{Registry, SourceRecord};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Request, Response, SimulatedProxy};

const INTERVAL: Duration = Duration::from_secs(1);

fn document(variant: &str, text: &str) -> String {
    document_with(|document| {
        document["flags"]["release"]["defaultVariant"] = json!(variant);
        document["metadata"] = json!({ "text": text });
    })
    .to_string()
}

fn answer(variant: &str, etag: &str) -> Response {
    Response::new(200).header("etag", etag).json(document(variant, ""))
}

fn with_source(more: &Value) -> Value {
    let mut configuration = configuration_with_source();
    configuration["source"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    configuration
}

fn long_polling() -> Value {
    with_source(&json!({ "longPoll": "30s" }))
}

/// The record of the only source.
fn source_key(proxy: &SimulatedProxy) -> String {
    let keys = proxy.shared_data_keys();
    let mut keys = keys.into_iter().filter(|key| key.ends_with(".document"));
    let key = keys.next().unwrap();
    assert_eq!(keys.next(), None, "one source");
    key
}

fn source_record(proxy: &SimulatedProxy) -> SourceRecord {
    SourceRecord::decode(&proxy.shared_data(&source_key(proxy)).unwrap())
}

/// How many bytes the proxy shares, and under how many keys.
fn shared(proxy: &SimulatedProxy) -> (usize, usize) {
    let keys = proxy.shared_data_keys();
    (keys.iter().map(|key| proxy.shared_data(key).unwrap().len()).sum(), keys.len())
}

#[test]
fn a_rotated_token_keeps_the_document() {
    let token =
        |token: &str| with_source(&json!({ "headers": { "authorization": format!("Bearer {token}") } }));
    let running = Running::new(&token("old"));
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    let plugin = running.vm.configure(token("new").to_string()).unwrap();
    assert_eq!(upstream(&plugin), "shop_green", "from the first request on");
}

#[test]
fn another_path_or_authority_is_another_source() {
    let running = Running::new(&configuration_with_source());
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    for other in [json!({ "path": "/other.json" }), json!({ "authority": "other.internal" })] {
        let plugin = running.vm.configure(with_source(&other).to_string()).unwrap();
        assert_eq!(upstream(&plugin), "shop_blue", "the inlined one");
    }
}

#[test]
fn what_no_configuration_uses_any_more_leaves_shared_data() {
    let proxy = proxy();
    let (vm, first) = start(&proxy, &configuration_with_source());
    proxy.advance(FIRST_TICK).unwrap();
    callout(&proxy)
        .answer(Response::new(200).header("etag", "\"1\"").json(document("green", &"x".repeat(200_000))))
        .unwrap();
    let (bytes, _) = shared(&proxy);
    assert!(bytes > 200_000);
    let other = with_source(&json!({ "path": "/other.json" }));
    let second_plugin = vm.configure(other.to_string()).unwrap();
    first.shut_down().unwrap();
    // The clock is set back and forth meanwhile: whoever is there is never taken for gone.
    for second in 0..40 * 60 {
        for _ in 0..4 {
            proxy.advance(INTERVAL / 4).unwrap();
            let callouts = proxy.callouts().into_iter();
            callouts.for_each(|callout| callout.answer(answer("green", "\"2\"")).unwrap());
        }
        if second % 600 == 200 {
            proxy.set_clock_back(Duration::from_secs(3600));
        }
        if second % 60 == 30 {
            assert_eq!(upstream(&second_plugin), "shop_green", "second {second}");
            let (late, plugin) = start(&proxy, &other);
            assert_eq!(upstream(&plugin), "shop_green", "second {second}, a new VM");
            late.stop();
        }
    }
    let (bytes, keys) = shared(&proxy);
    assert!(bytes < 10_000, "{bytes} bytes under {:?}", proxy.shared_data_keys());
    // Another one takes the place of the one that is gone.
    let third = vm.configure(with_source(&json!({ "path": "/third.json" })).to_string()).unwrap();
    assert!(third.accepted());
    assert_eq!(shared(&proxy).1, keys, "{:?}", proxy.shared_data_keys());
}

#[test]
fn a_configuration_that_is_taken_for_gone_comes_back() {
    let running = Running::new(&configuration_with_source());
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    // As if it had been swept while all its VMs stood still.
    running.proxy.set_shared_data("turquoise2.registry", Registry::default().encode());
    running.proxy.set_shared_data(&source_key(&running.proxy), "");
    for _ in 0..30 {
        running.advance(INTERVAL);
        running
            .proxy
            .callouts()
            .into_iter()
            .for_each(|callout| callout.answer(answer("blue", "\"2\"")).unwrap());
    }
    assert_eq!(upstream(&running.plugin), "shop_blue");
    let (_, late) = start(&running.proxy, &configuration_with_source());
    assert_eq!(upstream(&late), "shop_blue");
}

#[test]
fn a_hundred_documents_leave_no_more_behind_than_two() {
    let running = Running::new(&configuration_with_source());
    let mut after = Vec::new();
    for number in 0..100 {
        let length = if number % 3 == 0 { 150_000 } else { 10 };
        let body = document("green", &format!("{number}{}", "x".repeat(length)));
        running
            .callout()
            .answer(Response::new(200).header("etag", format!("\"{number}\"")).json(body))
            .unwrap();
        running.advance(INTERVAL);
        after.push(shared(&running.proxy));
    }
    assert_eq!(running.fetches("updated"), 100);
    let keys = |after: &[(usize, usize)]| after.iter().map(|(_, keys)| *keys).max().unwrap();
    assert_eq!(keys(&after[10..20]), keys(&after[90..]), "{after:?}");
    assert!(after.iter().all(|(bytes, _)| *bytes < 2 * 160_000), "{after:?}");
}

#[test]
fn a_place_that_another_configuration_writes_to_is_left_alone() {
    let running = Running::new(&configuration_with_source());
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    // Another one is at it this moment: it has reserved a place, and its pieces are there already.
    let key = source_key(&running.proxy);
    let mut record = source_record(&running.proxy);
    let place = record.reserve(1).unwrap();
    running.proxy.set_shared_data(&key, record.encode());
    let piece = format!("{key}.{}.0", place.number);
    running.proxy.set_shared_data(&piece, "its piece");
    running.advance(INTERVAL);
    running.callout().answer(answer("blue", "\"2\"")).unwrap();
    assert_eq!(running.proxy.shared_data(&piece).as_deref(), Some(&b"its piece"[..]));
    let (_, late) = start(&running.proxy, &configuration_with_source());
    assert_eq!(upstream(&late), "shop_blue", "what was published can be read");
}

#[test]
fn what_a_vm_left_behind_when_it_died_is_cleared_away() {
    let running = Running::new(&configuration_with_source());
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    let key = source_key(&running.proxy);
    let mut record = source_record(&running.proxy);
    let place = record.reserve(1).unwrap();
    running.proxy.set_shared_data(&key, record.encode());
    running.proxy.set_shared_data(&format!("{key}.{}.0", place.number), "x".repeat(60_000));
    for _ in 0..300 {
        running.proxy.callouts().into_iter().for_each(|callout| callout.answer(304).unwrap());
        running.advance(INTERVAL);
    }
    assert!(shared(&running.proxy).0 < 10_000);
    assert_eq!(source_record(&running.proxy).places().count(), 1, "that of the document in force");
}

#[test]
fn queues_of_the_dead_are_forgotten_even_when_the_clock_was_set_back() {
    let proxy = proxy();
    let mut vms: Vec<_> = (0..3).map(|_| start(&proxy, &configuration_with_source())).collect();
    proxy.advance(FIRST_TICK).unwrap();
    let members = || {
        let keys = proxy.shared_data_keys();
        let key = keys.iter().find(|key| key.ends_with(".members")).unwrap();
        turquoise_core::feed::Members::decode(&proxy.shared_data(key).unwrap()).queues().count()
    };
    assert_eq!(members(), 3);
    vms.pop().unwrap().0.stop();
    proxy.set_clock_back(Duration::from_secs(3600));
    proxy.advance(Duration::from_secs(90)).unwrap();
    assert_eq!(members(), 2, "and those who live are all there");
}

#[test]
fn rules_go_on_ageing_after_the_clock_was_set_back() {
    let running = Running::new(&configuration_with_source());
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    let fails = |seconds: u32| {
        for _ in 0..seconds {
            running.advance(INTERVAL);
            running.proxy.callouts().into_iter().for_each(|callout| callout.answer(500).unwrap());
        }
    };
    fails(20);
    running.proxy.set_clock_back(Duration::from_secs(3600));
    fails(20);
    let age = running.document_gauge("age_seconds").unwrap();
    assert!((30..=41).contains(&age), "{age}");
}

#[test]
fn replicas_whose_etags_differ_for_the_same_bytes_are_asked_at_intervals() {
    let running = Running::new(&long_polling());
    running.callout().answer(answer("green", "\"0\"")).unwrap();
    let asked = running.proxy.callouts_made();
    for second in 1..=10 {
        // At once, each time from another replica.
        running.callout().answer(answer("green", &format!("\"{}\"", second % 2))).unwrap();
        assert!(running.proxy.callouts().is_empty(), "second {second}: it is asked again at once");
        running.advance(INTERVAL);
    }
    assert_eq!(running.proxy.callouts_made() - asked, 10);
    assert_eq!((running.fetches("updated"), running.fetches("not_modified")), (1, 10));
}

#[test]
fn nothing_makes_a_proxy_ask_more_than_twenty_times_a_second() {
    let running = Running::new(&long_polling());
    let mut number = 0;
    // A new document each time, at once.
    for _ in 0..1000 {
        while let Some(callout) = running.proxy.callouts().pop() {
            number += 1;
            assert!(number < 10_000, "it is asked in a loop");
            let body = document("green", &number.to_string());
            callout.answer(Response::new(200).header("etag", format!("\"{number}\"")).json(body)).unwrap();
        }
        running.advance(Duration::from_millis(10));
    }
    assert!((180..=230).contains(&number), "in ten seconds: {number}");
    // A change that comes alone is there at once.
    running.advance(Duration::from_secs(2));
    running.callout().answer(answer("blue", "\"last\"")).unwrap();
    assert_eq!(upstream(&running.plugin), "shop_blue");
    assert_eq!(
        running.callout().header("if-none-match").as_deref(),
        Some("\"last\""),
        "and the next can come"
    );
}

#[test]
fn a_source_that_goes_to_and_fro_is_named_and_asked_at_intervals() {
    let mut configuration = long_polling();
    configuration["status"] = json!({ "tokens": ["t"] });
    let running = Running::new(&configuration);
    let alternates = || {
        let request = Request::get("h", "/.turquoise/status").header("authorization", "Bearer t");
        let outcome = running.vm.exchange(request, 200).unwrap();
        let page: Value = serde_json::from_slice(&outcome.response.unwrap().body).unwrap();
        page["source"]["alternates"].clone()
    };
    let turn = |number: usize| {
        let (variant, etag) = [("green", "\"g\""), ("blue", "\"b\"")][number % 2];
        running.callout().answer(answer(variant, etag)).unwrap();
    };
    (0..3).for_each(turn);
    assert_eq!(alternates(), false, "a release that was taken back");
    let asked = running.proxy.callouts_made();
    for number in 3..13 {
        turn(number);
        running.advance(INTERVAL);
    }
    assert_eq!(running.proxy.callouts_made() - asked, 10, "at intervals");
    assert_eq!(alternates(), true);
    let metric = format!("turquoise_source_alternations_total.source=.={CLUSTER}/document.json;.;");
    assert_eq!(running.proxy.counter(&metric), Some(10));
    let warnings = lines(&running.proxy, LogLevel::Warn);
    assert!(warnings.len() == 1 && warnings[0].contains("to and fro between two documents"), "{warnings:?}");
    // It is in step again.
    for _ in 0..120 {
        running.proxy.callouts().into_iter().for_each(|callout| callout.answer(304).unwrap());
        running.advance(INTERVAL);
    }
    assert_eq!(alternates(), false);
}

#[test]
fn a_304_about_another_document_confirms_nothing() {
    let proxy = proxy();
    let vms: Vec<_> = (0..2).map(|_| start(&proxy, &long_polling())).collect();
    proxy.advance(FIRST_TICK).unwrap();
    callout(&proxy).answer(answer("green", "\"1\"")).unwrap();
    callout(&proxy).answer(answer("blue", "\"2\"")).unwrap();
    let waits = callout(&proxy);
    // Meanwhile the proxy has gone back to the document before.
    let mut record = source_record(&proxy);
    record.withdraw(record.current.as_ref().unwrap().fingerprint).unwrap();
    proxy.set_shared_data(&source_key(&proxy), record.encode());
    proxy.advance(Duration::from_secs(20)).unwrap();
    assert_eq!(upstreams(&vms), ["shop_green"; 2]);
    waits.answer(304).unwrap();
    proxy.advance(INTERVAL).unwrap();
    assert!(document_gauge(&proxy, "age_seconds").unwrap() >= 20, "the source still has the other one");
}

fn closed(inlined: bool) -> Value {
    let mut configuration = configuration_with_source();
    configuration["startup"] = json!("closed");
    configuration["status"] = json!({ "tokens": ["t"] });
    configuration["ofrep"] = json!({ "enabled": true });
    if !inlined {
        configuration.as_object_mut().unwrap().remove("document");
    }
    configuration
}

#[test]
fn a_closed_start_answers_503_until_the_first_document_is_in_force() {
    let running = Running::new(&closed(false));
    for (method, path) in
        [("GET", "/hello"), ("GET", "/api/special_feature"), ("POST", "/ofrep/v1/evaluate/flags")]
    {
        let outcome = running.vm.exchange(Request::new(method, "h", path), 200).unwrap();
        assert_eq!(
            (outcome.status(), outcome.response_header("retry-after")),
            (503, Some("1".to_owned())),
            "{path}"
        );
        assert_eq!(outcome.response_header("cache-control").as_deref(), Some("no-store"));
    }
    let page = Request::get("h", "/.turquoise/status").header("authorization", "Bearer t");
    assert_eq!(running.vm.exchange(page, 200).unwrap().status(), 200, "operators see why");
    running.callout().answer(Response::new(200).json("{")).unwrap();
    let status = || running.vm.exchange(Request::get("h", "/hello"), 200).unwrap().status();
    assert_eq!(status(), 503, "what was refused opens nothing");
    running.advance(INTERVAL);
    running.callout().answer(answer("green", "\"1\"")).unwrap();
    assert_eq!(status(), 200);
    // Whatever becomes of the source.
    running.advance(INTERVAL);
    running.callout().answer(500).unwrap();
    assert_eq!(status(), 200);
    let (late, _) = start(&running.proxy, &closed(false));
    assert_eq!(
        late.exchange(Request::get("h", "/hello"), 200).unwrap().status(),
        200,
        "a shared one opens, too"
    );
}

#[test]
fn an_inlined_document_opens_a_closed_start() {
    let running = Running::new(&closed(true));
    assert_eq!(running.vm.exchange(Request::get("h", "/hello"), 200).unwrap().status(), 200);
}

#[test]
fn a_start_is_open_by_default() {
    let mut configuration = closed(false);
    configuration.as_object_mut().unwrap().remove("startup");
    let running = Running::new(&configuration);
    assert_eq!(running.vm.exchange(Request::get("h", "/hello"), 200).unwrap().status(), 200);
}
