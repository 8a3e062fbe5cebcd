//! Metrics, which all VMs of a proxy share.

use turquoise_host::simulated::{Request, SimulatedProxy};

use crate::guest::{module, said};

/// Defines a counter `c`, a gauge `g` and a histogram `h`, and uses each as it may be used and as it may not.
const COUNTS: &str = r#"
    (data (i32.const 0) "cgh")
    (func $define (param $kind i32)
        (drop (call $define_metric (local.get $kind) (local.get $kind) (i32.const 1)
            (i32.add (i32.const 500) (i32.mul (local.get $kind) (i32.const 4))))))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (call $define (i32.const 0)) (call $define (i32.const 1)) (call $define (i32.const 2)) (i32.const 1))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $status (call $increment_metric (i32.load (i32.const 500)) (i64.const 2)))
        (call $status (call $increment_metric (i32.load (i32.const 500)) (i64.const -1)))
        (call $status (call $record_metric (i32.load (i32.const 504)) (i64.const 7)))
        (call $status (call $increment_metric (i32.load (i32.const 504)) (i64.const -3)))
        (call $status (call $record_metric (i32.load (i32.const 508)) (i64.const 12)))
        (call $status (call $increment_metric (i32.load (i32.const 508)) (i64.const 1)))
        (i32.const 0))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (call $status (call $get_metric (i32.load (i32.const 500)) (i32.const 600)))
        (call $number (i32.load (i32.const 600)))
        (call $status (call $get_metric (i32.load (i32.const 508)) (i32.const 600)))
        (call $status (call $get_metric (i32.const 99) (i32.const 600)))
        (call $status (call $define_metric (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 600)))
        (i32.const 0))"#;

#[test]
fn metrics_are_common_to_all_vms_and_read_by_name() {
    let proxy = SimulatedProxy::new(&module(COUNTS));
    for _ in 0..2 {
        let vm = proxy.start_vm("").unwrap();
        vm.configure("").unwrap();
        vm.request(Request::get("a", "/")).unwrap();
    }
    let (ok, bad) = ("status 00", "status 02");
    let one = [ok, bad, ok, ok, ok, bad];
    assert_eq!(said(&proxy), [one, one].concat(), "a counter only grows, and a histogram only records");
    assert_eq!(proxy.counter("c"), Some(4));
    assert_eq!(proxy.gauge("g"), Some(4));
    assert_eq!(proxy.histogram("h"), Some(vec![12, 12]));
    assert_eq!(proxy.counter("g"), None, "a gauge is no counter");
    let all: Vec<_> = proxy.metrics().into_iter().collect();
    assert_eq!(all, [("c".to_owned(), 4), ("g".to_owned(), 4)]);
}

#[test]
fn a_guest_reads_counters_and_gauges_only() {
    let proxy = SimulatedProxy::new(&module(COUNTS));
    let vm = proxy.start_vm("").unwrap();
    vm.configure("").unwrap();
    let exchange = vm.request(Request::get("a", "/")).unwrap();
    proxy.clear_logs();
    exchange.respond(200).unwrap();
    assert_eq!(said(&proxy), ["status 00", "number 0002", "status 02", "status 01", "status 02"]);
}
