//! Shared data and shared queues, as Envoy has them.

use std::collections::{BTreeMap, VecDeque};

use super::VM_ID;
use super::world::World;
use crate::abi::Status;
use crate::proxy::{Queues, RootId, SharedData};

/// A shared value and its version.
pub(super) struct SharedValue {
    pub(super) value: Vec<u8>,
    pub(super) cas: u32,
}

/// All queues. A queue's number is its place, counted from 1.
#[derive(Default)]
pub(super) struct QueueBook {
    queues: Vec<Queue>,
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
    /// The next version: the same for no two writes, whatever their keys.
    fn next_cas(shared: &BTreeMap<Vec<u8>, SharedValue>) -> u32 {
        shared.values().map(|value| value.cas).max().unwrap_or(0) + 1
    }

    pub(super) fn shared_data_keys(&self) -> Vec<String> {
        self.shared.borrow().keys().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }
}

impl SharedData for World {
    fn get_shared_data(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        let shared = self.shared.borrow();
        shared.get(key).map(|shared| (shared.value.clone(), shared.cas)).ok_or(Status::NotFound)
    }

    /// A value that is not there yet can be set with any `cas`: that is what Envoy does.
    fn set_shared_data(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        let mut shared = self.shared.borrow_mut();
        if shared.get(key).is_some_and(|current| cas != 0 && cas != current.cas) {
            return Err(Status::CasMismatch);
        }
        let cas = Self::next_cas(&shared);
        shared.insert(key.to_vec(), SharedValue { value: value.to_vec(), cas });
        Ok(())
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
        let found = book.get(queue)?;
        found.values.push_back(value.to_vec());
        self.wakes.borrow_mut().push_back((found.reader, queue));
        Ok(())
    }

    fn dequeue(&self, queue: u32) -> Result<Vec<u8>, Status> {
        self.queues.borrow_mut().get(queue)?.values.pop_front().ok_or(Status::Empty)
    }
}
