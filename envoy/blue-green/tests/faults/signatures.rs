//! Documents that nobody trusted signed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use envoy_harness::log::Mark;
use envoy_harness::paths;

use crate::endure::{AFTER_FAILURES, Fault};
use crate::fixture::{Fixture, Start};

/// Keys as users make them: by the command line.
struct Key {
    file: PathBuf,
    public: String,
}

impl Key {
    fn create(directory: &Path, name: &str) -> Result<Self> {
        let file = directory.join(name);
        let output = Command::new(paths::turquoise()?).arg("keygen").arg("--out").arg(&file).output()?;
        Ok(Self { public: told(output)?, file })
    }

    /// The header fields for the document in this file.
    fn sign(&self, document: &Path) -> Result<String> {
        self.sign_with(document, &[])
    }

    fn sign_with(&self, document: &Path, options: &[&str]) -> Result<String> {
        let mut command = Command::new(paths::turquoise()?);
        told(command.arg("sign").arg(document).arg("--key").arg(&self.file).args(options).output()?)
    }
}

fn told(output: Output) -> Result<String> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout).context("no text")?.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_trusted_signed_does_not_come_into_force() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let (ours, theirs) = (Key::create(keys.path(), "ours.pem")?, Key::create(keys.path(), "theirs.pem")?);
    let trusted = format!(r#""publicKeys": ["{}"], "timeout":"#, ours.public);
    let config = Start { config: &|config, _| config.replace(r#""timeout":"#, &trusted), ..Start::default() };
    let mut fixture = Fixture::start(config).await?;
    not_signed(&fixture).await?;
    signed(&mut fixture, &ours, "green").await?;

    let (text, file) = (fixture.document.text() + "\n", fixture.document.path().to_owned());
    let faults = [
        ("whose document somebody else signed", "none of which is in", theirs.sign(&file)?),
        ("whose document was changed after it was signed", "does not fit its bytes", ours.sign(&file)?),
    ];
    for (name, says, signature) in faults {
        let fault = Fault { name, refused: Some("signature"), says };
        let text = text.clone();
        fixture.endures(&fault, async |origin| origin.publish_with(text, &signature)).await?;
    }
    signed(&mut fixture, &ours, "blue").await?;
    fixture.finish().await
}

/// The source's first document is not signed: the inlined one is in force. Nothing was before it, so there is no age.
async fn not_signed(fixture: &Fixture) -> Result<()> {
    let lines = fixture.lines(Mark::default());
    ensure!(lines.len() == 1 && lines.iter().all(|line| line.contains("it is not signed")), "{lines:#?}");
    let status = fixture.status().await?;
    ensure!(status["inForce"] == "inlined" && status["lastError"]["stage"] == "signature", "{status:#}");
    ensure!(fixture.count("turquoise_refusals_total", ("reason", "signature")).await? > 1, "not counted");
    Ok(())
}

/// A refused signature is followed by longer and longer waits, since no ETag may stand in the way of another.
async fn signed(fixture: &mut Fixture, key: &Key, colour: &'static str) -> Result<()> {
    fixture.edit(colour)?;
    let signature = key.sign(fixture.document.path())?;
    let published = fixture.obeyed(colour, AFTER_FAILURES, async |origin, text| {
        origin.publish_with(text.to_owned(), &signature)
    });
    published.await.context("after a document was signed")
}

/// Somebody in the source's place goes on sending what it once said.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_frozen_ages_and_expires_and_its_document_stays() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let key = Key::create(keys.path(), "key.pem")?;
    let trusted = format!(r#""publicKeys": ["{}"], "audience": "shop", "timeout":"#, key.public);
    let config = Start { config: &|config, _| config.replace(r#""timeout":"#, &trusted), ..Start::default() };
    let mut fixture = Fixture::start(config).await?;
    fixture.edit("green")?;
    let options = ["--audience", "shop", "--lifetime", "20s"];
    let fields = key.sign_with(fixture.document.path(), &options)?;
    let published = fixture
        .obeyed("green", AFTER_FAILURES, async |origin, text| origin.publish_with(text.to_owned(), &fields));
    published.await.context("after a document was signed for 20 s")?;
    let before = fixture.origin.requests();
    tokio::time::sleep(Duration::from_secs(24)).await;
    ensure!(fixture.origin.requests() > before, "the source is asked, and answers");
    let status = fixture.status().await?;
    ensure!(status["inForce"] == "fetched" && status["signature"]["expired"] == true, "{status:#}");
    ensure!(status["ageSeconds"].as_u64() >= Some(20), "{status:#}");
    ensure!(status["lastError"]["stage"] == "expired", "{status:#}");
    ensure!(fixture.count("turquoise_refusals_total", ("reason", "expired")).await? > 0, "not counted");
    let lines = fixture.lines(Mark::default());
    ensure!(lines.iter().any(|line| line.contains("is not confirmed any more")), "{lines:#?}");
    // A signature that is newer, and nothing else.
    let renewed = key.sign_with(fixture.document.path(), &options)?;
    fixture.origin.publish_with(fixture.document.text(), &renewed)?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let status = fixture.status().await?;
    ensure!(status["signature"]["expired"] == false, "{status:#}");
    fixture.finish().await
}
