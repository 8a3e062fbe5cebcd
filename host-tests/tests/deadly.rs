//! Documents over which a VM dies, in a module that dies at a document's word: they are not compiled again.

use std::time::Duration;

use host_tests::{
    CLUSTER, FIRST_TICK, TRAP_COMPILING, TRAP_FOLLOWING, callout, configuration_with_source, document_with,
    proxy_with, start, trapping, upstream,
};
use serde_json::{Value, json};
use turquoise_host::LogLevel;
use turquoise_host::simulated::{Plugin, Response, SimulatedProxy, SimulatedVm};

const INTERVAL: Duration = Duration::from_secs(1);

/// After so long another VM asks, and a VM that did not come back is dead.
const HANDOVER: Duration = Duration::from_secs(5);

struct Fleet {
    proxy: SimulatedProxy,
    vms: Vec<(SimulatedVm, Plugin)>,
}

impl Fleet {
    /// VMs that obey a document of the source which sends everybody to green; the inlined one says blue.
    fn new(vms: usize) -> Self {
        let proxy = proxy_with(trapping());
        let vms = (0..vms).map(|_| start(&proxy, &configuration())).collect();
        let fleet = Self { proxy, vms };
        fleet.advance(FIRST_TICK);
        fleet.offer("green", "good", "\"1\"").unwrap();
        assert!(fleet.upstreams().iter().all(|upstream| upstream == "shop_green"));
        fleet
    }

    fn advance(&self, time: Duration) {
        self.proxy.advance(time).unwrap();
    }

    /// Answers the next question; fails if the VM that asked dies of it.
    fn offer(&self, variant: &str, text: &str, etag: &str) -> Result<(), turquoise_host::Error> {
        while self.proxy.callouts().is_empty() {
            self.advance(INTERVAL / 4);
        }
        let document = document(variant, text).to_string();
        callout(&self.proxy).answer(Response::new(200).header("etag", etag).json(document))
    }

    /// Takes the dead ones down; how many there were.
    fn bury(&mut self) -> usize {
        let before = self.vms.len();
        self.vms.retain(|(vm, _)| {
            let dead = vm.failure().is_some();
            if dead {
                vm.stop();
            }
            !dead
        });
        before - self.vms.len()
    }

    fn upstreams(&self) -> Vec<String> {
        host_tests::upstreams(&self.vms)
    }

    fn refusals(&self) -> u64 {
        self.proxy.counter("turquoise_refusals_total.reason=.=fatal;.;").unwrap()
    }
}

fn configuration() -> Value {
    let mut configuration = configuration_with_source();
    configuration["status"] = json!({ "tokens": ["t"] });
    configuration
}

fn document(variant: &str, text: &str) -> Value {
    document_with(|document| {
        document["flags"]["release"]["defaultVariant"] = json!(variant);
        document["metadata"] = json!({ "text": text });
    })
}

fn page(vm: &SimulatedVm) -> Value {
    let request = turquoise_host::simulated::Request::get("h", "/.turquoise/status");
    let outcome = vm.exchange(request.header("authorization", "Bearer t"), 200).unwrap();
    serde_json::from_slice(&outcome.response.unwrap().body).unwrap()
}

#[test]
fn the_next_vm_that_is_offered_it_refuses_it_and_another_document_is_tried_as_ever() {
    let mut fleet = Fleet::new(3);
    assert!(fleet.offer("blue", TRAP_COMPILING, "\"2\"").is_err(), "the VM that asks dies");
    assert_eq!(fleet.bury(), 1);
    fleet.advance(HANDOVER);
    fleet.offer("blue", TRAP_COMPILING, "\"2\"").unwrap();
    for _ in 0..5 {
        fleet.advance(INTERVAL);
        fleet.proxy.callouts().into_iter().for_each(|callout| callout.answer(304).unwrap());
    }
    assert_eq!((fleet.bury(), fleet.refusals()), (0, 1));
    assert_eq!(fleet.upstreams(), ["shop_green"; 2]);
    assert!(fleet.proxy.logged(LogLevel::Error, "a VM of this proxy died while it compiled it"));
    let error = &page(&fleet.vms[0].0)["lastError"];
    assert_eq!(error["stage"], "fatal", "{error}");
    fleet.offer("blue", "corrected", "\"3\"").unwrap();
    assert_eq!(fleet.upstreams(), ["shop_blue"; 2]);
}

#[test]
fn a_document_that_kills_those_who_take_it_over_is_withdrawn_from_all() {
    let mut fleet = Fleet::new(3);
    assert!(fleet.offer("blue", TRAP_FOLLOWING, "\"2\"").is_err());
    assert_eq!(fleet.bury(), 2, "all but the one that brought it");
    assert_eq!(fleet.upstreams(), ["shop_blue"]);
    // The proxy makes new ones when requests come. They live, and go by what was good.
    fleet.advance(Duration::from_millis(120));
    for _ in 0..2 {
        let vm = start(&fleet.proxy, &configuration());
        assert_eq!(upstream(&vm.1), "shop_green", "not by the inlined one");
        fleet.vms.push(vm);
    }
    fleet.advance(2 * INTERVAL);
    assert_eq!(fleet.bury(), 0);
    assert_eq!(fleet.upstreams(), ["shop_green"; 3]);
    assert!(fleet.proxy.logged(LogLevel::Error, "withdrawn, the one before is in force again"));
    // The source still has it, and goes on having it.
    fleet.offer("blue", TRAP_FOLLOWING, "\"2\"").unwrap();
    fleet.advance(2 * INTERVAL);
    assert_eq!(fleet.bury(), 0);
    assert_eq!(fleet.upstreams(), ["shop_green"; 3]);
    fleet.offer("blue", "corrected", "\"3\"").unwrap();
    assert_eq!(fleet.upstreams(), ["shop_blue"; 3]);
}

#[test]
fn a_first_document_that_kills_leaves_new_vms_with_the_inlined_one() {
    let proxy = proxy_with(trapping());
    let vms: Vec<_> = (0..2).map(|_| start(&proxy, &configuration())).collect();
    proxy.advance(FIRST_TICK).unwrap();
    let document = document("green", TRAP_FOLLOWING).to_string();
    assert!(callout(&proxy).answer(Response::new(200).header("etag", "\"1\"").json(document)).is_err());
    assert_eq!(vms.iter().filter(|(vm, _)| vm.failure().is_some()).count(), 1);
    for wait in [0, 300, 2000, 60_000] {
        proxy.advance(Duration::from_millis(120 + wait)).unwrap();
        let (vm, plugin) = start(&proxy, &configuration());
        proxy.advance(2 * INTERVAL).unwrap();
        assert_eq!(vm.failure(), None);
        assert_eq!(upstream(&plugin), "shop_blue");
    }
}

#[test]
fn a_vm_that_dies_of_something_else_condemns_nothing() {
    let mut fleet = Fleet::new(2);
    // Large enough for several slices, between which requests come.
    fleet.proxy.set_pace(Duration::from_millis(11));
    let mut large = document("blue", "good");
    for number in 0..500 {
        large["flags"][format!("flag-{number}")] = large["flags"]["greeting"].clone();
    }
    while fleet.proxy.callouts().is_empty() {
        fleet.advance(INTERVAL / 4);
    }
    let leader = callout(&fleet.proxy).root().vm;
    let answer = Response::new(200).header("etag", "\"2\"").json(large.to_string());
    callout(&fleet.proxy).answer(answer).unwrap();
    let request = turquoise_host::simulated::Request::get("h", "/").header("x-turquoise-test-trap", "now");
    let (vm, _) = fleet.vms.iter().find(|(vm, _)| vm.id() == leader).unwrap();
    assert!(vm.request(request).is_err());
    assert_eq!((fleet.bury(), fleet.upstreams()), (1, vec!["shop_green".to_owned()]));
    fleet.proxy.set_pace(Duration::ZERO);
    fleet.advance(HANDOVER);
    while fleet.proxy.callouts().is_empty() {
        fleet.advance(INTERVAL / 4);
    }
    callout(&fleet.proxy).answer(Response::new(200).header("etag", "\"2\"").json(large.to_string())).unwrap();
    assert_eq!((fleet.upstreams(), fleet.refusals()), (vec!["shop_blue".to_owned()], 0));
}

#[test]
fn every_configuration_of_the_proxy_learns_of_it() {
    let mut fleet = Fleet::new(2);
    assert!(fleet.offer("blue", TRAP_COMPILING, "\"2\"").is_err());
    assert_eq!(fleet.bury(), 1);
    fleet.advance(HANDOVER);
    let mut other = configuration();
    other["source"]["path"] = json!("/other.json");
    let vm = start(&fleet.proxy, &other);
    fleet.advance(FIRST_TICK);
    let asks = |path: &str| {
        let callouts = fleet.proxy.callouts();
        callouts.into_iter().find(|callout| callout.header(":path").as_deref() == Some(path)).unwrap()
    };
    assert_eq!(asks("/other.json").cluster(), CLUSTER);
    let document = document("blue", TRAP_COMPILING).to_string();
    asks("/other.json").answer(Response::new(200).json(document)).unwrap();
    assert_eq!((vm.0.failure(), fleet.refusals()), (None, 1));
}
