//! The functions that a guest may call, one file for each family.
//!
//! Each is a thin translation: numbers and memory ranges in, a call to what the proxy provides, a status out. What
//! the guest passes is not trusted: a range outside its memory is [`Status::InvalidMemoryAccess`], and nothing that
//! it passes can make the host panic.
//!
//! A function that is not defined here (gRPC, for one) is linked to a trap that carries its name. It must never
//! answer: a guest that believes in a call that did nothing fails later, and elsewhere.

mod buffers;
mod callouts;
mod guest;
mod headers;
mod metrics;
mod process;
mod properties;
mod shared;
mod streams;
mod wasi;

use wasmtime::{ExternType, Linker, Module, Val};

use crate::abi::Status;
use crate::error::Error;
use crate::vm::State;

pub(crate) use buffers::range;

/// Where the functions of proxy-wasm are imported from.
const ENV: &str = "env";

/// A host call, seen from inside: the guest and its state.
type Caller<'a> = wasmtime::Caller<'a, State>;

/// Why a host call did not do what it was asked: an answer for the guest, or the end of it.
enum Fault {
    Status(Status),
    Trap(wasmtime::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

/// The number that the guest gets.
fn answer(outcome: Result<(), Fault>) -> wasmtime::Result<u32> {
    match outcome {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Fault::Status(status)) => Ok(status as u32),
        Err(Fault::Trap(error)) => Err(error),
    }
}

/// Defines all that this host knows.
pub(crate) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    process::define(linker)?;
    buffers::define(linker)?;
    headers::define(linker)?;
    streams::define(linker)?;
    properties::define(linker)?;
    shared::define(linker)?;
    metrics::define(linker)?;
    callouts::define(linker)?;
    wasi::define(linker)
}

/// Links what a module imports and this host does not know to a trap that names it.
pub(crate) fn define_unknown(linker: &mut Linker<State>, module: &Module) -> Result<(), Error> {
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let ExternType::Func(ty) = import.ty() else {
            let reason = format!("it imports `{from}.{name}`, which is not a function");
            return Err(Error::Incompatible { reason });
        };
        let message = format!("this host has no function `{from}.{name}`");
        let trap = move |_: wasmtime::Caller<'_, State>, _: &[Val], _: &mut [Val]| {
            Err(wasmtime::Error::msg(message.clone()))
        };
        // A linker refuses to define a name twice, and that is how the known ones stay what they are.
        let _known = linker.func_new(from, name, ty, trap).is_err();
    }
    Ok(())
}
