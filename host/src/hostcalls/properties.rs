//! Properties and foreign functions: of the stream if there is one, or else of the proxy.

use wasmtime::Linker;

use super::guest::{Range, capped, expect_givable, give, split};
use super::{Caller, ENV, Fault, answer};
use crate::abi::Status;
use crate::caps::{MAX_NAME_BYTES, MAX_VALUE_BYTES};
use crate::vm::State;
use crate::wire;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_get_property",
        |mut caller: Caller<'_>, path: u32, path_size: u32, data_at: u32, size_at: u32| {
            answer(get(&mut caller, (path, path_size), data_at, size_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_set_property",
        |mut caller: Caller<'_>, path: u32, path_size: u32, value: u32, value_size: u32| {
            answer(set(&mut caller, (path, path_size), (value, value_size)))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_call_foreign_function",
        |mut caller: Caller<'_>,
         name: u32,
         name_size: u32,
         arguments: u32,
         size: u32,
         data_at: u32,
         size_at: u32| {
            answer(call(&mut caller, (name, name_size), (arguments, size), data_at, size_at))
        },
    )?;
    Ok(())
}

fn get(caller: &mut Caller<'_>, path: Range, data_at: u32, size_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let path = wire::path(capped(memory, path, MAX_NAME_BYTES)?);
    let value = match state.stream() {
        Some(stream) => stream.property(&path)?,
        None => state.proxy.property(&path)?,
    };
    give(caller, &value, data_at, size_at)
}

fn set(caller: &mut Caller<'_>, path: Range, value: Range) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let path = wire::path(capped(memory, path, MAX_NAME_BYTES)?);
    let value = capped(memory, value, MAX_VALUE_BYTES)?;
    // What is set lives with the stream: in a root context there is nothing to set it on.
    let stream = state.stream_mut().ok_or(Status::NotFound)?;
    Ok(stream.set_property(&path, value)?)
}

fn call(
    caller: &mut Caller<'_>,
    name: Range,
    arguments: Range,
    data_at: u32,
    size_at: u32,
) -> Result<(), Fault> {
    // A null address says that the guest does not want the result.
    let wanted = data_at != 0 && size_at != 0;
    if wanted {
        expect_givable(caller, data_at, size_at)?;
    }
    let (memory, state) = split(caller)?;
    let name = capped(memory, name, MAX_NAME_BYTES)?;
    let arguments = capped(memory, arguments, MAX_VALUE_BYTES)?;
    let result = match state.stream_mut() {
        Some(stream) => stream.call_foreign_function(name, arguments)?,
        None => state.proxy.call_foreign_function(name, arguments)?,
    };
    if wanted { give(caller, &result, data_at, size_at) } else { Ok(()) }
}
