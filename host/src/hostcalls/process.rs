//! Logs, time, ticks, contexts.

use std::time::Duration;

use wasmtime::Linker;

use super::guest::{Range, cut, split, write};
use super::{Caller, ENV, Fault, answer};
use crate::abi::{LogLevel, Status};
use crate::caps::MAX_LOG_BYTES;
use crate::vm::{Root, State};

/// How many bytes of a guest's last words are part of its error: errors are copied.
const MAX_LAST_WORDS: usize = 4 << 10;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(ENV, "proxy_log", |mut caller: Caller<'_>, level: u32, data: u32, size: u32| {
        answer(log(&mut caller, level, (data, size)))
    })?;
    linker.func_wrap(ENV, "proxy_get_log_level", |mut caller: Caller<'_>, level_at: u32| {
        answer(get_log_level(&mut caller, level_at))
    })?;
    linker.func_wrap(ENV, "proxy_get_current_time_nanoseconds", |mut caller: Caller<'_>, time_at: u32| {
        answer(get_current_time(&mut caller, time_at))
    })?;
    linker.func_wrap(ENV, "proxy_set_tick_period_milliseconds", |caller: Caller<'_>, period: u32| {
        let state = caller.data();
        state.proxy.set_tick_period(state.root_id(), Duration::from_millis(period.into()));
        Status::Ok as u32
    })?;
    linker.func_wrap(ENV, "proxy_set_effective_context", |mut caller: Caller<'_>, context: u32| {
        let known = caller.data_mut().set_effective(context);
        (if known { Status::Ok } else { Status::BadArgument }) as u32
    })?;
    linker.func_wrap(ENV, "proxy_done", |mut caller: Caller<'_>| done(caller.data_mut()) as u32)?;
    Ok(())
}

fn log(caller: &mut Caller<'_>, level: u32, message: Range) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let level = LogLevel::from_u32(level).ok_or(Status::BadArgument)?;
    let message = cut(memory, message, MAX_LOG_BYTES)?;
    if level >= state.proxy.level() {
        state.proxy.log(state.vm, level, message);
    }
    if level == LogLevel::Critical {
        let words = message.get(..MAX_LAST_WORDS).unwrap_or(message);
        state.last_words = Some(String::from_utf8_lossy(words).into_owned());
    }
    Ok(())
}

fn get_log_level(caller: &mut Caller<'_>, level_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let level = state.proxy.level() as u32;
    Ok(write(memory, level_at, &level.to_le_bytes())?)
}

fn get_current_time(caller: &mut Caller<'_>, time_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    Ok(write(memory, time_at, &nanoseconds(state.proxy.now()).to_le_bytes())?)
}

/// Ends a root context that had answered `proxy_on_done` with false; any other has nothing to end, as in Envoy.
fn done(state: &mut State) -> Status {
    let root = state.root();
    if state.contexts.roots.get(&root) != Some(&Root::Draining) {
        return Status::NotFound;
    }
    if !state.finished.contains(&root) {
        state.finished.push(root);
    }
    Status::Ok
}

/// A time as the ABI has it; 64 bits last until the year 2554.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
