//! Guests that try to use up their host: each is bounded, is told so, and goes on.

use std::collections::BTreeMap;

use turquoise_host::caps::{
    MAX_CALLOUT_BYTES, MAX_CALLOUTS, MAX_KEPT_BYTES, MAX_MAP_PAIRS, MAX_METRICS, MAX_QUEUE_ITEMS, MAX_QUEUES,
    MAX_ROOT_CONTEXTS, MAX_SHARED_KEYS, MAX_STACK_BYTES, MAX_TABLE_ELEMENTS, MAX_WAKES,
};
use turquoise_host::simulated::{Request, SimulatedProxy, SimulatedVm};
use turquoise_host::{Error, Limits, LogLevel, Module};

use crate::guest::{module, said, started};

const PAGE: usize = 65_536;

/// A guest that makes a host call so many times in each request, each time with another number at address 0, and then
/// says each status that it got, with how often it got it: both in four bytes, as a line.
fn greedy(times: usize, call: &str) -> String {
    format!(
        r#"(global $i (mut i32) (i32.const 0))
        (func $count (param $status i32) (local $at i32)
            (local.set $at (i32.add (i32.const 2048) (i32.mul (local.get $status) (i32.const 4))))
            (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $end i32)
            (memory.fill (i32.const 2048) (i32.const 0) (i32.const 64))
            (local.set $end (i32.add (global.get $i) (i32.const {times})))
            (loop $again
                (i32.store (i32.const 0) (global.get $i))
                (call $count (call {call}))
                (global.set $i (i32.add (global.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (global.get $i) (local.get $end))))
            (drop (call $set_shared (i32.const 900) (i32.const 6) (i32.const 2048) (i32.const 64) (i32.const 0)))
            (i32.const 1))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $set_shared (i32.const 900) (i32.const 6) (i32.const 2048) (i32.const 64) (i32.const 0)))
            (drop (call $register_queue (i32.const 900) (i32.const 6) (i32.const 500)))
            (i32.const 1))"#
    )
}

/// How often each status was answered during one request.
fn statuses(proxy: &SimulatedProxy, vm: &SimulatedVm) -> BTreeMap<usize, usize> {
    vm.request(Request::get("a", "/")).unwrap();
    let counts = proxy.shared_data("status").unwrap();
    let counts = counts.chunks(4).map(|count| u32::from_le_bytes(count.try_into().unwrap()) as usize);
    counts.enumerate().filter(|(_, count)| *count > 0).collect()
}

/// What a guest gets that makes this call so often.
fn asked(times: usize, call: &str) -> (SimulatedProxy, SimulatedVm, BTreeMap<usize, usize>) {
    let (proxy, vm) = started(&greedy(times, call));
    proxy.add_cluster("status");
    let counts = statuses(&proxy, &vm);
    (proxy, vm, counts)
}

/// So many were granted, and the rest had no room.
fn granted(granted: usize, times: usize) -> BTreeMap<usize, usize> {
    BTreeMap::from([(0, granted), (10, times - granted)])
}

#[test]
fn shared_keys_are_bounded() {
    let call = "$set_shared (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 0)";
    let (proxy, vm, counts) = asked(70_000, call);
    assert_eq!(counts, granted(MAX_SHARED_KEYS - 1, 70_000), "one is the guest's own");
    assert_eq!(statuses(&proxy, &vm), BTreeMap::from([(10, 70_000)]), "what is there can still be changed");
}

#[test]
fn metrics_are_bounded() {
    let (.., counts) =
        asked(20_000, "$define_metric (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 500)");
    assert_eq!(counts, granted(MAX_METRICS, 20_000));
}

#[test]
fn queues_and_what_waits_in_them_are_bounded() {
    let (.., counts) = asked(2_000, "$register_queue (i32.const 0) (i32.const 4) (i32.const 500)");
    assert_eq!(counts, granted(MAX_QUEUES - 1, 2_000), "one is the guest's own");

    let (proxy, vm, counts) = asked(12_000, "$enqueue (i32.const 1) (i32.const 0) (i32.const 4)");
    assert_eq!(counts, granted(MAX_WAKES, 12_000), "nobody could be woken so often");
    let mut waiting = MAX_WAKES;
    while waiting < MAX_QUEUE_ITEMS {
        let room = MAX_WAKES.min(MAX_QUEUE_ITEMS - waiting);
        assert_eq!(statuses(&proxy, &vm), granted(room, 12_000));
        waiting += room;
    }
    assert_eq!(statuses(&proxy, &vm), BTreeMap::from([(10, 12_000)]));
}

#[test]
fn headers_and_properties_of_an_exchange_are_bounded() {
    let call = "$add_header (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)";
    let (.., counts) = asked(5_000, call);
    assert_eq!(counts, granted(MAX_MAP_PAIRS - 4, 5_000), "four are the request's own");
    let (.., counts) = asked(5_000, "$set_property (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)");
    assert_eq!(counts, granted(MAX_MAP_PAIRS, 5_000));
}

/// A callout with a body of so many bytes. Its headers are at address 100.
fn callout(body: usize) -> String {
    format!(
        "$http_call (i32.const 900) (i32.const 6) (i32.const 100) (i32.const 62) (i32.const 0) (i32.const {body})
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500)"
    )
}

const CALLOUT_HEADERS: &str = r#"(data (i32.const 100) "\03\00\00\00"
    "\07\00\00\00\03\00\00\00" "\05\00\00\00\02\00\00\00" "\0a\00\00\00\01\00\00\00"
    ":method\00GET\00" ":path\00/p\00" ":authority\00h\00")"#;

#[test]
fn callouts_that_wait_are_bounded() {
    let (proxy, vm) = started(&(greedy(1_500, &callout(4)) + CALLOUT_HEADERS));
    proxy.add_cluster("status");
    assert_eq!(statuses(&proxy, &vm), granted(MAX_CALLOUTS, 1_500));
    assert_eq!(proxy.callouts().len(), MAX_CALLOUTS);
    // Room is made by an answer, and by what is never answered.
    proxy.callouts()[0].answer(200).unwrap();
    proxy.callouts()[0].forget();
    assert_eq!(statuses(&proxy, &vm), granted(2, 1_500));

    let other = vm.configure("another").unwrap();
    assert_eq!(statuses(&proxy, &vm), BTreeMap::from([(10, 1_500)]), "they are counted for the whole VM");
    for callout in proxy.callouts().iter().take(5) {
        callout.answer(200).unwrap();
    }
    other.request(Request::get("a", "/")).unwrap();
    assert!(other.shut_down().unwrap());
    assert_eq!(proxy.callouts().len(), MAX_CALLOUTS);
    vm.configure("a third").unwrap();
    assert_eq!(statuses(&proxy, &vm), granted(5, 1_500), "those of a root context that is gone");
}

#[test]
fn callouts_that_wait_are_bounded_in_bytes() {
    let body = 20 << 20;
    let guest =
        greedy(10, &callout(body)).replace("(drop (call", "(drop (memory.grow (i32.const 400))) (drop (call");
    let (proxy, vm) = started(&(guest + CALLOUT_HEADERS));
    proxy.add_cluster("status");
    assert_eq!(statuses(&proxy, &vm), granted(MAX_CALLOUT_BYTES / body, 10));
}

#[test]
fn a_flood_of_log_lines_is_kept_to_a_bound() {
    let (proxy, vm, counts) = asked(2_000, "$log (i32.const 2) (i32.const 0) (i32.const 65000)");
    assert_eq!(counts, BTreeMap::from([(0, 2_000)]));
    let lines = proxy.logs();
    assert!(lines.iter().map(|line| line.message.len()).sum::<usize>() <= MAX_KEPT_BYTES);
    assert!(proxy.logged(LogLevel::Critical, "the log is full"));
    assert!(lines.last().unwrap().message.starts_with("the log is full"), "and nothing after it");
    proxy.clear_logs();
    assert_eq!(statuses(&proxy, &vm), BTreeMap::from([(0, 2_000)]));
    assert!(proxy.logs().len() > 900, "what was forgotten makes room");
}

#[test]
fn foreign_calls_are_kept_to_a_bound() {
    let call =
        "$foreign (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65000) (i32.const 0) (i32.const 0)";
    let (proxy, _, counts) = asked(2_000, call);
    let kept = proxy.foreign_calls().len();
    assert!(kept > 900 && kept * 65_000 <= MAX_KEPT_BYTES, "{kept}");
    assert_eq!(counts, BTreeMap::from([(1, kept), (10, 2_000 - kept)]));
}

#[test]
fn root_contexts_that_refuse_to_end_are_bounded() {
    let (proxy, vm) = started(r#"(func (export "proxy_on_done") (param i32) (result i32) (i32.const 0))"#);
    for _ in 1..MAX_ROOT_CONTEXTS {
        assert!(!vm.configure("").unwrap().shut_down().unwrap());
    }
    let refused = vm.configure("").unwrap_err();
    assert_eq!(refused, Error::Exhausted { what: "root contexts", limit: MAX_ROOT_CONTEXTS });
    assert_eq!(vm.failure(), None, "the VM goes on with what it has");
    assert_eq!(vm.exchange(Request::get("a", "/"), 200).unwrap().status(), 200);
    assert_eq!(said(&proxy), [""; 0]);
}

/// Says what its allocator got that asks the host for something itself, whenever the host asks the allocator.
const NESTED: &str = r#"(module
    (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
    (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "plugin_vm_id")
    (func (export "proxy_abi_version_0_2_1"))
    (func $ask (result i32) (call $get (i32.const 0) (i32.const 12) (i32.const 100) (i32.const 104)))
    (global $allocations (mut i32) (i32.const 0))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32)
        (global.set $allocations (i32.add (global.get $allocations) (i32.const 1)))
        (if (i32.ne (call $ask) (i32.const 10)) (then unreachable))
        (if (i32.ne (call $dequeue (i32.const 1) (i32.const 100) (i32.const 104)) (i32.const 10)) (then unreachable))
        (i32.const 1024))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (if (call $register (i32.const 0) (i32.const 1) (i32.const 200)) (then unreachable))
        (if (call $enqueue (i32.const 1) (i32.const 0) (i32.const 1)) (then unreachable))
        (if (call $ask) (then unreachable))
        (if (call $ask) (then unreachable))
        (if (call $dequeue (i32.const 1) (i32.const 100) (i32.const 104)) (then unreachable))
        (i32.eq (global.get $allocations) (i32.const 3))))"#;

#[test]
fn an_allocator_cannot_ask_for_what_needs_it() {
    let vm = SimulatedProxy::new(&Module::new(NESTED.as_bytes()).unwrap()).start_vm("").unwrap();
    assert!(vm.configure("").unwrap().accepted(), "and nothing was lost of the queue");
}

#[test]
fn the_deepest_recursion_leaves_the_host_its_stack() {
    // Calls the host with an allocation at every level, the deepest included.
    let guest = module(
        r#"(data (i32.const 0) "plugin_vm_id")
        (func $deeper (param i32) (result i32)
            (drop (call $get_property (i32.const 0) (i32.const 12) (global.get $data) (global.get $size)))
            (global.set $free (i32.const 65536))
            (i32.add (call $deeper (local.get 0)) (i32.const 1)))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $deeper (i32.const 0)))"#,
    );
    let run = move || SimulatedProxy::new(&guest).start_vm("").unwrap_err().to_string();
    let thread = std::thread::Builder::new().stack_size(2 * MAX_STACK_BYTES).spawn(run).unwrap();
    let error = thread.join().unwrap();
    assert!(error.contains("`proxy_on_vm_start`") && error.contains("stack"), "{error}");
}

#[test]
fn tables_count_as_memory_and_are_bounded_themselves() {
    let start = |elements: usize, memory: usize| {
        let guest = format!(
            r#"(module (memory (export "memory") 1) (table {elements} funcref)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#
        );
        let proxy = SimulatedProxy::new(&Module::new(guest.as_bytes()).unwrap());
        proxy.set_limits(Limits { memory, ..Limits::default() });
        proxy.start_vm("").map(|_| ())
    };
    let element = size_of::<usize>();
    assert_eq!(start(1000, PAGE + 1000 * element), Ok(()));
    let limit = PAGE + 999 * element;
    let refused = Error::MemoryLimit { callback: "instantiation", limit, wanted: PAGE + 1000 * element };
    assert_eq!(start(1000, limit), Err(refused));
    assert_eq!(start(MAX_TABLE_ELEMENTS, 256 << 20), Ok(()));
    let refused = start(MAX_TABLE_ELEMENTS + 1, 256 << 20).unwrap_err().to_string();
    assert!(refused.contains("table"), "{refused}");
}
