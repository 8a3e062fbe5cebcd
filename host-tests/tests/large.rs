//! Documents that take longer to compile than a request should wait.

use std::time::Duration;

use host_tests::{FIRST_TICK, callout, configuration_with_source, document, document_with, proxy, start};
use serde_json::{Value, json};
use turquoise_host::simulated::{Plugin, Response, SimulatedProxy, SimulatedVm};

const INTERVAL: Duration = Duration::from_secs(1);

/// Time that passes whenever the module looks at the clock: so every slice ends after a few steps.
const PACE: Duration = Duration::from_micros(400);

struct Fleet {
    proxy: SimulatedProxy,
    vms: Vec<(SimulatedVm, Plugin)>,
}

impl Fleet {
    /// VMs that obey the small document and have each served a request; the last serves none, as that on Envoy's main
    /// thread.
    fn new(serving: usize) -> Self {
        let proxy = proxy();
        let vms = (0..=serving).map(|_| start(&proxy, &configuration_with_source())).collect();
        let fleet = Self { proxy, vms };
        fleet.advance(FIRST_TICK);
        fleet.answer(Response::new(200).header("etag", "\"0\"").json(document().to_string()));
        assert_eq!(fleet.upstreams(), vec!["shop_blue"; serving]);
        fleet
    }

    /// The VM that serves no requests.
    fn idle(&self) -> u32 {
        self.vms.last().unwrap().0.id()
    }

    /// Lets time pass until that VM asks the source.
    fn settled(serving: usize) -> Self {
        let fleet = Self::new(serving);
        for _ in 0..5 {
            fleet.advance(INTERVAL);
            if fleet.proxy.callouts().iter().any(|callout| callout.root().vm == fleet.idle()) {
                return fleet;
            }
            fleet.proxy.callouts().into_iter().for_each(|callout| callout.answer(304).unwrap());
        }
        panic!("the VM that serves no requests does not lead");
    }

    fn advance(&self, time: Duration) {
        self.proxy.advance(time).unwrap();
    }

    fn answer(&self, response: Response) {
        callout(&self.proxy).answer(response).unwrap();
    }

    /// Where the VMs that serve send a request.
    fn upstreams(&self) -> Vec<String> {
        let (_, serving) = self.vms.split_last().unwrap();
        host_tests::upstreams(serving)
    }
}

/// The document with many more flags and routes, which no request meets.
fn large(variant: &str, flags: usize, routes: usize) -> Value {
    document_with(|document| {
        document["flags"]["release"]["defaultVariant"] = json!(variant);
        for number in 0..flags {
            document["flags"][format!("feature-{number:05}")] = json!({
                "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": { "if": [
                    { "in": [{ "var": "email" }, [format!("anna{number}@example.com"), "ben@example.com"]] }, "on",
                    { "fractional": [["on", number % 100], ["off", 100 - number % 100]] }
                ] },
                "metadata": { "owner": format!("team-{}", number % 50), "description": "What it does, in a sentence." }
            });
        }
        let all = document["routes"].as_array_mut().unwrap();
        for number in 0..routes {
            let matched = json!({
                "hosts": [format!("shop-{}.example.org", number / 10)],
                "path": { "prefix": format!("/section-{}", number % 10) }
            });
            all.push(json!({ "name": format!("route-{number}"), "match": matched, "flag": "release" }));
        }
    })
}

fn answer_with(document: &Value, etag: &str) -> Response {
    Response::new(200).header("etag", etag).json(document.to_string())
}

#[test]
fn requests_are_served_by_the_old_rules_until_the_new_ones_are_compiled() {
    let fleet = Fleet::settled(2);
    fleet.proxy.set_pace(PACE);
    let asked = fleet.proxy.callouts_made();
    fleet.answer(answer_with(&large("green", 500, 50), "\"1\""));
    assert_eq!(fleet.upstreams(), ["shop_blue"; 2], "no VM has compiled it in one go");
    fleet.advance(INTERVAL / 2);
    assert_eq!(fleet.upstreams(), ["shop_green"; 2]);
    assert_eq!(fleet.proxy.callouts_made(), asked, "nobody asked for it again");
}

#[test]
fn what_changes_while_it_is_compiled_comes_into_force_in_the_end() {
    let fleet = Fleet::settled(2);
    fleet.proxy.set_pace(PACE);
    fleet.answer(answer_with(&large("green", 500, 0), "\"1\""));
    // The leader compiles it faster than the others, and has the next one while they are at it.
    while fleet.proxy.callouts().is_empty() {
        fleet.advance(Duration::from_millis(5));
    }
    fleet.answer(answer_with(&large("blue", 600, 0), "\"2\""));
    fleet.advance(2 * INTERVAL);
    assert_eq!(fleet.upstreams(), ["shop_blue"; 2]);
}

#[test]
fn a_large_document_that_is_refused_changes_nothing() {
    let fleet = Fleet::settled(1);
    fleet.proxy.set_pace(PACE);
    let mut wrong = large("green", 500, 50);
    wrong["routes"][51]["flag"] = json!("feature-99999");
    fleet.answer(answer_with(&wrong, "\"1\""));
    fleet.advance(INTERVAL);
    assert_eq!(fleet.upstreams(), ["shop_blue"]);
    assert!(
        fleet.proxy.logged(turquoise_host::LogLevel::Error, "there is no flag `feature-99999`"),
        "{:?}",
        fleet.proxy.logs()
    );
}

#[test]
fn a_vm_that_serves_no_requests_leads() {
    let fleet = Fleet::settled(2);
    assert_eq!(
        fleet.proxy.callouts()[0].header("if-none-match").as_deref(),
        Some("\"0\""),
        "with the ETag that the proxy knows"
    );
    fleet.answer(Response::new(304));
    for _ in 0..5 {
        fleet.upstreams();
        fleet.advance(INTERVAL);
        assert_eq!(fleet.proxy.callouts()[0].root().vm, fleet.idle(), "and it goes on leading");
        fleet.answer(Response::new(304));
    }
}

#[test]
fn without_an_idle_vm_one_that_serves_leads() {
    let mut fleet = Fleet::settled(2);
    fleet.vms.pop().unwrap().0.stop();
    let asked = fleet.proxy.callouts_made();
    for _ in 0..10 {
        fleet.advance(INTERVAL);
        fleet.proxy.callouts().into_iter().for_each(|callout| callout.answer(304).unwrap());
    }
    let asked = fleet.proxy.callouts_made() - asked;
    assert!((5..=10).contains(&asked), "once a second, but for the time of a lease: {asked}");
}

/// What ten thousand flags and two thousand routes weigh in a VM, with the one before them still in force while they are
/// compiled. A VM's memory never shrinks, so its size is the most that it ever needed.
#[test]
fn a_vm_has_room_for_large_documents() {
    let fleet = Fleet::new(1);
    let sizes = || fleet.vms.iter().map(|(vm, _)| vm.memory_size()).collect::<Vec<_>>();
    let before = sizes();
    let mut bytes = 0;
    let mut after = Vec::new();
    for swap in 1..=16 {
        fleet.advance(INTERVAL);
        let variant = if swap % 2 == 0 { "blue" } else { "green" };
        let document = large(variant, 10_000, 2_000);
        bytes = document.to_string().len();
        fleet.answer(answer_with(&document, &format!("\"{swap}\"")));
        assert_eq!(fleet.upstreams(), [format!("shop_{variant}")]);
        after.push(sizes());
    }
    let more = |sizes: &[usize], vm: usize| (sizes[vm] - before[vm]) as f64 / 1e6;
    println!("a document of {bytes} bytes; more memory, in MB, after each swap:");
    println!("  serving: {:.1?}", after.iter().map(|sizes| more(sizes, 0)).collect::<Vec<_>>());
    println!("  leading: {:.1?}", after.iter().map(|sizes| more(sizes, 1)).collect::<Vec<_>>());
    // Gaps between what is freed and what is taken let it grow a little; what is not freed would be far more.
    for vm in 0..before.len() {
        assert!(more(&after[15], vm) - more(&after[3], vm) < 3.0, "it grows from swap to swap: {after:?}");
        assert!(more(&after[15], vm) < 20.0, "{after:?}");
    }
}
