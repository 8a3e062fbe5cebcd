//! Bounds on time and memory, and that nothing a guest does reaches the host.

use std::time::{Duration, Instant};

use turquoise_host::simulated::{Request, SimulatedProxy};
use turquoise_host::{Engine, Error, Limits};

use crate::guest::{module, said};

const PAGE: usize = 65_536;

#[test]
fn an_endless_loop_is_stopped() {
    let proxy = SimulatedProxy::new(&module(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (loop $ever (br $ever)) (i32.const 0))"#,
    ));
    let limit = Duration::from_millis(50);
    proxy.set_limits(Limits { time: Some(limit), ..Limits::default() });
    let vm = proxy.start_vm("").unwrap();
    vm.configure("").unwrap();
    let start = Instant::now();
    let error = vm.request(Request::get("a", "/")).unwrap_err();
    assert_eq!(error, Error::TimeLimit { callback: "proxy_on_request_headers", limit });
    assert!(start.elapsed() >= limit, "stopped no sooner than promised");
    assert!(matches!(vm.configure(""), Err(Error::Dead { .. })));
}

#[test]
fn the_limit_is_for_each_callback_and_not_for_their_sum() {
    // Counts to a million in each request: about a millisecond.
    let proxy = SimulatedProxy::new(&module(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $i i32)
            (loop $again
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 1000000))))
            (i32.const 0))"#,
    ));
    let limit = Duration::from_secs(1);
    proxy.set_limits(Limits { time: Some(limit), ..Limits::default() });
    let vm = proxy.start_vm("").unwrap();
    vm.configure("").unwrap();
    let start = Instant::now();
    while start.elapsed() < limit + limit / 2 {
        vm.exchange(Request::get("a", "/"), 200).unwrap();
    }
}

/// Grows by as many pages as the request has headers; dies if it may not, unless there are more than nine.
const GROWS: &str = r#"
    (func (export "proxy_on_request_headers") (param i32) (param $count i32) (param i32) (result i32)
        (if (i32.eq (memory.grow (local.get $count)) (i32.const -1)) (then
            (if (i32.lt_u (local.get $count) (i32.const 10)) (then unreachable))))
        (i32.const 0))"#;

#[test]
fn memory_grows_to_the_limit_and_no_further() {
    let proxy = SimulatedProxy::new(&module(GROWS));
    proxy.set_limits(Limits { memory: 7 * PAGE, ..Limits::default() });
    let vm = proxy.start_vm("").unwrap();
    vm.configure("").unwrap();
    assert_eq!(vm.memory_size(), 2 * PAGE);
    vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(vm.memory_size(), 6 * PAGE);

    let mut greedy = Request::get("a", "/");
    for header in 0..10 {
        greedy = greedy.header(header.to_string(), "");
    }
    vm.request(greedy).unwrap();
    assert_eq!(
        (vm.memory_size(), vm.failure()),
        (6 * PAGE, None),
        "a guest may live without what it is denied"
    );

    let error = vm.request(Request::get("a", "/")).unwrap_err();
    let callback = "proxy_on_request_headers";
    assert_eq!(error, Error::MemoryLimit { callback, limit: 7 * PAGE, wanted: 10 * PAGE });
}

#[test]
fn a_module_that_starts_above_the_limit_does_not_start() {
    let proxy = SimulatedProxy::new(&module(GROWS));
    proxy.set_limits(Limits { memory: PAGE, ..Limits::default() });
    let error = proxy.start_vm("").unwrap_err();
    assert_eq!(error, Error::MemoryLimit { callback: "instantiation", limit: PAGE, wanted: 2 * PAGE });
}

#[test]
fn endless_recursion_is_a_trap() {
    let proxy = SimulatedProxy::new(&module(
        r#"(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $deeper (i32.const 0)))"#,
    ));
    let error = proxy.start_vm("").unwrap_err().to_string();
    assert!(error.contains("`proxy_on_vm_start`") && error.contains("stack"), "{error}");
}

#[test]
fn an_allocator_that_lies_harms_only_its_guest() {
    // Answers with null, then with an address outside of the memory, then dies.
    let guest = r#"(module
        (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "plugin_vm_id")
        (func (export "proxy_abi_version_0_2_1"))
        (global $times (mut i32) (i32.const 0))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32)
            (global.set $times (i32.add (global.get $times) (i32.const 1)))
            (if (i32.eq (global.get $times) (i32.const 1)) (then (return (i32.const 0))))
            (if (i32.eq (global.get $times) (i32.const 2)) (then (return (i32.const 65530))))
            unreachable)
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (i32.eq (call $get (i32.const 0) (i32.const 12) (i32.const 100) (i32.const 104)) (i32.const 6))))"#;
    let proxy = SimulatedProxy::new(&turquoise_host::Module::new(guest.as_bytes()).unwrap());
    let vm = proxy.start_vm("").unwrap();
    for _ in 0..2 {
        assert!(vm.configure("").unwrap().accepted(), "the guest is told that its memory is wrong");
    }
    assert!(matches!(vm.configure(""), Err(Error::Trap { callback: "proxy_on_configure", .. })));
}

#[test]
fn many_vms_run_from_one_compiled_module_on_many_threads() {
    let module = module(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
            (call $number (i32.const 7)) (i32.const 1))"#,
    );
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let proxy = SimulatedProxy::new(&module);
                for _ in 0..10 {
                    proxy.start_vm("").unwrap().configure("").unwrap();
                }
                assert_eq!(said(&proxy), ["number 0007"; 10]);
            });
        }
    });
}

#[test]
fn a_vm_outlives_the_engine_that_it_came_from_and_its_time_stays_bounded() {
    let engine = Engine::new().unwrap();
    let module = engine
        .compile(
            br#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 0))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) (loop $ever (br $ever)) (i32.const 1)))"#,
        )
        .unwrap();
    drop(engine);
    let proxy = SimulatedProxy::new(&module);
    drop(module);
    proxy.set_limits(Limits { time: Some(Duration::from_millis(20)), ..Limits::default() });
    assert!(matches!(proxy.start_vm("").unwrap().configure(""), Err(Error::TimeLimit { .. })));
}
