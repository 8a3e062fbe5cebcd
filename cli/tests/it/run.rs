//! Running `turquoise` and reading what it says.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A document with a bit of everything.
pub(crate) const DOCUMENT: &str = r#"{
  "metadata": { "version": "7" },
  "flags": {
    "release": { "state": "ENABLED", "variants": { "blue": "shop_blue", "green": "shop_green" }, "defaultVariant": "blue",
      "targeting": { "if": [ { "ends_with": [ { "var": "request.headers.x-user-email" }, "@example.com" ] }, "green" ] } },
    "share": { "state": "ENABLED", "variants": { "blue": "b", "green": "g" }, "defaultVariant": "blue",
      "targeting": { "fractional": [ ["green", 50], ["blue", 50] ] } },
    "summary": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
      "targeting": { "if": [ { ">=": [ { "var": "$flagd.timestamp" }, 1795161600 ] }, "on" ] } },
    "open": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
    "broken": { "state": "ENABLED", "variants": { "v": "x" }, "defaultVariant": "v", "targeting": { "no_such": [] } },
    "failing": { "state": "ENABLED", "variants": { "v": "x", "w": "y" }, "defaultVariant": "v",
      "targeting": { "var": "request.headers.x-variant" } }
  },
  "routes": [
    { "name": "special", "match": { "path": { "prefix": "/special" } }, "gate": { "flag": "summary", "status": 404 }, "flag": "release" },
    { "name": "failing", "match": { "path": { "prefix": "/failing" } }, "flag": "failing" },
    { "name": "share", "match": { "path": { "prefix": "/share" } }, "flag": "share" },
    { "name": "shop", "match": { "hosts": ["shop.example.com"] }, "gate": { "flag": "open" }, "flag": "release" }
  ]
}"#;

/// A folder with files in it, gone after the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// With `document.json` in it.
    pub(crate) fn new(document: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("document.json", document);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs `turquoise` in the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, b"")
    }

    /// Runs `turquoise` in the folder, with this on stdin.
    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut command = turquoise();
        command.current_dir(&self.0).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // On a thread, because it answers while we still write.
        let writer = std::thread::spawn(move || {
            // A command that does not read stdin closes it.
            let _ = pipe.write_all(&stdin);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Output {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The binary.
pub(crate) fn turquoise() -> Command {
    Command::new(env!("CARGO_BIN_EXE_turquoise"))
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Stdout as one JSON value on one line.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        assert!(self.stdout.ends_with('\n'), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Stdout as one JSON value on each line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Refused with this code and nothing on stdout; stderr has all of these parts, and no name of a type in Rust.
    pub(crate) fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "lacks `{part}`: {self:?}");
        }
        for rust in ["Error {", "Os {", "Some(", "untagged", "struct ", "i64", "u64", "panicked"] {
            assert!(!self.stderr.contains(rust), "speaks of `{rust}`: {self:?}");
        }
    }
}
