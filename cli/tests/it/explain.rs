//! `turquoise explain`: that it is there and says what `eval` and `decide` say. Its words are tested in the core.

use crate::run::{DOCUMENT, Folder};

#[test]
fn a_flag_is_explained_in_text_and_in_json() {
    let folder = Folder::new(DOCUMENT);
    let question = ["explain", "--document", "document.json", "--flag", "summary", "--now", "1795161600"];
    let output = folder.run(&question);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "flag `summary`: variant `on`, value true, TARGETING_MATCH",
            "  because the targeting gives \"on\"",
            "  targeting if -> \"on\" ([0] holds, so [1] is the result)",
            "    [0] >= -> true",
            "      [0] var `$flagd.timestamp` -> 1795161600",
            "      [1] 1795161600",
            "    [1] \"on\"",
        ]
    );
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let json = folder.run(&[&question[..], &["--json"]].concat()).json();
    assert_eq!(json["rule"]["steps"][0]["steps"][0]["attribute"], "$flagd.timestamp");
}

#[test]
fn a_request_is_explained_with_its_configuration() {
    let folder = Folder::new(DOCUMENT);
    let config = r#"{ "context": { "targetingKey": [ { "cookie": "uid" }, { "header": "x-user-id" } ] } }"#;
    let request =
        r#"{ "path": "/share", "headers": { "X-User-Id": "ada", "X-Turquoise-Upstream": "evil" } }"#;
    let question =
        ["explain", "--document", "document.json", "--config", config, "--request", request, "--now", "0"];
    let output = folder.run(&question);
    assert_eq!(output.code, 0, "{output:?}");
    for part in [
        "GET /share\n",
        "targeting key \"ada\", from the header `x-user-id`",
        "route `special` does not match: the path does not lie under `/special`",
        "route `share` matches: path under `/share`",
        "(the flag's key and the targeting key)",
        "upstream `",
    ] {
        assert!(output.stdout.contains(part), "lacks {part}: {}", output.stdout);
    }
    let decide = ["decide", "--document", "document.json", "--config", config, "--request", request];
    let decision = folder.run(&decide).json();
    let json = folder.run(&[&question[..], &["--json"]].concat()).json();
    assert_eq!(json["upstream"], decision["upstream"]);
    assert_eq!(json["targetingKey"]["value"], decision["targetingKey"]);
}

#[test]
fn errors_exit_1_and_bad_input_2() {
    let folder = Folder::new(DOCUMENT);
    let explain = |more: &[&str]| folder.run(&[&["explain", "--document", "document.json"], more].concat());
    let output = explain(&["--flag", "broken"]);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("does not compile: $.flags.broken.targeting"), "{output:?}");
    let output = explain(&["--request", r#"{ "path": "/failing", "headers": { "x-variant": "none" } }"#]);
    assert_eq!(output.code, 1);
    let last = "  upstream `x`: the flag failed, so its default variant serves\n";
    assert!(output.stdout.ends_with(last), "{output:?}");
    explain(&[]).refused(2, &["--flag"]);
    explain(&["--flag", "open", "--request", "{}"]).refused(2, &["--flag", "--request"]);
    explain(&["--request", "{}", "--context", "{}"]).refused(2, &["--context"]);
    explain(&["--flag", "open", "--context", "[]"]).refused(2, &["no object"]);
    explain(&["--request", "@none.json"]).refused(1, &["`none.json`"]);
}
