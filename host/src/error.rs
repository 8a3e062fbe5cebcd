//! What can go wrong between a host and a guest.

use std::fmt;
use std::time::Duration;

/// Why a module could not be loaded, or a VM could not go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Error {
    /// The bytes are not a WebAssembly module that this engine can run.
    Compile {
        /// What the compiler says.
        reason: String,
    },
    /// The module does not fit this host: it lacks an export of the ABI, or imports a known function with other
    /// types, or imports what is not a function. An unknown function is no reason: it fails when it is called.
    Incompatible {
        /// What does not fit, by name.
        reason: String,
    },
    /// The guest trapped, which includes every panic of a Rust guest. The VM is dead.
    Trap {
        /// The exported function that the host had called.
        callback: &'static str,
        /// What the trap says, and what the guest last logged as Critical: the message of a panic.
        reason: String,
    },
    /// The guest ran longer than it may. The VM is dead.
    TimeLimit {
        /// The exported function that the host had called.
        callback: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The guest trapped after it was denied memory. The VM is dead.
    MemoryLimit {
        /// The exported function that the host had called.
        callback: &'static str,
        /// How much the guest may have, in bytes, all memories and tables together.
        limit: usize,
        /// How much it would have had, in bytes.
        wanted: usize,
    },
    /// The VM has as many of something as it may, see [`caps`](crate::caps). It goes on with those that it has.
    Exhausted {
        /// What it has so many of.
        what: &'static str,
        /// How many it may have.
        limit: usize,
    },
    /// The VM died earlier and runs no more callbacks.
    Dead {
        /// The exported function that was to be called.
        callback: &'static str,
        /// The error that it died of.
        cause: Box<Error>,
    },
    /// `proxy_on_vm_start` returned false.
    StartRefused,
    /// The embedder asked for what cannot be: a context that does not exist, a response to a request that is
    /// still paused.
    Misuse {
        /// What was asked, and why it cannot be.
        reason: String,
    },
}

impl Error {
    pub(crate) fn misuse(reason: impl Into<String>) -> Self {
        Self::Misuse { reason: reason.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compile { reason } => write!(f, "the module does not compile: {reason}"),
            Self::Incompatible { reason } => {
                write!(f, "the module does not fit proxy-wasm ABI 0.2.1: {reason}")
            }
            Self::Trap { callback, reason } => write!(f, "the guest trapped in `{callback}`: {reason}"),
            Self::TimeLimit { callback, limit } => {
                write!(f, "the guest was stopped in `{callback}`: it ran longer than {limit:?}")
            }
            Self::MemoryLimit { callback, limit, wanted } => write!(
                f,
                "the guest trapped in `{callback}` for want of memory: it asked for {wanted} bytes and may have {limit}"
            ),
            Self::Exhausted { what, limit } => {
                write!(f, "the VM has {limit} {what}, and more it may not have: end some of them first")
            }
            Self::Dead { callback, cause } => {
                write!(f, "`{callback}` was not called because the VM is dead: {cause}")
            }
            Self::StartRefused => write!(f, "the guest refused to start: `proxy_on_vm_start` returned false"),
            Self::Misuse { reason } => write!(f, "{reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Dead { cause, .. } => Some(cause.as_ref()),
            _ => None,
        }
    }
}
