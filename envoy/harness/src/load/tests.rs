use hyper::StatusCode;

use super::*;
use crate::origin::{Behaviour, Origin};

fn plan(target: SocketAddr, users: usize) -> Plan {
    let user = |number: usize| User {
        name: format!("user-{number}"),
        headers: vec![("x-user-id".to_owned(), format!("user-{number}"))],
    };
    Plan {
        target,
        path: "/hello".to_owned(),
        users: (0..users).map(user).collect(),
        connections: 4,
        rate: 400,
        patience: Duration::from_secs(2),
        judge: |_, reply| {
            let colour = reply.text();
            if colour == "blue" || colour == "green" {
                Ok(Seen { version: "v1".to_owned(), feature: colour == "green", colour })
            } else {
                Err(format!("`{colour}` is no colour"))
            }
        },
    }
}

#[tokio::test]
async fn the_rate_is_kept_and_everybody_has_a_turn() {
    let origin = Origin::start("blue").await.unwrap();
    let mut load = Load::start(plan(origin.address(), 20)).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.stop().await;
    let window = load.window(|_| true);
    assert_eq!(window.failed(), 0);
    assert!((50..=500).contains(&window.requests()), "{} requests", window.requests());
    assert_eq!(window.users(), 20);
    assert_eq!(origin.connections(), 4);
}

#[tokio::test]
async fn every_kind_of_failure_is_recorded() {
    let mut origin = Origin::start("blue").await.unwrap();
    let mut load = Load::start(plan(origin.address(), 20)).unwrap();
    let pause = || tokio::time::sleep(Duration::from_millis(150));
    pause().await;
    origin.behave(Behaviour::Status(StatusCode::SERVICE_UNAVAILABLE));
    pause().await;
    origin.behave(Behaviour::HangUp);
    pause().await;
    origin.behave(Behaviour::Serve);
    origin.publish("purple");
    pause().await;
    origin.stop().await;
    pause().await;
    load.stop().await;

    let failures: Vec<_> =
        load.records(|_| true).into_iter().filter_map(|record| record.outcome.err()).collect();
    let has = |kind: fn(&Failure) -> bool| failures.iter().any(kind);
    assert!(has(|failure| *failure == Failure::Status(503)));
    assert!(has(|failure| matches!(failure, Failure::NoReply(NoReply::Reset(_)))));
    assert!(has(|failure| *failure == Failure::Wrong("`purple` is no colour".to_owned())));
    assert!(has(|failure| matches!(failure, Failure::NoReply(NoReply::Connect(_)))));
}

#[tokio::test]
async fn a_change_is_timed_by_its_last_old_answer() {
    let origin = Origin::start("blue").await.unwrap();
    let mut load = Load::start(plan(origin.address(), 20)).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let written = Instant::now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    origin.publish("green");
    tokio::time::sleep(Duration::from_millis(400)).await;
    load.stop().await;
    let lag = load.window(|_| true).lag(written);
    assert!((Duration::from_millis(50)..Duration::from_millis(400)).contains(&lag), "{lag:?}");
    let settled = load.window(|record| record.started > written + lag);
    assert_eq!((settled.share_of("green"), settled.mixed_users()), (1.0, 0));
}
