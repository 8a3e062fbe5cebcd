//! Decisions as the application meets them: the gate, the feature, who asks, and no decision at all.

use anyhow::{Context, Result, ensure};
use blue_green::document::{Edit, START};
use envoy_harness::http::{self, Reply};
use serde_json::Value;

use crate::support::Fixture;

impl Fixture {
    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        http::get(self.scenario.addresses.shop, path, headers).await
    }

    async fn change(&mut self, edit: Edit) -> Result<()> {
        let before = self.scenario.swaps().await?;
        self.document.change(&[edit])?;
        self.scenario.adopted(before).await.map(drop)
    }

    /// The value of a header that the application saw.
    async fn seen(&self, name: &str, headers: &[(&str, &str)]) -> Result<Option<String>> {
        let echo: Value = serde_json::from_slice(&self.get("/echo", headers).await?.body)?;
        let pairs = echo["headers"].as_array().context("no `headers` in /echo")?;
        let found = pairs.iter().find(|pair| pair[0] == name);
        Ok(found.and_then(|pair| pair[1].as_str()).map(str::to_owned))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_reach_the_application() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    a_gate_opens_and_closes(&mut fixture).await?;
    somebody_unknown_gets_a_cookie_and_keeps_it(&fixture).await?;
    requests_are_counted(&fixture).await?;
    without_a_decision_the_default_route_serves(&fixture).await?;
    fixture.scenario.no_vm_died().await
}

async fn a_gate_opens_and_closes(fixture: &mut Fixture) -> Result<()> {
    let path = "/api/special_feature";
    ensure!(fixture.get(path, &[]).await?.status == 404, "the gate is open from the start");
    fixture.change(Edit::special_feature(true)).await?;
    let open = fixture.get(path, &[]).await?;
    ensure!(open.status == 200 && open.text().contains("found"), "open: {} {}", open.status, open.text());
    ensure!(open.text().contains("blue"), "behind the gate the release decides too: {}", open.text());
    fixture.change(Edit::special_feature(false)).await?;
    ensure!(fixture.get(path, &[]).await?.status == 404, "the gate did not close");
    Ok(())
}

async fn somebody_unknown_gets_a_cookie_and_keeps_it(fixture: &Fixture) -> Result<()> {
    let key = "x-turquoise-targeting-key";
    let first = fixture.get("/hello", &[]).await?;
    let cookie = first.header("set-cookie").context("no cookie for somebody unknown")?;
    let (pair, attributes) = cookie.split_once(';').context("a cookie without attributes")?;
    for attribute in ["HttpOnly", "SameSite=Lax"] {
        ensure!(attributes.contains(attribute), "no {attribute} in `{cookie}`");
    }
    ensure!(!attributes.contains("Secure"), "`Secure` over plain http hides the cookie: `{cookie}`");
    let value = pair.strip_prefix("tq_id=").with_context(|| format!("another name: `{cookie}`"))?;
    ensure!(
        fixture.seen(key, &[("cookie", pair)]).await?.as_deref() == Some(value),
        "the cookie is not the key"
    );
    let again = fixture.get("/hello", &[("cookie", pair)]).await?;
    ensure!(again.header("set-cookie").is_none(), "a second cookie for who has one");
    let known = fixture.get("/hello", &[("x-user-id", "known")]).await?;
    ensure!(known.header("set-cookie").is_none(), "a cookie for who is known");
    Ok(())
}

async fn requests_are_counted(fixture: &Fixture) -> Result<()> {
    let labels = [("route", "shop"), ("variant", "blue")];
    let count = async || {
        anyhow::Ok(fixture.scenario.envoy.metrics().await?.count("turquoise_requests_total", &labels))
    };
    let before = count().await?;
    for _ in 0..10 {
        fixture.get("/hello", &[]).await?;
    }
    let counted = count().await? - before;
    ensure!(counted == 10, "10 requests counted as {counted}");
    Ok(())
}

async fn without_a_decision_the_default_route_serves(fixture: &Fixture) -> Result<()> {
    let mut document: Value = serde_json::from_str(START)?;
    document["routes"] = Value::Array(Vec::new());
    let before = fixture.scenario.swaps().await?;
    fixture.document.replace(&document.to_string())?;
    fixture.scenario.adopted(before).await?;
    let reply = fixture.get("/hello", &[("x-user-id", "anybody")]).await?;
    ensure!(reply.status == 200 && reply.text().contains("blue"), "{} {}", reply.status, reply.text());
    let upstream = fixture.seen("x-turquoise-upstream", &[]).await?;
    ensure!(upstream.is_none(), "an upstream without a decision: {upstream:?}");
    Ok(())
}
