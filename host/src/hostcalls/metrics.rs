//! Metrics.

use wasmtime::Linker;

use super::guest::{Range, capped, expect_writable, split, write};
use super::{Caller, ENV, Fault, answer};
use crate::abi::{MetricKind, Status};
use crate::caps::MAX_NAME_BYTES;
use crate::vm::State;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_define_metric",
        |mut caller: Caller<'_>, kind: u32, name: u32, name_size: u32, metric_at: u32| {
            answer(define_metric(&mut caller, kind, (name, name_size), metric_at))
        },
    )?;
    linker.func_wrap(ENV, "proxy_increment_metric", |caller: Caller<'_>, metric: u32, offset: i64| {
        answer(caller.data().proxy.increment_metric(metric, offset).map_err(Fault::from))
    })?;
    linker.func_wrap(ENV, "proxy_record_metric", |caller: Caller<'_>, metric: u32, value: u64| {
        answer(caller.data().proxy.record_metric(metric, value).map_err(Fault::from))
    })?;
    linker.func_wrap(ENV, "proxy_get_metric", |mut caller: Caller<'_>, metric: u32, value_at: u32| {
        answer(get(&mut caller, metric, value_at))
    })?;
    Ok(())
}

fn define_metric(caller: &mut Caller<'_>, kind: u32, name: Range, metric_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    expect_writable(memory, metric_at, 4)?;
    let kind = MetricKind::from_u32(kind).ok_or(Status::BadArgument)?;
    let metric = state.proxy.define_metric(kind, capped(memory, name, MAX_NAME_BYTES)?)?;
    Ok(write(memory, metric_at, &metric.to_le_bytes())?)
}

fn get(caller: &mut Caller<'_>, metric: u32, value_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let value = state.proxy.metric(metric)?;
    Ok(write(memory, value_at, &value.to_le_bytes())?)
}
