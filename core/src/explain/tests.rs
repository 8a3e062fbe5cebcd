//! Whole explanations, word for word. The hashes were checked with MurmurHash3 and XXH3-64 of other makers.

use super::*;
use crate::{Context, ContextSettings, Request};

const DOCUMENT: &str = r#"{
  "$evaluators": { "staff": { "ends_with": [{ "var": "email" }, "@example.com"] } },
  "flags": {
    "release": { "state": "ENABLED", "variants": { "blue": "shop_blue", "green": "shop_green" }, "defaultVariant": "blue",
      "targeting": { "if": [ { "and": [ { "$ref": "staff" }, { "in": [ { "var": "country" }, ["NO", "SE"] ] } ] }, "green",
         { "fractional": [ ["green", 10], ["blue", 90] ] } ] } },
    "split": { "state": "ENABLED", "variants": { "blue": "b", "green": "g" }, "defaultVariant": "blue",
      "targeting": { "split": { "salt": "x", "buckets": [ ["green", 33.333], ["blue", 60] ] } } },
    "ramp": { "state": "ENABLED", "variants": { "true": true, "false": false }, "defaultVariant": "false",
      "targeting": { "and": [ { "==": [ { "flag": "open" }, "on" ] },
        { "ramp": { "schedule": [["2026-12-01T09:00:00Z", 0], ["2026-12-02T09:00:00Z", 100]] } } ] } },
    "cart": { "state": "ENABLED", "variants": { "true": true, "false": false },
      "targeting": { "some": [ { "var": "cart" }, { ">": [ { "var": "n" }, { "+": ["1", 1] } ] } ] } },
    "sum": { "state": "ENABLED", "variants": { "true": true, "false": false },
      "targeting": { "<": [ 1, { "+": [ { "var": "x" }, 1 ] } ] } },
    "ratio": { "state": "ENABLED", "variants": { "true": true, "false": false },
      "targeting": { "some": [ [{ "/": [{ "var": "n" }, { "var": "all" }] }],
        { "if": [{ "var": "" }, true, false] } ] } },
    "open": { "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on" },
    "closed": { "state": "DISABLED", "variants": { "on": true } },
    "broken": { "state": "ENABLED", "variants": { "on": true }, "targeting": { "x": 1 } }
  },
  "routes": [
    { "name": "special", "match": { "path": { "exact": "/special" } }, "flag": "release" },
    { "name": "shop", "match": { "hosts": ["*.example.com"], "path": { "prefix": "/shop" }, "methods": ["GET", "HEAD"],
      "headers": { "x-beta": { "present": true } } }, "gate": { "flag": "open" }, "flag": "release" },
    { "name": "rest", "match": { "hosts": ["a.test"] }, "gate": { "flag": "closed", "status": 410 } }
  ]
}"#;

/// 2026-12-01T15:00:00Z.
const NOW: Timestamp = Timestamp(1_796_137_200_000);

fn explain(flag: &str, context: Json) -> Explanation {
    Snapshot::compile(DOCUMENT.as_bytes()).unwrap().explain(flag, &Context::new(context), NOW)
}

#[track_caller]
fn reads(explanation: &impl ToString, lines: &[&str]) {
    let text = explanation.to_string();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines, "\n{text}");
}

#[test]
fn the_branch_that_was_taken_and_why() {
    let context = serde_json::json!({ "targetingKey": "ada", "email": "ada@example.com", "country": "NO" });
    reads(
        &explain("release", context),
        &[
            r#"flag `release`: variant `green`, value "shop_green", TARGETING_MATCH"#,
            r#"  because the targeting gives "green""#,
            r#"  targeting if -> "green" ([0] holds, so [1] is the result)"#,
            r#"    [0] and -> true (all hold)"#,
            r#"      [0] ends_with -> true"#,
            r#"        [0] var `email` -> "ada@example.com""#,
            r#"        [1] "@example.com""#,
            r#"      [1] in -> true"#,
            r#"        [0] var `country` -> "NO""#,
            r#"        [1] ["NO","SE"]"#,
            r#"    [1] "green""#,
        ],
    );
}

#[test]
fn the_bucket_and_its_bounds() {
    let context = serde_json::json!({ "targetingKey": "ada", "email": "bob@example.org" });
    reads(
        &explain("release", context),
        &[
            r#"flag `release`: variant `blue`, value "shop_blue", TARGETING_MATCH"#,
            r#"  because the targeting gives "blue""#,
            r#"  targeting if -> "blue" ([0] does not hold, so [2] is the result)"#,
            r#"    [0] and -> false ([0] does not hold)"#,
            r#"      [0] ends_with -> false"#,
            r#"        [0] var `email` -> "bob@example.org""#,
            r#"        [1] "@example.com""#,
            r#"    [2] fractional -> "blue""#,
            r#"      key "releaseada" (the flag's key and the targeting key)"#,
            r#"      hash 0xae1e4bae (MurmurHash3 x86 32), place 68 of 100"#,
            r#"      "green" from 0 to below 10, 10 %"#,
            r#"      "blue" from 10 to below 100, 90 % <- here"#,
        ],
    );
    reads(
        &explain("split", serde_json::json!({ "targetingKey": "ada" })),
        &[
            r#"flag `split`: variant `green`, value "g", TARGETING_MATCH"#,
            r#"  because the targeting gives "green""#,
            r#"  targeting split -> "green""#,
            r#"    key "ada" (the targeting key)"#,
            r#"    hash 0x0433b77bc70f33bf (XXH3-64), place 1641 of 100000"#,
            r#"    "green" from 0 to below 33333, 33.333 % <- here"#,
            r#"    "blue" from 33333 to below 93333, 60 %"#,
        ],
    );
}

#[test]
fn the_height_of_a_ramp_and_the_flag_that_was_asked() {
    reads(
        &explain("ramp", serde_json::json!({ "targetingKey": "ada" })),
        &[
            "flag `ramp`: variant `false`, value false, TARGETING_MATCH",
            "  because the targeting gives false",
            "  targeting and -> false ([1] does not hold)",
            "    [0] == -> true",
            r#"      [0] flag -> "on""#,
            "        flag `open`: variant `on`, value true, STATIC",
            "          because the flag has no targeting, so its default variant holds",
            r#"      [1] "on""#,
            "    [1] ramp -> false (the key is not below the ramp's height)",
            r#"      key "ada" (the targeting key)"#,
            "      hash 0x550343294dbaf586 (XXH3-64), place 33.208 %",
            "      height 25 % at 2026-12-01T15:00:00Z, between 0 % at 2026-12-01T09:00:00Z and 100 % at 2026-12-02T09:00:00Z",
        ],
    );
}

#[test]
fn rounds_end_where_they_are_decided() {
    reads(
        &explain("cart", serde_json::json!({ "cart": [{ "n": 1 }, { "n": 3 }, { "n": 5 }] })),
        &[
            "flag `cart`: variant `true`, value true, TARGETING_MATCH",
            "  because the targeting gives true",
            "  targeting some -> true",
            r#"    [0] var `cart` -> [{"n":1},{"n":3},{"n":5}]"#,
            "    [1] for item 0 > -> false",
            "      [0] var `n` -> 1",
            "      [1] + -> 2",
            r#"        [0] "1""#,
            "        [1] 1",
            "    [1] for item 1 > -> true",
            "      [0] var `n` -> 3",
            "      [1] + -> 2",
            r#"        [0] "1""#,
            "        [1] 1",
        ],
    );
}

#[test]
fn an_error_is_shown_where_it_arises() {
    reads(
        &explain("sum", serde_json::json!({ "x": ["much"] })),
        &[
            "flag `sum`: no value, GENERAL",
            "  because the targeting of `sum` calculates with a list, an object or another value that is not a number",
            "  targeting < -> error: calculates with a list, an object or another value that is not a number",
            "    [0] 1",
            "    [1] + -> error: calculates with a list, an object or another value that is not a number",
            r#"      [0] var `x` -> ["much"]"#,
            "      [1] 1",
        ],
    );
    reads(
        &explain("broken", Json::Null),
        &[
            "flag `broken`: no value, PARSE_ERROR",
            "  because flag `broken` does not compile: $.flags.broken.targeting: `x` is no operator",
        ],
    );
    reads(
        &explain("none", Json::Null),
        &["flag `none`: no value, FLAG_NOT_FOUND", "  because flag `none` is not in the document"],
    );
}

#[test]
fn a_number_that_json_does_not_have_decides_as_it_does_in_an_evaluation() {
    reads(
        &explain("ratio", serde_json::json!({ "all": 0, "n": 0 })),
        &[
            "flag `ratio`: variant `false`, value false, TARGETING_MATCH",
            "  because the targeting gives false",
            "  targeting some -> false",
            r#"    [0] ["NaN"]"#,
            r#"      [0] / -> "NaN" (a number that JSON does not have)"#,
            "        [0] var `n` -> 0",
            "        [1] var `all` -> 0",
            "    [1] for item 0 if -> false ([0] does not hold, so [2] is the result)",
            r#"      [0] var `` -> "NaN" (a number that JSON does not have)"#,
            "      [2] false",
        ],
    );
}

#[test]
fn machines_get_the_same() {
    let context = serde_json::json!({ "targetingKey": "ada", "email": "x" });
    let json = serde_json::to_value(explain("release", context)).unwrap();
    assert_eq!(
        json["attributes"],
        serde_json::json!([{ "name": "email", "value": "x" }, { "name": "targetingKey", "value": "ada" }])
    );
    assert_eq!(json["rule"]["steps"][0]["steps"][0]["path"], "targeting.if[0].and[0]");
    let bucketing = &json["rule"]["steps"][1]["bucketing"];
    assert_eq!(bucketing["place"], serde_json::json!([68, 100]));
    assert_eq!(bucketing["shares"][1]["here"], true);
}

#[test]
fn what_is_shown_is_bounded() {
    let mut rule = serde_json::json!({ "==": [{ "flag": "f1" }, "x"] });
    for _ in 0..28 {
        rule = serde_json::json!({ "!": { "or": [rule] } });
    }
    rule = serde_json::json!({ "or": [{ "map": [{ "var": "long" }, { "var": "" }] }, rule] });
    let flag = |targeting| serde_json::json!({ "state": "ENABLED", "variants": { "true": 1, "false": 2 }, "targeting": targeting });
    let wide: Vec<_> = (0..3000).map(|_| serde_json::json!({ "!": [1] })).collect();
    let document =
        serde_json::json!({ "flags": { "f0": flag(rule), "f1": flag(serde_json::json!({ "or": wide })) } });
    let snapshot = Snapshot::compile(document.to_string().as_bytes()).unwrap();
    for (flag, lines) in [("f0", 60), ("f1", 2003)] {
        let context = Context::new(serde_json::json!({ "long": [] }));
        let text = snapshot.explain(flag, &context, NOW).to_string();
        assert!(text.contains("not taken apart"), "{flag}");
        assert!(text.lines().count() <= 2 * lines, "{flag}: {} lines", text.lines().count());
    }
}

struct Asked(&'static str, &'static str, &'static str, Vec<(&'static str, &'static str)>);

impl Request for Asked {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.3.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn method(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.1.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.2.as_bytes()
    }

    fn property(&self, _: &str) -> Option<&str> {
        None
    }
}

fn explain_request(request: &Asked) -> RequestExplanation {
    let settings = ContextSettings::default();
    Snapshot::compile(DOCUMENT.as_bytes()).unwrap().explain_request(request, &settings, "0000", NOW)
}

#[test]
fn the_route_and_why_it_matches() {
    let headers =
        vec![("x-beta", ""), ("cookie", "tq_id=0123456789abcdef0123456789abcdef"), ("x-user-email", "a")];
    reads(
        &explain_request(&Asked("GET", "b.example.com:80", "/shop/x?y", headers)),
        &[
            "GET b.example.com:80/shop/x?y",
            r#"  targeting key "0123456789abcdef0123456789abcdef", from the anonymous cookie `tq_id`"#,
            "  route `special` does not match: the path is not `/special`",
            "  route `shop` matches: host `*.example.com`, path under `/shop`, method `GET` or `HEAD`, header `x-beta` is present",
            "  the gate is open: flag `open`: variant `on`, value true, STATIC",
            "    because the flag has no targeting, so its default variant holds",
            r#"  flag `release`: variant `blue`, value "shop_blue", TARGETING_MATCH"#,
            r#"    because the targeting gives "blue""#,
            r#"    targeting if -> "blue" ([0] does not hold, so [2] is the result)"#,
            "      [0] and -> null ([0] does not hold)",
            "        [0] ends_with -> null",
            "          [0] var `email` -> null",
            r#"          [1] "@example.com""#,
            r#"      [2] fractional -> "blue""#,
            r#"        key "release0123456789abcdef0123456789abcdef" (the flag's key and the targeting key)"#,
            "        hash 0xc4e5cb33 (MurmurHash3 x86 32), place 76 of 100",
            r#"        "green" from 0 to below 10, 10 %"#,
            r#"        "blue" from 10 to below 100, 90 % <- here"#,
            "  upstream `shop_blue`",
        ],
    );
}

#[test]
fn a_closed_gate_and_routes_that_do_not_match() {
    reads(
        &explain_request(&Asked("GET", "a.test", "/", Vec::new())),
        &[
            "GET a.test/",
            r#"  targeting key "0000", of a new client: the cookie `tq_id` will keep a random one"#,
            "  route `special` does not match: the path is not `/special`",
            "  route `shop` does not match: the host is not `*.example.com`",
            "  route `rest` matches: host `a.test`",
            "  the gate is closed and answers 410: flag `closed`: no value, DISABLED",
            "    because the flag is disabled, so the caller's default holds",
            "  no upstream: the gate answers",
        ],
    );
    reads(
        &explain_request(&Asked("POST", "b.example.com", "/shop", vec![("x-beta", "")])),
        &[
            "POST b.example.com/shop",
            r#"  targeting key "0000", of a new client: the cookie `tq_id` will keep a random one"#,
            "  route `special` does not match: the path is not `/special`",
            "  route `shop` does not match: the method is not `GET` or `HEAD`",
            "  route `rest` does not match: the host is not `a.test`",
            "  no route matches",
            "  no upstream: the proxy's own default route serves",
        ],
    );
}
