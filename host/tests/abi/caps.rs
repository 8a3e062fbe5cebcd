//! Every length that a guest states is compared with its cap and with the guest's memory, before anything is copied.

use turquoise_host::caps::{
    MAX_BODY_BYTES, MAX_LOG_BYTES, MAX_MAP_BYTES, MAX_MODULE_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES,
    MAX_WASI_BYTES, MAX_WASI_VECTORS,
};
use turquoise_host::simulated::{Request, SimulatedProxy};
use turquoise_host::{Error, Module};

use crate::guest::{module, said, started};

/// A host call with a range of the guest's memory, the cap on its length, and the status that it has at the cap. The
/// queue 1 exists; address 0 has an `x`, and address 100 the headers of a request.
const CALLS: [(&str, usize, &str); 25] = [
    ("$get_property (RANGE) (global.get $data) (global.get $size)", MAX_NAME_BYTES, "01"),
    ("$set_property (RANGE) (i32.const 0) (i32.const 1)", MAX_NAME_BYTES, "00"),
    ("$set_property (i32.const 0) (i32.const 1) (RANGE)", MAX_VALUE_BYTES, "00"),
    ("$get_header (i32.const 0) (RANGE) (global.get $data) (global.get $size)", MAX_NAME_BYTES, "01"),
    ("$add_header (i32.const 0) (RANGE) (i32.const 0) (i32.const 1)", MAX_NAME_BYTES, "00"),
    ("$add_header (i32.const 0) (i32.const 0) (i32.const 1) (RANGE)", MAX_VALUE_BYTES, "00"),
    ("$replace_header (i32.const 0) (RANGE) (i32.const 0) (i32.const 1)", MAX_NAME_BYTES, "00"),
    ("$replace_header (i32.const 0) (i32.const 0) (i32.const 1) (RANGE)", MAX_VALUE_BYTES, "00"),
    ("$remove_header (i32.const 0) (RANGE)", MAX_NAME_BYTES, "00"),
    ("$set_pairs (i32.const 0) (RANGE)", MAX_MAP_BYTES, "00"),
    ("$set_buffer (i32.const 0) (i32.const 0) (i32.const -1) (RANGE)", MAX_BODY_BYTES, "00"),
    (
        "$respond (i32.const 200) (RANGE) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)",
        MAX_VALUE_BYTES,
        "00",
    ),
    (
        "$respond (i32.const 200) (i32.const 0) (i32.const 0) (RANGE) (i32.const 0) (i32.const 0) (i32.const -1)",
        MAX_BODY_BYTES,
        "00",
    ),
    (
        "$respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (RANGE) (i32.const -1)",
        MAX_MAP_BYTES,
        "00",
    ),
    (
        "$http_call (RANGE) (i32.const 100) (i32.const 62) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 1) (i32.const 500)",
        MAX_NAME_BYTES,
        "00",
    ),
    (
        "$http_call (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 62) (RANGE) (i32.const 0) (i32.const 0)
            (i32.const 1) (i32.const 500)",
        MAX_BODY_BYTES,
        "00",
    ),
    (
        "$http_call (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 62) (i32.const 0) (i32.const 0) (RANGE)
            (i32.const 1) (i32.const 500)",
        MAX_MAP_BYTES,
        "00",
    ),
    ("$get_shared (RANGE) (global.get $data) (global.get $size) (i32.const 500)", MAX_NAME_BYTES, "01"),
    ("$set_shared (RANGE) (i32.const 0) (i32.const 1) (i32.const 0)", MAX_NAME_BYTES, "00"),
    ("$set_shared (i32.const 0) (i32.const 1) (RANGE) (i32.const 0)", MAX_BODY_BYTES, "00"),
    ("$register_queue (RANGE) (i32.const 500)", MAX_NAME_BYTES, "00"),
    ("$resolve_queue (RANGE) (i32.const 0) (i32.const 1) (i32.const 500)", MAX_NAME_BYTES, "01"),
    ("$resolve_queue (i32.const 0) (i32.const 0) (RANGE) (i32.const 500)", MAX_NAME_BYTES, "01"),
    ("$enqueue (i32.const 1) (RANGE)", MAX_VALUE_BYTES, "00"),
    ("$define_metric (i32.const 0) (RANGE) (i32.const 500)", MAX_NAME_BYTES, "00"),
];

/// Calls with a range of the length of the cap; one longer; one that ends past the memory, and one past all memory.
/// What lies there is zeros; where maps are asked for, one of one header whose value takes all the rest.
fn probe(call: &str, cap: usize) -> String {
    let map = match cap {
        MAX_MAP_BYTES => {
            "(i32.store (i32.const 131072) (i32.const 1))
            (i32.store (i32.const 131080) (i32.sub (local.get $length) (i32.const 14)))"
        }
        _ => "",
    };
    format!(
        r#"(data (i32.const 0) "x")
        (data (i32.const 100) "\03\00\00\00"
            "\07\00\00\00\03\00\00\00" "\05\00\00\00\02\00\00\00" "\0a\00\00\00\01\00\00\00"
            ":method\00GET\00" ":path\00/p\00" ":authority\00h\00")
        (func $probe (param $at i32) (param $length i32) (call $status (call {})))
        (func $inside (param $length i32)
            {map}
            (call $probe (i32.const 131072) (local.get $length)))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (memory.grow (i32.const 530)))
            (drop (call $register_queue (i32.const 0) (i32.const 1) (i32.const 500)))
            (i32.const 1))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (call $inside (i32.const {cap}))
            (call $inside (i32.const {}))
            (call $probe (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 2))
            (call $probe (i32.const -1) (i32.const -1))
            (i32.const 0))"#,
        call.replace("(RANGE)", "(local.get $at) (local.get $length)"),
        cap + 1,
    )
}

#[test]
fn what_a_guest_hands_over_is_capped() {
    for (call, cap, at_the_cap) in CALLS {
        let proxy = SimulatedProxy::new(&module(&probe(call, cap)));
        // Both clusters that the calls name: what lies at address 0, and a name of zeros.
        proxy.add_cluster("x");
        proxy.add_cluster(&"\0".repeat(MAX_NAME_BYTES));
        let vm = proxy.start_vm("").unwrap();
        vm.configure("").unwrap();
        vm.request(Request::get("a", "/").body("b")).unwrap();
        let statuses = [at_the_cap, "02", "06", "06"].map(|status| format!("status {status}"));
        assert_eq!(said(&proxy), statuses, "{call}");
    }
}

#[test]
fn a_foreign_function_is_capped_by_name_and_arguments() {
    let call = |ranges: &str| format!("$foreign {ranges} (i32.const 0) (i32.const 0)");
    let calls = [
        (call("(RANGE) (i32.const 0) (i32.const 0)"), MAX_NAME_BYTES),
        (call("(i32.const 0) (i32.const 1) (RANGE)"), MAX_VALUE_BYTES),
    ];
    for (call, cap) in calls {
        let (proxy, vm) = started(&probe(&call, cap));
        vm.request(Request::get("a", "/").body("b")).unwrap();
        assert_eq!(said(&proxy), ["status 01", "status 02", "status 06", "status 06"], "{call}");
        assert_eq!(proxy.foreign_calls().len(), 1, "only one reached the proxy");
    }
}

#[test]
fn a_long_line_is_cut() {
    let (proxy, vm) = started(&probe("$log (i32.const 2) (RANGE)", MAX_LOG_BYTES));
    vm.request(Request::get("a", "/").body("b")).unwrap();
    let lines = said(&proxy);
    assert_eq!((lines[0].len(), lines[2].len()), (MAX_LOG_BYTES, MAX_LOG_BYTES));
    let statuses = ["status 00", "status 00", "status 06", "status 06"];
    assert_eq!([&lines[1], &lines[3], &lines[4], &lines[5]], statuses, "SDKs panic where a line is refused");
}

#[test]
fn what_is_printed_and_random_is_capped() {
    // 2,000 vectors of 64 KiB each, all the same: one call writes 64 KiB of them, and no call takes more than 1,024.
    let guest = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") 4)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func $expect (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (local $at i32)
            (loop $next
                (i32.store (local.get $at) (i32.const 65536))
                (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 65536))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 16000))))
            (call $expect (call $fd_write (i32.const 1) (i32.const 0) (i32.const {MAX_WASI_VECTORS}) (i32.const 20000)) (i32.const 0))
            (call $expect (i32.load (i32.const 20000)) (i32.const {MAX_WASI_BYTES}))
            (call $expect (call $fd_write (i32.const 1) (i32.const 0) (i32.const {}) (i32.const 20000)) (i32.const 28))
            (call $expect (call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 20000)) (i32.const 28))
            (call $expect (call $random (i32.const 65536) (i32.const {MAX_WASI_BYTES})) (i32.const 0))
            (call $expect (call $random (i32.const 65536) (i32.const {})) (i32.const 28))
            (call $expect (call $random (i32.const -1) (i32.const -1)) (i32.const 28))
            (call $expect (call $random (i32.const -1) (i32.const 2)) (i32.const 21))
            (i32.const 1)))"#,
        MAX_WASI_VECTORS + 1,
        MAX_WASI_BYTES + 1,
    );
    let proxy = SimulatedProxy::new(&Module::new(guest.as_bytes()).unwrap());
    proxy.start_vm("").unwrap();
    assert_eq!(said(&proxy).iter().map(String::len).collect::<Vec<_>>(), [MAX_WASI_BYTES]);
}

#[test]
fn a_module_that_is_too_long_is_refused_before_it_is_read() {
    let refused = Module::new(&vec![b' '; MAX_MODULE_BYTES + 1]).unwrap_err();
    let reason = format!("it has {} bytes, and {MAX_MODULE_BYTES} are the most", MAX_MODULE_BYTES + 1);
    assert_eq!(refused, Error::Compile { reason });
}
