//! Properties and foreign functions.

use super::VM_ID;
use super::world::World;
use crate::abi::Status;
use crate::caps::MAX_KEPT_BYTES;
use crate::proxy::Environment;

/// A foreign function that a guest called, known or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForeignCall {
    /// The function's name.
    pub name: String,
    /// What it was passed.
    pub arguments: Vec<u8>,
    /// Whether it was called for a stream, and not in a root context.
    pub in_stream: bool,
}

/// All that were called, and their bytes.
#[derive(Default)]
pub(super) struct ForeignCalls {
    pub(super) calls: Vec<ForeignCall>,
    bytes: usize,
}

impl World {
    /// Notes the call and gives the answer that the test has set for the function.
    pub(super) fn call(&self, name: &[u8], arguments: &[u8], in_stream: bool) -> Result<Vec<u8>, Status> {
        let mut calls = self.foreign_calls.borrow_mut();
        calls.bytes += name.len() + arguments.len() + size_of::<ForeignCall>();
        if calls.bytes > MAX_KEPT_BYTES {
            return Err(Status::InternalFailure);
        }
        let call = ForeignCall {
            name: String::from_utf8_lossy(name).into_owned(),
            arguments: arguments.to_vec(),
            in_stream,
        };
        calls.calls.push(call);
        self.foreign_functions.borrow().get(name).cloned().ok_or(Status::NotFound)
    }
}

impl Environment for World {
    fn property(&self, path: &[&[u8]]) -> Result<Vec<u8>, Status> {
        let key = key(path);
        if let Some(value) = self.properties.borrow().get(&key) {
            return Ok(value.clone());
        }
        if key == b"plugin_vm_id" { Ok(VM_ID.into()) } else { Err(Status::NotFound) }
    }

    fn call_foreign_function(&self, name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
        self.call(name, arguments, false)
    }
}

/// A property's path as it is kept: as it crosses the boundary.
pub(super) fn key(path: &[impl AsRef<[u8]>]) -> Vec<u8> {
    path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(&0)
}
