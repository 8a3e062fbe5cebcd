//! A child process that cannot outlive the program that started it.
//!
//! Dropping a [`Process`] kills it and all that it started: every child leads a process group of its own. When the
//! program is killed itself nothing gets dropped, so beside each child stands a watchdog: a shell that reads from a
//! pipe whose only writing end this program holds. However the program ends, the pipe closes and the shell kills the
//! group. (`PR_SET_PDEATHSIG` would need `unsafe`, exists on Linux only, and fires when the *thread* that spawned the
//! child ends, which under a test runner is at once.)

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::log::Log;

/// It ignores the signals that end a session: it has to be the last to go.
const WATCHDOG: &str = r#"trap "" HUP INT TERM; read -r _; kill -s KILL -- "-$1" 2>/dev/null"#;

/// A running child process with the lines that it wrote.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    watchdog: Child,
    log: Log,
}

impl Process {
    /// Starts `command` without standard input and with its output going to a [`Log`]. `name` is for messages.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name} (`{program}`)"))?;
        let watchdog = match watch(&child) {
            Ok(watchdog) => watchdog,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let log = Log::default();
        let streams = [child.stdout.take().map(boxed), child.stderr.take().map(boxed)];
        streams.into_iter().flatten().for_each(|stream| log.follow(stream));
        Ok(Self { name: name.to_owned(), child, watchdog, log })
    }

    /// The memory that it holds, in bytes (Linux's `VmRSS`).
    pub fn resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024).with_context(|| format!("`{path}` has no `VmRSS`"))
    }

    /// What the process wrote so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
        if status.is_some() {
            // Its id is free for others from here on, so nobody may kill it any more.
            self.dismiss_watchdog();
        }
        Ok(status)
    }

    /// An error with the end of the log, if the process is no longer there.
    pub fn expect_running(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}); its last lines:\n{}", self.name, self.log.tail(20)),
        }
    }

    /// Waits for the process to end by itself.
    pub async fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} still runs after {patience:?}; its last lines:\n{}", self.name, self.log.tail(20));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks the process to end (SIGTERM) and waits until it has; it fails if that takes longer than `patience`.
    pub async fn stop(mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(patience).await
    }

    fn signal(&mut self, signal: Signal) {
        // Once it is reaped the id may be another's.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), signal);
        }
    }

    fn dismiss_watchdog(&mut self) {
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Before the child is reaped: until then its id cannot be given to another process.
        self.dismiss_watchdog();
        let _ = self.child.wait();
    }
}

fn watch(child: &Child) -> Result<Child> {
    Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog", &child.id().to_string()])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start `sh`, which kills children when this program is killed")
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}

#[cfg(test)]
mod tests;
