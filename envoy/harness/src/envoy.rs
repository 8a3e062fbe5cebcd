//! A real Envoy, from a configuration file that users copy.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::http;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::paths;
use crate::process::Process;

/// Envoy compiles the module before it listens, on a machine that others use as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The text of an `envoy.yaml`, with its documented ports and paths replaced. What is to be replaced has to be there:
/// a test must not run with less changed than it believes.
#[derive(Clone, Debug)]
pub struct Config {
    path: PathBuf,
    text: String,
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Replaces every `from`.
    pub fn replace(mut self, from: &str, to: &str) -> Result<Self> {
        ensure!(self.text.contains(from), "`{}` has no `{from}` to replace", self.path.display());
        self.text = self.text.replace(from, to);
        Ok(self)
    }

    /// Replaces every `port_value` that is `from`.
    pub fn port(mut self, from: u16, to: u16) -> Result<Self> {
        let token = format!("port_value: {from}");
        let mut text = String::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once(&token) {
            let longer = after.starts_with(|next: char| next.is_ascii_digit());
            let port = if longer { from } else { to };
            text += &format!("{before}port_value: {port}");
            rest = after;
        }
        ensure!(!text.is_empty(), "`{}` has no `{token}` to replace", self.path.display());
        text += rest;
        self.text = text;
        Ok(self)
    }

    /// The configuration as it stands.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What one Envoy is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// The admin address in it.
    pub admin: SocketAddr,
    /// The addresses in it that clients connect to.
    pub listeners: Vec<SocketAddr>,
    /// How many worker threads (`--concurrency`).
    pub workers: usize,
    /// More of Envoy's command line, as `--drain-time-s`.
    pub arguments: Vec<String>,
}

/// A running Envoy. It is killed when this is dropped.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    // Last, so that the configuration outlives the process that reads it.
    _directory: TempDir,
}

impl Envoy {
    /// Starts Envoy and waits until it serves.
    pub async fn start(setup: &Setup) -> Result<Self> {
        let mut envoy = Self::spawn(setup)?;
        let deadline = Instant::now() + PATIENCE;
        while !envoy.serves(&setup.listeners).await {
            envoy.process.expect_running()?;
            if Instant::now() > deadline {
                bail!("Envoy is not ready after {PATIENCE:?}; its log:\n{}", envoy.log().tail(20));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(envoy)
    }

    /// Starts an Envoy that is expected to refuse its configuration, and returns how it ended and what it wrote.
    pub async fn refused(setup: &Setup) -> Result<(ExitStatus, Log)> {
        let mut envoy = Self::spawn(setup)?;
        let status = envoy.process.wait(PATIENCE).await?;
        // The last lines may still be in the pipe.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok((status, envoy.log().clone()))
    }

    fn spawn(setup: &Setup) -> Result<Self> {
        let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
        let file = directory.path().join("envoy.yaml");
        fs::write(&file, setup.config.text())
            .with_context(|| format!("cannot write `{}`", file.display()))?;
        let mut command = Command::new(paths::envoy()?);
        command.arg("-c").arg(&file).arg("--concurrency").arg(setup.workers.to_string());
        // Hot restart shares memory between Envoys of one machine by number: two tests would meet there.
        command.args(["--disable-hot-restart", "--log-level", "info", "--log-format", "[%T.%e][%l][%n] %v"]);
        command.args(&setup.arguments);
        Ok(Self {
            process: Process::spawn("Envoy", &mut command)?,
            admin: setup.admin,
            _directory: directory,
        })
    }

    async fn serves(&self, listeners: &[SocketAddr]) -> bool {
        let ready = http::get(self.admin, "/ready", &[]).await;
        if !ready.is_ok_and(|reply| reply.status == 200) {
            return false;
        }
        for listener in listeners {
            if TcpStream::connect(listener).await.is_err() {
                return false;
            }
        }
        true
    }

    /// The memory that Envoy holds, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.process.resident_bytes()
    }

    /// What Envoy and its modules log.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// An error with the end of the log, if Envoy is no longer there.
    pub fn expect_running(&mut self) -> Result<()> {
        self.process.expect_running()
    }

    /// Where the admin interface listens.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The whole of `/stats/prometheus`.
    pub async fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics::parse(&http::get(self.admin, "/stats/prometheus", &[]).await?.text()))
    }

    /// The counters and gauges of `/stats` whose names match `filter`, a regular expression without characters that an
    /// URL reserves.
    pub async fn stats(&self, filter: &str) -> Result<BTreeMap<String, u64>> {
        let text = http::get(self.admin, &format!("/stats?filter={filter}"), &[]).await?.text();
        let pair = |line: &str| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(text.lines().filter_map(pair).collect())
    }

    /// How many open client connections each worker holds at `listener`.
    pub async fn connections_by_worker(&self, listener: SocketAddr) -> Result<Vec<u64>> {
        let stats = self.stats("worker_.*downstream_cx_active").await?;
        let name = format!("listener.{}_{}.worker_", listener.ip(), listener.port());
        Ok(stats.into_iter().filter(|(stat, _)| stat.starts_with(&name)).map(|(_, open)| open).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config { path: "envoy.yaml".into(), text: text.to_owned() }
    }

    #[test]
    fn ports_are_replaced_whole() {
        let text = "a: { port_value: 8081 }\nb: { port_value: 80812 }\nc: { port_value: 8081 }\n";
        let replaced = config(text).port(8081, 12001).unwrap();
        assert_eq!(
            replaced.text(),
            "a: { port_value: 12001 }\nb: { port_value: 80812 }\nc: { port_value: 12001 }\n"
        );
    }

    #[test]
    fn what_is_not_there_cannot_be_replaced() {
        let error = config("a: b").replace("dist/turquoise.wasm", "x").unwrap_err().to_string();
        assert_eq!(error, "`envoy.yaml` has no `dist/turquoise.wasm` to replace");
        let error = config("a: b").port(8081, 1).unwrap_err().to_string();
        assert_eq!(error, "`envoy.yaml` has no `port_value: 8081` to replace");
    }
}
