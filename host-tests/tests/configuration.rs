//! The plugin configuration: what is refused, with which words.

use host_tests::{configuration, document_with, module};
use serde_json::json;
use turquoise_host::LogLevel;
use turquoise_host::simulated::SimulatedProxy;

/// What is logged when this configuration is refused.
fn refusal(configuration: &str) -> String {
    let proxy = SimulatedProxy::new(module());
    let vm = proxy.start_vm("").unwrap();
    assert!(!vm.configure(configuration).unwrap().accepted(), "{configuration}");
    let logs = proxy.logs();
    let critical: Vec<_> = logs.iter().filter(|line| line.level == LogLevel::Critical).collect();
    assert_eq!(critical.len(), 1, "{logs:?}");
    critical[0].message.clone()
}

#[test]
fn an_unknown_key_is_named_with_what_is_allowed() {
    let message = refusal(r#"{ "sorce": { "cluster": "c" } }"#);
    assert!(message.contains("`sorce`") && message.contains("`source`"), "{message}");
    let message = refusal(r#"{ "source": { "cluster": "c", "intervall": "5s" } }"#);
    assert!(message.contains("`intervall`") && message.contains("`interval`"), "{message}");
}

#[test]
fn what_is_no_json_is_refused() {
    assert!(refusal("{").contains("EOF"));
}

#[test]
fn a_wrong_inlined_document_is_refused_with_path_and_reason() {
    let mut configuration = configuration();
    configuration["document"] = document_with(|document| document["routes"][1]["flag"] = json!("relaese"));
    let message = refusal(&configuration.to_string());
    assert!(message.contains("$.routes[1].flag") && message.contains("`relaese`"), "{message}");
}

#[test]
fn an_upstream_outside_the_list_is_refused() {
    let mut configuration = configuration();
    configuration["upstreams"] = json!(["shop_blue"]);
    let message = refusal(&configuration.to_string());
    assert!(message.contains("`shop_green`") && message.contains("`shop_blue`"), "{message}");
}

#[test]
fn a_flag_that_fails_alone_is_logged_and_the_rest_serves() {
    let mut configuration = configuration();
    configuration["document"] = document_with(|document| {
        document["flags"]["greeting"]["targeting"] = json!({ "no_such_operator": [1] });
    });
    let running = host_tests::Running::new(&configuration);
    assert!(running.proxy.logged(LogLevel::Warn, "`no_such_operator`"), "{:?}", running.proxy.logs());
    assert!(running.proxy.logged(LogLevel::Warn, "$.flags.greeting.targeting"));
    assert_eq!(running.upstream("ada").as_deref(), Some("shop_blue"));
}

#[test]
fn an_empty_configuration_is_accepted() {
    for configuration in ["", "{}", " \n"] {
        let proxy = SimulatedProxy::new(module());
        let vm = proxy.start_vm("").unwrap();
        assert!(vm.configure(configuration).unwrap().accepted());
    }
}
