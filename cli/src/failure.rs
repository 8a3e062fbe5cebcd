//! How a command ends that could not do its work.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong: the message says how to write it.
    Usage(String),
    /// It could not be done.
    Work(String),
    /// What must be said is said already.
    Told,
    /// Whoever read our output has gone (`turquoise ... | head`), which is nobody's error.
    Unread,
}

impl Failure {
    /// Output that could not be written.
    pub(crate) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Work(format!("cannot write the output: {error}")),
        }
    }

    /// Says it on stderr, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (message, code) = match self {
            Self::Usage(message) => (message, 2),
            Self::Work(message) => (message, 1),
            Self::Told => return ExitCode::from(1),
            Self::Unread => return ExitCode::SUCCESS,
        };
        eprintln!("error: {message}");
        ExitCode::from(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Work(message) => f.write_str(message),
            Self::Told | Self::Unread => Ok(()),
        }
    }
}
