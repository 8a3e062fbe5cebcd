//! Requests of OFREP: whatever method, path, headers and body, under several configurations and documents.

use super::Choices;
use super::message::Message;
use super::served::Served;
use crate::settings::Settings;
use crate::snapshot::Snapshot;

/// Who may ask, what is believed, and what is seen.
const CONFIGURATIONS: [&str; 6] = [
    r#"{"ofrep":{"enabled":true}}"#,
    r#"{"ofrep":{"enabled":true,"tokens":["token","other"],"origins":["https://shop.example.com","http://localhost:3000"],
        "flags":"client","maxBodyBytes":64}}"#,
    r#"{"ofrep":{"enabled":true,"origins":["*"],"flags":["logic","a","none"],"requireTargetingKey":true,
        "eventStreams":[{"endpoint":{"requestUri":"/ofrep/v1/stream"},"inactivityDelaySec":60}]}}"#,
    r#"{"ofrep":{"enabled":true,"trustContext":true},"context":{"targetingKey":[{"header":"x-user-id"},{"cookie":"uid"}],
        "attributes":{"email":{"header":"x-user-email"},"a.b":{"query":"b"},"request.headers.x-a":{"cookie":"a"},
        "ip":{"property":"source.address"}}}}"#,
    r#"{"ofrep":{"enabled":true},"context":{"targetingKey":[{"header":"x-user-id"},{"anonymousCookie":"tq_id"}],
        "attributes":{"email":{"header":"x-user-email"},"a":{"query":"b"},"list.0":{"cookie":"a"}}}}"#,
    r#"{"ofrep":{"enabled":true,"requireTargetingKey":true},"context":{"targetingKey":[]}}"#,
];

/// One of everything; flags for clients, with metadata at every place; and one whose rules read all that they can. The
/// fourth is made of bytes.
const DOCUMENTS: [&str; 3] = [
    include_str!("../../tests/data/everything.json"),
    r#"{"flags":{
        "a":{"state":"ENABLED","variants":{"on":{"b":[1,"é\u0000"]},"off":null},"defaultVariant":"on","metadata":{"client":true,"m":1}},
        "b/c d":{"state":"ENABLED","variants":{"1":1},"defaultVariant":"1","metadata":{"client":true}},
        "hidden":{"state":"ENABLED","variants":{"1":1},"defaultVariant":"1","metadata":{"client":false}},
        "broken":{"state":"ENABLED","variants":{"1":1},"defaultVariant":"1","targeting":{"none":[]},"metadata":{"client":true}},
        "off":{"state":"DISABLED","variants":{"1":1},"defaultVariant":"1","metadata":{"client":true}}},
        "metadata":{"flagSetId":"s","version":"1","m":0}}"#,
    r#"{"flags":{
        "logic":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off",
            "targeting":{"if":[{"in":["ada",{"cat":[{"var":""},{"var":["a.b","x"]},{"var":"email"}]}]},"on"]}},
        "time":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off",
            "targeting":{"if":[{">":[{"var":"$flagd.timestamp"},1]},"on"]}},
        "a":{"state":"ENABLED","variants":{"on":"on","off":"off"},"defaultVariant":"off",
            "targeting":{"fractional":[{"cat":[{"var":"targetingKey"},{"var":"request.headers.x-a"},{"var":"list.0"}]},["on",50],["off",50]]}}}}"#,
];

thread_local! {
    /// Each configuration with each document; those that do not go together are left out.
    static SERVED: Vec<Vec<Served>> = {
        let compiled = |document: &str, settings: &str| {
            Some(Served::new(Settings::parse(settings.as_bytes()).ok()?, Snapshot::compile(document.as_bytes()).ok()?))
        };
        let under = |settings: &&str| DOCUMENTS.iter().filter_map(|document| compiled(document, settings)).collect();
        CONFIGURATIONS.iter().map(under).collect()
    };
}

/// A byte that says which configuration and which document, and a request. The fourth document is made of as many bytes
/// as the second one says.
pub fn ofrep(bytes: &[u8]) {
    let Some((choice, mut rest)) = bytes.split_first() else { return };
    let (configuration, document) = (usize::from(*choice) % CONFIGURATIONS.len(), usize::from(*choice) / 64);
    if document == DOCUMENTS.len() {
        let Some((length, behind)) = rest.split_first() else { return };
        let (choices, behind) = behind.split_at_checked(usize::from(*length)).unwrap_or((behind, b""));
        rest = behind;
        let document = Choices::new(choices).document().to_string();
        let settings =
            CONFIGURATIONS.get(configuration).and_then(|text| Settings::parse(text.as_bytes()).ok());
        if let (Some(settings), Ok(snapshot)) = (settings, Snapshot::compile(document.as_bytes())) {
            serve(&Served::new(settings, snapshot), rest);
        }
        return;
    }
    SERVED.with(|served| {
        let found = served.get(configuration).and_then(|documents| documents.get(document));
        assert!(found.is_some(), "every document goes with every configuration");
        found.into_iter().for_each(|served| serve(served, rest));
    });
}

fn serve(served: &Served, request: &[u8]) {
    let request = Message::parse(request);
    served.decide(&request);
    served.answer(&request);
}
