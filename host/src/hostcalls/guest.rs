//! Reading and writing the guest's memory.
//!
//! What a guest hands over is read by [`capped`] or [`cut`] alone, so that no call can forget to bound it.

use super::{Caller, Fault};
use crate::abi::Status;
use crate::vm::State;

/// The guest's memory and its state, both at once: what a call is given is used where it lies, without a copy.
pub(super) fn split<'a>(caller: &'a mut Caller<'_>) -> Result<(&'a mut [u8], &'a mut State), Fault> {
    let memory = caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
    Ok(memory.data_and_store_mut(caller))
}

/// A range of the guest's memory, as it crosses the boundary: where it begins, and its length.
pub(super) type Range = (u32, u32);

/// The bytes of a range, up to `max` of them.
pub(super) fn capped(memory: &[u8], (at, size): Range, max: usize) -> Result<&[u8], Status> {
    let bytes = slice(memory, at, size)?;
    if bytes.len() <= max { Ok(bytes) } else { Err(Status::BadArgument) }
}

/// The bytes of a range, without those after the first `max`.
pub(super) fn cut(memory: &[u8], (at, size): Range, max: usize) -> Result<&[u8], Status> {
    let bytes = slice(memory, at, size)?;
    Ok(bytes.get(..max).unwrap_or(bytes))
}

/// The `size` bytes at `at`, if that is inside the memory.
fn slice(memory: &[u8], at: u32, size: u32) -> Result<&[u8], Status> {
    let (at, size) = (index(at)?, index(size)?);
    let end = at.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
    memory.get(at..end).ok_or(Status::InvalidMemoryAccess)
}

/// A number that the guest has in its memory.
pub(super) fn read_u32(memory: &[u8], at: u32) -> Result<u32, Status> {
    let bytes = slice(memory, at, 4)?;
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| Status::InvalidMemoryAccess)
}

/// Writes `bytes` at `at`.
pub(super) fn write(memory: &mut [u8], at: u32, bytes: &[u8]) -> Result<(), Status> {
    let at = index(at)?;
    let end = at.checked_add(bytes.len()).ok_or(Status::InvalidMemoryAccess)?;
    memory.get_mut(at..end).ok_or(Status::InvalidMemoryAccess)?.copy_from_slice(bytes);
    Ok(())
}

/// Whether `size` bytes can be written at `at`: asked before a call does what cannot be undone.
pub(super) fn expect_writable(memory: &[u8], at: u32, size: u32) -> Result<(), Status> {
    slice(memory, at, size).map(|_| ())
}

/// Whether bytes can be handed to the guest: asked before a call does what cannot be undone.
///
/// Not while its allocator runs, which may itself call the host: each call inside of another would hold a copy of what it
/// gives, and there would be as many as the stack has room for.
pub(super) fn expect_givable(caller: &mut Caller<'_>, pointer_at: u32, size_at: u32) -> Result<(), Fault> {
    let (memory, state) = split(caller)?;
    if state.allocating {
        return Err(Status::InternalFailure.into());
    }
    expect_writable(memory, pointer_at, 4)?;
    Ok(expect_writable(memory, size_at, 4)?)
}

/// Hands `bytes` to the guest in memory that the guest allocates, and writes where they are and how many.
/// No bytes are a null pointer, as in Envoy.
pub(super) fn give(
    caller: &mut Caller<'_>,
    bytes: &[u8],
    pointer_at: u32,
    size_at: u32,
) -> Result<(), Fault> {
    // Before allocating, or else the guest could never free it.
    expect_givable(caller, pointer_at, size_at)?;
    let mut pointer = 0;
    let size = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
    if size > 0 {
        let state = caller.data_mut();
        let allocate = state.allocate.clone().ok_or(Status::InvalidMemoryAccess)?;
        state.allocating = true;
        pointer = allocate.call(&mut *caller, size)?;
        caller.data_mut().allocating = false;
        if pointer == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
    }
    let (memory, _) = split(caller)?;
    write(memory, pointer, bytes)?;
    write(memory, pointer_at, &pointer.to_le_bytes())?;
    write(memory, size_at, &size.to_le_bytes())?;
    Ok(())
}

fn index(number: u32) -> Result<usize, Status> {
    usize::try_from(number).map_err(|_| Status::InvalidMemoryAccess)
}

#[cfg(test)]
mod tests {
    use super::{capped, cut, read_u32, slice, write};
    use crate::abi::Status;

    #[test]
    fn a_range_must_lie_inside_the_memory() {
        let mut memory = [1, 2, 3, 4, 5];
        assert_eq!(slice(&memory, 3, 2), Ok(&[4, 5][..]));
        assert_eq!(slice(&memory, 5, 0), Ok(&[][..]), "nothing at the end is inside");
        assert_eq!(slice(&memory, 4, 2), Err(Status::InvalidMemoryAccess));
        assert_eq!(slice(&memory, u32::MAX, u32::MAX), Err(Status::InvalidMemoryAccess));
        assert_eq!(capped(&memory, (1, 3), 3), Ok(&[2, 3, 4][..]));
        assert_eq!(capped(&memory, (1, 3), 2), Err(Status::BadArgument));
        assert_eq!(
            capped(&memory, (1, 5), 2),
            Err(Status::InvalidMemoryAccess),
            "outside is worse than long"
        );
        assert_eq!(cut(&memory, (1, 3), 2), Ok(&[2, 3][..]));
        assert_eq!(cut(&memory, (1, 3), 4), Ok(&[2, 3, 4][..]));
        assert_eq!(cut(&memory, (1, 5), 2), Err(Status::InvalidMemoryAccess));
        assert_eq!(read_u32(&memory, 1), Ok(0x0504_0302));
        assert_eq!(read_u32(&memory, 2), Err(Status::InvalidMemoryAccess));
        assert_eq!(write(&mut memory, 4, b"ab"), Err(Status::InvalidMemoryAccess));
        assert_eq!(memory, [1, 2, 3, 4, 5], "a write that does not fit writes nothing");
    }
}
