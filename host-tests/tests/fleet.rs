//! The VMs of one proxy: one asks the source, all obey.

use std::time::Duration;

use host_tests::{
    FIRST_TICK, callout, configuration_with_source, document_gauge, document_with, lines, proxy, start,
};
use serde_json::{Value, json};
use turquoise_core::feed::Lease;
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Plugin, Request, Response, SimulatedProxy, SimulatedVm};

const INTERVAL: Duration = Duration::from_secs(1);

/// The longest time that a source goes unasked when the VM that asked it dies.
const HANDOVER: Duration = Duration::from_secs(5);

struct Fleet {
    proxy: SimulatedProxy,
    vms: Vec<(SimulatedVm, Plugin)>,
    configuration: Value,
}

impl Fleet {
    /// A proxy with so many VMs, and before them one that is configured and dropped, as Envoy does.
    fn new(vms: usize, configuration: Value) -> Self {
        let mut fleet = Self { proxy: proxy(), vms: Vec::new(), configuration };
        fleet.start().0.stop();
        for _ in 0..vms {
            let vm = fleet.start();
            fleet.vms.push(vm);
        }
        fleet.advance(FIRST_TICK);
        fleet
    }

    fn start(&self) -> (SimulatedVm, Plugin) {
        start(&self.proxy, &self.configuration)
    }

    fn advance(&self, time: Duration) {
        self.proxy.advance(time).unwrap();
    }

    /// Answers the one callout that waits.
    fn answer(&self, response: Response) {
        callout(&self.proxy).answer(response).unwrap();
    }

    /// Where each VM sends a request.
    fn upstreams(&self) -> Vec<String> {
        host_tests::upstreams(&self.vms)
    }
}

fn switched_to(variant: &str, etag: &str) -> Response {
    let document = document_with(|document| document["flags"]["release"]["defaultVariant"] = json!(variant));
    Response::new(200).header("etag", etag).json(document.to_string())
}

#[test]
fn one_vm_asks_and_all_obey_at_once() {
    let fleet = Fleet::new(4, configuration_with_source());
    assert_eq!(fleet.proxy.callouts_made(), 1);
    fleet.answer(switched_to("green", "\"1\""));
    assert_eq!(fleet.upstreams(), ["shop_green"; 4], "without another tick");
    assert_eq!(fleet.proxy.counter("turquoise_document_swaps_total"), Some(4));
    assert_eq!(document_gauge(&fleet.proxy, "generation"), Some(2));
    fleet.advance(INTERVAL);
    assert_eq!(fleet.proxy.callouts_made(), 2, "one question for all of them");
}

#[test]
fn a_vm_that_was_not_woken_looks_at_its_next_tick() {
    let fleet = Fleet::new(3, configuration_with_source());
    // Nobody knows of the others' queues any more.
    let keys = fleet.proxy.shared_data_keys();
    let members = keys.iter().find(|key| key.ends_with(".members")).unwrap();
    fleet.proxy.set_shared_data(members, "");
    fleet.answer(switched_to("green", "\"1\""));
    assert_eq!(fleet.upstreams().iter().filter(|upstream| *upstream == "shop_green").count(), 1);
    fleet.advance(INTERVAL);
    assert_eq!(fleet.upstreams(), ["shop_green"; 3]);
}

#[test]
fn a_new_vm_starts_from_what_the_proxy_has() {
    let mut fleet = Fleet::new(1, configuration_with_source());
    fleet.answer(switched_to("green", "\"1\""));
    let late = fleet.start();
    fleet.vms.push(late);
    assert_eq!(
        fleet.upstreams(),
        ["shop_green"; 2],
        "before its first tick, with the source never asked again"
    );
}

#[test]
fn another_vm_leads_when_the_leader_is_gone() {
    let mut fleet = Fleet::new(3, configuration_with_source());
    fleet.answer(switched_to("green", "\"1\""));
    fleet.advance(INTERVAL);
    let callout = fleet.proxy.callouts().remove(0);
    let leader = fleet.vms.iter().position(|(vm, _)| vm.id() == callout.root().vm).unwrap();
    fleet.vms.remove(leader).0.stop();
    callout.forget();
    fleet.advance(HANDOVER);
    let callouts = fleet.proxy.callouts();
    assert_eq!(callouts.len(), 1, "one other VM asks");
    assert_eq!(
        callouts[0].header("if-none-match").as_deref(),
        Some("\"1\""),
        "with the ETag that the proxy knows"
    );
    callouts[0].answer(switched_to("blue", "\"2\"")).unwrap();
    assert_eq!(fleet.upstreams(), ["shop_blue"; 2]);
    assert_eq!(document_gauge(&fleet.proxy, "generation"), Some(3));
}

#[test]
fn a_leader_that_is_drained_hands_over() {
    let fleet = Fleet::new(2, configuration_with_source());
    fleet.answer(switched_to("green", "\"1\""));
    fleet.advance(INTERVAL);
    let callout = fleet.proxy.callouts().remove(0);
    let (_, plugin) = fleet.vms.iter().find(|(vm, _)| vm.id() == callout.root().vm).unwrap();
    plugin.shut_down().unwrap();
    callout.forget();
    fleet.advance(INTERVAL);
    let next = fleet.proxy.callouts().remove(0);
    assert_ne!(next.root(), callout.root(), "at the next tick, without waiting for the lease to end");
}

#[test]
fn a_new_configuration_has_the_document_and_a_leader_of_its_own() {
    let fleet = Fleet::new(1, configuration_with_source());
    fleet.answer(switched_to("green", "\"1\""));
    let mut second = configuration_with_source();
    second["upstreamHeader"] = json!("x-where");
    let plugin = fleet.vms[0].0.configure(second.to_string()).unwrap();
    assert!(plugin.accepted());
    let exchange = plugin.request(Request::get("h", "/hello")).unwrap();
    assert_eq!(
        exchange.request_header("x-where").as_deref(),
        Some("shop_green"),
        "from the first request on"
    );
    fleet.advance(FIRST_TICK);
    fleet.answer(Response::new(304));
    fleet.advance(INTERVAL);
    assert_eq!(fleet.proxy.callouts().len(), 2, "both ask, the one that drains and its successor");
    for callout in fleet.proxy.callouts() {
        callout.answer(switched_to("blue", "\"2\"")).unwrap();
    }
    let exchange = plugin.request(Request::get("h", "/hello")).unwrap();
    assert_eq!(exchange.request_header("x-where").as_deref(), Some("shop_blue"));
    let draining = fleet.vms[0].1.request(Request::get("h", "/hello")).unwrap();
    assert_eq!(draining.request_header("x-turquoise-upstream").as_deref(), Some("shop_blue"));
}

fn long_polling() -> Value {
    let mut configuration = configuration_with_source();
    configuration["source"]["longPoll"] = json!("30s");
    configuration
}

#[test]
fn a_long_poll_waits_and_is_followed_by_the_next_at_once() {
    let fleet = Fleet::new(2, long_polling());
    assert_eq!(fleet.proxy.callouts()[0].header("prefer"), None, "there is no ETag to wait for a change of");
    fleet.answer(switched_to("green", "\"1\""));
    for (variant, etag) in [("blue", "\"2\""), ("green", "\"3\"")] {
        let callout = fleet.proxy.callouts().remove(0);
        assert_eq!(callout.header("prefer").as_deref(), Some("wait=30"));
        assert_eq!(callout.call().timeout, Duration::from_millis(30_500));
        fleet.advance(Duration::from_secs(20));
        assert_eq!(fleet.proxy.callouts().len(), 1, "one question waits, however many ticks pass");
        callout.answer(switched_to(variant, etag)).unwrap();
        assert_eq!(fleet.upstreams(), [format!("shop_{variant}"), format!("shop_{variant}")]);
    }
    fleet.advance(Duration::from_secs(29));
    fleet.answer(Response::new(304));
    assert_eq!(fleet.proxy.callouts().len(), 1);
}

#[test]
fn a_source_that_does_not_wait_is_asked_at_intervals() {
    let fleet = Fleet::new(1, long_polling());
    fleet.answer(switched_to("green", "\"1\""));
    fleet.answer(Response::new(304));
    assert_eq!(fleet.proxy.callouts().len(), 0);
    fleet.advance(INTERVAL);
    assert_eq!(fleet.proxy.callouts().len(), 1);
}

#[test]
fn a_source_without_etags_is_asked_at_intervals_too() {
    let fleet = Fleet::new(1, long_polling());
    for _ in 0..3 {
        fleet.answer(Response::new(200).json(document_with(|_| {}).to_string()));
        assert_eq!(fleet.proxy.callouts().len(), 0, "not at once");
        fleet.advance(INTERVAL);
    }
}

#[test]
fn an_answer_that_comes_after_the_lease_was_lost_changes_nothing() {
    let fleet = Fleet::new(2, long_polling());
    fleet.answer(switched_to("green", "\"1\""));
    let late = fleet.proxy.callouts().remove(0);
    // Another VM takes the lease, as if the leader had stood still for long.
    let keys = fleet.proxy.shared_data_keys();
    let lease = keys.iter().find(|key| key.ends_with(".lease")).unwrap();
    let now = fleet.proxy.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    fleet.proxy.set_shared_data(lease, Lease::new(7, now).encode());
    late.answer(switched_to("blue", "\"0\"")).unwrap();
    assert_eq!(fleet.upstreams(), ["shop_green"; 2]);
}

#[test]
fn a_configuration_that_declines_the_document_says_so_and_does_not_count_it_as_fresh() {
    let fleet = Fleet::new(1, configuration_with_source());
    fleet.answer(switched_to("green", "\"1\""));
    let mut narrower = configuration_with_source();
    narrower["upstreams"] = json!(["shop_blue", "shop_red"]);
    narrower["document"] = json!({ "flags": {} });
    let plugin = fleet.vms[0].0.configure(narrower.to_string()).unwrap();
    assert!(plugin.accepted());
    assert!(fleet.proxy.logged(LogLevel::Error, "refused under this configuration"));
    fleet.vms[0].1.shut_down().unwrap();
    fleet.proxy.clear_logs();
    fleet.advance(FIRST_TICK);
    let callout =
        fleet.proxy.callouts().into_iter().find(|callout| callout.root().context == plugin.root()).unwrap();
    assert_eq!(callout.header("if-none-match"), None, "a 304 would speak of a document that is not in force");
    callout.answer(switched_to("green", "\"1\"")).unwrap();
    assert!(fleet.proxy.logged(LogLevel::Error, "was refused"), "{:?}", fleet.proxy.logs());
    assert!(!fleet.proxy.logged(LogLevel::Info, "answers again"));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_polling() {
    let fleet = Fleet::new(1, configuration_with_source());
    fleet.answer(switched_to("green", "\"1\""));
    fleet.proxy.set_clock_back(Duration::from_secs(3600));
    fleet.advance(INTERVAL);
    assert_eq!(fleet.proxy.callouts().len(), 1);
}

#[test]
fn etags_that_change_all_the_time_are_no_reason_to_ask_all_the_time() {
    let fleet = Fleet::new(1, long_polling());
    for number in 0.. {
        let Some(callout) = fleet.proxy.callouts().pop() else { break };
        assert!(number < 10, "the source is asked in a loop");
        let etag = format!("\"{}\"", number % 2);
        callout.answer(switched_to(if number % 2 == 0 { "green" } else { "blue" }, &etag)).unwrap();
    }
    fleet.advance(INTERVAL);
    assert_eq!(fleet.proxy.callouts().len(), 1);
}

#[test]
fn a_source_that_fails_is_asked_less_and_less_but_never_given_up() {
    let fleet = Fleet::new(1, configuration_with_source());
    let mut made = Vec::new();
    for _ in 0..4 {
        let before = fleet.proxy.callouts_made();
        for _ in 0..30 {
            for callout in fleet.proxy.callouts() {
                callout.answer(500).unwrap();
            }
            fleet.advance(INTERVAL);
        }
        made.push(fleet.proxy.callouts_made() - before);
    }
    assert!(made[0] > made[3], "{made:?}");
    assert!(made[3] >= 3, "every ten seconds at least: {made:?}");
}

#[test]
fn trouble_and_its_end_are_told_once_whichever_vm_asks() {
    let mut fleet = Fleet::new(3, configuration_with_source());
    fleet.answer(Response::new(500));
    while fleet.vms.len() > 1 {
        while fleet.proxy.callouts().is_empty() {
            fleet.advance(INTERVAL);
        }
        let asks = callout(&fleet.proxy);
        asks.answer(Response::new(500)).unwrap();
        fleet.vms.retain(|(vm, _)| {
            let stays = vm.id() != asks.root().vm;
            if !stays {
                vm.stop();
            }
            stays
        });
    }
    let errors = lines(&fleet.proxy, LogLevel::Error);
    assert_eq!(errors.len(), 1, "{errors:?}");
    // The VM that is left never had any trouble of its own.
    while fleet.proxy.callouts().is_empty() {
        fleet.advance(INTERVAL);
    }
    fleet.answer(switched_to("green", "\"1\""));
    let infos = lines(&fleet.proxy, LogLevel::Info);
    assert!(infos.len() == 1 && infos[0].contains("the source answers again"), "{infos:?}");
}

#[test]
fn trouble_that_comes_back_with_its_configuration_is_told_again() {
    let fleet = Fleet::new(1, configuration_with_source());
    fleet.answer(Response::new(500));
    fleet.vms[0].0.stop();
    fleet.advance(Duration::from_secs(3600));
    let _later = fleet.start();
    fleet.advance(FIRST_TICK);
    fleet.answer(Response::new(500));
    let errors = lines(&fleet.proxy, LogLevel::Error);
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn what_is_odd_in_a_document_is_told_once_and_not_by_each_vm() {
    let mut configuration = configuration_with_source();
    let wrong = json!({ "no_such_operator": [1] });
    configuration["document"] = document_with(|document| document["flags"]["greeting"]["targeting"] = wrong);
    let fleet = Fleet::new(3, configuration);
    let warnings = lines(&fleet.proxy, LogLevel::Warn);
    assert!(warnings.len() == 1 && warnings[0].contains("`no_such_operator`"), "{warnings:?}");
    fleet.answer(Response::new(500));
    let errors = lines(&fleet.proxy, LogLevel::Error);
    assert!(errors.len() == 1 && !errors[0].contains("left out"), "{errors:?}");
}
