//! Bodies, configurations and callout answers as ranges of bytes.

use wasmtime::Linker;

use super::guest::{Range, capped, give, split};
use super::{Caller, ENV, Fault, answer};
use crate::abi::{BufferType, Status};
use crate::caps::MAX_BODY_BYTES;
use crate::vm::State;

pub(super) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "proxy_get_buffer_bytes",
        |mut caller: Caller<'_>, buffer: u32, start: u32, length: u32, data_at: u32, size_at: u32| {
            answer(get(&mut caller, buffer, start, length, data_at, size_at))
        },
    )?;
    linker.func_wrap(
        ENV,
        "proxy_set_buffer_bytes",
        |mut caller: Caller<'_>, buffer: u32, start: u32, length: u32, data: u32, size: u32| {
            answer(set(&mut caller, buffer, start, length, (data, size)))
        },
    )?;
    Ok(())
}

fn get(
    caller: &mut Caller<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    data_at: u32,
    size_at: u32,
) -> Result<(), Fault> {
    let state = caller.data();
    let (start, length) = (widen(start), widen(length));
    let bytes = match BufferType::from_u32(buffer).ok_or(Status::BadArgument)? {
        BufferType::Body(direction) => {
            let stream = state.stream().ok_or(Status::NotFound)?;
            stream.body(direction, start, length).ok_or(Status::NotFound)?.into_owned()
        }
        BufferType::CallResponseBody => {
            let response = state.call_response().ok_or(Status::NotFound)?;
            range(&response.body, start, length).to_vec()
        }
        BufferType::VmConfiguration => range(&state.vm_configuration, start, length).to_vec(),
        BufferType::PluginConfiguration => {
            let configuration = state.plugin_configuration.as_ref().ok_or(Status::NotFound)?;
            range(configuration, start, length).to_vec()
        }
        BufferType::Other => return Err(Status::NotFound.into()),
    };
    give(caller, &bytes, data_at, size_at)
}

fn set(caller: &mut Caller<'_>, buffer: u32, start: u32, length: u32, data: Range) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    let buffer = BufferType::from_u32(buffer).ok_or(Status::BadArgument)?;
    let data = capped(memory, data, MAX_BODY_BYTES)?;
    // Configurations and answers are the proxy's: a guest may only read them.
    let BufferType::Body(direction) = buffer else { return Err(Status::BadArgument.into()) };
    let stream = state.stream_mut().ok_or(Status::NotFound)?;
    Ok(stream.set_body(direction, widen(start), widen(length), data)?)
}

/// As many of the `length` bytes from `start` on as there are: guests ask for 4 GiB to get all.
pub(crate) fn range(bytes: &[u8], start: usize, length: usize) -> &[u8] {
    let end = start.saturating_add(length).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

/// Every target of wasmtime has at least 32 bits; on another the guest would get nothing rather than a panic.
fn widen(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_ends_where_the_bytes_do() {
        assert_eq!(range(b"abc", 0, usize::MAX), b"abc");
        assert_eq!(range(b"abc", 1, 1), b"b");
        assert_eq!(range(b"abc", 2, 5), b"c");
        assert_eq!(range(b"abc", 3, 1), b"");
        assert_eq!(range(b"abc", 9, usize::MAX), b"");
    }
}
