//! `turquoise validate`, and the command line as a whole.

use crate::run::{DOCUMENT, Folder};

const GOOD: &str = r#"{ "flags": { "a": { "state": "ENABLED", "variants": { "on": "up" }, "defaultVariant": "on" } },
                        "routes": [ { "name": "all", "flag": "a" } ] }"#;

#[test]
fn a_good_document_is_one_line() {
    let output = Folder::new(GOOD).run(&["validate", "document.json"]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "document.json: 1 flag, 1 route\n"), "{output:?}");
    assert_eq!(output.stderr, "");
}

#[test]
fn a_flag_that_fails_alone_is_an_error() {
    let output = Folder::new(DOCUMENT).run(&["validate", "document.json"]);
    assert_eq!(output.code, 1);
    assert_eq!(output.stdout.lines().count(), 1, "{output:?}");
    assert!(output.stdout.starts_with("document.json:11:"), "{output:?}");
    assert!(
        output.stdout.contains(": error: $.flags.broken.targeting: `no_such` is no operator"),
        "{output:?}"
    );
}

#[test]
fn warnings_alone_do_not_fail() {
    let twice = r#"{ "flags": { "a": { "state": "ENABLED", "variants": { "on": true } },
                                "a": { "state": "ENABLED", "variants": { "on": true } } } }"#;
    let output = Folder::new(twice).run(&["validate", "document.json"]);
    assert_eq!(output.code, 0, "{output:?}");
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines[0].contains(": warning: $.flags.a: "), "{output:?}");
    assert_eq!(lines[1..], ["document.json: 1 flag, 0 routes"]);
}

#[test]
fn stdin_can_be_checked() {
    let output = Folder::new("").run_with(&["validate", "-"], b"{}");
    assert_eq!(output.code, 1);
    assert!(output.stdout.starts_with("<stdin>:1:1: error: $: `flags` is missing"), "{output:?}");
}

#[test]
fn a_plugin_configuration_limits_upstreams() {
    let folder = Folder::new(GOOD);
    folder.write("plugin.json", r#"{ "upstreams": ["up"] }"#);
    assert_eq!(folder.run(&["validate", "document.json", "--config", "plugin.json"]).code, 0);
    folder.write("plugin.json", r#"{ "upstreams": ["down"] }"#);
    let output = folder.run(&["validate", "document.json", "--config", "plugin.json"]);
    assert_eq!(output.code, 1);
    assert!(
        output.stdout.contains("$.routes[0].flag: variant `on` of `a` is the upstream `up`"),
        "{output:?}"
    );
}

#[test]
fn a_plugin_configuration_is_checked_itself() {
    let folder = Folder::new(GOOD);
    folder.write("plugin.json", "{\n  \"source\": { \"cluster\": \"c\", \"intervall\": \"5s\" } }");
    let output = folder.run(&["validate", "document.json", "--config", "plugin.json"]);
    assert_eq!(output.code, 1);
    assert_eq!(
        output.stdout,
        "plugin.json:2:44: error: plugin configuration, $.source.intervall: unknown key `intervall`; did you mean `interval`?\n"
    );
    folder.write("plugin.json", r#"{ "document": { "flags": { "x": {} } } }"#);
    let output = folder.run(&["validate", "document.json", "--config", "plugin.json"]);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("plugin.json (the document in it)"), "{output:?}");
    assert!(output.stdout.contains("$.flags.x: `variants` is missing"), "{output:?}");
}

#[test]
fn what_flagd_would_not_understand_is_named_when_asked() {
    let document = r#"{
  "metadata": { "fractional": "v3" },
  "$evaluators": { "inside": { "cidr": [ { "var": "ip" }, "10.0.0.0/8" ] } },
  "flags": {
    "plain": { "state": "ENABLED", "variants": { "a": "up" }, "targeting": { "fractional": [["a", 1]] } },
    "own": { "state": "ENABLED", "variants": { "a": "up", "true": "up", "false": "up" }, "targeting": { "if": [
      { "$ref": "inside" }, { "split": [["a", 100]] }, { "!": [ { "matches": [ { "var": "x" }, "y" ] } ] } ] } },
    "more": { "state": "ENABLED", "variants": { "true": 1, "false": 2 },
      "targeting": { "==": [ { "flag": "own" }, { "ramp": { "schedule": [[0, 100]] } } ] } }
  },
  "routes": [ { "name": "all", "flag": "plain" } ]
}"#;
    let folder = Folder::new(document);
    assert_eq!(folder.run(&["validate", "document.json"]).stdout, "document.json: 3 flags, 1 route\n");
    let output = folder.run(&["validate", "document.json", "--portable"]);
    assert_eq!(output.code, 1);
    let lines: Vec<_> = output.stdout.lines().collect();
    let starts = [
        "document.json:2:31: warning: $.metadata.fractional: ",
        "document.json:3:40: error: $.$evaluators.inside.cidr: flagd has no operator `cidr`",
        "document.json:7:40: error: $.flags.own.targeting.if[1].split: flagd has no operator `split`",
        "document.json:7:78: error: $.flags.own.targeting.if[2][\"!\"][0].matches: flagd has no operator `matches`",
        "document.json:9:40: error: $.flags.more.targeting[\"==\"][0].flag: flagd has no operator `flag`",
        "document.json:9:59: error: $.flags.more.targeting[\"==\"][1].ramp: flagd has no operator `ramp`",
        "document.json:11:13: warning: $.routes: flagd ignores routes",
    ];
    assert_eq!(lines.len(), starts.len(), "{output:?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
    let portable = r#"{ "flags": { "a": { "state": "ENABLED", "variants": { "on": 1 } } }, "routes": [] }"#;
    let output = Folder::new(portable).run(&["validate", "document.json", "--portable"]);
    assert_eq!(output.code, 0, "{output:?}");
}

#[test]
fn a_flag_that_a_route_uses_does_not_fail_alone() {
    let document = r#"{
  "flags": {
    "release": { "state": "ENABLED", "variants": { "blue": "b", "green": "g" }, "defaultVariant": "blue",
      "targeting": { "if": [{ "starts_wiht": [{ "var": "email" }, "a"] }, "green"] } }
  },
  "routes": [ { "name": "all", "flag": "release" } ]
}"#;
    let output = Folder::new(document).run(&["validate", "document.json"]);
    assert_eq!(output.code, 1);
    assert_eq!(
        output.stdout,
        "document.json:4:29: error: $.flags.release.targeting.if[0]: `starts_wiht` is no operator; did you mean `starts_with`? (of itself it costs the flag alone, with PARSE_ERROR)\n\
         document.json:6:40: error: $.routes[0].flag: the flag `release` does not compile: $.flags.release.targeting.if[0]: `starts_wiht` is no operator; did you mean `starts_with`?\n"
    );
}

#[test]
fn ten_thousand_broken_flags_are_reported_at_once() {
    let flag = r#"{ "state": "ENABLED", "variants": { "on": 1 }, "targeting": { "and": [{ "vra": 1 }, { "$ref": "x" }] } }"#;
    let flags: Vec<_> = (0..10_000).map(|number| format!("\"f{number}\": {flag}")).collect();
    let document = format!(
        "{{ \"$evaluators\": {{ \"x\": {{ \"vra\": 1 }} }}, \"flags\": {{ {} }} }}",
        flags.join(",\n")
    );
    let output = Folder::new(&document).run(&["validate", "document.json"]);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(
        lines[0].contains("(used by `f0`, `f1`, `f2`, `f3`, `f4` and 9995 more) (these flags"),
        "{}",
        lines[0]
    );
    assert_eq!(lines[lines.len() - 1], "document.json: warning: $: 9801 more problems are not listed");
    assert_eq!(lines.len(), 201);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new(GOOD);
    folder.run(&["validate", "none.json"]).refused(1, &["`none.json`", "no such file"]);
    folder.run(&["validate", "."]).refused(1, &["`.`", "directory"]);
    folder.run(&["validate", "document.json", "--config", "none"]).refused(1, &["`none`"]);
    folder.run(&["validate"]).refused(2, &["<FILE>"]);
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let folder = Folder::new("");
    std::fs::write(folder.path("document.json"), b"{ \"flags\": { \"\xff\": 1 } }").unwrap();
    let output = folder.run(&["validate", "document.json"]);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("not UTF-8"), "{output:?}");
}

#[test]
fn the_command_line_explains_itself() {
    let folder = Folder::new(GOOD);
    let version = folder.run(&["--version"]);
    assert_eq!(version.stdout, format!("turquoise {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["validate", "eval", "decide", "explain", "serve", "schema"] {
        let help = folder.run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        for part in ["Exit code", "Examples:", &format!("turquoise {command}")] {
            assert!(help.stdout.contains(part), "{command} lacks {part}");
        }
    }
    folder.run(&["vaildate", "document.json"]).refused(2, &["'vaildate'", "'validate'"]);
    folder.run(&[]).refused(2, &["Usage: turquoise"]);
}

#[test]
fn answers_and_headers_that_could_be_too_large_are_warnings() {
    let flag = |key: &str| {
        let value = "v".repeat(3000);
        format!(
            r#""{key}": {{ "state": "ENABLED", "variants": {{ "v": "{value}" }}, "defaultVariant": "v" }}"#
        )
    };
    let flags: Vec<_> = (0..90).map(|number| flag(&format!("f{number}"))).collect();
    let metadata = "m".repeat(100_000);
    let folder = Folder::new(&format!(
        r#"{{ "metadata": {{ "text": "{metadata}" }}, "flags": {{ {} }} }}"#,
        flags.join(",")
    ));
    let warnings = |config: Option<&str>| {
        let arguments = match config {
            Some(config) => {
                folder.write("plugin.json", config);
                vec!["validate", "document.json", "--config", "plugin.json"]
            }
            None => vec!["validate", "document.json"],
        };
        let output = folder.run(&arguments);
        assert_eq!(output.code, 0, "{output:?}");
        let lines = output.stdout.lines().filter(|line| line.contains(": warning: $.flags: "));
        lines
            .map(|line| line.contains("the flag header could have 9") || !line.contains("OFREP"))
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(None), [false], "all flags under OFREP");
    assert_eq!(warnings(Some("{}")), [] as [bool; 0], "nothing is served");
    assert_eq!(warnings(Some(r#"{ "ofrep": { "enabled": true } }"#)), [false]);
    assert_eq!(warnings(Some(r#"{ "ofrep": { "enabled": true, "flags": ["f1"] } }"#)), [] as [bool; 0]);
    assert_eq!(warnings(Some(r#"{ "flagHeader": { "flags": ["f1", "f2", "f3"] } }"#)), [true]);
    assert_eq!(warnings(Some(r#"{ "flagHeader": { "flags": ["f1"] } }"#)), [] as [bool; 0]);
}
