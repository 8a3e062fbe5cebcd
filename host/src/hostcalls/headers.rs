//! Header maps.

use wasmtime::Linker;

use super::guest::{Range, capped, give, split};
use super::{Caller, ENV, Fault, answer};
use crate::abi::{MapType, Status, StreamMap};
use crate::caps::{MAX_MAP_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES};
use crate::headers::Headers;
use crate::stream::HttpStream;
use crate::vm::State;
use crate::wire::{self, Encoder};

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_get_header_map_pairs",
        |mut caller: Caller<'_>, map: u32, data_at: u32, size_at: u32| {
            answer(get_pairs(&mut caller, map, data_at, size_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_set_header_map_pairs",
        |mut caller: Caller<'_>, map: u32, data: u32, size: u32| {
            answer(set_pairs(&mut caller, map, (data, size)))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_get_header_map_value",
        |mut caller: Caller<'_>, map: u32, name: u32, name_size: u32, data_at: u32, size_at: u32| {
            answer(get_value(&mut caller, map, (name, name_size), data_at, size_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_add_header_map_value",
        |mut caller: Caller<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            answer(change(
                &mut caller,
                map,
                (name, name_size),
                (value, value_size),
                |stream, map, name, value| stream.add_header(map, name, value),
            ))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_replace_header_map_value",
        |mut caller: Caller<'_>, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            answer(change(
                &mut caller,
                map,
                (name, name_size),
                (value, value_size),
                |stream, map, name, value| stream.replace_header(map, name, value),
            ))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_remove_header_map_value",
        |mut caller: Caller<'_>, map: u32, name: u32, name_size: u32| {
            answer(change(&mut caller, map, (name, name_size), (0, 0), |stream, map, name, _| {
                stream.remove_header(map, name)
            }))
        },
    )?;
    Ok(())
}

/// A map that the phase lacks has no pairs, and that is no error: only single values are, as in Envoy.
fn get_pairs(caller: &mut Caller<'_>, map: u32, data_at: u32, size_at: u32) -> Result<(), Fault> {
    let state = caller.data();
    let mut pairs = Encoder::default();
    match MapType::from_u32(map).ok_or(Status::BadArgument)? {
        MapType::Stream(map) => {
            if let Some(stream) = state.stream() {
                stream.visit_headers(map, &mut |name, value| pairs.push(name, value));
            }
        }
        callout => {
            for (name, value) in callout_headers(state, callout).into_iter().flat_map(Headers::iter) {
                pairs.push(name, value);
            }
        }
    }
    give(caller, &pairs.finish(), data_at, size_at)
}

fn get_value(
    caller: &mut Caller<'_>,
    map: u32,
    name: Range,
    data_at: u32,
    size_at: u32,
) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let map = MapType::from_u32(map).ok_or(Status::BadArgument)?;
    let name = capped(memory, name, MAX_NAME_BYTES)?;
    let value = match map {
        MapType::Stream(map) => state.stream().ok_or(Status::BadArgument)?.header(map, name)?.into_owned(),
        callout => {
            let headers = callout_headers(state, callout).ok_or(Status::BadArgument)?;
            headers.get(name).ok_or(Status::NotFound)?.to_vec()
        }
    };
    give(caller, &value, data_at, size_at)
}

/// Replaces all headers of a map.
fn set_pairs(caller: &mut Caller<'_>, map: u32, pairs: Range) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let map = MapType::from_u32(map).ok_or(Status::BadArgument)?;
    let pairs = capped(memory, pairs, MAX_MAP_BYTES)?;
    let (stream, map) = changeable(state, map)?;
    Ok(stream.set_headers(map, wire::decode(pairs).ok_or(Status::BadArgument)?)?)
}

/// Changes one header.
fn change(
    caller: &mut Caller<'_>,
    map: u32,
    name: Range,
    value: Range,
    change: impl FnOnce(&mut dyn HttpStream, StreamMap, &[u8], &[u8]) -> Result<(), Status>,
) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let map = MapType::from_u32(map).ok_or(Status::BadArgument)?;
    let (name, value) = (capped(memory, name, MAX_NAME_BYTES)?, capped(memory, value, MAX_VALUE_BYTES)?);
    let (stream, map) = changeable(state, map)?;
    Ok(change(stream, map, name, value)?)
}

/// The stream and its map; no other map can be changed.
fn changeable(
    state: &mut State,
    map: MapType,
) -> Result<(&mut (dyn HttpStream + 'static), StreamMap), Status> {
    let MapType::Stream(map) = map else { return Err(Status::BadArgument) };
    Ok((state.stream_mut().ok_or(Status::BadArgument)?, map))
}

fn callout_headers(state: &State, map: MapType) -> Option<&Headers> {
    let response = state.call_response()?;
    match map {
        MapType::CallResponseHeaders => Some(&response.headers),
        MapType::CallResponseTrailers => Some(&response.trailers),
        MapType::Stream(_) | MapType::Grpc => None,
    }
}
