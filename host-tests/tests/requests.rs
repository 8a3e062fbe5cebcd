//! What a request looks like to the upstream, and what the client gets back.

use host_tests::{Running, configuration, document_with};
use serde_json::{Value, json};
use turquoise_host::simulated::{Request, Response};

fn hello() -> Request {
    Request::get("shop.example.com", "/hello").set_header(":scheme", "http")
}

#[test]
fn the_flag_of_the_first_matching_route_names_the_upstream() {
    let running = Running::new(&configuration());
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
    let tester = running.request(hello().header("x-user-id", "ada").header("x-tester", "yes"));
    assert_eq!(tester.request_header("x-turquoise-upstream").as_deref(), Some("shop_green"));
}

#[test]
fn the_route_is_chosen_again_after_the_upstream_was_set() {
    let running = Running::new(&configuration());
    let outcome = running.request(hello().header("x-turquoise-upstream", "x")).outcome();
    assert!(outcome.route_cache_cleared && !outcome.route_stale);
}

#[test]
fn flags_travel_as_one_json_object_and_unknown_ones_do_not() {
    let running = Running::new(&configuration());
    let flags = |request| running.request(request).request_header("x-turquoise-flags");
    assert_eq!(flags(hello()).as_deref(), Some(r#"{"greeting":false}"#));
    let insider = hello().header("x-user-email", "ada@example.com");
    assert_eq!(flags(insider).as_deref(), Some(r#"{"greeting":true}"#));
}

#[test]
fn a_closed_gate_answers_and_an_open_one_lets_through() {
    let running = Running::new(&configuration());
    let special = || Request::get("shop.example.com", "/api/special_feature?x=1");
    assert_eq!(running.vm.exchange(special(), 200).unwrap().status(), 404);
    let counted = "turquoise_requests_total.route=.=special;.;variant=.=off;.;";
    assert_eq!(running.proxy.counter(counted), Some(1));

    let mut open = configuration();
    open["document"] = document_with(|document| document["flags"]["special"]["defaultVariant"] = json!("on"));
    let running = Running::new(&open);
    let outcome = running.vm.exchange(special(), 200).unwrap();
    assert_eq!(outcome.status(), 200);
    assert_eq!(outcome.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
}

#[test]
fn a_closed_gate_is_kept_by_no_cache_and_sets_no_cookie() {
    let running = Running::new(&configuration());
    for method in ["GET", "HEAD", "POST"] {
        let request = Request::new(method, "shop.example.com", "/api/special_feature");
        let outcome = running.vm.exchange(request, 200).unwrap();
        assert_eq!(outcome.status(), 404, "{method}");
        assert_eq!(outcome.response_header("cache-control").as_deref(), Some("no-store"), "{method}");
        assert_eq!(outcome.response_header("set-cookie"), None, "{method}");
    }
}

#[test]
fn a_disabled_flag_closes_its_gate_and_sets_no_upstream() {
    let mut configuration = configuration();
    configuration["document"] = document_with(|document| {
        document["flags"]["special"]["state"] = json!("DISABLED");
        document["flags"]["release"]["state"] = json!("DISABLED");
    });
    let running = Running::new(&configuration);
    let outcome = running.vm.exchange(Request::get("h", "/api/special_feature"), 200).unwrap();
    assert_eq!(outcome.status(), 404);
    let outcome = running.vm.exchange(hello().header("x-turquoise-upstream", "shop_green"), 200).unwrap();
    assert_eq!((outcome.status(), outcome.request_header("x-turquoise-upstream")), (200, None));
}

#[test]
fn what_only_the_filter_may_set_is_removed_in_every_spelling() {
    let running = Running::new(&configuration());
    let names = [
        "x-turquoise-upstream",
        "X-Turquoise-Upstream",
        "x_turquoise_upstream",
        "x-turquoise-flags",
        "x-turquoise_flags",
        "x-turquoise-targeting-key",
        "x-turquoise-preview",
        "x-turquoise-anything-else",
        "x.turquoise.flags",
        "x~turquoise~flags",
        "X!Turquoise|Upstream",
        "x-turquoise'targeting`key",
    ];
    let forged =
        names.iter().fold(hello().header("x-user-id", "ada"), |request, name| request.header(name, "forged"));
    let outcome = running.request(forged).outcome();
    let seen: Vec<_> = outcome
        .request_headers
        .iter()
        .map(|(name, value)| {
            (String::from_utf8_lossy(name).to_lowercase(), String::from_utf8_lossy(value).into_owned())
        })
        .filter(|(name, _)| name.starts_with('x') && name.contains("turquoise"))
        .collect();
    assert!(seen.iter().all(|(_, value)| value != "forged"), "{seen:?}");
    assert_eq!(seen.len(), 3, "upstream, flags and targeting key, once each: {seen:?}");
}

#[test]
fn a_forged_header_is_invisible_to_rules_and_routes() {
    let mut configuration = configuration();
    configuration["context"]["targetingKey"] = json!([{ "header": "x-turquoise-targeting-key" }]);
    configuration["document"] = document_with(|document| {
        document["flags"]["release"]["targeting"] =
            json!({ "if": [{ "var": "request.headers.x-turquoise-me" }, "green"] });
        document["routes"][0] = json!({ "name": "forged", "flag": "release",
            "match": { "headers": { "x-turquoise-me": { "present": true } } } });
    });
    let running = Running::new(&configuration);
    let forged = hello().header("x-turquoise-me", "1").header("x-turquoise-targeting-key", "ada");
    let outcome = running.request(forged).outcome();
    assert_eq!(outcome.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
    assert_eq!(outcome.request_header("x-turquoise-targeting-key"), None);
    assert_eq!(running.proxy.counter("turquoise_requests_total.route=.=shop;.;variant=.=blue;.;"), Some(1));
}

#[test]
fn a_header_that_only_resembles_ours_passes() {
    let running = Running::new(&configuration());
    let outcome = running.request(hello().header("x-turquoisex", "1").header("my-x-turquoise-flags", "2"));
    assert_eq!(outcome.request_header("x-turquoisex").as_deref(), Some("1"));
    assert_eq!(outcome.request_header("my-x-turquoise-flags").as_deref(), Some("2"));
}

#[test]
fn configured_names_are_protected_as_the_default_ones_are() {
    let mut configuration = configuration();
    configuration["upstreamHeader"] = json!("X-Where");
    configuration["flagHeader"] = json!({ "name": "features", "flags": ["greeting"] });
    let running = Running::new(&configuration);
    let outcome =
        running.request(hello().header("x_where", "evil").header("Features", "{}").header("x-wherever", "1"));
    assert_eq!(outcome.request_header("x-where").as_deref(), Some("shop_blue"));
    assert_eq!(outcome.request_header("features").as_deref(), Some(r#"{"greeting":false}"#));
    assert_eq!(outcome.request_header("x_where"), None);
    assert_eq!(outcome.request_header("x-wherever").as_deref(), Some("1"));
}

fn key_of(running: &Running, request: Request) -> Option<String> {
    running.request(request).request_header("x-turquoise-targeting-key")
}

#[test]
fn the_first_source_that_has_a_targeting_key_gives_it() {
    let running = Running::new(&configuration());
    let both = hello().header("x-user-id", "ada").header("cookie", "uid=bob");
    assert_eq!(key_of(&running, both).as_deref(), Some("ada"));
    let cookie = hello().header("x-user-id", "").header("cookie", "a=1; uid=bob");
    assert_eq!(key_of(&running, cookie).as_deref(), Some("bob"));
}

#[test]
fn who_has_no_key_gets_an_anonymous_one_that_a_cookie_keeps() {
    let running = Running::new(&configuration());
    let exchange = running.request(hello());
    let key = exchange.request_header("x-turquoise-targeting-key").unwrap();
    assert!(key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()), "128 bits: {key}");
    let cookie = exchange.respond(Response::new(200)).unwrap().response_header("set-cookie").unwrap();
    let start = format!("tq_id={key}; Path=/; Max-Age=");
    assert!(cookie.starts_with(&start), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");

    let again = running.request(hello().header("cookie", format!("tq_id={key}")));
    assert_eq!(again.request_header("x-turquoise-targeting-key"), Some(key.clone()));
    assert_eq!(again.respond(Response::new(200)).unwrap().response_header("set-cookie"), None);
    assert_ne!(key_of(&running, hello()), Some(key), "every client gets its own");
}

#[test]
fn an_anonymous_id_that_we_did_not_give_is_replaced() {
    let running = Running::new(&configuration());
    for forged in ["admin", "0123456789ABCDEF0123456789ABCDEF", ""] {
        let exchange = running.request(hello().header("cookie", format!("tq_id={forged}")));
        assert_ne!(exchange.request_header("x-turquoise-targeting-key").as_deref(), Some(forged));
        assert!(exchange.respond(Response::new(200)).unwrap().response_header("set-cookie").is_some());
    }
}

#[test]
fn a_valid_anonymous_id_counts_wherever_it_stands() {
    let running = Running::new(&configuration());
    let id = "0123456789abcdef0123456789abcdef";
    let exchange = running.request(hello().header("cookie", format!("tq_id=sibling; tq_id={id}")));
    assert_eq!(exchange.request_header("x-turquoise-targeting-key").as_deref(), Some(id));
    assert_eq!(exchange.respond(Response::new(200)).unwrap().response_header("set-cookie"), None);
}

#[test]
fn the_cookie_is_secure_where_the_client_came_by_https() {
    let running = Running::new(&configuration());
    let cookie = |request| {
        running.request(request).respond(Response::new(200)).unwrap().response_header("set-cookie").unwrap()
    };
    assert!(cookie(hello().set_header(":scheme", "https")).ends_with("; Secure"));
    assert!(cookie(hello().header("x-forwarded-proto", "https")).ends_with("; Secure"));
    assert!(
        !cookie(hello().set_header(":scheme", "https").header("x-forwarded-proto", "http"))
            .ends_with("; Secure")
    );
}

#[test]
fn attributes_come_from_where_the_configuration_says() {
    let mut configuration = configuration();
    configuration["document"] = json!({
        "flags": { "seen": {
            "state": "ENABLED", "defaultVariant": "no", "variants": { "yes": "shop_green", "no": "shop_blue" },
            "targeting": { "if": [ { "and": [
                { "==": [{ "var": "ip" }, "203.0.113.9:4711"] },
                { "==": [{ "var": "request.method" }, "POST"] },
                { "==": [{ "var": "request.host" }, "shop.example.com"] },
                { "==": [{ "var": "request.path" }, "/a b"] },
                { "==": [{ "var": "request.query.q" }, "ü 1"] },
                { "==": [{ "var": "request.cookies.theme" }, "dark"] },
                { "==": [{ "var": "request.headers.X-Thing" }, "t"] },
                { "==": [{ "var": "targetingKey" }, "ada"] }
            ] }, "yes" ] } } },
        "routes": [{ "name": "all", "flag": "seen" }]
    });
    let running = Running::new(&configuration);
    let request = |method| {
        Request::new(method, "shop.example.com:8080", "/a b?p=2&q=%C3%BC+1")
            .header("x-user-id", "ada")
            .header("x-thing", "t")
            .header("cookie", "theme=dark")
            .property(&["source", "address"], "203.0.113.9:4711")
    };
    let upstream = |request| running.request(request).request_header("x-turquoise-upstream");
    assert_eq!(upstream(request("POST")).as_deref(), Some("shop_green"));
    assert_eq!(upstream(request("GET")).as_deref(), Some("shop_blue"));
}

#[test]
fn requests_are_counted_by_route_and_variant() {
    let running = Running::new(&configuration());
    for _ in 0..3 {
        running.upstream("ada");
    }
    running.request(hello().header("x-tester", "yes"));
    let counter = |name: &str| running.proxy.counter(&format!("turquoise_requests_total.{name}"));
    assert_eq!(counter("route=.=shop;.;variant=.=blue;.;"), Some(3));
    assert_eq!(counter("route=.=shop;.;variant=.=green;.;"), Some(1));
}

#[test]
fn odd_requests_pass() {
    let running = Running::new(&configuration());
    let many = (0..200).fold(hello(), |request, i| request.header(format!("h-{i}"), "v"));
    let requests = [
        hello().header("x-user-id", b"\xff\xfe"),
        hello().header("x-tester", b"y\xffs").header("cookie", b"uid=\x80; \xff=\xff"),
        hello().header("cookie", "c=".to_owned() + &"x".repeat(60 * 1024)),
        many,
        Request::new("OPTIONS", "", "*"),
        Request::new("GET", "shop.example.com", ""),
        Request::new("GET", &"h".repeat(5000), "/"),
        Request::get("shop.example.com", &"/a".repeat(4000)),
        Request::get("shop.example.com", "/%00%ff?%zz=%"),
    ];
    for request in requests {
        let outcome = running.vm.exchange(request, 200).unwrap();
        assert_eq!(outcome.status(), 200);
        assert_eq!(outcome.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
        assert!(outcome.request_header("x-turquoise-targeting-key").is_some());
    }
}

#[test]
fn memory_stays_flat() {
    let running = Running::new(&configuration());
    let round = || {
        for i in 0..20_000u32 {
            let request =
                hello().header("cookie", format!("uid=u{i}")).header("x-user-email", "a@example.com");
            running.vm.exchange(request, 200).unwrap();
        }
        running.vm.memory_size()
    };
    let warm = round();
    assert_eq!(round(), warm, "bytes of linear memory after as many requests again");
}

#[test]
fn without_any_document_requests_flow() {
    let running = Running::new(&Value::Object(serde_json::Map::new()));
    let outcome = running.vm.exchange(hello().header("x-turquoise-upstream", "evil"), 200).unwrap();
    assert_eq!((outcome.status(), outcome.request_header("x-turquoise-upstream")), (200, None));
}
