//! Shared data and queues between VMs of one module.

use turquoise_host::simulated::{Request, SimulatedProxy};

use crate::guest::{module, said};

/// At each request: reads key `k` and says value and whether there is a version. In the response: writes `v` with the
/// version that it read then.
const READS_THEN_WRITES: &str = r#"
    (data (i32.const 0) "k" "v")
    (global $cas (mut i32) (i32.const 0))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (i32.store (i32.const 500) (i32.const 0))
        (call $status (call $get_shared (i32.const 0) (i32.const 1) (global.get $data) (global.get $size) (i32.const 500)))
        (global.set $cas (i32.load (i32.const 500)))
        (i32.const 0))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (call $status (call $set_shared (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1) (global.get $cas)))
        (i32.const 0))"#;

#[test]
fn of_two_vms_that_read_the_same_version_one_writes() {
    let proxy = SimulatedProxy::new(&module(READS_THEN_WRITES));
    let vms = [proxy.start_vm("").unwrap(), proxy.start_vm("").unwrap()];
    for vm in &vms {
        vm.configure("").unwrap();
    }
    let (ok, not_found, mismatch) = ("status 00", "status 01", "status 08");

    let exchanges = vms.each_ref().map(|vm| vm.request(Request::get("a", "/")).unwrap());
    assert_eq!(said(&proxy), [not_found, not_found]);
    for exchange in exchanges {
        exchange.respond(200).unwrap();
    }
    assert_eq!(said(&proxy), [ok, ok], "a version of 0 overwrites, whatever is there");

    let exchanges = vms.each_ref().map(|vm| vm.request(Request::get("a", "/")).unwrap());
    proxy.clear_logs();
    for exchange in exchanges {
        exchange.respond(200).unwrap();
    }
    assert_eq!(said(&proxy), [ok, mismatch], "both read one version; only the first may replace it");
    assert_eq!(proxy.shared_data("k").as_deref(), Some(&b"v"[..]));
}

#[test]
fn two_proxies_share_nothing() {
    let module = module(READS_THEN_WRITES);
    let proxies = [SimulatedProxy::new(&module), SimulatedProxy::new(&module)];
    proxies[0].set_shared_data("k", "v");
    for (proxy, status) in proxies.iter().zip(["status 00", "status 01"]) {
        let vm = proxy.start_vm("").unwrap();
        vm.configure("").unwrap();
        vm.request(Request::get("a", "/")).unwrap();
        assert_eq!(said(proxy), [status]);
    }
}

/// Registers queue `q` when configured; at each request enqueues "item" to it; when woken takes everything out.
const QUEUES: &str = r#"
    (data (i32.const 0) "q" "item" "other" "simulated")
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (call $status (call $register_queue (i32.const 0) (i32.const 1) (i32.const 500)))
        (i32.const 1))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $status (call $resolve_queue (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 504)))
        (call $status (call $enqueue (i32.load (i32.const 504)) (i32.const 1) (i32.const 4)))
        (i32.const 0))
    (func (export "proxy_on_queue_ready") (param i32) (param $queue i32)
        ;; Nowhere to put the value, which must not be lost by that.
        (call $status (call $dequeue (local.get $queue) (i32.const -1) (global.get $size)))
        (call $status (call $dequeue (local.get $queue) (global.get $data) (global.get $size)))
        (call $show)
        (call $status (call $dequeue (local.get $queue) (global.get $data) (global.get $size))))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (call $status (call $resolve_queue (i32.const 10) (i32.const 9) (i32.const 0) (i32.const 1) (i32.const 504)))
        (call $status (call $resolve_queue (i32.const 5) (i32.const 5) (i32.const 0) (i32.const 1) (i32.const 504)))
        (call $status (call $resolve_queue (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 504)))
        (call $status (call $enqueue (i32.const 99) (i32.const 1) (i32.const 4)))
        (call $status (call $dequeue (i32.const 0) (global.get $data) (global.get $size)))
        (i32.const 0))"#;

#[test]
fn a_queue_wakes_the_vm_that_registered_it_last() {
    let proxy = SimulatedProxy::new(&module(QUEUES));
    let first = proxy.start_vm("").unwrap();
    first.configure("").unwrap();
    let last = proxy.start_vm("").unwrap();
    last.configure("").unwrap();
    proxy.clear_logs();

    first.request(Request::get("a", "/")).unwrap();
    let lines: Vec<_> = proxy.logs().into_iter().map(|line| (line.vm, line.message)).collect();
    let line = |vm: u32, message: &str| (vm, message.to_owned());
    let expected = [
        line(first.id(), "status 00"),
        line(first.id(), "status 00"),
        line(last.id(), "status 06"),
        line(last.id(), "status 00"),
        line(last.id(), "item"),
        line(last.id(), "status 07"),
    ];
    assert_eq!(lines, expected, "woken after the callback, and Empty once it has taken all");
}

#[test]
fn an_unknown_queue_is_not_found() {
    let proxy = SimulatedProxy::new(&module(QUEUES));
    let vm = proxy.start_vm("").unwrap();
    vm.configure("").unwrap();
    let exchange = vm.request(Request::get("a", "/")).unwrap();
    proxy.clear_logs();
    exchange.respond(200).unwrap();
    let (ok, not_found) = ("status 00", "status 01");
    assert_eq!(said(&proxy), [ok, not_found, not_found, not_found, not_found], "only by the VMs' own name");
}

#[test]
fn a_guest_that_feeds_its_own_queue_for_ever_is_an_error_and_no_endless_loop() {
    let proxy = SimulatedProxy::new(&module(
        r#"(data (i32.const 0) "q")
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $register_queue (i32.const 0) (i32.const 1) (i32.const 500)))
            (drop (call $tick_period (i32.const 1)))
            (i32.const 1))
        (func $feed (drop (call $enqueue (i32.load (i32.const 500)) (i32.const 0) (i32.const 1))))
        (func (export "proxy_on_tick") (param i32) (call $feed))
        (func (export "proxy_on_queue_ready") (param i32 i32) (call $feed))"#,
    ));
    proxy.start_vm("").unwrap().configure("").unwrap();
    let error = proxy.advance(std::time::Duration::from_millis(1)).unwrap_err();
    assert!(error.to_string().contains("queue wakes"), "{error}");
}
