//! HTTP callouts: how they start, and the shapes in which their answers arrive.

use std::time::Duration;

use turquoise_host::simulated::{CalloutFailure, Progress, Request, Response, SimulatedProxy};
use turquoise_host::{Error, Status};

use crate::guest::{module, said, started};

/// Calls the cluster `up` at every tick, with a timeout of 2 s and a body, and shows the answer.
const CALLS: &str = r#"
    (data (i32.const 0) "up" "body" ":status" "etag")
    (data (i32.const 100) "\03\00\00\00"
        "\07\00\00\00\03\00\00\00" "\05\00\00\00\02\00\00\00" "\0a\00\00\00\01\00\00\00"
        ":method\00GET\00" ":path\00/p\00" ":authority\00h\00")
    (func $call (param $timeout i32)
        (call $status (call $http_call (i32.const 0) (i32.const 2) (i32.const 100) (i32.const 62)
            (i32.const 2) (i32.const 4) (i32.const 0) (i32.const 0) (local.get $timeout) (i32.const 500))))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $tick_period (i32.const 1000))) (i32.const 1))
    (func (export "proxy_on_tick") (param i32) (call $call (i32.const 2000)))
    (func (export "proxy_on_http_call_response")
        (param i32) (param $token i32) (param $headers i32) (param $body i32) (param $trailers i32)
        (call $number (local.get $token))
        (call $number (local.get $headers))
        (call $number (local.get $body))
        (call $number (local.get $trailers))
        (call $status (call $get_header (i32.const 6) (i32.const 6) (i32.const 7) (global.get $data) (global.get $size)))
        (if (local.get $headers) (then
            (call $show)
            (call $status (call $get_header (i32.const 6) (i32.const 13) (i32.const 4) (global.get $data) (global.get $size)))
            (call $status (call $get_buffer (i32.const 4) (i32.const 0) (i32.const -1) (global.get $data) (global.get $size)))
            (call $show)))
        (call $status (call $get_pairs (i32.const 6) (global.get $data) (global.get $size))))"#;

const SECOND: Duration = Duration::from_secs(1);

fn calling() -> SimulatedProxy {
    let (proxy, _) = started(CALLS);
    proxy.add_cluster("up");
    proxy.advance(SECOND).unwrap();
    assert_eq!(said(&proxy), ["status 00"]);
    proxy
}

#[test]
fn a_callout_is_recorded_and_answered_when_the_test_chooses() {
    let proxy = calling();
    let [callout] = proxy.callouts().try_into().unwrap();
    assert_eq!(callout.cluster(), "up");
    assert_eq!(callout.header(":path").as_deref(), Some("/p"));
    assert_eq!((callout.call().body.as_slice(), callout.call().timeout), (&b"body"[..], 2 * SECOND));

    let answer = Response::new(200).header("etag", "\"1\"").body("{}").trailer("t", "u");
    callout.answer(answer).unwrap();
    let ok = "status 00";
    let shown = ["number 0001", "number 0002", "number 0002", "number 0001", ok, "200", ok, ok, "{}", ok];
    assert_eq!(said(&proxy), shown);
    assert!(proxy.callouts().is_empty());
    assert!(matches!(callout.answer(200), Err(Error::Misuse { .. })), "one answer is all");
}

#[test]
fn a_failure_before_the_headers_is_a_response_made_by_the_proxy() {
    let proxy = calling();
    proxy.callouts()[0].fail(CalloutFailure::Refused).unwrap();
    assert!(said(&proxy).contains(&"503".to_owned()));
}

#[test]
fn a_broken_answer_has_no_headers_and_no_body() {
    for failure in [CalloutFailure::Truncated, CalloutFailure::TooLong] {
        let proxy = calling();
        proxy.callouts()[0].fail(failure).unwrap();
        let nothing = "number 0000";
        let shown = ["number 0001", nothing, nothing, nothing, "status 02", "status 00"];
        assert_eq!(said(&proxy), shown, "a header that is asked for all the same is a bad argument");
    }
}

#[test]
fn the_timeout_comes_by_the_clock_and_a_late_answer_finds_nobody() {
    let proxy = calling();
    let late = proxy.callouts().remove(0);
    proxy.advance(SECOND).unwrap();
    proxy.clear_logs();
    proxy.advance(SECOND).unwrap();
    assert!(said(&proxy).contains(&"504".to_owned()));
    assert!(matches!(late.answer(200), Err(Error::Misuse { .. })));
    assert_eq!(proxy.callouts().len(), 2, "those of the later ticks are still open");
}

#[test]
fn a_forgotten_callout_is_never_answered() {
    let proxy = calling();
    proxy.callouts()[0].forget();
    proxy.advance(SECOND).unwrap();
    proxy.clear_logs();
    proxy.advance(SECOND).unwrap();
    assert_eq!(said(&proxy), ["status 00"], "the third tick's call, and no timeout of the first");
    assert_eq!(proxy.callouts_made(), 3);
}

#[test]
fn a_call_that_cannot_start_says_why_at_once() {
    let (proxy, vm) = started(&format!(
        r#"{CALLS}
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $call (i32.const 1))
            (call $call (i32.const -1))
            ;; No headers, so no :method, :path and :authority.
            (call $status (call $http_call (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 500)))
            ;; Nowhere to write the token.
            (call $status (call $http_call (i32.const 0) (i32.const 2) (i32.const 100) (i32.const 62)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const -1)))
            (i32.const 0))"#
    ));
    let status = |status: Status| format!("status {:02}", status as u32);
    let (bad, memory) = (status(Status::BadArgument), status(Status::InvalidMemoryAccess));
    vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(said(&proxy), [bad.clone(), bad.clone(), bad.clone(), memory.clone()], "an unknown cluster");
    proxy.add_cluster("up");
    proxy.set_endpoints("up", false);
    vm.request(Request::get("a", "/")).unwrap();
    let failure = status(Status::InternalFailure);
    assert_eq!(
        said(&proxy),
        [failure, bad.clone(), bad.clone(), memory.clone()],
        "a cluster without endpoints"
    );
    proxy.set_endpoints("up", true);
    vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(said(&proxy), [status(Status::Ok), bad.clone(), bad, memory]);
    assert_eq!(proxy.callouts_made(), 1, "only one of them all was sent");
}

#[test]
fn a_request_waits_for_the_answer_of_a_callout() {
    let (proxy, vm) = started(
        &CALLS
            .replace("(call $number (local.get $token))", "(drop (call $effective (global.get $waiting)))")
            .replace("(call $number (local.get $headers))", "(drop (call $continue (i32.const 0)))")
            .replace(
                r#"(func (export "proxy_on_configure")"#,
                r#"(global $waiting (mut i32) (i32.const 0))
                (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
                    (global.set $waiting (local.get $context)) (call $call (i32.const 0)) (i32.const 1))
                (func (export "proxy_on_configure")"#,
            ),
    );
    proxy.add_cluster("up");
    let exchange = vm.request(Request::get("a", "/")).unwrap();
    assert_eq!(exchange.progress(), Progress::Paused);
    let callout = proxy.callouts().remove(0);
    assert_eq!(callout.call().timeout, Duration::ZERO);
    proxy.advance(Duration::from_millis(900)).unwrap();
    callout.answer(200).unwrap();
    assert_eq!(exchange.progress(), Progress::Forwarded, "the request goes on by itself");
    assert_eq!(exchange.respond(204).unwrap().status(), 204);
}

#[test]
fn tokens_are_unique_in_a_vm_and_every_vm_counts_for_itself() {
    let proxy = SimulatedProxy::new(&module(CALLS));
    proxy.add_cluster("up");
    let vm = proxy.start_vm("").unwrap();
    let mut roots = vec![vm.configure("old").unwrap().root(), vm.configure("new").unwrap().root()];
    let other = proxy.start_vm("").unwrap();
    roots.push(other.configure("old").unwrap().root());
    proxy.advance(SECOND).unwrap();
    let callouts = proxy.callouts();
    assert_eq!(callouts.iter().map(|callout| callout.root().context).collect::<Vec<_>>(), roots);
    let tokens = callouts.into_iter().map(|callout| {
        proxy.clear_logs();
        callout.answer(200).unwrap();
        said(&proxy)[0].clone()
    });
    assert_eq!(tokens.collect::<Vec<_>>(), ["number 0001", "number 0002", "number 0001"]);
}

#[test]
fn an_answer_is_there_only_in_its_callback_and_for_its_root_context() {
    // In the callback of root context 1 asks for the status as itself, then as root context 2; and at each tick.
    let ask = "(call $status (call $get_header (i32.const 6) (i32.const 6) (i32.const 7) (global.get $data) (global.get $size)))";
    let proxy = SimulatedProxy::new(&module(&format!(
        r#"{}
        (func (export "proxy_on_tick") (param i32) {ask})
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $call (i32.const 0)) (i32.const 1))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
            {ask} (call $status (call $effective (i32.const 2))) {ask})"#,
        CALLS.split(r#"(func (export "proxy_on_tick")"#).next().unwrap()
    )));
    proxy.add_cluster("up");
    let vm = proxy.start_vm("").unwrap();
    vm.configure("one").unwrap();
    vm.configure("two").unwrap();
    proxy.clear_logs();
    proxy.callouts()[0].answer(200).unwrap();
    assert_eq!(said(&proxy), ["status 00", "status 00", "status 02"]);
    proxy.advance(SECOND).unwrap();
    assert_eq!(said(&proxy), ["status 02", "status 02"]);
}
