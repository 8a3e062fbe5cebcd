//! Sources that answer well with what must not come into force.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use blue_green::document::Edit;
use envoy_harness::envoy::Config;
use envoy_harness::origin::Behaviour;
use serde_json::{Value, json};

use crate::endure::{AFTER_FAILURES, AFTER_REFUSALS, Fault};
use crate::fixture::{Fixture, Start};

const LOGIN: &str = "<!doctype html>\n<title>Sign in</title>\n<p>Please sign in.\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_come_into_force_does_not() -> Result<()> {
    let increasing = |config: Config, _: &Path| {
        config
            .replace(r#""path": "/document.json","#, r#""path": "/document.json", "versions": "increasing","#)
    };
    let mut fixture = Fixture::start(Start { config: &increasing, ..Start::default() }).await?;
    let mark = fixture.scenario.envoy.log().mark();
    let page = Fault { name: "that answers 200 with HTML", refused: Some("not_json"), says: "line 1" };
    fixture
        .endures(&page, async |origin| {
            origin.behave(Behaviour::Page(LOGIN));
            Ok(())
        })
        .await?;
    fixture.release("green", AFTER_REFUSALS).await.context("after HTML")?;
    fixture.told_the_end(mark).await?;

    // By the configuration: Envoy would take this one.
    let large =
        Fault { name: "with 17 MB", refused: Some("size"), says: "raise that, or make the document smaller" };
    offers(&mut fixture, &large, spaces(17 << 20)).await?;
    fixture.release("blue", AFTER_REFUSALS).await.context("after 17 MB")?;
    let huge = Fault {
        name: "with 40 MB",
        refused: None,
        says: "larger than the proxy takes (Envoy: about 32 MiB)",
    };
    offers(&mut fixture, &huge, spaces(40 << 20)).await?;
    fixture.release("green", AFTER_FAILURES).await.context("after 40 MB")?;

    let whole = fixture.document.text();
    let older = Fault {
        name: "with an older version",
        refused: Some("version"),
        says: "is older than `release-3`, which the source gave before, and `source.versions` is `increasing`",
    };
    offers(&mut fixture, &older, whole.replace("release-3", "release-2")).await?;
    fixture.release("blue", AFTER_REFUSALS).await.context("after an older version")?;

    let whole = fixture.document.text();
    let half = whole.get(..whole.len() / 2).unwrap_or_default().to_owned();
    let wrong = [
        ("with half a document", "not_json", "`turquoise validate` shows more", half),
        (
            "with an upstream outside `upstreams`",
            "invalid",
            "shop_purple",
            whole.replace("shop_blue", "shop_purple"),
        ),
        (
            "with a route of an unknown flag",
            "invalid",
            "shop-relaese",
            whole.replace(r#""flag": "shop-release""#, r#""flag": "shop-relaese""#),
        ),
        (
            "with a typo in the release's rule",
            "invalid",
            "the flag `shop-release` does not compile: $.flags.shop-release.targeting.if[0]: `starts_wiht`",
            with_rule(
                &whole,
                "shop-release",
                json!({ "if": [{ "starts_wiht": [{ "var": "email" }, "a"] }, "green"] }),
            )?,
        ),
        (
            "with a release that names no variant",
            "invalid",
            "targeting.fractional[0][0]: `gren` is none of the flag's variants",
            with_rule(&whole, "shop-release", json!({ "fractional": [["gren", 10], ["blue", 90]] }))?,
        ),
        (
            "with a typo in the gate's rule",
            "invalid",
            "the flag `special-feature` does not compile",
            with_rule(&whole, "special-feature", json!({ "if": [{ "$ref": "testers" }, "on"] }))?,
        ),
        ("with a document of another kind", "invalid", "object", "[1, 2, 3]".to_owned()),
    ];
    for (name, reason, says, text) in wrong {
        offers(&mut fixture, &Fault { name, refused: Some(reason), says }, text).await?;
    }
    fixture.document.change(&[Edit::feature_for(100)])?;
    fixture.release("green", AFTER_REFUSALS).await.context("after wrong documents")?;
    fixture.finish().await
}

/// What somebody does at three in the morning.
#[tokio::test(flavor = "multi_thread")]
async fn restoring_the_old_file_is_a_rollback() -> Result<()> {
    let mut fixture = Fixture::start(Start::default()).await?;
    fixture.release("blue", AFTER_REFUSALS).await?;
    let old = fixture.document.text();
    fixture.release("green", AFTER_REFUSALS).await?;
    let swaps = fixture.scenario.swaps().await?;
    fixture.changes();
    fixture.origin.publish(old);
    let adopted = fixture.scenario.adopted(swaps).await?;
    fixture.settles("blue", adopted);
    fixture.some_requests(adopted).await?;
    let status = fixture.status().await?;
    ensure!(status["version"] == "release-1" && status["lastError"].is_null(), "{status:#}");
    fixture.finish().await
}

/// The document with another rule for a flag.
fn with_rule(document: &str, flag: &str, rule: Value) -> Result<String> {
    let mut document: Value = serde_json::from_str(document)?;
    document["flags"][flag]["targeting"] = rule;
    Ok(document.to_string())
}

async fn offers(fixture: &mut Fixture, fault: &Fault<'_>, text: String) -> Result<()> {
    fixture
        .endures(fault, async |origin| {
            origin.publish(text);
            Ok(())
        })
        .await
}

/// What is too long whatever it says.
fn spaces(bytes: usize) -> String {
    " ".repeat(bytes)
}
