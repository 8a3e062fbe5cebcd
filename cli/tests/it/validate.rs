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
    assert!(output.stdout.starts_with("plugin.json:2:"), "{output:?}");
    for part in ["$.source", "`intervall`", "`interval`"] {
        assert!(output.stdout.contains(part), "{output:?}");
    }
    folder.write("plugin.json", r#"{ "document": { "flags": { "x": {} } } }"#);
    let output = folder.run(&["validate", "document.json", "--config", "plugin.json"]);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("plugin.json (the document in it)"), "{output:?}");
    assert!(output.stdout.contains("$.flags.x: `variants` is missing"), "{output:?}");
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
    for command in ["validate", "eval", "decide", "serve"] {
        let help = folder.run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        for part in ["Exit code", "Examples:", &format!("turquoise {command}")] {
            assert!(help.stdout.contains(part), "{command} lacks {part}");
        }
    }
    folder.run(&["vaildate", "document.json"]).refused(2, &["'vaildate'", "'validate'"]);
    folder.run(&[]).refused(2, &["Usage: turquoise"]);
}
