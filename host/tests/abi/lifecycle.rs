//! Starting, configuring, ending, dying.

use turquoise_host::simulated::{Request, SimulatedProxy};
use turquoise_host::{Error, Module};

use crate::guest::{module, said, started};

/// Says which callback is called, and with which contexts and configurations.
const SAYS_EVERYTHING: &str = r#"
    (data (i32.const 0) "init" "create" "start" "configure" "log" "done" "delete")
    (func (export "_initialize") (call $say (i32.const 0) (i32.const 4)))
    (func (export "proxy_on_context_create") (param $context i32) (param $root i32)
        (call $say (i32.const 4) (i32.const 6)) (call $number (local.get $context)) (call $number (local.get $root)))
    (func (export "proxy_on_vm_start") (param i32) (param $size i32) (result i32)
        (call $say (i32.const 10) (i32.const 5))
        (call $status (call $get_buffer (i32.const 6) (i32.const 0) (local.get $size) (global.get $data) (global.get $size)))
        (call $show) (i32.const 1))
    (func (export "proxy_on_configure") (param i32) (param $size i32) (result i32)
        (call $say (i32.const 15) (i32.const 9))
        (call $status (call $get_buffer (i32.const 7) (i32.const 0) (local.get $size) (global.get $data) (global.get $size)))
        (call $show)
        ;; Refuses what starts with an `r`.
        (i32.ne (i32.load8_u (i32.load (global.get $data))) (i32.const 114)))
    (func (export "proxy_on_log") (param i32) (call $say (i32.const 24) (i32.const 3)))
    (func (export "proxy_on_done") (param i32) (result i32) (call $say (i32.const 27) (i32.const 4)) (i32.const 1))
    (func (export "proxy_on_delete") (param $context i32)
        (call $say (i32.const 31) (i32.const 6)) (call $number (local.get $context)))"#;

#[test]
fn callbacks_come_in_envoys_order() {
    let proxy = SimulatedProxy::new(&module(SAYS_EVERYTHING));
    let vm = proxy.start_vm("of the vm").unwrap();
    let (one, two, ok) = ("number 0001", "number 0002", "status 00");
    assert_eq!(said(&proxy), ["init", "create", one, "number 0000", "start", ok, "of the vm"]);
    assert!(vm.configure("fine").unwrap().accepted());
    assert_eq!(said(&proxy), ["configure", ok, "fine"], "the first goes to the root context that is there");
    vm.exchange(Request::get("a", "/"), 200).unwrap();
    assert_eq!(said(&proxy), ["create", two, one, "log", "done", "delete", two]);
}

#[test]
fn a_new_configuration_stands_beside_the_old_one() {
    let (proxy, vm) = started(SAYS_EVERYTHING);
    said(&proxy);
    let refused = vm.configure("refused").unwrap();
    assert!(!refused.accepted());
    assert_eq!(said(&proxy)[..2], ["create", "number 0002"], "the second gets a root context of its own");

    let old = vm.configure("old").unwrap();
    let draining = old.request(Request::get("a", "/")).unwrap();
    let new = vm.configure("new").unwrap();
    said(&proxy);
    vm.request(Request::get("a", "/")).unwrap();
    let under = |root: u32| format!("number {root:04}");
    assert_eq!(said(&proxy)[2], under(new.root()), "requests go to the newest");
    draining.finish().unwrap();
    assert!(old.shut_down().unwrap());
    assert_eq!(said(&proxy).last(), Some(&under(old.root())));
    assert!(old.request(Request::get("a", "/")).is_err());
}

#[test]
fn a_root_context_may_take_its_time_to_end() {
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "deleted")
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $tick_period (i32.const 1))) (i32.const 1))
        (func (export "proxy_on_done") (param i32) (result i32) (call $status (call $done)) (i32.const 0))
        (func (export "proxy_on_tick") (param i32) (call $status (call $done)) (drop (call $done)))
        (func (export "proxy_on_delete") (param i32) (call $say (i32.const 0) (i32.const 7)))"#,
    );
    let tick = || proxy.advance(std::time::Duration::from_millis(1)).unwrap();
    tick();
    assert_eq!(said(&proxy), ["status 01"], "nothing to end yet");
    let plugin = vm.configure("second").unwrap();
    assert!(!plugin.shut_down().unwrap());
    assert_eq!(said(&proxy), ["status 01"]);
    tick();
    assert_eq!(said(&proxy), ["status 01", "status 00", "deleted"], "deleted once the callback has returned");
    tick();
    assert_eq!(said(&proxy), ["status 01"], "only the first root context is left");
}

#[test]
fn configurations_can_be_read_only_while_they_are_given() {
    let (proxy, vm) = started(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $status (call $get_buffer (i32.const 7) (i32.const 0) (i32.const 9) (global.get $data) (global.get $size)))
            (call $status (call $set_buffer (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)))
            (i32.const 0))"#,
    );
    vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(said(&proxy), ["status 01", "status 02"]);
}

#[test]
fn a_vm_may_refuse_to_start() {
    let guest = module(r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))"#);
    assert_eq!(SimulatedProxy::new(&guest).start_vm("").unwrap_err(), Error::StartRefused);
}

#[test]
fn a_trap_kills_its_vm_and_no_other() {
    // Dies of requests with more than four headers.
    let proxy = SimulatedProxy::new(&module(
        r#"(func (export "proxy_on_request_headers") (param i32) (param $count i32) (param i32) (result i32)
            (if (i32.gt_u (local.get $count) (i32.const 4)) (then unreachable))
            (i32.const 0))"#,
    ));
    let vms = [proxy.start_vm("").unwrap(), proxy.start_vm("").unwrap()];
    for vm in &vms {
        vm.configure("").unwrap();
    }
    let error = vms[0].request(Request::get("a", "/").header("x", "y")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`proxy_on_request_headers`") && text.contains("unreachable"), "{text}");

    assert_eq!(vms[0].failure(), Some(error.clone()));
    let dead = vms[0].request(Request::get("a", "/")).unwrap_err();
    assert_eq!(dead, Error::Dead { callback: "proxy_on_context_create", cause: Box::new(error) });
    assert!(dead.to_string().contains("the VM is dead"), "{dead}");
    assert_eq!(vms[1].exchange(Request::get("a", "/"), 200).unwrap().status(), 200);
    assert_eq!(vms[1].failure(), None);
}

#[test]
fn the_last_words_of_a_guest_are_part_of_the_error() {
    let guest = module(
        r#"(data (i32.const 0) "panicked: why")
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
            (drop (call $log (i32.const 5) (i32.const 0) (i32.const 13))) unreachable)"#,
    );
    let error = SimulatedProxy::new(&guest).start_vm("").unwrap_err().to_string();
    assert!(error.contains("unreachable") && error.ends_with("its last words: panicked: why"), "{error}");
}

#[test]
fn the_death_of_a_reader_does_not_fail_the_writer() {
    let proxy = SimulatedProxy::new(&module(
        r#"(data (i32.const 0) "q")
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $register_queue (i32.const 0) (i32.const 1) (i32.const 500))) (i32.const 1))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $enqueue (i32.load (i32.const 500)) (i32.const 0) (i32.const 1))) (i32.const 0))
        (func (export "proxy_on_queue_ready") (param i32 i32) unreachable)"#,
    ));
    let vms = [proxy.start_vm("").unwrap(), proxy.start_vm("").unwrap()];
    for vm in &vms {
        vm.configure("").unwrap();
    }
    assert_eq!(vms[0].exchange(Request::get("a", "/"), 200).unwrap().status(), 200);
    assert_eq!(vms[0].failure(), None);
    assert!(matches!(vms[1].failure(), Some(Error::Trap { callback: "proxy_on_queue_ready", .. })));
}

#[test]
fn a_function_that_the_host_lacks_fails_by_name_when_it_is_called() {
    let guest = r#"(module
        (import "env" "proxy_grpc_call"
            (func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "elsewhere" "unheard_of" (func $unheard (result i64)))
        (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_configure") (param i32) (param $size i32) (result i32)
            (if (i32.eq (local.get $size) (i32.const 1)) (then (drop (call $unheard))))
            (if (i32.eq (local.get $size) (i32.const 2)) (then (drop (call $grpc
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))))
            (i32.const 1)))"#;
    let proxy = SimulatedProxy::new(&Module::new(guest.as_bytes()).unwrap());
    assert!(proxy.start_vm("").unwrap().configure("").unwrap().accepted(), "importing it is no harm");
    for (configuration, name) in [("1", "elsewhere.unheard_of"), ("22", "env.proxy_grpc_call")] {
        let error = proxy.start_vm("").unwrap().configure(configuration).unwrap_err();
        let expected =
            format!("the guest trapped in `proxy_on_configure`: this host has no function `{name}`");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_module_that_does_not_fit_is_refused_with_the_reason() {
    let refused = |module: &str| Module::new(module.as_bytes()).unwrap_err().to_string();
    assert!(refused("(module").contains("does not compile"));
    assert!(refused("(module)").ends_with("it does not export `proxy_abi_version_0_2_1`"));
    let other = r#"(module (func (export "proxy_abi_version_0_1_0")))"#;
    assert!(refused(other).contains("`proxy_abi_version_0_1_0`"), "{}", refused(other));
    let global = r#"(module (import "env" "g" (global i32)) (func (export "proxy_abi_version_0_2_1")))"#;
    assert!(refused(global).ends_with("it imports `env.g`, which is not a function"));
    let types = r#"(module (import "env" "proxy_log" (func (result i32))) (func (export "proxy_abi_version_0_2_1")))"#;
    assert!(refused(types).contains("proxy_log"), "{}", refused(types));

    let started = |module: &str| {
        let module = Module::new(module.as_bytes()).unwrap();
        SimulatedProxy::new(&module).start_vm("").unwrap_err().to_string()
    };
    assert!(
        started(r#"(module (func (export "proxy_abi_version_0_2_1")))"#)
            .ends_with("it does not export `memory`")
    );
    let memory = r#"(module (func (export "proxy_abi_version_0_2_1")) (memory (export "memory") 1))"#;
    assert!(started(memory).contains("`malloc`"));
    let tick = r#"(module (func (export "proxy_abi_version_0_2_1")) (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) (i32.const 0)) (func (export "proxy_on_tick")))"#;
    assert!(started(tick).contains("`proxy_on_tick`"), "{}", started(tick));
}

#[test]
fn a_vm_without_configuration_serves_nothing() {
    let vm = SimulatedProxy::new(&module("")).start_vm("").unwrap();
    assert!(matches!(vm.request(Request::get("a", "/")), Err(Error::Misuse { .. })));
}
