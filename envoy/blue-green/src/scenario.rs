//! Everything that runs: both versions of the shop, the document's origin, and Envoy between them and the users.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use envoy_harness::envoy::{Config, Envoy, Setup};
use envoy_harness::load::{Load, Plan};
use envoy_harness::log::Mark;
use envoy_harness::process::Process;
use envoy_harness::{http, paths, ports};

/// Generous, for machines that do more than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who listens where.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Where users reach the shop: Envoy's listener.
    pub shop: SocketAddr,
    /// Envoy's admin interface.
    pub admin: SocketAddr,
    /// The blue version.
    pub blue: SocketAddr,
    /// The green version.
    pub green: SocketAddr,
    /// The document's origin.
    pub source: SocketAddr,
}

/// The ports that `envoy.yaml` and the README name.
const DOCUMENTED: [u16; 5] = [10000, 9901, 8081, 8082, 8099];

impl Addresses {
    /// Free ones, so that any number of scenarios run side by side.
    pub fn free() -> Result<Self> {
        Ok(Self {
            shop: ports::free()?,
            admin: ports::free()?,
            blue: ports::free()?,
            green: ports::free()?,
            source: ports::free()?,
        })
    }

    /// The documented ones, for people; another in the place of one that is taken.
    pub fn documented() -> Result<Self> {
        let [shop, admin, blue, green, source] = DOCUMENTED;
        Ok(Self {
            shop: ports::prefer(shop)?,
            admin: ports::prefer(admin)?,
            blue: ports::prefer(blue)?,
            green: ports::prefer(green)?,
            source: ports::prefer(source)?,
        })
    }

    /// `envoy.yaml` with these addresses and with the module where it is.
    pub fn config(&self) -> Result<Config> {
        let module = paths::module()?;
        let mut config = Config::read(&paths::workspace().join("envoy/blue-green/envoy.yaml"))?;
        let actual = [self.shop, self.admin, self.blue, self.green, self.source];
        for (documented, actual) in DOCUMENTED.into_iter().zip(actual) {
            config = config.port(documented, actual.port())?;
        }
        config.replace("filename: dist/turquoise.wasm", &format!("filename: \"{}\"", module.display()))
    }
}

/// A running scenario. All of it ends when this is dropped.
#[derive(Debug)]
pub struct Scenario {
    /// The proxy.
    pub envoy: Envoy,
    /// Who listens where.
    pub addresses: Addresses,
    program: PathBuf,
    workers: usize,
    blue: Process,
    green: Option<Process>,
}

impl Scenario {
    /// Starts the blue version and Envoy. `program` is the binary `shop`.
    pub async fn start(program: &Path, addresses: Addresses, workers: usize, config: Config) -> Result<Self> {
        Self::start_with(program, addresses, workers, config, &[]).await
    }

    /// The same with more of Envoy's command line.
    pub async fn start_with(
        program: &Path,
        addresses: Addresses,
        workers: usize,
        config: Config,
        arguments: &[&str],
    ) -> Result<Self> {
        let blue = start_shop(program, "v1", "blue", addresses.blue).await?;
        let setup = Setup {
            config,
            admin: addresses.admin,
            listeners: vec![addresses.shop],
            workers,
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        let envoy = Envoy::start(&setup).await?;
        Ok(Self { envoy, addresses, program: program.to_owned(), workers, blue, green: None })
    }

    /// Starts the green version. Nobody is sent there by that.
    pub async fn deploy_green(&mut self) -> Result<()> {
        self.green = Some(start_shop(&self.program, "v2", "green", self.addresses.green).await?);
        Ok(())
    }

    /// Starts load at the shop, over connections that reach every worker.
    pub async fn load(&self, mut plan: Plan) -> Result<Load> {
        plan.target = self.addresses.shop;
        // The kernel deals connections to workers by hash: with 16 and two workers, all land on one in 1 of 32,768.
        for _ in 0..5 {
            let mut load = Load::start(plan.clone())?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            let by_worker = self.envoy.connections_by_worker(self.addresses.shop).await?;
            if by_worker.len() == self.workers && by_worker.iter().all(|open| *open > 0) {
                return Ok(load);
            }
            load.stop().await;
        }
        bail!("{} connections do not reach all {} workers of Envoy", plan.connections, self.workers)
    }

    /// How many VMs run the module: one for each worker, and one on Envoy's main thread.
    #[must_use]
    pub fn vms(&self) -> u64 {
        self.workers as u64 + 1
    }

    /// How often a VM has adopted a document so far, over all VMs.
    pub async fn swaps(&self) -> Result<u64> {
        Ok(self.envoy.stats("turquoise_document_swaps_total").await?.values().sum())
    }

    /// Waits until every VM has adopted one more document than at `before`, and returns when that was seen: a request
    /// that is sent later meets the new document, on whatever worker.
    pub async fn adopted(&self, before: u64) -> Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let swapped = self.swaps().await?.saturating_sub(before);
            if swapped >= self.vms() {
                return Ok(Instant::now());
            }
            if Instant::now() > deadline {
                bail!(
                    "{swapped} of {} VMs adopted the document within {PATIENCE:?}; Envoy's log ends with:\n{}",
                    self.vms(),
                    self.envoy.log().tail(10)
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no VM has adopted anything for a second: after the start, each fetches its first document.
    pub async fn steady(&self) -> Result<()> {
        let (mut swaps, mut since) = (self.swaps().await?, Instant::now());
        let deadline = Instant::now() + PATIENCE;
        while since.elapsed() < Duration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.swaps().await?;
            if now != swaps {
                (swaps, since) = (now, Instant::now());
            }
            if Instant::now() > deadline {
                bail!("the module still adopts documents after {PATIENCE:?}, though none has changed");
            }
        }
        Ok(())
    }

    /// An error if a VM died: a panic in the filter is a fault in any test, even where traffic flows on.
    pub async fn no_vm_died(&self) -> Result<()> {
        let reloads = self.envoy.stats("vm_reload").await?;
        ensure!(reloads.values().all(|count| *count == 0), "a VM died: {reloads:?}");
        let panics = self.envoy.log().matching(Mark::default(), "panicked");
        ensure!(panics.is_empty(), "the filter panicked: {panics:?}");
        Ok(())
    }

    /// An error, with its log, for the first process that is no longer there.
    pub fn expect_running(&mut self) -> Result<()> {
        self.envoy.expect_running()?;
        self.blue.expect_running()?;
        self.green.as_mut().map_or(Ok(()), Process::expect_running)
    }
}

/// Starts `turquoise serve`, the origin that users run, for this file.
pub async fn start_source(file: &Path, listen: SocketAddr) -> Result<Process> {
    let mut command = Command::new(paths::turquoise()?);
    command.arg("serve").arg(file).arg("--listen").arg(listen.to_string());
    ready(Process::spawn("`turquoise serve`", &mut command)?, listen, "/document.json").await
}

async fn start_shop(program: &Path, version: &str, colour: &str, listen: SocketAddr) -> Result<Process> {
    let mut command = Command::new(program);
    command.args(["--version", version, "--colour", colour, "--listen", &listen.to_string()]);
    let name = format!("the {colour} shop");
    let process = Process::spawn(&name, &mut command)
        .with_context(|| "run `cargo build --release -p blue-green`, which builds `shop` too")?;
    ready(process, listen, "/hello").await
}

async fn ready(mut process: Process, address: SocketAddr, path: &str) -> Result<Process> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if http::get(address, path, &[]).await.is_ok_and(|reply| reply.status == 200) {
            return Ok(process);
        }
        process.expect_running()?;
        if Instant::now() > deadline {
            bail!("http://{address}{path} does not answer 200; log:\n{}", process.log().tail(10));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
