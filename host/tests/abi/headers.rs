//! Header maps: what can be read and changed, and when.

use turquoise_host::Headers;
use turquoise_host::simulated::{Progress, Request, Response};

use crate::guest::{said, started};

/// Request headers are map 0, response headers map 2.
#[test]
fn headers_are_read_added_replaced_and_removed() {
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "x-a" "x-b" "x-c" "new")
        (func (export "proxy_on_request_headers") (param i32) (param $count i32) (param $end i32) (result i32)
            (call $number (local.get $count))
            (call $number (local.get $end))
            (call $status (call $get_header (i32.const 0) (i32.const 0) (i32.const 3) (global.get $data) (global.get $size)))
            (call $show)
            (call $status (call $replace_header (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 9) (i32.const 3)))
            (call $status (call $remove_header (i32.const 0) (i32.const 3) (i32.const 3)))
            (call $status (call $add_header (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 9) (i32.const 3)))
            (call $status (call $get_header (i32.const 0) (i32.const 3) (i32.const 3) (global.get $data) (global.get $size)))
            (i32.const 0))"#,
    );
    let request = Headers::from([("X-A", "1"), ("x-b", "2"), ("x-a", "3"), ("x-b", "4"), ("x-c", "5")]);
    let outcome = vm.exchange(request, 200).unwrap();
    let ok = "status 00";
    assert_eq!(said(&proxy), ["number 0005", "number 0001", ok, "1", ok, ok, ok, "status 01"]);
    assert_eq!(outcome.request_headers, Headers::from([("x-a", "new"), ("x-c", "5"), ("x-c", "new")]));
}

#[test]
fn values_are_bytes_and_maps_cross_whole() {
    // Takes the whole map as it lies, and sets it as the response's.
    let (_, vm) = started(
        r#"(global $pairs (mut i32) (i32.const 0))
        (global $pairs_size (mut i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $status (call $get_pairs (i32.const 0) (global.get $data) (global.get $size)))
            (global.set $pairs (i32.load (global.get $data)))
            (global.set $pairs_size (i32.load (global.get $size)))
            (i32.const 0))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (call $status (call $set_pairs (i32.const 2) (global.get $pairs) (global.get $pairs_size)))
            (i32.const 0))"#,
    );
    let mut headers = Headers::from([(":path", ""), ("name", "value"), ("name", "again")]);
    headers.add("bytes", [0, 0xff, b'\n']);
    let outcome = vm.exchange(headers.clone(), 200).unwrap();
    assert_eq!(outcome.response.unwrap().headers, headers);
}

/// The guest of the next two tests: asks for `:path` of the request in every phase.
const ASKS_FOR_THE_PATH: &str = r#"(data (i32.const 0) ":path")
    (func $ask
        (call $status (call $get_header (i32.const 0) (i32.const 0) (i32.const 5) (global.get $data) (global.get $size))))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $ask) (i32.const 0))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (call $ask)
        (call $status (call $get_pairs (i32.const 0) (global.get $data) (global.get $size)))
        (call $number (i32.load (global.get $size)))
        (i32.const 0))
    (func (export "proxy_on_log") (param i32)
        (call $ask)
        (call $status (call $remove_header (i32.const 0) (i32.const 0) (i32.const 5))))
    (func (export "proxy_on_tick") (param i32) (call $ask))
    (func (export "proxy_on_configure") (param i32 i32) (result i32) (call $tick_period (i32.const 1)) (drop) (i32.const 1))"#;

#[test]
fn the_request_is_gone_in_the_response_and_back_in_the_log() {
    let (proxy, vm) = started(ASKS_FOR_THE_PATH);
    let exchange = vm.request(Request::get("a", "/b")).unwrap();
    assert_eq!(said(&proxy), ["status 00"]);
    exchange.respond(200).unwrap();
    assert_eq!(said(&proxy), ["status 02", "status 00", "number 0000"], "one header fails, the map is empty");
    let outcome = exchange.finish().unwrap();
    assert_eq!(said(&proxy), ["status 00", "status 02"], "the log reads, and changes nothing");
    assert_eq!(outcome.request_header(":path").as_deref(), Some("/b"));
}

#[test]
fn a_root_context_has_no_headers() {
    let (proxy, _) = started(ASKS_FOR_THE_PATH);
    proxy.advance(std::time::Duration::from_millis(1)).unwrap();
    assert_eq!(said(&proxy), ["status 02"]);
}

#[test]
fn arguments_that_make_no_sense_are_refused_and_kill_nobody() {
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "x")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            ;; No such map.
            (call $status (call $get_header (i32.const 8) (i32.const 0) (i32.const 1) (global.get $data) (global.get $size)))
            ;; A name that ends past the memory, and one that ends past all memory.
            (call $status (call $get_header (i32.const 0) (i32.const 131071) (i32.const 2) (global.get $data) (global.get $size)))
            (call $status (call $remove_header (i32.const 0) (i32.const -1) (i32.const -1)))
            ;; Nowhere to write the address.
            (call $status (call $get_pairs (i32.const 0) (i32.const 131070) (global.get $size)))
            ;; How much was allocated for it: nothing, since nobody could free it.
            (call $number (i32.sub (global.get $free) (i32.const 65536)))
            ;; A map whose bytes are none.
            (i32.store (i32.const 16) (i32.const 99))
            (call $status (call $set_pairs (i32.const 0) (i32.const 16) (i32.const 8)))
            ;; A callout's answer, outside of a callout, and one that may not be changed at all.
            (call $status (call $get_header (i32.const 6) (i32.const 0) (i32.const 1) (global.get $data) (global.get $size)))
            (call $status (call $add_header (i32.const 6) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
            (i32.const 0))"#,
    );
    let exchange = vm.request(Headers::from([("y", "z")])).unwrap();
    let (bad, memory) = ("status 02", "status 06");
    assert_eq!(said(&proxy), [bad, memory, memory, memory, "number 0000", bad, bad, bad]);
    assert_eq!(exchange.outcome().request_headers, Headers::from([("y", "z")]));
    assert_eq!(exchange.progress(), Progress::Forwarded);
}

#[test]
fn trailers_have_their_own_callbacks() {
    let (proxy, vm) = started(
        r#"(data (i32.const 0) "t" "u")
        (func (export "proxy_on_request_trailers") (param i32) (param $count i32) (result i32)
            (call $number (local.get $count))
            (call $status (call $get_header (i32.const 1) (i32.const 0) (i32.const 1) (global.get $data) (global.get $size)))
            (call $show)
            (i32.const 0))
        (func (export "proxy_on_response_trailers") (param i32) (param $count i32) (result i32)
            (call $status (call $add_header (i32.const 3) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 1)))
            (i32.const 0))"#,
    );
    let request = Request::get("a", "/").body("body").trailer("t", "from the client");
    let outcome = vm.exchange(request, Response::new(200).trailer("v", "w")).unwrap();
    assert_eq!(said(&proxy), ["number 0001", "status 00", "from the client", "status 00"]);
    assert_eq!(outcome.response.unwrap().trailers, Headers::from([("v", "w"), ("u", "t")]));
}
