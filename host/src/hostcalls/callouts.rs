//! HTTP callouts.

use std::time::Duration;

use wasmtime::Linker;

use super::guest::{Range, capped, expect_writable, split, write};
use super::{Caller, ENV, Fault, answer};
use crate::abi::Status;
use crate::caps::{MAX_BODY_BYTES, MAX_MAP_BYTES, MAX_NAME_BYTES};
use crate::proxy::HttpCall;
use crate::vm::State;
use crate::wire;

/// What a request cannot do without.
const REQUIRED: [&str; 3] = [":method", ":path", ":authority"];

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_http_call",
        |mut caller: Caller<'_>,
         upstream: u32,
         upstream_size: u32,
         headers: u32,
         headers_size: u32,
         body: u32,
         body_size: u32,
         trailers: u32,
         trailers_size: u32,
         timeout: i32,
         token_at: u32| {
            let ranges = [
                (upstream, upstream_size),
                (headers, headers_size),
                (body, body_size),
                (trailers, trailers_size),
            ];
            answer(call(&mut caller, ranges, timeout, token_at))
        },
    )?;
    Ok(())
}

/// A call belongs to the root context even if a stream's context makes it: it outlives the stream.
fn call(caller: &mut Caller<'_>, ranges: [Range; 4], timeout: i32, token_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    expect_writable(memory, token_at, 4)?;
    let [upstream, headers, body, trailers] = ranges;
    let upstream = capped(memory, upstream, MAX_NAME_BYTES)?;
    let headers = capped(memory, headers, MAX_MAP_BYTES)?;
    let body = capped(memory, body, MAX_BODY_BYTES)?;
    let trailers = capped(memory, trailers, MAX_MAP_BYTES)?;
    let bytes = upstream.len() + headers.len() + body.len() + trailers.len();
    state.calls.expect_room(bytes)?;
    let root = state.root_id();
    if !state.contexts.roots.contains_key(&root.context) {
        // Its root context has ended, and nobody would hear the answer.
        return Err(Status::InternalFailure.into());
    }
    let call = HttpCall {
        upstream: upstream.to_vec(),
        headers: wire::decode(headers).ok_or(Status::BadArgument)?,
        body: body.to_vec(),
        trailers: wire::decode(trailers).ok_or(Status::BadArgument)?,
        timeout: Duration::from_millis(u64::try_from(timeout).map_err(|_| Status::BadArgument)?),
    };
    if !REQUIRED.iter().all(|name| call.headers.contains(name)) {
        return Err(Status::BadArgument.into());
    }
    let token = state.proxy.dispatch(root, call)?;
    state.calls.open(token, root.context, bytes);
    Ok(write(memory, token_at, &token.to_le_bytes())?)
}
