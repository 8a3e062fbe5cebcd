//! Documents and answers that asked for more memory than a VM can have.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use envoy_harness::raw;
use serde_json::{Value, json};

use crate::endure::{AFTER_REFUSALS, Fault};
use crate::fixture::{Fixture, PATIENCE, Start};

/// Five VMs compile a document of 1.2 MB while they serve.
const COMPILES: Duration = Duration::from_secs(15);

const ALL: &str = "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                   content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// A document with 500 KB of the flag set's metadata and ten thousand flags more, all of them for clients.
fn with_metadata(text: &str) -> Result<String> {
    let mut document: Value = serde_json::from_str(text).context("the document")?;
    document["metadata"]["text"] = "x".repeat(500_000).into();
    document["metadata"]["client"] = true.into();
    for number in 0..10_000 {
        document["flags"][format!("feature-{number:05}")] = json!({ "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on", "metadata": { "owner": number } });
    }
    Ok(document.to_string())
}

/// It with a flag whose value is a list of four million numbers.
fn with_numbers(text: &str) -> Result<String> {
    let mut document: Value = serde_json::from_str(text).context("the document")?;
    document["flags"]["large"] = json!({ "state": "ENABLED", "variants": { "v": vec![0; 4 << 20] } });
    Ok(document.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_document_and_no_answer_takes_more_memory_than_there_is() -> Result<()> {
    let mut fixture = Fixture::start(Start::default()).await?;
    let resident = |fixture: &Fixture, when: &str| -> Result<()> {
        let bytes = fixture.scenario.envoy.resident_bytes()?;
        println!("{when}, Envoy and its {} VMs have {} MB", fixture.scenario.vms(), bytes / 1_000_000);
        ensure!(bytes < 1_000_000_000, "{when}: {bytes} bytes");
        Ok(())
    };
    resident(&fixture, "with the small document")?;
    fixture.edit("green")?;
    fixture
        .obeyed("green", COMPILES, async |origin, text| {
            let document = with_metadata(text)?;
            println!("a document of {} bytes", document.len());
            origin.publish(document);
            Ok(())
        })
        .await?;
    resident(&fixture, "with 500 KB of metadata and 10,000 flags")?;

    for _ in 0..10 {
        let reply = raw::send(fixture.scenario.addresses.shop, ALL.as_bytes(), PATIENCE).await?;
        ensure!(reply.status() == Some(400), "{}", reply.bytes.escape_ascii());
        let body: Value = serde_json::from_slice(reply.body()).context("the answer is no JSON")?;
        ensure!(body["errorCode"] == "GENERAL", "{body}");
        let details = body["errorDetails"].as_str().unwrap_or_default();
        ensure!(details.contains("more than 8388608 bytes"), "{body}");
    }
    resident(&fixture, "after ten answers for all flags")?;

    let numbers = Fault {
        name: "with a document that takes too much memory",
        refused: Some("invalid"),
        says: "$.flags.large: compiling up to here takes",
    };
    let large = with_numbers(&fixture.document.text())?;
    fixture
        .endures(&numbers, async |origin| {
            origin.publish(large);
            Ok(())
        })
        .await?;
    resident(&fixture, "after a document that was refused")?;
    fixture.release("blue", AFTER_REFUSALS).await.context("after a document that takes too much memory")?;
    fixture.finish().await
}
