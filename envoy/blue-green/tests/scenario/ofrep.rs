//! OFREP as `envoy.yaml` serves it: the flags that are marked for clients, and no others.

use anyhow::{Context, Result, ensure};
use blue_green::document::Edit;
use envoy_harness::raw::RawReply;
use serde_json::{Value, json};

use crate::support::{Fixture, json as body, send};

const ALL: &str = "/ofrep/v1/evaluate/flags";
const CONTEXT: &str = r#"{"context":{"targetingKey":"ada"}}"#;

impl Fixture {
    async fn ask(&self, path: &str, headers: &str, body: &str) -> Result<RawReply> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        send(&self.scenario, request.as_bytes()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_what_is_marked_for_them() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    one_flag(&fixture).await?;
    all_flags_until_they_change(&mut fixture).await?;
    bodies_of_every_kind(&fixture).await?;
    let labels = [("endpoint", "flags"), ("status", "304")];
    let counted = fixture.scenario.envoy.metrics().await?.count("turquoise_ofrep_requests_total", &labels);
    ensure!(counted == 1, "one 304 counted as {counted}");
    fixture.scenario.no_vm_died().await
}

async fn one_flag(fixture: &Fixture) -> Result<()> {
    let seen = fixture.ask(&format!("{ALL}/new-greeting"), "", CONTEXT).await?;
    ensure!(seen.status() == Some(200) && body(&seen)?["value"] == false, "{}", seen.bytes.escape_ascii());
    let hidden = fixture.ask(&format!("{ALL}/shop-release"), "", CONTEXT).await?;
    ensure!(hidden.status() == Some(404), "{}", hidden.bytes.escape_ascii());
    ensure!(body(&hidden)?["errorCode"] == "FLAG_NOT_FOUND", "{}", hidden.bytes.escape_ascii());
    Ok(())
}

async fn all_flags_until_they_change(fixture: &mut Fixture) -> Result<()> {
    let first = fixture.ask(ALL, "", CONTEXT).await?;
    let keys = |reply: &RawReply| -> Result<Vec<Value>> {
        let flags = body(reply)?["flags"].as_array().context("no `flags`")?.clone();
        Ok(flags.into_iter().map(|flag| json!([flag["key"], flag["value"]])).collect())
    };
    ensure!(keys(&first)? == [json!(["new-greeting", false])], "{}", first.bytes.escape_ascii());
    let text = String::from_utf8_lossy(&first.bytes).into_owned();
    let tag = text.lines().find_map(|line| line.strip_prefix("etag: ")).context("no etag")?;
    let known = format!("if-none-match: {tag}\r\n");
    let again = fixture.ask(ALL, &known, CONTEXT).await?;
    ensure!(again.status() == Some(304) && again.body().is_empty(), "{}", again.bytes.escape_ascii());

    let before = fixture.scenario.swaps().await?;
    fixture.document.change(&[Edit::feature_for(100)])?;
    fixture.scenario.adopted(before).await?;
    let changed = fixture.ask(ALL, &known, CONTEXT).await?;
    ensure!(changed.status() == Some(200), "{}", changed.bytes.escape_ascii());
    ensure!(keys(&changed)? == [json!(["new-greeting", true])], "{}", changed.bytes.escape_ascii());
    Ok(())
}

async fn bodies_of_every_kind(fixture: &Fixture) -> Result<()> {
    let head = |more: &str| {
        format!("POST {ALL}/new-greeting HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n")
    };
    let pieces: String = CONTEXT.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let long = "x".repeat(100_000);
    for (what, request, status) in [
        ("nothing", head(""), 200),
        ("a length of nothing", head("content-length: 0\r\n"), 200),
        ("many pieces", head("transfer-encoding: chunked\r\n") + &pieces + "0\r\n\r\n", 200),
        ("trailers", head("transfer-encoding: chunked\r\n") + &pieces + "0\r\nx-t: 1\r\n\r\n", 200),
        ("no JSON", head("content-length: 1\r\n") + "{", 400),
        ("a length over the limit, and nothing more", head("content-length: 100000\r\n"), 413),
        (
            "pieces over the limit",
            head("transfer-encoding: chunked\r\n") + "186a0\r\n" + &long + "\r\n0\r\n\r\n",
            413,
        ),
        ("another method", head("").replace("POST", "DELETE"), 405),
    ] {
        let reply = send(&fixture.scenario, request.as_bytes()).await?;
        ensure!(reply.status() == Some(status), "{what}: {}", reply.bytes.escape_ascii());
    }
    let expecting = head("expect: 100-continue\r\ncontent-length: 2\r\n") + "{}";
    let reply = send(&fixture.scenario, expecting.as_bytes()).await?;
    let text = reply.bytes.escape_ascii().to_string();
    ensure!(text.starts_with("HTTP/1.1 100") && text.contains("HTTP/1.1 200"), "expecting 100: {text}");
    // A client that goes away in the middle of its body.
    let broken = head("content-length: 100\r\n") + "{";
    let address = fixture.scenario.addresses.shop;
    envoy_harness::raw::send(address, broken.as_bytes(), std::time::Duration::from_millis(100)).await?;
    Ok(())
}
