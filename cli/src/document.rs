//! Documents from files or stdin, compiled.

use std::fs;
use std::io::{self, Read as _};

use turquoise_core::{CompileOptions, Snapshot};

use crate::failure::Failure;
use crate::report;

/// What stdin is called in messages.
const STDIN: &str = "<stdin>";

/// A document's text, and the name that messages call it by.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Source {
    /// Reads a file; `-` is stdin.
    pub(crate) fn read(file: &str) -> Result<Self, Failure> {
        let (name, read) = if file == "-" {
            let mut bytes = Vec::new();
            (STDIN, io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes))
        } else {
            (file, fs::read(file))
        };
        match read {
            Ok(bytes) => Ok(Self { name: name.to_owned(), bytes }),
            Err(error) => Err(Failure::Work(format!("cannot read `{name}`: {}", reason(&error)))),
        }
    }

    /// Compiles the document; what refuses it goes to stderr.
    pub(crate) fn compile(&self, options: CompileOptions<'_>) -> Result<Snapshot, Failure> {
        Snapshot::compile_with(&self.bytes, options).map_err(|error| {
            report::complain(&self.name, &error.problems);
            eprintln!("error: `{}` does not compile", self.name);
            Failure::Told
        })
    }
}

/// Why a file could not be read, in the tone of our own messages.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}
