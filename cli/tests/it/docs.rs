//! What the reference pages show is what happens.

use std::process::Command;

use turquoise_core::Snapshot;

use crate::run::{Folder, turquoise};

const CLI: &str = include_str!("../../../docs/reference/cli.md");
const DOCUMENT: &str = include_str!("../../../docs/reference/document.md");

/// The blocks of a page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let block = |rest: &'a str| rest.split_once("\n```").map(|(block, _)| block).expect("a block ends");
    page.split(&fence).skip(1).map(block).collect()
}

/// Runs a line in a shell that finds our binary, and gives what a terminal would show.
fn shell(folder: &Folder, line: &str) -> String {
    let binary = turquoise().get_program().to_owned();
    let bin = std::path::Path::new(&binary).parent().unwrap().to_owned();
    let path = std::env::join_paths(
        [bin].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path.unwrap())
        .current_dir(folder.path("."))
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    if let Some(code @ 1..) = output.status.code() {
        text.push_str(&format!("[exit code {code}]\n"));
    }
    text
}

#[test]
fn the_command_lines_answers_are_real() {
    let folder = Folder::new(blocks(CLI, "json")[0]);
    let mut lines = 0;
    for block in blocks(CLI, "console") {
        for question in block.strip_prefix("$ ").expect("a command").split("\n$ ") {
            let (line, expected) = question.split_once('\n').unwrap_or((question, ""));
            assert_eq!(shell(&folder, line).trim_end(), expected, "{line}");
            lines += 1;
        }
    }
    assert!(lines >= 12, "{lines}");
}

#[test]
fn the_documents_in_the_reference_compile() {
    let documents: Vec<_> =
        blocks(DOCUMENT, "json").into_iter().filter(|block| block.contains("\"flags\"")).collect();
    assert!(!documents.is_empty());
    for document in documents {
        let snapshot =
            Snapshot::compile(document.as_bytes()).unwrap_or_else(|error| panic!("{error}: {document}"));
        assert_eq!(snapshot.problems(), [], "{document}");
    }
}
