//! Log lines: few enough to be read, and what was left out is told.

use std::time::Duration;

use host_tests::{Running, configuration_with_source, document_with, lines};
use serde_json::json;
use turquoise_host::LogLevel;
use turquoise_host::simulated::Response;

const INTERVAL: Duration = Duration::from_secs(1);

fn running() -> Running {
    Running::new(&configuration_with_source())
}

/// Answers one question by this, however long it takes until it is asked.
fn answer(running: &Running, response: impl Into<Response>) {
    while running.proxy.callouts().is_empty() {
        running.advance(INTERVAL);
    }
    running.callout().answer(response).unwrap();
}

/// What a source answers that has the document in force.
fn fine() -> Response {
    Response::new(200).json(document_with(|_| {}).to_string())
}

#[test]
fn trouble_that_comes_and_goes_is_said_once_a_minute() {
    let running = running();
    for _ in 0..10 {
        answer(&running, 500);
        answer(&running, fine());
    }
    assert_eq!(lines(&running.proxy, LogLevel::Error).len(), 1);
    assert_eq!(lines(&running.proxy, LogLevel::Info).len(), 1);
    for _ in 0..60 {
        answer(&running, fine());
    }
    let infos = lines(&running.proxy, LogLevel::Info);
    assert_eq!(infos.len(), 2, "how things stand is said as soon as it may be, and then no more: {infos:?}");
    assert!(infos[1].contains("(18 lines before this one were left out)"), "{infos:?}");
    answer(&running, 500);
    assert_eq!(lines(&running.proxy, LogLevel::Error).len(), 2, "a minute later it is worth a line again");
}

#[test]
fn no_minute_has_more_than_a_score_of_lines() {
    let running = running();
    for number in 0..40 {
        // A document that is refused for another reason each time.
        let route = json!([{ "name": "r", "flag": format!("unknown-{number}") }]);
        let document = document_with(|document| document["routes"] = route);
        answer(&running, Response::new(200).json(document.to_string()));
    }
    assert_eq!(lines(&running.proxy, LogLevel::Error).len(), 20);
}

#[test]
fn warnings_leave_room_for_errors() {
    let running = running();
    for number in 0..3 {
        let document = document_with(|document| {
            for flag in 0..12 {
                let key = format!("flag-{number}-{flag}");
                document["flags"][key] =
                    json!({ "state": "ENABLED", "variants": { "v": 1 }, "targeting": { "x": [] } });
            }
        });
        answer(&running, Response::new(200).json(document.to_string()));
    }
    answer(&running, 500);
    assert_eq!(lines(&running.proxy, LogLevel::Warn).len(), 15);
    let errors = lines(&running.proxy, LogLevel::Error);
    assert!(errors[0].contains("(15 lines before this one were left out)"), "{errors:?}");
}

#[test]
fn lines_say_what_to_do() {
    for (status, advice) in [
        (401, "`source.headers`"),
        (404, "`source.path`"),
        (500, "the source's log"),
        (503, "is it running?"),
        (504, "`source.timeout`"),
    ] {
        let running = running();
        answer(&running, status);
        assert!(running.proxy.logged(LogLevel::Error, advice), "{status}: {:?}", running.proxy.logs());
    }
}
