//! OFREP at the proxy: whose word counts, when an answer is new, and what a hostile caller can do.

use std::time::Duration;

use host_tests::{Running, configuration, configuration_with_source, document_with, start};
use serde_json::{Value, json};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Outcome, Progress, Request, Response};

const ALL: &str = "/ofrep/v1/evaluate/flags";

/// The shop's configuration, with a targeting key's flag, and OFREP as `ofrep` says.
fn serving(ofrep: &Value) -> Value {
    let mut configuration = configuration();
    configuration["ofrep"] = json!({ "enabled": true });
    configuration["ofrep"].as_object_mut().unwrap().extend(ofrep.as_object().unwrap().clone());
    configuration["document"] = document_with(|document| {
        document["flags"]["who"] = json!({
            "state": "ENABLED", "variants": { "ada": "ada", "bob": "bob", "somebody": "somebody", "nobody": "nobody" },
            "defaultVariant": "nobody",
            "targeting": { "if": [{ "in": [{ "var": "targetingKey" }, ["ada", "bob"]] }, { "var": "targetingKey" },
                                  { "!!": [{ "var": "targetingKey" }] }, "somebody"] }
        });
    });
    configuration
}

fn post(path: &str, context: &Value) -> Request {
    Request::new("POST", "shop.example.com", path)
        .header("content-type", "application/json")
        .body(json!({ "context": context }).to_string())
}

fn body(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.response.as_ref().expect("an answer").body_text()).unwrap()
}

fn value(running: &Running, flag: &str, context: &Value, headers: &[(&str, &str)]) -> Value {
    let request = post(&format!("{ALL}/{flag}"), context);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    body(&running.request(request).outcome())["value"].clone()
}

#[test]
fn unless_it_is_enabled_the_paths_are_the_upstreams() {
    for ofrep in [json!(null), json!({}), json!({ "enabled": false, "tokens": ["t"] })] {
        let mut configuration = configuration();
        if !ofrep.is_null() {
            configuration["ofrep"] = ofrep;
        }
        let exchange = Running::new(&configuration).request(post(ALL, &json!({})));
        assert_eq!(exchange.progress(), Progress::Forwarded);
        assert_eq!(exchange.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
    }
}

#[test]
fn what_is_configured_is_never_taken_from_the_body() {
    let running = Running::new(&serving(&json!({})));
    let claim = json!({ "email": "eve@example.com" });
    assert_eq!(value(&running, "greeting", &claim, &[]), json!(false), "absent from the request");
    assert_eq!(value(&running, "greeting", &claim, &[("x-user-email", "eve@evil.example")]), json!(false));
    assert_eq!(value(&running, "greeting", &json!({}), &[("x-user-email", "ada@example.com")]), json!(true));
    let claim = json!({ "request": { "headers": { "x-tester": "yes" } }, "request.headers.x-tester": "yes" });
    assert_eq!(value(&running, "release", &claim, &[]), json!("shop_blue"));
    assert_eq!(value(&running, "release", &claim, &[("x-tester", "yes")]), json!("shop_green"));
}

#[test]
fn trusted_callers_speak_for_their_users() {
    let running = Running::new(&serving(&json!({ "trustContext": true })));
    let claim = json!({ "email": "ada@example.com", "targetingKey": "ada" });
    let own = [("x-user-email", "service@evil.example"), ("x-user-id", "bob")];
    assert_eq!(value(&running, "greeting", &claim, &own), json!(true));
    assert_eq!(value(&running, "who", &claim, &own), json!("ada"));
    assert_eq!(value(&running, "greeting", &json!({}), &[("x-user-email", "a@example.com")]), json!(true));
    assert_eq!(value(&running, "who", &json!({}), &own), json!("bob"));
    let claim = json!({ "request": { "headers": { "x-tester": "yes" } } });
    assert_eq!(value(&running, "release", &claim, &[]), json!("shop_blue"), "a request speaks for itself");
}

#[test]
fn the_key_is_who_the_proxy_knows_or_who_the_body_names_or_an_anonymous_one() {
    let running = Running::new(&serving(&json!({})));
    let cookie = ("cookie", "tq_id=0123456789abcdef0123456789abcdef");
    let who = |context: Value, headers: &[(&str, &str)]| value(&running, "who", &context, headers);
    assert_eq!(who(json!({ "targetingKey": "ada" }), &[]), json!("ada"));
    assert_eq!(who(json!({ "targetingKey": "ada" }), &[cookie]), json!("ada"));
    assert_eq!(who(json!({ "targetingKey": "ada" }), &[("x-user-id", "bob")]), json!("bob"));
    assert_eq!(who(json!({ "targetingKey": "ada" }), &[("cookie", "uid=bob")]), json!("bob"));
    assert_eq!(who(json!({}), &[cookie]), json!("somebody"));
    assert_eq!(who(json!({ "targetingKey": "" }), &[]), json!("nobody"));
}

#[test]
fn an_answer_makes_no_cookie_and_counts_for_no_route() {
    let running = Running::new(&serving(&json!({})));
    let outcome = running.request(post(ALL, &json!({}))).finish().unwrap();
    assert_eq!((outcome.status(), outcome.response_header("set-cookie")), (200, None));
    let counter = |name: &str| running.proxy.counter(name);
    assert_eq!(counter("turquoise_ofrep_requests_total.endpoint=.=flags;.;status=.=200;.;"), Some(1));
    assert_eq!(counter("turquoise_requests_total.route=.=shop;.;variant=.=blue;.;"), None);
    running.request(post(&format!("{ALL}/none"), &json!({}))).finish().unwrap();
    assert_eq!(counter("turquoise_ofrep_requests_total.endpoint=.=flag;.;status=.=404;.;"), Some(1));
}

/// The tag of an answer to all flags.
fn tag(running: &Running, context: &Value, headers: &[(&str, &str)]) -> String {
    let request =
        headers.iter().fold(post(ALL, context), |request, (name, value)| request.header(name, value));
    running.request(request).outcome().response_header("etag").expect("an etag")
}

#[test]
fn a_known_answer_is_not_sent_again() {
    let running = Running::new(&serving(&json!({ "origins": ["*"] })));
    let context = json!({ "targetingKey": "ada" });
    let tag = tag(&running, &context, &[]);
    let again = |known: &str, context: &Value| {
        let request = post(ALL, context).header("if-none-match", known).header("origin", "https://a.example");
        running.request(request).outcome()
    };
    for known in [&tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), tag.trim_matches('"'), "*"] {
        let outcome = again(known, &context);
        assert_eq!(outcome.status(), 304, "{known}");
        assert_eq!(outcome.response_header("etag").as_ref(), Some(&tag));
        assert_eq!(outcome.response_header("access-control-allow-origin").as_deref(), Some("*"));
        assert!(outcome.response.unwrap().body.is_empty());
    }
    assert_eq!(again(&tag, &json!({ "targetingKey": "bob" })).status(), 200);
    assert_eq!(again("\"other\"", &context).status(), 200);
    let broken = Request::new("POST", "h", ALL).body("{").header("if-none-match", "*");
    assert_eq!(running.request(broken).outcome().status(), 400, "there is nothing that `*` could stand for");
}

#[test]
fn a_tag_depends_on_what_the_rules_can_read_and_on_nothing_else() {
    let running = Running::new(&serving(&json!({})));
    let context = json!({ "targetingKey": "ada" });
    let plain = tag(&running, &context, &[]);
    for (name, value) in [("x-user-email", "a@example.com"), ("x-tester", "yes"), ("cookie", "uid=bob")] {
        assert_ne!(tag(&running, &context, &[(name, value)]), plain, "{name}");
    }
    assert_eq!(tag(&running, &context, &[("x-other", "1"), ("user-agent", "u")]), plain);
    // No rule reads `ip`, which changes with every connection.
    let elsewhere = post(ALL, &context).property(&["source", "address"], "203.0.113.9:4711");
    assert_eq!(running.request(elsewhere).outcome().response_header("etag"), Some(plain.clone()));
    let again = Running::new(&serving(&json!({})));
    assert_eq!(tag(&again, &context, &[]), plain, "another proxy of the same configuration knows it too");
    let other = Running::new(&serving(&json!({ "flags": ["who"] })));
    assert_ne!(tag(&other, &context, &[]), plain);
}

#[test]
fn a_new_document_makes_every_tag_old() {
    let mut configuration = configuration_with_source();
    configuration["ofrep"] = json!({ "enabled": true });
    let running = Running::new(&configuration);
    let old = tag(&running, &json!({}), &[]);
    let next = document_with(|document| document["flags"]["special"]["defaultVariant"] = json!("on"));
    running.callout().answer(Response::new(200).json(next.to_string())).unwrap();
    let outcome = running.request(post(ALL, &json!({})).header("if-none-match", &old)).outcome();
    assert_eq!(outcome.status(), 200);
    assert_ne!(outcome.response_header("etag"), Some(old));
    assert!(body(&outcome)["flags"].to_string().contains(r#""variant":"on""#));
}

#[test]
fn where_a_rule_reads_the_clock_or_who_knows_what_the_answer_itself_is_the_tag() {
    let by_clock = json!({ "if": [{ ">=": [{ "var": "$flagd.timestamp" }, 2_000_000_000] }, "on"] });
    let by_computed = json!({ "if": [{ "==": [{ "var": [{ "cat": ["em", "ail"] }] }, "x"] }, "on"] });
    for targeting in [by_clock, by_computed] {
        let mut configuration = serving(&json!({}));
        configuration["document"]["flags"]["special"]["targeting"] = targeting;
        let running = Running::new(&configuration);
        let before = tag(&running, &json!({}), &[]);
        assert_eq!(tag(&running, &json!({ "n": 1 }), &[]), before, "the same answer");
        let known = || post(ALL, &json!({})).header("if-none-match", &before);
        assert_eq!(running.request(known()).outcome().status(), 304);
        let changed = if running.request(known().header("x-user-email", "x")).outcome().status() == 200 {
            true
        } else {
            running.advance(Duration::from_secs(2_000_000_000));
            running.request(known()).outcome().status() == 200
        };
        assert!(changed, "another answer");
    }
}

#[test]
fn trailers_end_a_body_too() {
    let running = Running::new(&serving(&json!({})));
    let request = post(&format!("{ALL}/who"), &json!({ "targetingKey": "ada" })).trailer("x-t", "1");
    assert_eq!(body(&running.request(request).outcome())["value"], "ada");
}

#[test]
fn a_client_that_goes_away_leaves_nothing_behind() {
    let configuration = serving(&json!({}));
    let running = Running::new(&configuration);
    running.proxy.set_allow_on_headers_stop_iteration(false);
    let (_, other) = start(&running.proxy, &configuration);
    for plugin in [&running.plugin, &running.plugin, &other] {
        let exchange = plugin.request(post(ALL, &json!({}))).unwrap();
        assert_eq!(exchange.progress(), Progress::Paused);
        exchange.finish().unwrap();
        running.advance(Duration::from_secs(120));
    }
    let aborted = "turquoise_ofrep_requests_total.endpoint=.=flags;.;status=.=0;.;";
    assert_eq!(running.proxy.counter(aborted), Some(3));
    let hints = running.proxy.logs();
    let hints = hints.iter().filter(|line| line.message.contains("allow_on_headers_stop_iteration"));
    assert_eq!(hints.map(|line| line.level).collect::<Vec<_>>(), [LogLevel::Warn], "said once");
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
}

#[test]
fn a_hostile_body_is_refused() {
    let running = Running::new(&serving(&json!({})));
    let wide: Vec<_> = (0..6000).map(|i| format!("\"{i:x}\":0")).collect();
    let bodies = [
        format!("{{\"context\":{}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
        format!("{{\"context\":{{\"a\":{}", "[".repeat(65_000)),
        format!("{{\"context\":{{{}}}}}", wide.join(",")),
        "\u{feff}{}".to_owned(),
        "{\"context\":{\"targetingKey\":\"\\ud800\"}}".to_owned(),
        "1e999999".to_owned(),
    ];
    for hostile in bodies {
        let outcome = running.request(Request::new("POST", "h", ALL).body(&hostile)).outcome();
        assert_eq!(outcome.status(), 400, "{}", &hostile[..hostile.len().min(40)]);
        assert_eq!(body(&outcome)["errorCode"], "INVALID_CONTEXT");
    }
}

#[test]
fn a_body_cannot_make_thousands_of_flags_work_hard() {
    let mut configuration = serving(&json!({}));
    configuration["document"] = document_with(|document| {
        for number in 0..500 {
            document["flags"][format!("list-{number}")] = json!({
                "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": { "if": [{ "some": [{ "var": "groups" }, { "==": [{ "var": "" }, "beta"] }] }, "on"] }
            });
        }
    });
    let running = Running::new(&configuration);
    let errors = |groups: Vec<String>| {
        let outcome = running.request(post(ALL, &json!({ "groups": groups }))).outcome();
        assert_eq!(outcome.status(), 200);
        let flags = body(&outcome)["flags"].as_array().unwrap().clone();
        flags.iter().filter(|flag| flag["errorCode"] == "GENERAL").count()
    };
    assert_eq!(errors(vec!["alpha".to_owned(); 3]), 0, "what people send is answered");
    let failed = errors(vec!["a".to_owned(); 15_000]);
    assert!(failed > 400, "{failed} of 500 flags were left out");
    assert_eq!(errors(vec!["alpha".to_owned(); 3]), 0, "and the next one is answered as ever");
}

/// Reading a text as a number takes as long as the text is, and so does putting two in order.
#[test]
fn long_texts_are_no_way_around() {
    let mut configuration = serving(&json!({}));
    configuration["document"] = document_with(|document| {
        for number in 0..2_000 {
            let rule = match number % 2 {
                0 => json!({ ">": [{ "var": "n" }, 5] }),
                _ => json!({ ">": [{ "+": [{ "var": "n" }, 1] }, 5] }),
            };
            document["flags"][format!("number-{number}")] = json!({
                "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": { "if": [rule, "on"] }
            });
        }
    });
    let running = Running::new(&configuration);
    let errors = |n: Value| {
        let outcome = running.request(post(ALL, &json!({ "n": n }))).outcome();
        let flags = body(&outcome)["flags"].as_array().unwrap().clone();
        flags.iter().filter(|flag| flag["errorCode"] == "GENERAL").count()
    };
    assert_eq!(errors(json!("7")), 0);
    let failed = errors(json!(format!("0x{}", "0".repeat(60_000))));
    assert!(failed > 1_000, "{failed} of 2,000 flags were left out");
}

#[test]
fn flags_with_patterns_are_answered_together() {
    let mut configuration = serving(&json!({}));
    configuration["document"] = document_with(|document| {
        for number in 0..100 {
            let pattern =
                format!("(Chrome|Firefox|Safari|Edg|OPR)/[0-9]+[.][0-9]+ .*(Mobile|Tablet|X{number})$");
            document["flags"][format!("pattern-{number}")] = json!({
                "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": { "if": [{ "matches": [{ "var": "agent" }, pattern] }, "on"] }
            });
        }
    });
    let running = Running::new(&configuration);
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 X42";
    let outcome = running.request(post(ALL, &json!({ "agent": agent }))).outcome();
    let flags = body(&outcome)["flags"].as_array().unwrap().clone();
    assert!(flags.iter().all(|flag| flag["errorCode"].is_null()), "{flags:?}");
    let on = flags.iter().filter(|flag| flag["variant"] == "on").count();
    assert_eq!(on, 1, "the patterns were matched: {flags:?}");
}

#[test]
fn memory_stays_flat() {
    let running = Running::new(&serving(&json!({})));
    let round = || {
        for i in 0..5_000u32 {
            running.request(post(ALL, &json!({ "targetingKey": format!("u{i}") }))).finish().unwrap();
        }
        running.vm.memory_size()
    };
    let warm = round();
    assert_eq!(round(), warm, "bytes of linear memory after as many requests again");
}
