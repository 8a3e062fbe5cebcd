//! The frame that all guests share: imports, memory, an allocator, and words to speak with.
//!
//! - `(call $say (i32.const AT) (i32.const SIZE))` logs a piece of memory.
//! - `(call $status (CALL))` logs `status NN`: what a host call answered.
//! - `(call $show)` logs what a host call gave: its address is kept at [`DATA`], its size at [`SIZE`].
//! - `(call $number (N))` logs `number NNNN`.
//!
//! Memory below 512 is the guest's own; `$data` is 1024 and `$size` is 1028, where host calls write what they give.

use turquoise_host::Module;
use turquoise_host::simulated::{SimulatedProxy, SimulatedVm};

const FRAME: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick_period (param i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_pairs" (func $get_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $replace_header (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_remove_header_map_value" (func $remove_header (param i32 i32 i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
    (import "env" "proxy_send_local_response"
        (func $respond (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_http_call"
        (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
    (import "env" "proxy_done" (func $done (result i32)))
    (import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_shared_data" (func $get_shared (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_register_shared_queue" (func $register_queue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_resolve_shared_queue" (func $resolve_queue (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_define_metric" (func $define_metric (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_increment_metric" (func $increment_metric (param i32 i64) (result i32)))
    (import "env" "proxy_record_metric" (func $record_metric (param i32 i64) (result i32)))
    (import "env" "proxy_get_metric" (func $get_metric (param i32 i32) (result i32)))

    (memory (export "memory") 2)
    (global $data i32 (i32.const 1024))
    (global $size i32 (i32.const 1028))
    (global $free (mut i32) (i32.const 65536))
    (data (i32.const 900) "status ..")
    (data (i32.const 920) "number ....")

    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
        (global.get $free)
        (global.set $free (i32.add (global.get $free) (local.get $size))))

    (func $say (param $at i32) (param $size i32)
        (drop (call $log (i32.const 2) (local.get $at) (local.get $size))))
    (func $digit (param $at i32) (param $value i32)
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10)))))
    (func $status (param $status i32)
        (call $digit (i32.const 907) (i32.div_u (local.get $status) (i32.const 10)))
        (call $digit (i32.const 908) (local.get $status))
        (call $say (i32.const 900) (i32.const 9)))
    (func $number (param $number i32)
        (call $digit (i32.const 927) (i32.div_u (local.get $number) (i32.const 1000)))
        (call $digit (i32.const 928) (i32.div_u (local.get $number) (i32.const 100)))
        (call $digit (i32.const 929) (i32.div_u (local.get $number) (i32.const 10)))
        (call $digit (i32.const 930) (local.get $number))
        (call $say (i32.const 920) (i32.const 11)))
    (func $show
        (call $say (i32.load (global.get $data)) (i32.load (global.get $size))))
"#;

/// The module with this body in the frame.
pub(crate) fn module(body: &str) -> Module {
    Module::new(format!("(module {FRAME} {body})").as_bytes()).unwrap()
}

/// A proxy with one VM of this guest, configured.
pub(crate) fn started(body: &str) -> (SimulatedProxy, SimulatedVm) {
    let proxy = SimulatedProxy::new(&module(body));
    let vm = proxy.start_vm("vm configuration").unwrap();
    assert!(vm.configure("plugin configuration").unwrap().accepted());
    (proxy, vm)
}

/// What the guests have said since the last time, in order.
pub(crate) fn said(proxy: &SimulatedProxy) -> Vec<String> {
    let lines = proxy.logs().into_iter().map(|line| line.message).collect();
    proxy.clear_logs();
    lines
}
