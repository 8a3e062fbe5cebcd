//! Pausing, resuming, answering, aborting; bodies.

use turquoise_host::Headers;
use turquoise_host::simulated::{Progress, Request, Response};

use crate::guest::{said, started};

/// Answers 404 with a body and a header `x: y` to whatever comes.
const ANSWERS: &str = r#"(data (i32.const 0) "not here")
    (data (i32.const 16) "\01\00\00\00\01\00\00\00\01\00\00\00x\00y\00")
    (data (i32.const 48) "after" "seen-by-filter")
    (func $answer
        (call $status (call $respond (i32.const 404) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 8) (i32.const 16) (i32.const 16) (i32.const -1)))
        (call $say (i32.const 48) (i32.const 5)))"#;

#[test]
fn a_local_response_is_sent_when_the_callback_has_returned() {
    let (proxy, vm) = started(&format!(
        r#"{ANSWERS}
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $answer) (i32.const 0))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (call $status (call $add_header (i32.const 2) (i32.const 53) (i32.const 14) (i32.const 0) (i32.const 3)))
            (i32.const 0))
        (func (export "proxy_on_response_body") (param i32) (param $size i32) (param i32) (result i32)
            (call $number (local.get $size))
            (i32.const 0))"#
    ));
    let exchange = vm.request(Request::get("a", "/").body("never shown")).unwrap();
    assert_eq!(exchange.progress(), Progress::Responded, "Continue does not matter after an answer");
    assert_eq!(said(&proxy), ["status 00", "after", "status 00", "number 0008"]);
    assert!(exchange.respond(200).is_err(), "there is no upstream to respond");
    let outcome = exchange.finish().unwrap();
    let local = outcome.local_response.unwrap();
    assert_eq!((local.status, local.grpc_status), (404, None));
    assert_eq!(local.headers, Headers::from([("x", "y")]));
    let sent = outcome.response.unwrap();
    assert_eq!(sent.body_text(), "not here");
    let expected = [
        (":status", "404"),
        ("x", "y"),
        ("content-length", "8"),
        ("content-type", "text/plain"),
        ("seen-by-filter", "not"),
    ];
    assert_eq!(sent.headers, Headers::from(expected), "the filter sees its own answer, as in Envoy");
}

#[test]
fn an_answer_in_the_response_replaces_the_upstreams_and_passes_the_filter_by() {
    let (proxy, vm) = started(&format!(
        r#"{ANSWERS}
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (call $answer) (i32.const 0))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) unreachable)"#
    ));
    let outcome = vm.exchange(Request::get("a", "/"), Response::new(200).text("upstream's")).unwrap();
    assert_eq!((outcome.status(), outcome.response.unwrap().body_text()), (404, "not here".to_owned()));
    assert_eq!(said(&proxy), ["status 00", "after"]);
}

#[test]
fn a_stream_is_aborted() {
    let (_, vm) = started(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $status (call $close (i32.const 0))) (i32.const 0))"#,
    );
    let outcome = vm.exchange(Request::get("a", "/"), 200).unwrap();
    assert_eq!((outcome.progress, outcome.response), (Progress::Reset, None));
}

/// Holds the request from its headers on, and goes on at the first tick; setting a header then comes too late.
const RESUMES_AT_A_TICK: &str = r#"(data (i32.const 0) "x")
    (global $held (mut i32) (i32.const 0))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $tick_period (i32.const 5))) (i32.const 1))
    (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
        (global.set $held (local.get $context))
        (i32.const 1))
    (func (export "proxy_on_request_body") (param i32) (param $size i32) (param i32) (result i32)
        (call $number (local.get $size)) (i32.const 1))
    (func (export "proxy_on_tick") (param i32)
        (call $status (call $effective (global.get $held)))
        (call $status (call $add_header (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
        (call $status (call $continue (i32.const 0)))
        (call $status (call $add_header (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))))"#;

#[test]
fn a_paused_request_waits_until_it_is_resumed() {
    let (proxy, vm) = started(RESUMES_AT_A_TICK);
    let exchange = vm.request(Request::get("a", "/").body("12").body("345")).unwrap();
    assert_eq!(exchange.progress(), Progress::Paused);
    assert!(exchange.respond(200).is_err(), "it has not reached the upstream");
    assert_eq!(said(&proxy), ["number 0002", "number 0005"], "the body follows, and is held back too");
    proxy.advance(std::time::Duration::from_millis(5)).unwrap();
    assert_eq!(said(&proxy), ["status 00", "status 00", "status 00", "status 02"]);
    assert_eq!(exchange.progress(), Progress::Forwarded);
    let outcome = exchange.finish().unwrap();
    assert_eq!(outcome.request_body, b"12345");
    assert_eq!(outcome.request_headers.all(b"x").count(), 1);
}

#[test]
fn without_the_option_the_body_waits_behind_paused_headers() {
    let (proxy, vm) = started(RESUMES_AT_A_TICK);
    proxy.set_allow_on_headers_stop_iteration(false);
    let exchange = vm.request(Request::get("a", "/").body("12")).unwrap();
    assert_eq!(said(&proxy), [""; 0]);
    proxy.advance(std::time::Duration::from_millis(5)).unwrap();
    assert_eq!(said(&proxy).last().unwrap(), "number 0002", "and comes once they are resumed");
    assert_eq!(exchange.progress(), Progress::Paused, "by which it is held in turn");
}

#[test]
fn a_body_is_collected_and_replaced() {
    // Pauses until the end, then puts "new" in the place of all of it, and more around it.
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "new" "<>")
        (func (export "proxy_on_response_body") (param i32) (param $size i32) (param $end i32) (result i32)
            (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
            (call $status (call $get_buffer (i32.const 1) (i32.const 1) (i32.const -1) (global.get $data) (global.get $size)))
            (call $show)
            (call $status (call $set_buffer (i32.const 1) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 3)))
            (call $status (call $set_buffer (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 1)))
            (call $status (call $set_buffer (i32.const 1) (i32.const 99) (i32.const 0) (i32.const 4) (i32.const 1)))
            (call $status (call $set_buffer (i32.const 1) (i32.const 2) (i32.const 1) (i32.const 0) (i32.const 3)))
            (i32.const 0))"#,
    );
    let outcome = vm.exchange(Request::get("a", "/"), Response::new(200).text("old body")).unwrap();
    let ok = "status 00";
    assert_eq!(
        said(&proxy),
        [ok, "ld body", ok, ok, ok, "status 02"],
        "Envoy does not replace in the middle"
    );
    assert_eq!(outcome.response.unwrap().body_text(), "<new>");
}

#[test]
fn a_root_context_has_no_stream_and_acts_on_none() {
    let (proxy, vm) = started(&format!(
        r#"{ANSWERS}
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (call $answer)
            (call $status (call $continue (i32.const 0)))
            (call $status (call $continue (i32.const 9)))
            (call $status (call $effective (i32.const 77)))
            (i32.const 1))"#
    ));
    assert_eq!(said(&proxy), ["status 00", "after", "status 00", "status 02", "status 02"]);
    assert_eq!(vm.exchange(Request::get("a", "/"), 200).unwrap().status(), 200);
}

#[test]
fn a_chosen_context_lasts_for_one_callback() {
    // Chooses the request's context in the first tick only, and asks for its path in each.
    let (proxy, vm) = started(
        r#"(data (i32.const 0) ":path")
        (global $chosen (mut i32) (i32.const 0))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $tick_period (i32.const 1))) (i32.const 1))
        (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
            (global.set $chosen (local.get $context)) (i32.const 1))
        (func (export "proxy_on_tick") (param i32)
            (if (global.get $chosen) (then (call $status (call $effective (global.get $chosen)))))
            (global.set $chosen (i32.const 0))
            (call $status (call $get_header (i32.const 0) (i32.const 0) (i32.const 5) (global.get $data) (global.get $size))))"#,
    );
    vm.request(Request::get("a", "/")).unwrap();
    proxy.advance(std::time::Duration::from_millis(2)).unwrap();
    assert_eq!(said(&proxy), ["status 00", "status 00", "status 02"]);
}

#[test]
fn the_first_of_two_answers_counts_and_an_empty_one_has_no_length() {
    let (_, vm) = started(
        r#"(data (i32.const 0) "\01\00\00\00\0e\00\00\00\01\00\00\00content-length\009\00")
        (func $answer (param $status i32)
            (call $status (call $respond (local.get $status) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 29) (i32.const -1))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $answer (i32.const 404)) (call $answer (i32.const 500)) (i32.const 1))"#,
    );
    let outcome = vm.exchange(Request::get("a", "/"), 200).unwrap();
    assert_eq!(outcome.response.unwrap().headers, Headers::from([(":status", "404")]));
    assert!(outcome.local_response.unwrap().headers.contains("content-length"));
}
