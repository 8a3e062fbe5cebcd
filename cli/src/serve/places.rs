//! How many connections there may be, and who makes room when there are more.
//!
//! Every connection takes a file descriptor, and some are kept back for reading files: whoever opens connections must not
//! stop a document from being published. When all places are taken, a newcomer gets the place of a connection that has
//! not asked anything, or has been idle the longest; else of the client that has the most of them. Where that is its own
//! client, the newcomer is turned away.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// File descriptors that connections may not take: the process's own, and what reads files.
const RESERVED_DESCRIPTORS: usize = 32;

/// The most connections unless configured otherwise, however many descriptors there are: each takes some 20 KiB.
const DEFAULT_CONNECTIONS: usize = 16_384;

/// For how long nobody is taken for silent.
const NEWCOMER: Duration = Duration::from_secs(1);

/// How long a newcomer waits for a connection that makes room to be gone.
const EVICTION: Duration = Duration::from_secs(1);

/// All connections that are open.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    free: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    places: HashMap<u64, Arc<Place>>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Place {
    client: IpAddr,
    state: Mutex<State>,
    /// Told when the connection has to make room.
    evicted: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
    leaving: bool,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was ever asked completely.
    New,
    /// A request has begun, after others were answered.
    Asking,
    /// The last request was answered, or is being sent its answer.
    Idle,
    /// A request waits for its answer, or listens to events.
    Served,
}

/// The right to a connection; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) place: Arc<Place>,
    id: u64,
    places: Arc<Places>,
    _permit: OwnedSemaphorePermit,
}

/// How many connections there may be where so many were asked for. First of all this lets us have as many descriptors as
/// we may: the soft limit is 1,024 in most places, for the sake of `select`.
pub(super) fn most_connections(wanted: Option<usize>) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where the hard limit is not granted (macOS), we go on with what there is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    let descriptors = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let allowed = allowed(descriptors.unwrap_or(usize::MAX));
    match wanted {
        Some(wanted) if wanted > allowed => {
            super::say(&format!(
                "--max-connections {wanted}: {allowed} at most, since this process may have {} file descriptors \
                 (`ulimit -n`)",
                descriptors.unwrap_or_default()
            ));
            allowed
        }
        Some(wanted) => wanted,
        None => allowed.min(DEFAULT_CONNECTIONS),
    }
}

/// How many connections so many descriptors allow.
fn allowed(descriptors: usize) -> usize {
    let reserved = RESERVED_DESCRIPTORS.min(descriptors / 2);
    // What a semaphore can count.
    descriptors.saturating_sub(reserved).clamp(1, Semaphore::MAX_PERMITS)
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, free: Arc::new(Semaphore::new(most)), taken: Mutex::default() })
    }

    /// How many connections there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// A place for a connection of this client, perhaps one that another had to give up (then the second is true).
    pub(super) async fn take(self: &Arc<Self>, client: IpAddr) -> Option<(Held, bool)> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Some((self.hold(client, permit), false));
        }
        let victim = self.lock().victim(client)?;
        victim.lock().leaving = true;
        victim.evicted.notify_one();
        let permit = tokio::time::timeout(EVICTION, Arc::clone(&self.free).acquire_owned()).await;
        Some((self.hold(client, permit.ok()?.ok()?), true))
    }

    fn hold(self: &Arc<Self>, client: IpAddr, permit: OwnedSemaphorePermit) -> Held {
        let state = State { phase: Phase::New, since: Instant::now(), leaving: false };
        let place = Arc::new(Place { client, state: Mutex::new(state), evicted: Notify::new() });
        let mut taken = self.lock();
        taken.last += 1;
        let id = taken.last;
        taken.places.insert(id, Arc::clone(&place));
        Held { place, id, places: Arc::clone(self), _permit: permit }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.places.lock().places.remove(&self.id);
    }
}

impl Taken {
    /// Who makes room for a connection of this client.
    fn victim(&self, client: IpAddr) -> Option<Arc<Place>> {
        let present =
            || self.places.values().map(|place| (place, *place.lock())).filter(|(_, state)| !state.leaving);
        let first = |(_, state): &(&Arc<Place>, State)| state.rank();
        if let Some((place, _)) =
            present().filter(|(_, state)| state.phase != Phase::Served).min_by_key(first)
        {
            return Some(Arc::clone(place));
        }
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (place, _) in present() {
            *counts.entry(place.client).or_default() += 1;
        }
        let (greediest, most) = counts.iter().max_by_key(|(_, count)| **count)?;
        // Who has as many would only change places with them.
        if *most <= counts.get(&client).copied().unwrap_or(0) + 1 {
            return None;
        }
        let (place, _) = present().filter(|(place, _)| place.client == *greediest).min_by_key(first)?;
        Some(Arc::clone(place))
    }
}

impl State {
    /// Who makes room first has the lowest rank: who has been silent, then who is idle, then who has just come.
    fn rank(&self) -> (u8, Instant) {
        let class = match self.phase {
            Phase::New if self.since.elapsed() >= NEWCOMER => 0,
            Phase::Asking | Phase::Idle => 1,
            Phase::New => 2,
            Phase::Served => 3,
        };
        (class, self.since)
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the connection has to make room.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Something came from the client.
    pub(super) fn heard(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            (state.phase, state.since) = (Phase::Asking, Instant::now());
        }
    }

    /// A request is complete.
    pub(super) fn served(&self) {
        self.enter(Phase::Served);
    }

    /// Its answer is settled.
    pub(super) fn answered(&self) {
        self.enter(Phase::Idle);
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        (state.phase, state.since) = (phase, Instant::now());
    }

    /// Since when the client has been sending the head of a request, if it is: from the beginning of the connection, or
    /// from the first byte.
    pub(super) fn asking_since(&self) -> Option<Instant> {
        let state = self.lock();
        matches!(state.phase, Phase::New | Phase::Asking).then_some(state.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn descriptors_are_left_for_reading_files() {
        assert_eq!((allowed(1024), allowed(64), allowed(40)), (992, 32, 20));
        assert_eq!((allowed(0), allowed(usize::MAX)), (1, Semaphore::MAX_PERMITS));
    }

    async fn fill(places: &Arc<Places>, clients: &[u8]) -> Vec<Held> {
        let mut held = Vec::new();
        for last in clients {
            held.push(places.take(client(*last)).await.unwrap().0);
        }
        held
    }

    /// Whose place a newcomer gets, by index.
    async fn evicted_for(places: &Arc<Places>, newcomer: u8, held: Vec<Held>) -> Option<usize> {
        let numbers: Vec<_> = held.iter().map(|held| held.id).collect();
        for held in held {
            tokio::spawn(async move {
                held.place.evicted().await;
            });
        }
        let (newcomer, evicted) = places.take(client(newcomer)).await?;
        assert!(evicted);
        let taken = places.lock().places.keys().copied().collect::<Vec<_>>();
        drop(newcomer);
        numbers.iter().position(|id| !taken.contains(id))
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asked_makes_room_first_then_who_is_idle_the_longest() {
        let places = Places::new(3);
        let held = fill(&places, &[1, 2, 3]).await;
        for number in [1, 2, 0] {
            held[number].place.served();
            held[number].place.answered();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(evicted_for(&places, 9, held).await, Some(1));
        let places = Places::new(3);
        let held = fill(&places, &[1, 2, 3]).await;
        held[0].place.served();
        held[1].place.served();
        held[1].place.answered();
        tokio::time::advance(NEWCOMER).await;
        assert_eq!(evicted_for(&places, 9, held).await, Some(2));
        // Who has just come is about to ask.
        let places = Places::new(2);
        let held = fill(&places, &[1, 2]).await;
        held[0].place.served();
        held[0].place.answered();
        assert_eq!(evicted_for(&places, 9, held).await, Some(0));
    }

    #[tokio::test]
    async fn the_client_with_the_most_connections_gives_one_up_to_others() {
        let served = |held: &[Held]| held.iter().for_each(|held| held.place.served());
        for (clients, newcomer, victim) in [
            (&[1, 2, 2, 2][..], 1, Some(1)),
            (&[1, 1, 2, 2], 3, Some(0)),
            (&[2, 2, 2, 2], 2, None),
            (&[1, 2, 3, 4], 5, None),
            (&[1, 2, 3, 4], 1, None),
        ] {
            let places = Places::new(4);
            let held = fill(&places, clients).await;
            served(&held);
            let found = evicted_for(&places, newcomer, held).await;
            match victim {
                Some(_) => assert!(found.is_some(), "{clients:?}"),
                None => assert_eq!(found, None, "{clients:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_place_that_is_given_back_is_free() {
        let places = Places::new(1);
        drop(fill(&places, &[1]).await);
        assert!(places.take(client(2)).await.is_some_and(|(_, evicted)| !evicted));
        assert!(places.lock().places.is_empty());
    }
}
