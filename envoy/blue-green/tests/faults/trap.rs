//! A VM that dies. No defect is known that does it, so a module of this test's own dies at a request's word.
//!
//! Envoy makes a new VM when the next request comes, unless the one that died had lived for less than the backoff: it
//! counts from when that was made. So a request that kills a VM now and then costs nobody else anything, and one that
//! is repeated at once costs its worker the backoff.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use envoy_harness::envoy::Config;
use envoy_harness::http::{self, Client, Reply};
use envoy_harness::load::Record;
use envoy_harness::paths;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::endure::AFTER_REFUSALS;
use crate::fixture::{Fixture, PATIENCE, Start, WORKERS};

/// What kills a VM of that module.
const TRAP: &str = "x-turquoise-test-trap";

/// What that module can be told by: it logs this before it dies.
const LAST_WORDS: &str = "the feature `trap` is in this module";

/// `base_interval` of `envoy.yaml`, to which Envoy adds up to a half by chance.
const BACKOFF: Duration = Duration::from_millis(150);

/// Single deaths: enough to meet several workers.
const DEATHS: u64 = 8;

/// Requests that were sent before and are answered after. On new connections, they are on all workers.
const OPEN: usize = 16;

/// After so long another VM asks the source: a lease ends, and somebody looks.
const SUCCESSION: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_that_died_comes_back_with_the_current_rules() -> Result<()> {
    let mut fixture = start().await?;
    // The inlined document says blue.
    fixture.release("green", AFTER_REFUSALS).await?;

    let mut moments = single_deaths(&fixture).await?;
    let met =
        |record: &Record| moments.iter().any(|(began, over)| record.ended > *began && record.started < *over);
    let unlucky = fixture.load.records(|record| record.outcome.is_err() && met(record)).len();
    println!("{unlucky} requests of others failed in the moments of {DEATHS} deaths");
    ensure!(unlucky as u64 <= DEATHS, "{unlucky} requests of others failed, more than one for each death");
    let began = Instant::now();
    let over = dies_again_at_once(&mut fixture).await?;
    moments.push((began, over));
    fixture.release("blue", AFTER_REFUSALS).await.context("after VMs died")?;
    // All but what workers refused in those moments.
    fixture
        .right(move |record| {
            moments.iter().any(|(began, over)| record.ended > *began && record.started < *over)
        })
        .await
}

/// Nobody sends requests to the VM that asks, so Envoy makes no other in its place. A worker's VM asks from then on.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_vm_that_asks_dies_another_asks() -> Result<()> {
    let mut fixture = start().await?;
    fixture.release("green", AFTER_REFUSALS).await?;
    let mark = fixture.scenario.envoy.log().mark();
    fixture.origin.publish_with(fixture.document.text() + "\n", &format!("{TRAP}: now"))?;
    let died = "proxy_on_http_call_response failed";
    fixture.scenario.envoy.log().wait_for(mark, died, PATIENCE).await?;
    fixture.edit("blue")?;
    let swaps = fixture.scenario.swaps().await?;
    fixture.changes();
    fixture.origin.publish_with(fixture.document.text(), "x-other: header")?;
    let published = Instant::now();
    while fixture.scenario.swaps().await? < swaps + WORKERS as u64 {
        ensure!(published.elapsed() < SUCCESSION, "not all workers obey within {SUCCESSION:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("the workers obey {:.1?} after the VM died that asked", published.elapsed());
    fixture.settles("blue", Instant::now());
    fixture.some_requests(Instant::now()).await?;
    ensure!(fixture.scenario.envoy.log().matching(mark, died).len() == 1, "more than one VM died");
    fixture.right(|_| false).await
}

/// The VM that asks dies over a document; the next one that asks refuses it, and no other dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_kills_is_compiled_once() -> Result<()> {
    let mut fixture = start().await?;
    fixture.release("green", AFTER_REFUSALS).await?;
    let (mark, requests) = (fixture.scenario.envoy.log().mark(), fixture.origin.requests());
    fixture.edit("blue")?;
    fixture.origin.publish(deadly(&fixture, "compile")?);
    let line = fixture.scenario.envoy.log().wait_for(mark, "so it is not tried again", PATIENCE).await?;
    println!("the next one that asks: {line}");
    // Others ask about it, and none of them compiles it.
    tokio::time::sleep(SUCCESSION).await;
    ensure!(fixture.origin.requests() > requests + 2, "nobody asks any more");
    let died = fixture.scenario.envoy.log().matching(mark, LAST_WORDS);
    ensure!(died.len() == 1, "{} VMs died: {died:#?}", died.len());
    let refused = fixture.count("turquoise_refusals_total", ("reason", "fatal")).await?;
    ensure!(refused >= 1, "it is not counted");
    let status = fixture.status().await?;
    ensure!(
        status["version"] == "release-1" && status["lastError"]["stage"] == "fatal",
        "another document is in force, or nobody says why: {status:#}"
    );
    obeyed_by_workers(&mut fixture, "blue").await?;
    fixture.right(|_| false).await
}

/// All workers' VMs die over a document that the VM which brought it has in force, once more if they are replaced at once.
/// Then no other does: new ones go by the document before, and so does everybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_kills_all_workers_is_withdrawn() -> Result<()> {
    let mut fixture = start().await?;
    fixture.release("green", AFTER_REFUSALS).await?;
    let mark = fixture.scenario.envoy.log().mark();
    fixture.edit("blue")?;
    let began = Instant::now();
    fixture.origin.publish(deadly(&fixture, "follow")?);
    fixture
        .scenario
        .envoy
        .log()
        .wait_for(mark, "withdrawn, the one before is in force again", PATIENCE)
        .await?;
    println!("withdrawn after {:.1?}", began.elapsed());
    tokio::time::sleep(SUCCESSION).await;
    let died = fixture.scenario.envoy.log().matching(mark, LAST_WORDS).len();
    println!("{died} VMs died");
    // Envoy makes the first new VM within milliseconds, when nobody can know yet that the one before did not just take its
    // time. From then on its backoff holds, and the next one knows.
    ensure!((1..=2 * WORKERS).contains(&died), "{died} VMs of {WORKERS} workers died");
    let status = fixture.status().await?;
    ensure!(status["version"] == "release-1" && status["inForce"] == "fetched", "not withdrawn: {status:#}");
    obeyed_by_workers(&mut fixture, "blue").await?;
    // Whoever came to a worker at the moment of its death.
    let over = began + 4 * BACKOFF;
    fixture.right(move |record| record.ended > began && record.started < over).await
}

/// The document as it is, with what kills those who compile or follow it, under that version.
fn deadly(fixture: &Fixture, whom: &str) -> Result<String> {
    let text = fixture.document.text();
    let deadly = text.replacen('{', &format!("{{ \"$schema\": \"x-turquoise-test-trap-{whom}\","), 1);
    ensure!(deadly != text, "the document has no beginning");
    Ok(deadly)
}

/// Another document comes into force in all workers, though the VM that asked may be gone for good.
async fn obeyed_by_workers(fixture: &mut Fixture, colour: &'static str) -> Result<()> {
    fixture.edit(colour)?;
    let swaps = fixture.scenario.swaps().await?;
    fixture.changes();
    fixture.origin.publish(fixture.document.text());
    let published = Instant::now();
    while fixture.scenario.swaps().await? < swaps + WORKERS as u64 {
        ensure!(published.elapsed() < SUCCESSION, "not all workers obey within {SUCCESSION:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fixture.settles(colour, Instant::now());
    fixture.some_requests(Instant::now()).await
}

async fn start() -> Result<Fixture> {
    let (shipped, trapping) = (paths::module()?, build()?);
    ensure!(holds_trap(&trapping)? && !holds_trap(&shipped)?, "the feature `trap` is in the wrong module");
    let config = |config: Config, _: &Path| {
        config.replace(&shipped.display().to_string(), &trapping.display().to_string())
    };
    Fixture::start(Start { config: &config, ..Start::default() }).await
}

/// The request that kills is answered 503; hardly anybody else notices. Returns when VMs were dead: a request that comes
/// to a worker then may be refused, too.
async fn single_deaths(fixture: &Fixture) -> Result<Vec<(Instant, Instant)>> {
    let mut moments = Vec::new();
    let mut open = Vec::new();
    for _ in 0..OPEN {
        let mut stream = TcpStream::connect(fixture.scenario.addresses.shop).await?;
        let head =
            "POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 5\r\n\r\nab";
        stream.write_all(head.as_bytes()).await?;
        open.push(stream);
    }
    for death in 1..=DEATHS {
        tokio::time::sleep(2 * BACKOFF).await;
        let began = Instant::now();
        let reply = fixture.kill(&mut Client::new(fixture.scenario.addresses.shop, PATIENCE)).await?;
        ensure!(reply.status == 503, "death {death}: the request that kills is answered {}", reply.status);
        // The new VM is made when the worker's next request comes, which on a worker with few connections takes a
        // while. Killed soon after that, it would cost others something.
        let killed = Instant::now();
        while fixture.reloads("success").await? < death {
            ensure!(killed.elapsed() < PATIENCE, "death {death}: no VM came back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        moments.push((began, Instant::now()));
    }
    for mut stream in open {
        stream.write_all(b"cde").await?;
        let mut reply = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut reply)).await??;
        let served = reply.starts_with("HTTP/1.1 200") && reply.contains(r#""colour":"green""#);
        ensure!(served, "a request under way while its VM died is answered: {reply}");
    }
    fixture.some_requests(Instant::now()).await?;
    let status = fixture.status().await?;
    ensure!(status["inForce"] == "fetched" && status["version"] == "release-1", "not current: {status:#}");
    let said = fixture.scenario.envoy.log().matching(Default::default(), "proxy_on_request_headers failed");
    ensure!(said.len() as u64 == DEATHS, "Envoy logged {said:#?}");
    Ok(moments)
}

/// Twice in a row on one worker: it answers 503 for the backoff, and the others go on. Returns when it was over.
async fn dies_again_at_once(fixture: &mut Fixture) -> Result<Instant> {
    tokio::time::sleep(2 * BACKOFF).await;
    let open = fixture.scenario.envoy.connections_by_worker(fixture.scenario.addresses.shop).await?;
    let most = open.into_iter().max().unwrap_or_default();
    fixture.changes();
    // One connection is one worker.
    let mut client = Client::new(fixture.scenario.addresses.shop, PATIENCE);
    let began = Instant::now();
    fixture.kill(&mut client).await?;
    fixture.kill(&mut client).await?;
    let killed = Instant::now();
    tokio::time::sleep(4 * BACKOFF).await;
    fixture.settles("green", killed + 2 * BACKOFF);

    let failed = fixture.load.records(|record| record.ended > began && record.outcome.is_err());
    let mut connections: Vec<_> = failed.iter().map(|record| record.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    let over = failed.iter().map(|record| record.ended).max().unwrap_or(killed);
    println!("{} requests failed on {} connections in {:.1?}", failed.len(), connections.len(), over - began);
    let window = fixture.load.window(|record| record.ended > began);
    ensure!(window.failures().keys().all(|kind| kind == "status 503"), "{:?}", window.failures());
    ensure!(connections.len() as u64 <= most, "more than one worker failed: {connections:?} of {most}");
    // Twice as long, for a machine that is busy.
    ensure!(over <= killed + 2 * BACKOFF, "the worker failed for {:.1?}", over - began);
    ensure!(fixture.reloads("success").await? > DEATHS, "the VM did not come back");
    Ok(over.max(killed))
}

impl Fixture {
    async fn kill(&self, client: &mut Client) -> Result<Reply> {
        let request = http::request("/hello", &[(TRAP.to_owned(), "now".to_owned())])?;
        client.send(request).await.context("the request that kills")
    }

    async fn reloads(&self, result: &str) -> Result<u64> {
        Ok(self.scenario.envoy.stats(&format!("vm_reload_{result}")).await?.values().sum())
    }
}

/// Builds the module that dies, beside the one that ships and never in its place.
fn build() -> Result<PathBuf> {
    let root = paths::workspace();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("trap");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip1", "-p", "turquoise-filter"])
        .args(["--features", "trap", "--target-dir"])
        .arg(&target)
        .current_dir(&root)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the module with the feature `trap` does not build");
    Ok(target.join("wasm32-wasip1/release/turquoise_filter.wasm"))
}

fn holds_trap(module: &Path) -> Result<bool> {
    let bytes = std::fs::read(module).with_context(|| format!("cannot read `{}`", module.display()))?;
    Ok(bytes.windows(LAST_WORDS.len()).any(|window| window == LAST_WORDS.as_bytes()))
}
