//! The clock, and ticks.

use std::time::{Duration, SystemTime};

use turquoise_host::simulated::SimulatedProxy;

use crate::guest::{module, said, started};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Ticks every 10 ms and says how many milliseconds of its second have passed.
const TICKS: &str = r#"
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $tick_period (i32.const 10))) (i32.const 1))
    (func $now
        (drop (call $time (i32.const 0)))
        (call $number (i32.wrap_i64 (i64.rem_u (i64.div_u (i64.load (i32.const 0)) (i64.const 1000000)) (i64.const 1000)))))
    (func (export "proxy_on_tick") (param i32) (call $now))"#;

#[test]
fn due_ticks_fire_in_order_each_at_its_time() {
    let (proxy, _) = started(TICKS);
    let start = proxy.now();
    proxy.advance(9 * MILLISECOND).unwrap();
    assert_eq!(said(&proxy), [""; 0], "nothing is due yet");
    proxy.advance(MILLISECOND).unwrap();
    assert_eq!(said(&proxy), ["number 0010"]);
    proxy.advance(25 * MILLISECOND).unwrap();
    assert_eq!(said(&proxy), ["number 0020", "number 0030"]);
    assert_eq!(proxy.now().duration_since(start).unwrap(), 35 * MILLISECOND);
}

#[test]
fn the_clock_is_the_walls() {
    let (proxy, _) = started(TICKS);
    assert_eq!(
        proxy.now().duration_since(SystemTime::UNIX_EPOCH).unwrap(),
        Duration::from_secs(1_767_225_600)
    );
}

#[test]
fn a_tick_may_change_its_period_and_end_it() {
    let (proxy, _) = started(
        &TICKS.replace("(param i32) (call $now)", "(param i32) (call $now) (drop (call $tick_period (global.get $next))) (global.set $next (i32.const 0))")
            .replacen("(func", "(global $next (mut i32) (i32.const 30)) (func", 1),
    );
    proxy.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(said(&proxy), ["number 0010", "number 0040"]);
}

#[test]
fn two_root_contexts_of_one_vm_tick_side_by_side() {
    let proxy = SimulatedProxy::new(&module(
        &TICKS.replace("(param i32) (call $now)", "(param $root i32) (call $number (local.get $root))"),
    ));
    let vm = proxy.start_vm("").unwrap();
    let old = vm.configure("old").unwrap();
    proxy.advance(5 * MILLISECOND).unwrap();
    let new = vm.configure("new").unwrap();
    proxy.advance(20 * MILLISECOND).unwrap();
    let line = |root: u32| format!("number {root:04}");
    assert_eq!(said(&proxy), [line(old.root()), line(new.root()), line(old.root()), line(new.root())]);

    assert!(old.shut_down().unwrap());
    proxy.advance(10 * MILLISECOND).unwrap();
    assert_eq!(said(&proxy), [line(new.root())], "the old configuration is gone");
}

#[test]
fn a_stopped_vm_ticks_no_more() {
    let (proxy, vm) = started(TICKS);
    vm.stop();
    proxy.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(said(&proxy), [""; 0]);
    assert!(vm.configure("").is_err());
}
