//! What the module asks of a proxy and offers to it, as a proxy sees it. A change here is a change of the contract with
//! every host: whoever makes it looks the function up in each proxy first.

use host_tests::{module, shipped};

#[test]
fn imports_are_these() {
    let imports: Vec<_> = module().imports().into_iter().collect();
    assert_eq!(
        imports,
        [
            "env.proxy_add_header_map_value (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_call_foreign_function (i32, i32, i32, i32, i32, i32) -> i32",
            "env.proxy_close_stream (i32) -> i32",
            "env.proxy_continue_stream (i32) -> i32",
            "env.proxy_define_metric (i32, i32, i32, i32) -> i32",
            "env.proxy_dequeue_shared_queue (i32, i32, i32) -> i32",
            "env.proxy_done () -> i32",
            "env.proxy_enqueue_shared_queue (i32, i32, i32) -> i32",
            "env.proxy_get_buffer_bytes (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_get_current_time_nanoseconds (i32) -> i32",
            "env.proxy_get_header_map_pairs (i32, i32, i32) -> i32",
            "env.proxy_get_header_map_value (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_get_metric (i32, i32) -> i32",
            "env.proxy_get_property (i32, i32, i32, i32) -> i32",
            "env.proxy_get_shared_data (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_get_status (i32, i32, i32) -> i32",
            "env.proxy_grpc_call (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32) -> i32",
            "env.proxy_grpc_cancel (i32) -> i32",
            "env.proxy_grpc_close (i32) -> i32",
            "env.proxy_grpc_send (i32, i32, i32, i32) -> i32",
            "env.proxy_grpc_stream (i32, i32, i32, i32, i32, i32, i32, i32, i32) -> i32",
            "env.proxy_http_call (i32, i32, i32, i32, i32, i32, i32, i32, i32, i32) -> i32",
            "env.proxy_increment_metric (i32, i64) -> i32",
            "env.proxy_log (i32, i32, i32) -> i32",
            "env.proxy_record_metric (i32, i64) -> i32",
            "env.proxy_register_shared_queue (i32, i32, i32) -> i32",
            "env.proxy_remove_header_map_value (i32, i32, i32) -> i32",
            "env.proxy_replace_header_map_value (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_resolve_shared_queue (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_send_local_response (i32, i32, i32, i32, i32, i32, i32, i32) -> i32",
            "env.proxy_set_buffer_bytes (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_set_effective_context (i32) -> i32",
            "env.proxy_set_header_map_pairs (i32, i32, i32) -> i32",
            "env.proxy_set_property (i32, i32, i32, i32) -> i32",
            "env.proxy_set_shared_data (i32, i32, i32, i32, i32) -> i32",
            "env.proxy_set_tick_period_milliseconds (i32) -> i32",
            "wasi_snapshot_preview1.environ_get (i32, i32) -> i32",
            "wasi_snapshot_preview1.environ_sizes_get (i32, i32) -> i32",
            "wasi_snapshot_preview1.fd_write (i32, i32, i32, i32) -> i32",
            "wasi_snapshot_preview1.proc_exit (i32)",
            "wasi_snapshot_preview1.random_get (i32, i32) -> i32",
        ]
    );
}

#[test]
fn exports_are_these() {
    let exports: Vec<_> = module().exports().into_iter().collect();
    assert_eq!(
        exports,
        [
            "_initialize ()",
            "memory memory",
            "proxy_abi_version_0_2_1 ()",
            "proxy_on_configure (i32, i32) -> i32",
            "proxy_on_context_create (i32, i32)",
            "proxy_on_delete (i32)",
            "proxy_on_done (i32) -> i32",
            "proxy_on_downstream_connection_close (i32, i32)",
            "proxy_on_downstream_data (i32, i32, i32) -> i32",
            "proxy_on_foreign_function (i32, i32, i32)",
            "proxy_on_grpc_close (i32, i32, i32)",
            "proxy_on_grpc_receive (i32, i32, i32)",
            "proxy_on_grpc_receive_initial_metadata (i32, i32, i32)",
            "proxy_on_grpc_receive_trailing_metadata (i32, i32, i32)",
            "proxy_on_http_call_response (i32, i32, i32, i32, i32)",
            "proxy_on_log (i32)",
            "proxy_on_memory_allocate (i32) -> i32",
            "proxy_on_new_connection (i32) -> i32",
            "proxy_on_queue_ready (i32, i32)",
            "proxy_on_request_body (i32, i32, i32) -> i32",
            "proxy_on_request_headers (i32, i32, i32) -> i32",
            "proxy_on_request_trailers (i32, i32) -> i32",
            "proxy_on_response_body (i32, i32, i32) -> i32",
            "proxy_on_response_headers (i32, i32, i32) -> i32",
            "proxy_on_response_trailers (i32, i32) -> i32",
            "proxy_on_tick (i32)",
            "proxy_on_upstream_connection_close (i32, i32)",
            "proxy_on_upstream_data (i32, i32, i32) -> i32",
            "proxy_on_vm_start (i32, i32) -> i32",
        ]
    );
}

/// What the filter's feature `trap` adds must never ship: whoever sends that header could stop the proxy.
#[test]
fn nothing_kills_it_at_a_request_s_word() {
    let wasm = shipped();
    // What the trap logs. That it is to be found in a module with the trap, envoy/blue-green/tests/faults/trap.rs sees to.
    let words = b"the feature `trap` is in this module";
    assert!(!wasm.windows(words.len()).any(|bytes| bytes == words), "it was built with the feature `trap`");
}
