//! Shared data and shared queues.

use wasmtime::Linker;

use super::guest::{expect_writable, give, slice, split, write};
use super::{Caller, ENV, Fault, answer};
use crate::vm::State;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_get_shared_data",
        |mut caller: Caller<'_>, key: u32, key_size: u32, data_at: u32, size_at: u32, cas_at: u32| {
            answer(get_data(&mut caller, (key, key_size), data_at, size_at, cas_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_set_shared_data",
        |mut caller: Caller<'_>, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32| {
            answer(set_data(&mut caller, (key, key_size), (value, value_size), cas))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_register_shared_queue",
        |mut caller: Caller<'_>, name: u32, name_size: u32, queue_at: u32| {
            answer(register(&mut caller, (name, name_size), queue_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_resolve_shared_queue",
        |mut caller: Caller<'_>, vm: u32, vm_size: u32, name: u32, name_size: u32, queue_at: u32| {
            answer(resolve(&mut caller, (vm, vm_size), (name, name_size), queue_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_enqueue_shared_queue",
        |mut caller: Caller<'_>, queue: u32, value: u32, value_size: u32| {
            answer(enqueue(&mut caller, queue, (value, value_size)))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_dequeue_shared_queue",
        |mut caller: Caller<'_>, queue: u32, data_at: u32, size_at: u32| {
            answer(dequeue(&mut caller, queue, data_at, size_at))
        },
    )?;
    Ok(())
}

fn get_data(
    caller: &mut Caller<'_>,
    (key, size): (u32, u32),
    data_at: u32,
    size_at: u32,
    cas_at: u32,
) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let (value, cas) = state.proxy.get_shared_data(slice(memory, key, size)?)?;
    write(memory, cas_at, &cas.to_le_bytes())?;
    give(caller, &value, data_at, size_at)
}

fn set_data(
    caller: &mut Caller<'_>,
    (key, size): (u32, u32),
    (value, value_size): (u32, u32),
    cas: u32,
) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let (key, value) = (slice(memory, key, size)?, slice(memory, value, value_size)?);
    Ok(state.proxy.set_shared_data(key, value, cas)?)
}

fn register(caller: &mut Caller<'_>, (name, size): (u32, u32), queue_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    expect_writable(memory, queue_at, 4)?;
    let queue = state.proxy.register_queue(state.root_id(), slice(memory, name, size)?)?;
    Ok(write(memory, queue_at, &queue.to_le_bytes())?)
}

fn resolve(
    caller: &mut Caller<'_>,
    (vm, vm_size): (u32, u32),
    (name, size): (u32, u32),
    queue_at: u32,
) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let queue = state.proxy.resolve_queue(slice(memory, vm, vm_size)?, slice(memory, name, size)?)?;
    Ok(write(memory, queue_at, &queue.to_le_bytes())?)
}

fn enqueue(caller: &mut Caller<'_>, queue: u32, (value, size): (u32, u32)) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    Ok(state.proxy.enqueue(queue, slice(memory, value, size)?)?)
}

fn dequeue(caller: &mut Caller<'_>, queue: u32, data_at: u32, size_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    // Before the value is taken: what cannot be handed over must not be lost.
    expect_writable(memory, data_at, 4)?;
    expect_writable(memory, size_at, 4)?;
    let value = state.proxy.dequeue(queue)?;
    give(caller, &value, data_at, size_at)
}
