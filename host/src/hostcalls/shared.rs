//! Shared data and shared queues.

use wasmtime::Linker;

use super::guest::{Range, capped, expect_givable, expect_writable, give, split, write};
use super::{Caller, ENV, Fault, answer};
use crate::caps::{MAX_BODY_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES};
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
    key: Range,
    data_at: u32,
    size_at: u32,
    cas_at: u32,
) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let (value, cas) = state.proxy.get_shared_data(capped(memory, key, MAX_NAME_BYTES)?)?;
    write(memory, cas_at, &cas.to_le_bytes())?;
    give(caller, &value, data_at, size_at)
}

fn set_data(caller: &mut Caller<'_>, key: Range, value: Range, cas: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let (key, value) = (capped(memory, key, MAX_NAME_BYTES)?, capped(memory, value, MAX_BODY_BYTES)?);
    Ok(state.proxy.set_shared_data(key, value, cas)?)
}

fn register(caller: &mut Caller<'_>, name: Range, queue_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    expect_writable(memory, queue_at, 4)?;
    let queue = state.proxy.register_queue(state.root_id(), capped(memory, name, MAX_NAME_BYTES)?)?;
    Ok(write(memory, queue_at, &queue.to_le_bytes())?)
}

fn resolve(caller: &mut Caller<'_>, vm: Range, name: Range, queue_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let (vm, name) = (capped(memory, vm, MAX_NAME_BYTES)?, capped(memory, name, MAX_NAME_BYTES)?);
    let queue = state.proxy.resolve_queue(vm, name)?;
    Ok(write(memory, queue_at, &queue.to_le_bytes())?)
}

fn enqueue(caller: &mut Caller<'_>, queue: u32, value: Range) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    Ok(state.proxy.enqueue(queue, capped(memory, value, MAX_VALUE_BYTES)?)?)
}

fn dequeue(caller: &mut Caller<'_>, queue: u32, data_at: u32, size_at: u32) -> Result<(), Fault> {
    // Before the value is taken: what cannot be handed over must not be lost.
    expect_givable(caller, data_at, size_at)?;
    let value = caller.data().proxy.dequeue(queue)?;
    give(caller, &value, data_at, size_at)
}
