//! The callouts of a VM that wait for their answer.

use std::collections::HashMap;

use crate::abi::Status;
use crate::caps::{MAX_CALLOUT_BYTES, MAX_CALLOUTS};

/// What one of them holds outside of the guest's memory.
struct Call {
    root: u32,
    bytes: usize,
}

/// All of them, by token.
#[derive(Default)]
pub(crate) struct OpenCalls {
    calls: HashMap<u32, Call>,
    bytes: usize,
}

impl OpenCalls {
    /// Whether there is room for one of so many bytes.
    pub(crate) fn expect_room(&self, bytes: usize) -> Result<(), Status> {
        let fits = bytes <= MAX_CALLOUT_BYTES.saturating_sub(self.bytes);
        if fits && self.calls.len() < MAX_CALLOUTS { Ok(()) } else { Err(Status::InternalFailure) }
    }

    pub(crate) fn open(&mut self, token: u32, root: u32, bytes: usize) {
        // A proxy that gives a token twice has forgotten the first call.
        self.close(token);
        self.bytes = self.bytes.saturating_add(bytes);
        self.calls.insert(token, Call { root, bytes });
    }

    pub(crate) fn close(&mut self, token: u32) {
        if let Some(call) = self.calls.remove(&token) {
            self.bytes = self.bytes.saturating_sub(call.bytes);
        }
    }

    /// Those of a root context that is gone: they are never answered.
    pub(crate) fn close_all(&mut self, root: u32) {
        self.calls.retain(|_, call| call.root != root);
        self.bytes = self.calls.values().map(|call| call.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::OpenCalls;
    use crate::abi::Status;
    use crate::caps::{MAX_CALLOUT_BYTES, MAX_CALLOUTS};

    #[test]
    fn there_is_room_for_so_many_calls() {
        let mut calls = OpenCalls::default();
        for token in 1..=u32::try_from(MAX_CALLOUTS).unwrap() {
            assert_eq!(calls.expect_room(1), Ok(()));
            calls.open(token, token % 2, 1);
        }
        assert_eq!(calls.expect_room(0), Err(Status::InternalFailure));
        calls.close(5);
        assert_eq!(calls.expect_room(0), Ok(()));
        calls.open(5, 1, 1);
        calls.close_all(1);
        assert_eq!(calls.calls.len(), MAX_CALLOUTS / 2);
        assert_eq!(calls.bytes, MAX_CALLOUTS / 2);
    }

    #[test]
    fn there_is_room_for_so_many_bytes() {
        let mut calls = OpenCalls::default();
        assert_eq!(calls.expect_room(MAX_CALLOUT_BYTES + 1), Err(Status::InternalFailure));
        calls.open(1, 1, MAX_CALLOUT_BYTES - 1);
        assert_eq!(calls.expect_room(1), Ok(()));
        assert_eq!(calls.expect_room(2), Err(Status::InternalFailure));
        calls.open(1, 1, 10);
        assert_eq!(calls.bytes, 10, "one token is one call");
    }
}
