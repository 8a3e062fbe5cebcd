//! The few functions of WASI preview 1 that Rust's standard library needs in a module without files or sockets.
//!
//! They answer with WASI's error numbers, not with the ABI's statuses.

use wasmtime::Linker;

use super::Caller;
use super::guest::{cut, expect_writable, read_u32, split, write};
use super::process::nanoseconds;
use crate::abi::LogLevel;
use crate::caps::{MAX_WASI_BYTES, MAX_WASI_VECTORS};
use crate::vm::State;

const WASI: &str = "wasi_snapshot_preview1";

const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOTSUP: u32 = 58;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "fd_write",
        |mut caller: Caller<'_>, descriptor: u32, vectors: u32, count: u32, written_at: u32| {
            number(fd_write(&mut caller, descriptor, vectors, count, written_at))
        },
    )?;
    // A guest has no environment: what it should know is in its configuration.
    linker.func_wrap(WASI, "environ_get", |_: Caller<'_>, _: u32, _: u32| SUCCESS)?;
    linker.func_wrap(WASI, "environ_sizes_get", |mut caller: Caller<'_>, count_at: u32, size_at: u32| {
        number(write_all(&mut caller, &[(count_at, &[0; 4]), (size_at, &[0; 4])]))
    })?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |mut caller: Caller<'_>, clock: u32, _: u64, time_at: u32| {
            let proxy = &caller.data().proxy;
            let time = match clock {
                0 => proxy.now(),
                1 => proxy.monotonic(),
                _ => return NOTSUP,
            };
            number(write_all(&mut caller, &[(time_at, &nanoseconds(time).to_le_bytes())]))
        },
    )?;
    linker.func_wrap(WASI, "random_get", |mut caller: Caller<'_>, data: u32, size: u32| {
        number(random_get(&mut caller, data, size))
    })?;
    linker.func_wrap(WASI, "proc_exit", |_: Caller<'_>, code: u32| -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg(format!("it called `proc_exit({code})`")))
    })?;
    Ok(())
}

fn number(outcome: Result<(), u32>) -> u32 {
    outcome.err().unwrap_or(SUCCESS)
}

/// What is printed is logged: standard output as Info, standard error as Error, without the newline at the end. What
/// is too long is written in part, and the guest writes the rest.
fn fd_write(
    caller: &mut Caller<'_>,
    descriptor: u32,
    vectors: u32,
    count: u32,
    written_at: u32,
) -> Result<(), u32> {
    let level = match descriptor {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Err(BADF),
    };
    let (memory, state) = split(caller).map_err(|_| FAULT)?;
    if count > MAX_WASI_VECTORS {
        return Err(INVAL);
    }
    let mut text = Vec::new();
    for vector in 0..count {
        let at = vector.checked_mul(8).and_then(|offset| offset.checked_add(vectors)).ok_or(FAULT)?;
        let data = read_u32(memory, at).map_err(|_| FAULT)?;
        let size = at.checked_add(4).and_then(|at| read_u32(memory, at).ok()).ok_or(FAULT)?;
        let room = MAX_WASI_BYTES.saturating_sub(text.len());
        text.extend_from_slice(cut(memory, (data, size), room).map_err(|_| FAULT)?);
    }
    let written = u32::try_from(text.len()).map_err(|_| INVAL)?;
    write(memory, written_at, &written.to_le_bytes()).map_err(|_| FAULT)?;
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    if written > 0 && level >= state.proxy.level() {
        state.proxy.log(state.vm, level, line);
    }
    Ok(())
}

fn random_get(caller: &mut Caller<'_>, data: u32, size: u32) -> Result<(), u32> {
    let length = usize::try_from(size).ok().filter(|size| *size <= MAX_WASI_BYTES).ok_or(INVAL)?;
    let (memory, _) = split(caller).map_err(|_| FAULT)?;
    expect_writable(memory, data, size).map_err(|_| FAULT)?;
    let mut bytes = vec![0; length];
    caller.data().proxy.fill_random(&mut bytes);
    write_all(caller, &[(data, &bytes)])
}

fn write_all(caller: &mut Caller<'_>, parts: &[(u32, &[u8])]) -> Result<(), u32> {
    let (memory, _) = split(caller).map_err(|_| FAULT)?;
    for (at, bytes) in parts {
        write(memory, *at, bytes).map_err(|_| FAULT)?;
    }
    Ok(())
}
