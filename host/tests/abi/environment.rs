//! Properties, foreign functions, and WASI.

use turquoise_host::simulated::{Request, Response, SimulatedProxy};
use turquoise_host::{LogLevel, Module};

use crate::guest::{module, said, started};

/// A guest that reads one property in the request, in the response and in the log.
fn reads(path: &str) -> String {
    let (size, path) = (path.len(), path.replace('\0', "\\00"));
    format!(
        r#"(data (i32.const 0) "{path}")
        (func $read
            (call $status (call $get_property (i32.const 0) (i32.const {size}) (global.get $data) (global.get $size)))
            (call $show))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $read) (i32.const 0))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (call $read) (i32.const 0))
        (func (export "proxy_on_log") (param i32) (call $read))"#
    )
}

/// What the guest read in the request, in the response and in the log, each a status and a value.
fn read(path: &str) -> [String; 3] {
    let (proxy, vm) = started(&reads(path));
    proxy.set_property(&["node", "id"], "proxy-1");
    let request =
        Request::get("a.b", "/c?d=e").header("x.y", "z").property(&["source", "address"], "1.2.3.4:5");
    vm.exchange(request, Response::new(418)).unwrap();
    let said = said(&proxy);
    let lines: Vec<_> =
        said.chunks(2).map(|line| format!("{} {}", &line[0]["status ".len()..], line[1])).collect();
    lines.try_into().unwrap()
}

#[test]
fn properties_are_there_when_envoy_has_them() {
    let always = |value: &str| ["00 ".to_owned() + value, "00 ".to_owned() + value, "00 ".to_owned() + value];
    assert_eq!(read("source\0address"), always("1.2.3.4:5"));
    assert_eq!(read("node\0id"), always("proxy-1"));
    assert_eq!(read("plugin_vm_id"), always("simulated"));
    for (path, value) in [
        ("request\0path", "/c?d=e"),
        ("request\0url_path", "/c"),
        ("request\0query", "d=e"),
        ("request\0host", "a.b"),
        ("request\0method", "GET"),
        ("request\0headers\0x.y", "z"),
    ] {
        let [request, response, log] = read(path);
        assert_eq!([&request, &log], [&format!("00 {value}"); 2], "{path:?}");
        assert!(response.starts_with("01 "), "{path:?} is gone in the response");
    }
    let [request, response, log] = read("response\0code");
    assert!(request.starts_with("01 "));
    let code = format!("00 {}", String::from_utf8_lossy(&418_u64.to_le_bytes()));
    assert_eq!([response, log], [code.clone(), code]);
    assert!(read("no\0such").iter().all(|line| line.starts_with("01 ")));
}

#[test]
fn a_property_that_the_guest_sets_stays_with_the_stream() {
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "upstream" "green")
        (func $set (call $status (call $set_property (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 5))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $set)
            (call $status (call $get_property (i32.const 0) (i32.const 8) (global.get $data) (global.get $size)))
            (call $show)
            (i32.const 0))
        (func (export "proxy_on_tick") (param i32) (call $set))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $tick_period (i32.const 1))) (i32.const 1))"#,
    );
    let exchange = vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(said(&proxy), ["status 00", "status 00", "green"]);
    assert_eq!(exchange.property(&["upstream"]).as_deref(), Some(&b"green"[..]));
    proxy.advance(std::time::Duration::from_millis(1)).unwrap();
    assert_eq!(said(&proxy), ["status 01"], "a root context has nothing to set it on");
}

#[test]
fn foreign_functions_are_called_by_name() {
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "clear_route_cache" "x" "args")
        (func $change
            (drop (call $add_header (i32.const 0) (i32.const 17) (i32.const 1) (i32.const 18) (i32.const 4))))
        (func (export "proxy_on_request_headers") (param i32) (param $count i32) (param i32) (result i32)
            (call $change)
            (call $status (call $foreign (i32.const 0) (i32.const 17) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
            (if (i32.gt_u (local.get $count) (i32.const 4)) (then (call $change)))
            (call $status (call $foreign (i32.const 17) (i32.const 1) (i32.const 18) (i32.const 4) (global.get $data) (global.get $size)))
            (i32.const 0))"#,
    );
    let outcome = vm.exchange(Request::get("a", "/"), 200).unwrap();
    assert_eq!(said(&proxy), ["status 00", "status 01"], "an unknown function is not found");
    assert!(outcome.route_cache_cleared && !outcome.route_stale);
    let outcome = vm.exchange(Request::get("a", "/").header("one", "more"), 200).unwrap();
    assert!(outcome.route_cache_cleared && outcome.route_stale, "changed after the cache was cleared");

    let calls = proxy.foreign_calls();
    assert_eq!((calls[1].name.as_str(), calls[1].arguments.as_slice()), ("x", &b"args"[..]));
    proxy.add_foreign_function("x", "result");
    proxy.clear_logs();
    vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(said(&proxy)[1], "status 00");
}

const WASI: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;

/// A module with imports of its own, which must come before everything else.
fn wasi(body: &str) -> Module {
    let frame = r#"(memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 0))"#;
    Module::new(format!("(module {WASI} {frame} {body})").as_bytes()).unwrap()
}

#[test]
fn what_a_guest_prints_is_logged() {
    let module = wasi(
        r#"(data (i32.const 0) "\20\00\00\00\06\00\00\00\26\00\00\00\06\00\00\00")
        (data (i32.const 32) "panic " "here!\n")
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
            (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 2) (i32.const 64)))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
            ;; Another file, and vectors outside of the memory: errors, and nothing is logged.
            (if (i32.ne (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 64)) (i32.const 8)) (then unreachable))
            (if (i32.ne (call $fd_write (i32.const 1) (i32.const -4) (i32.const 9) (i32.const 64)) (i32.const 21)) (then unreachable))
            (i32.eq (i32.load (i32.const 64)) (i32.const 6)))"#,
    );
    let proxy = SimulatedProxy::new(&module);
    proxy.start_vm("").unwrap();
    let lines: Vec<_> = proxy.logs().into_iter().map(|line| (line.level, line.message)).collect();
    let line = |level, text: &str| (level, text.to_owned());
    assert_eq!(lines, [line(LogLevel::Error, "panic here!"), line(LogLevel::Info, "panic ")]);
    assert!(proxy.logged(LogLevel::Error, "here") && !proxy.logged(LogLevel::Critical, "here"));

    proxy.clear_logs();
    proxy.set_log_level(LogLevel::Error);
    proxy.start_vm("").unwrap();
    assert_eq!(said(&proxy), ["panic here!"], "what is printed has a level too");
}

#[test]
fn random_bytes_follow_from_the_seed() {
    // Prints 32 random bytes as they are.
    let module = wasi(
        r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32)
            (drop (call $random (i32.const 0) (i32.const 32)))
            (i32.store (i32.const 64) (i32.const 0)) (i32.store (i32.const 68) (i32.const 32))
            (drop (call $fd_write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 72)))
            (i32.const 1))"#,
    );
    let bytes = |seed| {
        let proxy = SimulatedProxy::new(&module);
        proxy.seed_random(seed);
        proxy.start_vm("").unwrap();
        said(&proxy).remove(0)
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn there_is_a_clock_and_an_empty_environment() {
    // Starts only if all of this is so: two kinds of clock and no third, and no environment variables.
    let module = wasi(
        r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32)
            (i64.store (i32.const 48) (i64.const -1))
            (if (call $clock (i32.const 0) (i64.const 0) (i32.const 0)) (then unreachable))
            (if (call $clock (i32.const 1) (i64.const 0) (i32.const 8)) (then unreachable))
            (if (i32.ne (call $clock (i32.const 2) (i64.const 0) (i32.const 16)) (i32.const 58)) (then unreachable))
            (if (call $environ_sizes (i32.const 48) (i32.const 52)) (then unreachable))
            (if (i64.ne (i64.load (i32.const 0)) (i64.const 1767225607000000000)) (then unreachable))
            (if (i64.ne (i64.load (i32.const 8)) (i64.const 7000000000)) (then unreachable))
            (i64.eqz (i64.load (i32.const 48))))"#,
    );
    let proxy = SimulatedProxy::new(&module);
    proxy.advance(std::time::Duration::from_secs(7)).unwrap();
    proxy.start_vm("").unwrap();
}

#[test]
fn an_exit_is_a_trap() {
    let module = wasi(
        r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $exit (i32.const 3)) (i32.const 1))"#,
    );
    let error = SimulatedProxy::new(&module).start_vm("").unwrap_err();
    assert_eq!(error.to_string(), "the guest trapped in `proxy_on_vm_start`: it called `proc_exit(3)`");
}

#[test]
fn lines_below_the_proxys_level_are_dropped() {
    let proxy = SimulatedProxy::new(&module(
        r#"(data (i32.const 0) "quiet" "loud!")
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
            (drop (call $log (i32.const 2) (i32.const 0) (i32.const 5)))
            (drop (call $log (i32.const 3) (i32.const 5) (i32.const 5)))
            (i32.eq (call $log (i32.const 6) (i32.const 0) (i32.const 5)) (i32.const 2)))"#,
    ));
    proxy.set_log_level(LogLevel::Warn);
    proxy.start_vm("").unwrap();
    assert_eq!(said(&proxy), ["loud!"]);
}
