//! The proxy's calls themselves (proxy-wasm ABI 0.2.1): the only unsafe code.
//!
//! A status is read as the number it is: only 0 is success, and no number can surprise an enum. What a call returns by
//! pointer was allocated by the SDK's `proxy_on_memory_allocate` as a boxed slice of exactly that size.

#![expect(unsafe_code, reason = "the proxy is reached by extern functions that take pointers")]

use std::ptr::null_mut;

const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        most: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(id: u32, value: *const u8, value_size: usize) -> u32;
    fn proxy_dequeue_shared_queue(id: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

/// Takes over the bytes that a call returned by pointer.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    if call(&raw mut data, &raw mut size) != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the proxy allocated `size` bytes by `proxy_on_memory_allocate`, a boxed slice, and gave them away.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

pub(super) fn log(level: u32, message: &str) {
    // SAFETY: pointer and size describe `message`. So below for every argument that is a slice.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

pub(super) fn header_map(map: u32) -> Option<Vec<u8>> {
    // SAFETY: both pointers come from `returned` and are valid for the call. So below.
    returned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })
}

pub(super) fn add_header(map: u32, name: &str, value: &[u8]) {
    // SAFETY: see `log`.
    unsafe { proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

pub(super) fn remove_header(map: u32, name: &[u8]) {
    // SAFETY: see `log`.
    unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
}

pub(super) fn buffer(buffer: u32) -> Option<Vec<u8>> {
    // SAFETY: see `header_map`.
    returned(|data, size| unsafe { proxy_get_buffer_bytes(buffer, 0, usize::MAX, data, size) })
}

/// `headers` is a serialized map.
pub(super) fn send_local_response(status: u32, headers: &[u8], body: &[u8], details: &str) {
    // SAFETY: see `log`. A gRPC status of -1 means none.
    unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
}

pub(super) fn call_foreign_function(name: &str) {
    let arguments = b"";
    // SAFETY: see `log` and `header_map`.
    returned(|data, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            data,
            size,
        )
    });
}

pub(super) fn property(path: &str) -> Option<Vec<u8>> {
    // SAFETY: see `log` and `header_map`.
    returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub(super) fn current_time_nanoseconds() -> u64 {
    let mut time = 0;
    // SAFETY: `time` outlives the call.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

pub(super) fn set_tick_period(milliseconds: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
}

pub(super) fn define_metric(kind: u32, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: see `log`; `id` outlives the call.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

pub(super) fn increment_metric(id: u32, by: i64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, by) };
}

pub(super) fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

pub(super) fn metric(id: u32) -> Option<u64> {
    let mut value = 0;
    // SAFETY: `value` outlives the call.
    let status = unsafe { proxy_get_metric(id, &raw mut value) };
    (status == OK).then_some(value)
}

pub(super) fn shared_data(key: &str) -> (Option<Vec<u8>>, u32) {
    let mut cas = 0;
    // SAFETY: see `log` and `header_map`; `cas` outlives the call.
    let data = returned(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
    });
    (data, cas)
}

pub(super) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> bool {
    // SAFETY: see `log`.
    let status = unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    status == OK
}

pub(super) fn register_queue(name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: see `log`; `id` outlives the call.
    let status = unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

pub(super) fn enqueue(id: u32, value: &[u8]) {
    // SAFETY: see `log`.
    unsafe { proxy_enqueue_shared_queue(id, value.as_ptr(), value.len()) };
}

pub(super) fn dequeue(id: u32) -> Option<Vec<u8>> {
    // SAFETY: see `header_map`.
    returned(|data, size| unsafe { proxy_dequeue_shared_queue(id, data, size) })
}
