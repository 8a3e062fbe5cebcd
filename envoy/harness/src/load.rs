//! Live load: many virtual users over a few kept connections, at an even rate, with every answer judged and recorded.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::http::{self, Client, NoReply, Reply};
use crate::window::Window;

/// A virtual user: a name and what it sends with every request.
#[derive(Clone, Debug)]
pub struct User {
    /// What it is told apart by.
    pub name: String,
    /// The headers that it sends.
    pub headers: Vec<(String, String)>,
}

/// What a right answer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The version of the application that served.
    pub version: String,
    /// Its colour.
    pub colour: String,
    /// Whether the feature under watch was on for this user.
    pub feature: bool,
}

/// Says what an answer to a user means, or what is wrong with it. A status other than 200 never gets here.
pub type Judge = fn(&User, &Reply) -> Result<Seen, String>;

/// The load to produce.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub target: SocketAddr,
    /// The path that everybody asks for.
    pub path: String,
    /// Who asks, in turn.
    pub users: Vec<User>,
    /// Over how many kept connections.
    pub connections: usize,
    /// Requests a second, over all connections.
    pub rate: u32,
    /// How long an answer may take.
    pub patience: Duration,
    /// What makes an answer a right one.
    pub judge: Judge,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no whole response.
    NoReply(NoReply),
    /// The status was not 200.
    Status(u16),
    /// The response was not what it should be.
    Wrong(String),
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was sent.
    pub started: Instant,
    /// When its response was complete, or it failed.
    pub ended: Instant,
    /// Over which connection.
    pub connection: usize,
    /// Whose it was: the place in [`Plan::users`].
    pub user: usize,
    /// What it came to.
    pub outcome: Result<Seen, Failure>,
}

/// Load that runs until it is stopped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    connections: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    /// Each user's request, built once.
    requests: Vec<Request<Full<Bytes>>>,
    turn: AtomicUsize,
    stop: AtomicBool,
    records: Mutex<Vec<Record>>,
}

impl Load {
    /// Starts the load. Each connection is a task of its own; on a small machine that is far cheaper than a thread.
    pub fn start(plan: Plan) -> Result<Self> {
        ensure!(
            !plan.users.is_empty() && plan.connections > 0 && plan.rate > 0,
            "a load needs users, connections and a rate"
        );
        let requests = plan.users.iter().map(|user| {
            http::request(&plan.path, &user.headers).with_context(|| format!("user `{}`", user.name))
        });
        let requests = requests.collect::<Result<_>>()?;
        let count = plan.connections;
        let shared = Arc::new(Shared {
            plan,
            requests,
            turn: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            records: Mutex::default(),
        });
        let connections = (0..count).map(|number| tokio::spawn(Arc::clone(&shared).drive(number))).collect();
        Ok(Self { shared, connections })
    }

    /// Lets the requests under way finish and ends the load. The records stay.
    pub async fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for connection in self.connections.drain(..) {
            let _ = connection.await;
        }
    }

    /// The users, as the records number them.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.shared.plan.users
    }

    /// Statistics over the finished requests that `chosen` picks.
    #[must_use]
    pub fn window(&self, chosen: impl Fn(&Record) -> bool) -> Window {
        Window::of(self.shared.records().iter().filter(|record| chosen(record)))
    }

    /// Copies of the finished requests that `chosen` picks.
    #[must_use]
    pub fn records(&self, chosen: impl Fn(&Record) -> bool) -> Vec<Record> {
        self.shared.records().iter().filter(|record| chosen(record)).cloned().collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.connections.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    /// One connection: a request at every tick, each for the next user.
    async fn drive(self: Arc<Self>, connection: usize) {
        let Plan { target, connections, rate, patience, .. } = self.plan;
        let mut client = Client::new(target, patience);
        let period = Duration::from_secs(1) * u32::try_from(connections).unwrap_or(u32::MAX) / rate;
        // The connections take turns within a period, so that the load is even.
        let offset =
            period * u32::try_from(connection).unwrap_or(0) / u32::try_from(connections).unwrap_or(1);
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + offset, period);
        // A slow answer makes this connection late and not busier afterwards. So latencies are those of single
        // requests: with a proxy that stalls, fewer are sent, and percentiles look better than its users would feel.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            let user = self.next_user();
            let (Some(request), Some(who)) = (self.requests.get(user), self.plan.users.get(user)) else {
                return;
            };
            let started = Instant::now();
            let reply = client.send(request.clone()).await;
            let ended = Instant::now();
            let outcome = self.judge(who, reply);
            self.records().push(Record { started, ended, connection, user, outcome });
        }
    }

    fn judge(&self, user: &User, reply: Result<Reply, NoReply>) -> Result<Seen, Failure> {
        let reply = reply.map_err(Failure::NoReply)?;
        if reply.status != 200 {
            return Err(Failure::Status(reply.status.as_u16()));
        }
        (self.plan.judge)(user, &reply).map_err(Failure::Wrong)
    }

    /// Every user once per round, shifted from round to round so that a user's requests take different connections and
    /// with them different workers.
    fn next_user(&self) -> usize {
        let (turn, users) = (self.turn.fetch_add(1, Ordering::Relaxed), self.plan.users.len());
        (turn + turn / users * 7) % users
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoReply(reason) => write!(out, "{reason}"),
            Self::Status(status) => write!(out, "status {status}"),
            Self::Wrong(what) => write!(out, "wrong answer: {what}"),
        }
    }
}

#[cfg(test)]
mod tests;
