//! `turquoise decide`: the whole of its answer. What routes match is in the vectors.

use serde_json::json;

use crate::run::{DOCUMENT, Folder, Output};

const NEW_CLIENT: &str = "00000000000000000000000000000000";
const CONFIG: &str = r#"{ "context": { "targetingKey": [ { "header": "x-user-id" }, { "anonymousCookie": "tq_id" } ] },
                          "flagHeader": { "flags": ["open", "broken", "no-such"] } }"#;

fn decide(folder: &Folder, config: &str, request: &str) -> Output {
    let fixed = ["decide", "--document", "document.json", "--now", "0"];
    folder.run(&[&fixed[..], &["--config", config, "--request", request]].concat())
}

#[test]
fn a_decision_says_everything() {
    let folder = Folder::new(DOCUMENT);
    let request = r#"{ "method": "GET", "host": "shop.example.com", "path": "/hello?x=1",
                       "headers": { "X-User-Id": "ada", "X-User-Email": "ada@example.com" } }"#;
    let output = decide(&folder, CONFIG, request);
    assert_eq!(
        output.json(),
        json!({
            "route": "shop",
            "gate": { "open": true, "flag": "open", "variant": "on", "reason": "STATIC" },
            "flag": "release", "variant": "green", "reason": "TARGETING_MATCH", "upstream": "shop_green",
            "targetingKey": "ada",
            "headers": {
                "x-turquoise-upstream": "shop_green",
                "x-turquoise-targeting-key": "ada",
                "x-turquoise-flags": "{\"open\":true}"
            }
        })
    );
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn a_closed_gate_answers_and_sends_nothing_upstream() {
    let output = decide(&Folder::new(DOCUMENT), CONFIG, r#"{ "path": "/special/x" }"#);
    assert_eq!(
        output.json(),
        json!({
            "route": "special",
            "gate": { "open": false, "flag": "summary", "variant": "off", "reason": "DEFAULT" },
            "status": 404,
            "flag": null, "variant": null, "reason": null, "upstream": null,
            "targetingKey": NEW_CLIENT, "anonymous": { "cookie": "tq_id", "decides": false },
            "headers": {}
        })
    );
    assert_eq!(output.code, 0);
}

#[test]
fn a_new_client_is_said_to_be_one() {
    let folder = Folder::new(DOCUMENT);
    let answer = decide(&folder, CONFIG, r#"{ "path": "/share" }"#).json();
    assert_eq!(answer["anonymous"], json!({ "cookie": "tq_id", "decides": true }));
    assert_eq!(answer["headers"]["x-turquoise-targeting-key"], NEW_CLIENT);
    let answer = decide(&folder, "{}", r#"{ "host": "shop.example.com" }"#).json();
    assert_eq!(
        answer["anonymous"],
        json!({ "cookie": "tq_id", "decides": false }),
        "the default configuration"
    );
    let known = r#"{ "path": "/share", "headers": { "cookie": "tq_id=0123456789abcdef0123456789abcdef" } }"#;
    let answer = decide(&folder, CONFIG, known).json();
    assert_eq!(answer["targetingKey"], "0123456789abcdef0123456789abcdef");
    assert!(answer.get("anonymous").is_none());
}

#[test]
fn without_a_route_nothing_is_decided() {
    let elsewhere = r#"{ "host": "elsewhere.example.com" }"#;
    let answer = decide(&Folder::new(DOCUMENT), r#"{ "context": { "targetingKey": [] } }"#, elsewhere);
    assert_eq!(
        answer.json(),
        json!({
            "route": null, "flag": null, "variant": null, "reason": null, "upstream": null,
            "targetingKey": null, "headers": {}
        })
    );
    assert_eq!(answer.code, 0);
}

#[test]
fn a_flag_that_fails_exits_1_and_its_default_variant_serves() {
    let request = r#"{ "path": "/failing", "headers": { "x-variant": "none" } }"#;
    let output = decide(&Folder::new(DOCUMENT), "{}", request);
    let answer = output.json();
    assert_eq!((output.code, &answer["errorCode"]), (1, &json!("GENERAL")));
    assert_eq!((&answer["reason"], &answer["variant"]), (&json!("ERROR"), &json!(null)));
    assert!(answer["errorDetails"].as_str().unwrap().contains("none of its variants"));
    assert_eq!((&answer["upstream"], &answer["headers"]["x-turquoise-upstream"]), (&json!("x"), &json!("x")));
}

#[test]
fn what_a_client_forges_is_removed_first() {
    let folder = Folder::new(
        r#"{ "flags": { "f": { "state": "ENABLED", "variants": { "v": "up" }, "defaultVariant": "v" } },
             "routes": [ { "name": "forged", "match": { "headers": { "x-turquoise-upstream": { "present": true } } }, "flag": "f" },
                         { "name": "forged2", "match": { "headers": { "x-up": { "present": true } } }, "flag": "f" },
                         { "name": "forged3", "match": { "headers": { "x_up_more": { "present": true } } }, "flag": "f" },
                         { "name": "near", "match": { "headers": { "x-upper": { "present": true } } }, "flag": "f" } ] }"#,
    );
    let config = r#"{ "upstreamHeader": "X-Up", "context": { "targetingKey": [ { "header": "x-turquoise-targeting-key" } ] } }"#;
    let request = r#"{ "headers": { "X-Turquoise-Upstream": "evil", "x-up": "evil", "X_Up_More": "evil",
                                    "x-turquoise-targeting-key": "ada" } }"#;
    let answer = decide(&folder, config, request).json();
    assert_eq!((&answer["route"], &answer["targetingKey"]), (&json!(null), &json!(null)));
    let answer = decide(&folder, config, r#"{ "headers": { "x-upper": "" } }"#).json();
    assert_eq!((&answer["route"], &answer["headers"]), (&json!("near"), &json!({ "x-up": "up" })));
}

#[test]
fn requests_and_configurations_come_from_files_too() {
    let folder = Folder::new(DOCUMENT);
    let request = r#"{ "host": "shop.example.com", "headers": { "x-user-id": "ada" } }"#;
    folder.write("request.json", request);
    folder.write("plugin.json", CONFIG);
    for (config, request) in
        [("plugin.json", "@request.json"), ("@plugin.json", request), (CONFIG, "@request.json")]
    {
        assert_eq!(decide(&folder, config, request).json()["targetingKey"], "ada", "{config} {request}");
    }
}

#[test]
fn bad_input_is_named_with_its_remedy() {
    let folder = Folder::new(DOCUMENT);
    for (request, parts) in [
        ("{", &["--request", "not JSON", "`@FILE`"][..]),
        ("request.json", &["--request", "`@FILE`"]),
        ("[]", &["no object"]),
        (r#"{"Path":"/"}"#, &["`Path`", "`path`"]),
        (r#"{"path":5}"#, &["`path`", "`5`", "string"]),
        (r#"{"headers":[]}"#, &["`headers`", "object"]),
        (r#"{"headers":{":path":"/"}}"#, &["`:path`", "`path`"]),
        (r#"{"headers":{"x":1}}"#, &["`x`", "`1`", "string"]),
        (r#"{"headers":{"x":["1",2]}}"#, &["`x`", "`2`"]),
        (r#"{"properties":{"source.address":1}}"#, &["`source.address`", "`1`"]),
    ] {
        decide(&folder, "{}", request).refused(2, parts);
    }
    decide(&folder, "{}", "@none.json").refused(1, &["`none.json`"]);
    decide(&folder, "none.json", "{}").refused(1, &["`none.json`"]);
    decide(&folder, r#"{"upsteams":[]}"#, "{}").refused(1, &["$.upsteams", "`upstreams`"]);
    decide(&folder, r#"{"upstreams":["x"]}"#, "{}").refused(1, &["`shop_blue`", "(`x`)", "does not compile"]);
    folder.run(&["decide", "--document", "document.json"]).refused(2, &["--request"]);
}
