//! `turquoise eval --batch`: order, bad lines, and that it answers while more is to come.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use serde_json::json;

use crate::run::{DOCUMENT, Folder, turquoise};

const BATCH: [&str; 4] = ["eval", "--document", "document.json", "--batch"];

#[test]
fn every_line_is_answered_in_its_place() {
    let folder = Folder::new(DOCUMENT);
    let lines: [&[u8]; 14] = [
        br#"{"flag":"open","context":{}}"#,
        b"{\"flag\":",
        b"",
        br#"{"context":{}}"#,
        br#"["open"]"#,
        br#"{"flag":"none","context":{}}"#,
        br#"{"flag":"open","context":[]}"#,
        br#"{"flag":7}"#,
        br#"{"flag":"summary","now":"soon"}"#,
        br#"{"flag":"summary","now":-1}"#,
        b"{\"flag\":\"\xff\"}",
        b"\t{\"flag\":\"open\",\"context\":null,\"now\":null,\"id\":9}\r",
        br#"{"flag":"open"} {"flag":"open"}"#,
        br#"{"flag":"share","context":{"targetingKey":"ada"}}"#,
    ];
    let output = folder.run_with(&BATCH, &lines.join(&b'\n'));
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let answers = output.json_lines();
    assert_eq!(answers.len(), lines.len(), "{output:?}");
    let code = |line: usize| answers[line - 1]["errorCode"].as_str();
    let details = |line: usize| answers[line - 1]["errorDetails"].as_str().unwrap();
    assert_eq!(answers[0]["variant"], "on");
    for (line, expected, key, parts) in [
        (2, "PARSE_ERROR", "", &["line 2", "not JSON", "column 8"][..]),
        (3, "PARSE_ERROR", "", &["line 3", "empty"]),
        (4, "INVALID_CONTEXT", "", &["line 4", "`flag` is missing", r#"{"flag":"KEY""#]),
        (5, "INVALID_CONTEXT", "", &["line 5", "not an object"]),
        (6, "FLAG_NOT_FOUND", "none", &["`none`"]),
        (7, "INVALID_CONTEXT", "open", &["line 7", "`context`"]),
        (8, "INVALID_CONTEXT", "", &["line 8", "`7`", "not a string"]),
        (9, "INVALID_CONTEXT", "summary", &["line 9", "`now`", "`soon`", "RFC 3339"]),
        (10, "INVALID_CONTEXT", "summary", &["line 10", "`now`", "`-1`"]),
        (11, "PARSE_ERROR", "", &["line 11"]),
        (13, "PARSE_ERROR", "", &["line 13"]),
    ] {
        assert_eq!(code(line), Some(expected), "line {line}");
        assert_eq!(answers[line - 1]["key"], key, "line {line}");
        for part in parts {
            assert!(details(line).contains(part), "line {line} lacks {part}: {}", details(line));
        }
    }
    assert_eq!(answers[11]["variant"], "on", "spaces, nulls and other members do not matter");
    assert_eq!(answers[13]["key"], "share", "the last line needs no end");
}

#[test]
fn lines_have_their_own_time_or_that_of_the_command() {
    let folder = Folder::new(DOCUMENT);
    let lines = r#"{"flag":"summary"}
{"flag":"summary","now":1795161599}
{"flag":"summary","now":1795161599999}
{"flag":"summary","now":"2026-11-20T08:00:00Z"}
"#;
    let at = |now: &str| {
        let output = folder.run_with(&[&BATCH[..], &["--now", now]].concat(), lines.as_bytes());
        output.json_lines().iter().map(|answer| answer["variant"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(json!(at("1795161600")), json!(["on", "off", "off", "on"]));
    assert_eq!(json!(at("1")), json!(["off", "off", "off", "on"]));
}

#[test]
fn an_answer_comes_before_the_next_question() {
    let folder = Folder::new(DOCUMENT);
    let mut child = turquoise()
        .args(["eval", "--batch", "--document"])
        .arg(folder.path("document.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for question in ["{\"flag\":\"open\"}\n", "{\"flag\":\"none\"}\n{\"flag\":", "\"share\"}\n"] {
        stdin.write_all(question.as_bytes()).unwrap();
        // Blocks for ever if the answer is held back.
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("{\"key\":"), "{answer}");
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_hundred_thousand_lines_keep_their_order() {
    let folder = Folder::new(DOCUMENT);
    let mut lines = String::new();
    for number in 0..100_000 {
        writeln!(lines, r#"{{"flag":"none-{number}","context":{{"targetingKey":"user-{number}"}}}}"#)
            .unwrap();
    }
    let output = folder.run_with(&BATCH, lines.as_bytes());
    assert_eq!(output.stdout.lines().count(), 100_000);
    for (number, line) in output.stdout.lines().enumerate() {
        assert!(line.starts_with(&format!("{{\"key\":\"none-{number}\",")), "{line}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let folder = Folder::new(DOCUMENT);
    let mut child = turquoise()
        .args(["eval", "--batch", "--document"])
        .arg(folder.path("document.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all("{\"flag\":\"open\"}\n".repeat(10_000).as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
