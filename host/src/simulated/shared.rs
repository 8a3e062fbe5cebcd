//! Shared data and shared queues, as Envoy has them.

use std::collections::{BTreeMap, VecDeque};

use super::VM_ID;
use super::world::World;
use crate::abi::Status;
use crate::caps::{
    MAX_QUEUE_BYTES, MAX_QUEUE_ITEMS, MAX_QUEUES, MAX_SHARED_BYTES, MAX_SHARED_KEYS, MAX_WAKES,
};
use crate::proxy::{Queues, RootId, SharedData};

/// A shared value and its version.
struct SharedValue {
    value: Vec<u8>,
    cas: u32,
}

/// All shared values.
#[derive(Default)]
pub(super) struct SharedBook {
    values: BTreeMap<Vec<u8>, SharedValue>,
    /// What keys and values take together.
    bytes: usize,
    last_cas: u32,
}

impl SharedBook {
    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let current = self.values.get(key);
        // A value that is not there yet can be set with any `cas`: that is what Envoy does.
        if current.is_some_and(|current| cas != 0 && cas != current.cas) {
            return Err(Status::CasMismatch);
        }
        let freed = current.map_or(0, |current| key.len() + current.value.len());
        let bytes = self.bytes - freed + key.len() + value.len();
        if bytes > MAX_SHARED_BYTES || (current.is_none() && self.values.len() >= MAX_SHARED_KEYS) {
            return Err(Status::InternalFailure);
        }
        self.bytes = bytes;
        // The next version: the same for no two writes, whatever their keys; 0 means none.
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        self.values.insert(key.to_vec(), SharedValue { value: value.to_vec(), cas: self.last_cas });
        Ok(())
    }
}

/// All queues. A queue's number is its place, counted from 1.
#[derive(Default)]
pub(super) struct QueueBook {
    queues: Vec<Queue>,
    /// What waits in all of them.
    items: usize,
    bytes: usize,
}

struct Queue {
    name: Vec<u8>,
    reader: RootId,
    values: VecDeque<Vec<u8>>,
}

impl QueueBook {
    fn get(&mut self, queue: u32) -> Result<&mut Queue, Status> {
        let index = usize::try_from(queue).ok().and_then(|queue| queue.checked_sub(1));
        index.and_then(|index| self.queues.get_mut(index)).ok_or(Status::NotFound)
    }

    fn find(&self, name: &[u8]) -> Option<u32> {
        let index = self.queues.iter().position(|queue| queue.name == name)?;
        u32::try_from(index + 1).ok()
    }
}

impl World {
    pub(super) fn shared_data_keys(&self) -> Vec<String> {
        self.shared.borrow().values.keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }
}

impl SharedData for World {
    fn get_shared_data(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        let shared = self.shared.borrow();
        shared.values.get(key).map(|shared| (shared.value.clone(), shared.cas)).ok_or(Status::NotFound)
    }

    fn set_shared_data(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        self.shared.borrow_mut().set(key, value, cas)
    }
}

impl Queues for World {
    fn register_queue(&self, reader: RootId, name: &[u8]) -> Result<u32, Status> {
        let mut book = self.queues.borrow_mut();
        if let Some(queue) = book.find(name) {
            // What the queue holds stays in it for its new reader.
            book.get(queue)?.reader = reader;
            return Ok(queue);
        }
        if book.queues.len() >= MAX_QUEUES {
            return Err(Status::InternalFailure);
        }
        book.queues.push(Queue { name: name.to_vec(), reader, values: VecDeque::new() });
        book.find(name).ok_or(Status::InternalFailure)
    }

    fn resolve_queue(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        if !vm_id.is_empty() && vm_id != VM_ID.as_bytes() {
            return Err(Status::NotFound);
        }
        self.queues.borrow().find(name).ok_or(Status::NotFound)
    }

    fn enqueue(&self, queue: u32, value: &[u8]) -> Result<(), Status> {
        let mut book = self.queues.borrow_mut();
        let mut wakes = self.wakes.borrow_mut();
        let full = book.items >= MAX_QUEUE_ITEMS
            || value.len() > MAX_QUEUE_BYTES - book.bytes
            || wakes.len() >= MAX_WAKES;
        let found = book.get(queue)?;
        if full {
            return Err(Status::InternalFailure);
        }
        found.values.push_back(value.to_vec());
        wakes.push_back((found.reader, queue));
        book.items += 1;
        book.bytes += value.len();
        Ok(())
    }

    fn dequeue(&self, queue: u32) -> Result<Vec<u8>, Status> {
        let mut book = self.queues.borrow_mut();
        let value = book.get(queue)?.values.pop_front().ok_or(Status::Empty)?;
        book.items -= 1;
        book.bytes -= value.len();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::SharedBook;
    use crate::abi::Status;
    use crate::caps::MAX_SHARED_BYTES;

    #[test]
    fn shared_values_are_bounded_in_bytes() {
        let mut book = SharedBook { bytes: MAX_SHARED_BYTES - 10, ..SharedBook::default() };
        assert_eq!(book.set(b"key", b"12345678", 0), Err(Status::InternalFailure));
        assert_eq!(book.set(b"key", b"1234567", 0), Ok(()));
        assert_eq!(book.set(b"k", b"", 0), Err(Status::InternalFailure), "keys count, too");
        assert_eq!(book.set(b"key", b"7654321", 0), Ok(()), "what is overwritten makes room");
        assert_eq!(book.set(b"key", b"", 0), Ok(()));
        assert_eq!(book.bytes, MAX_SHARED_BYTES - 7);
    }

    #[test]
    fn versions_go_round_past_zero() {
        let mut book = SharedBook { last_cas: u32::MAX - 1, ..SharedBook::default() };
        for (key, cas) in [(b"a", u32::MAX), (b"b", 1), (b"a", 2)] {
            book.set(key, b"", 0).unwrap();
            assert_eq!(book.values[&key[..]].cas, cas);
        }
        assert_eq!(book.set(b"b", b"", 2), Err(Status::CasMismatch));
    }
}
