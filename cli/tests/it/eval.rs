//! `turquoise eval` for one flag.

use serde_json::json;

use crate::run::{DOCUMENT, Folder};

#[test]
fn the_answer_is_the_ofrep_object() {
    let output = Folder::new(DOCUMENT).run(&["eval", "--document", "document.json", "--flag", "open"]);
    assert_eq!(
        output.stdout,
        "{\"key\":\"open\",\"reason\":\"STATIC\",\"value\":true,\"variant\":\"on\",\"metadata\":{\"version\":\"7\"}}\n"
    );
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
}

#[test]
fn the_context_comes_inline_from_a_file_or_from_stdin() {
    let folder = Folder::new(DOCUMENT);
    let context = r#"{ "request": { "headers": { "x-user-email": "ada@example.com" } } }"#;
    folder.write("ada.json", context);
    for (argument, stdin) in [(context, ""), ("@ada.json", ""), ("@-", context)] {
        let arguments = ["eval", "--document", "document.json", "--flag", "release", "--context", argument];
        let output = folder.run_with(&arguments, stdin.as_bytes());
        assert_eq!(output.json()["variant"], "green", "{argument}: {output:?}");
    }
    let output = folder.run_with(&["eval", "--document", "-", "--flag", "release"], DOCUMENT.as_bytes());
    assert_eq!(output.json()["variant"], "blue");
}

#[test]
fn the_time_is_an_argument() {
    let folder = Folder::new(DOCUMENT);
    for (now, variant) in [
        ("1795161599", "off"),
        ("1795161600", "on"),
        ("1795161599999", "off"),
        ("1795161600000", "on"),
        ("2026-11-20T08:59:59+01:00", "off"),
        ("2026-11-20T09:00:00+01:00", "on"),
    ] {
        let output = folder.run(&["eval", "--document", "document.json", "--flag", "summary", "--now", now]);
        assert_eq!(output.json()["variant"], variant, "{now}");
    }
    folder
        .run(&["eval", "--document", "document.json", "--flag", "summary", "--now", "tomorrow"])
        .refused(2, &["`tomorrow`", "RFC 3339", "unix seconds"]);
}

#[test]
fn errors_are_objects_and_exit_1() {
    let folder = Folder::new(DOCUMENT);
    let output = folder.run(&["eval", "--document", "document.json", "--flag", "none"]);
    assert_eq!(output.json()["errorCode"], "FLAG_NOT_FOUND");
    assert_eq!(output.code, 1);
    let output = folder.run(&["eval", "--document", "document.json", "--flag", "broken"]);
    assert_eq!(
        output.json(),
        json!({
            "key": "broken", "errorCode": "PARSE_ERROR",
            "errorDetails": "flag `broken` does not compile: $.flags.broken.targeting: `no_such` is no operator",
            "metadata": { "version": "7" }
        })
    );
    assert_eq!(output.code, 1);
}

#[test]
fn bad_input_is_named_with_its_remedy() {
    let folder = Folder::new(DOCUMENT);
    let eval = |more: &[&str]| folder.run(&[&["eval", "--document", "document.json"], more].concat());
    eval(&["--flag", "open", "--context", "{"]).refused(2, &["--context", "not JSON", "`@FILE`"]);
    eval(&["--flag", "open", "--context", "[1]"]).refused(2, &["--context", "no object"]);
    eval(&["--flag", "open", "--context", "@none.json"]).refused(1, &["`none.json`"]);
    eval(&[]).refused(2, &["--flag"]);
    eval(&["--flag", "open", "--batch"]).refused(2, &["--flag", "--batch"]);
    eval(&["--batch", "--context", "{}"]).refused(2, &["--context", "--batch"]);
    folder.run(&["eval", "--flag", "open"]).refused(2, &["--document"]);
    folder.run(&["eval", "--document", "none", "--flag", "open"]).refused(1, &["`none`"]);
    folder.run(&["eval", "--document", "-", "--batch"]).refused(2, &["stdin"]);
    folder.run(&["eval", "--document", "-", "--flag", "open", "--context", "@-"]).refused(2, &["stdin"]);
    folder.write("broken.json", "{}");
    folder
        .run(&["eval", "--document", "broken.json", "--flag", "open"])
        .refused(1, &["broken.json:1:1: error: $: `flags` is missing", "`broken.json` does not compile"]);
}
