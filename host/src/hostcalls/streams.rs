//! Going on with a stream, ending it, answering it.
//!
//! In a root context there is no stream to act on. Envoy answers Ok and does nothing, and so does this host: SDKs
//! make a panic of anything else.

use wasmtime::Linker;

use super::guest::{Range, capped, split};
use super::{Caller, ENV, Fault, answer};
use crate::abi::{Direction, Status};
use crate::caps::{MAX_BODY_BYTES, MAX_MAP_BYTES, MAX_VALUE_BYTES};
use crate::stream::LocalResponse;
use crate::vm::State;
use crate::wire;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(ENV, "proxy_continue_stream", |mut caller: Caller<'_>, stream: u32| {
        answer(resume(caller.data_mut(), stream))
    })?;
    linker.func_wrap(ENV, "proxy_close_stream", |mut caller: Caller<'_>, stream: u32| {
        answer(close(caller.data_mut(), stream))
    })?;
    linker.func_wrap(
        ENV,
        "proxy_send_local_response",
        |mut caller: Caller<'_>,
         status: u32,
         details: u32,
         details_size: u32,
         body: u32,
         body_size: u32,
         headers: u32,
         headers_size: u32,
         grpc_status: i32| {
            let ranges = [(details, details_size), (body, body_size), (headers, headers_size)];
            answer(respond(&mut caller, status, ranges, grpc_status))
        },
    )?;
    Ok(())
}

fn resume(state: &mut State, stream: u32) -> Result<(), Fault> {
    let direction = direction(stream)?;
    if let Some(stream) = state.stream_mut() {
        stream.resume(direction);
    }
    Ok(())
}

fn close(state: &mut State, stream: u32) -> Result<(), Fault> {
    let direction = direction(stream)?;
    if let Some(stream) = state.stream_mut() {
        stream.reset(direction);
    }
    state.stop = true;
    Ok(())
}

fn respond(caller: &mut Caller<'_>, status: u32, ranges: [Range; 3], grpc_status: i32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let [details, body, headers] = ranges;
    let details = capped(memory, details, MAX_VALUE_BYTES)?;
    let body = capped(memory, body, MAX_BODY_BYTES)?;
    let headers = capped(memory, headers, MAX_MAP_BYTES)?;
    let response = LocalResponse {
        status,
        headers: wire::decode(headers).ok_or(Status::BadArgument)?,
        body: body.to_vec(),
        details: details.to_vec(),
        // SDKs pass -1 for none.
        grpc_status: u32::try_from(grpc_status).ok(),
    };
    if let Some(stream) = state.stream_mut() {
        stream.respond(response);
    }
    state.stop = true;
    Ok(())
}

/// 2 and 3 are the two halves of a TCP connection, which this host has none of.
fn direction(stream: u32) -> Result<Direction, Status> {
    match stream {
        0 => Ok(Direction::Request),
        1 => Ok(Direction::Response),
        _ => Err(Status::BadArgument),
    }
}
