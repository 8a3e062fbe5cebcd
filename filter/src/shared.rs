//! What the VMs of one proxy share about a source: who asks it, what it last said, and whom to wake.
//!
//! All of it lies in the proxy's shared data, so it outlives every VM: a new one starts from what the proxy already has.
//! Numbers are 64 bits, little-endian. Changes are compare-and-swap: whoever loses a race reads again.

use crate::host;

/// How long a lease holds without being renewed, in milliseconds: how long a source goes unasked when its holder dies.
pub(crate) const LEASE_MILLISECONDS: u64 = 3000;

/// Members that were not seen for so long are forgotten, in milliseconds: their VMs are gone.
const MEMBER_MILLISECONDS: u64 = 60_000;

/// How often a change is tried against others before it is left to them.
pub(crate) const TRIES: usize = 10;

/// Documents lie in shared data in pieces of so many bytes: reading a long one as a whole takes longer than a request
/// should wait.
const PIECE_BYTES: usize = 64 << 10;

/// The keys of one source and one configuration.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// Who asks, and until when: for each configuration, since the one that drains must not hold back its successor.
    lease: String,
    /// Whom to wake when there is something new: for each configuration as well.
    members: String,
    /// What went wrong last: for each configuration as well.
    error: String,
    /// What is known of the document, for every configuration with the same source.
    meta: String,
    /// The document itself, in pieces, in two places by turns: the one before can still be read.
    document: String,
    /// A VM that has nothing else to do.
    idle: String,
}

/// What is known of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Counts the documents that the proxy has had.
    pub(crate) generation: u64,
    /// The document's fingerprint.
    pub(crate) fingerprint: u64,
    /// When the source last confirmed it, in milliseconds since the epoch.
    pub(crate) confirmed: u64,
    /// The document's bytes.
    pub(crate) length: usize,
    pub(crate) etag: Option<String>,
    /// Under which keys it was accepted, and its signatures.
    pub(crate) seal: Seal,
    /// The version that it carries.
    pub(crate) version: Option<String>,
}

/// Why a document was accepted, for those who trust other keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Which keys the one who accepted it trusts, as [`trust::keys`](crate::trust::keys) has them.
    pub(crate) keys: u64,
    /// The header with the signatures; empty when there was none.
    pub(crate) signature: Vec<u8>,
}

/// The number at this index.
pub(crate) fn number(bytes: &[u8], index: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(index * 8..)?.first_chunk()?))
}

/// The bytes that [`number`] reads.
pub(crate) fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Gives what several VMs change its place, while only the proxy's first VM runs: setting a value for the first time
/// overwrites another's.
pub(crate) fn place(key: &str, value: &[u8]) {
    if host::shared_data(key).0.is_none() {
        host::set_shared_data(key, value, 0);
    }
}

/// Whether somebody who was seen then is still there: he says so every second.
fn is_fresh(seen: u64, now: u64) -> bool {
    seen.abs_diff(now) < LEASE_MILLISECONDS
}

impl Meta {
    fn parse(bytes: &[u8]) -> Option<Self> {
        // Neither an ETag nor another header holds a newline; a version may.
        let mut lines = bytes.get(40..)?.splitn(3, |byte| *byte == b'\n');
        let etag = std::str::from_utf8(lines.next()?).ok()?;
        Some(Self {
            generation: number(bytes, 0)?,
            fingerprint: number(bytes, 1)?,
            confirmed: number(bytes, 2)?,
            length: usize::try_from(number(bytes, 3)?).ok()?,
            etag: Some(etag.to_owned()).filter(|etag| !etag.is_empty()),
            seal: Seal { keys: number(bytes, 4)?, signature: lines.next().unwrap_or_default().to_vec() },
            version: lines.next().and_then(|version| String::from_utf8(version.to_vec()).ok()),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            numbers(&[self.generation, self.fingerprint, self.confirmed, self.length as u64, self.seal.keys]);
        bytes.extend_from_slice(self.etag.as_deref().unwrap_or_default().as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.seal.signature);
        if let Some(version) = &self.version {
            bytes.push(b'\n');
            bytes.extend_from_slice(version.as_bytes());
        }
        bytes
    }
}

impl Shared {
    /// The keys for a configuration and its source, each by its fingerprint. What several VMs change gets its place
    /// at once.
    pub(crate) fn new(configuration: u64, source: u64) -> Self {
        let shared = Self {
            lease: format!("turquoise.{configuration:016x}.lease"),
            members: format!("turquoise.{configuration:016x}.members"),
            error: format!("turquoise.{configuration:016x}.error"),
            meta: format!("turquoise.{source:016x}.meta"),
            document: format!("turquoise.{source:016x}.document"),
            idle: format!("turquoise.{configuration:016x}.idle"),
        };
        place(&shared.lease, &numbers(&[0, 0]));
        place(&shared.members, &[]);
        place(&shared.idle, &numbers(&[0, 0, 0]));
        shared
    }

    /// Takes or renews the lease, unless somebody else holds it. Whether `me` holds it now.
    pub(crate) fn lead(&self, me: u64, now: u64) -> bool {
        let (lease, cas) = host::shared_data(&self.lease);
        let held = lease.and_then(|bytes| Some((number(&bytes, 0)?, number(&bytes, 1)?)));
        match held {
            // A clock that was set back must not keep a dead holder's lease for ever.
            Some((holder, until)) if holder != me && now < until && until - now <= LEASE_MILLISECONDS => {
                false
            }
            _ => host::set_shared_data(
                &self.lease,
                &numbers(&[me, now.saturating_add(LEASE_MILLISECONDS)]),
                cas,
            ),
        }
    }

    /// Who was last given the lease.
    pub(crate) fn holder(&self) -> Option<u64> {
        number(&host::shared_data(&self.lease).0?, 0)
    }

    /// Whether `me` holds the lease.
    pub(crate) fn leads(&self, me: u64, now: u64) -> bool {
        let lease = host::shared_data(&self.lease).0.unwrap_or_default();
        number(&lease, 0) == Some(me) && number(&lease, 1).is_some_and(|until| now < until)
    }

    /// Gives the lease back, so that the others need not wait for its end.
    pub(crate) fn resign(&self, me: u64) {
        let (lease, cas) = host::shared_data(&self.lease);
        if lease.and_then(|bytes| number(&bytes, 0)) == Some(me) {
            host::set_shared_data(&self.lease, &numbers(&[0, 0]), cas);
        }
    }

    /// Says that this VM serves no requests, and so is the one to lead: what it does makes none wait.
    pub(crate) fn offer(&self, me: u64, queue: u32, now: u64) {
        let (idle, cas) = host::shared_data(&self.idle);
        let seen = idle.and_then(|bytes| Some((number(&bytes, 0)?, number(&bytes, 2)?)));
        // One offer is enough; who made it renews it.
        let taken = seen.is_some_and(|(other, seen)| other != me && is_fresh(seen, now));
        if !taken {
            host::set_shared_data(&self.idle, &numbers(&[me, u64::from(queue), now]), cas);
        }
    }

    /// Takes back what [`Shared::offer`] said: this VM serves requests by now.
    pub(crate) fn withdraw(&self, me: u64) {
        let (idle, cas) = host::shared_data(&self.idle);
        if idle.and_then(|bytes| number(&bytes, 0)) == Some(me) {
            host::set_shared_data(&self.idle, &numbers(&[0, 0, 0]), cas);
        }
    }

    /// Hands the lease to a VM that serves no requests, if there is one and `me` has the lease. Whether it did.
    pub(crate) fn hand_over(&self, me: u64, now: u64) -> bool {
        let Some(idle) = host::shared_data(&self.idle).0 else { return false };
        let offer = (number(&idle, 0), number(&idle, 1), number(&idle, 2));
        let (Some(other), Some(queue), Some(seen)) = offer else { return false };
        let (lease, cas) = host::shared_data(&self.lease);
        if other == me || !is_fresh(seen, now) || lease.and_then(|bytes| number(&bytes, 0)) != Some(me) {
            return false;
        }
        let until = now.saturating_add(LEASE_MILLISECONDS);
        if !host::set_shared_data(&self.lease, &numbers(&[other, until]), cas) {
            return false;
        }
        if let Ok(queue) = u32::try_from(queue) {
            host::wake(queue);
        }
        true
    }

    /// Puts a queue among those to wake, and forgets members that have not been seen for long.
    pub(crate) fn join(&self, queue: u32, now: u64) {
        for _ in 0..TRIES {
            let (members, cas) = host::shared_data(&self.members);
            let members = members.unwrap_or_default();
            let others = members.chunks_exact(16).filter(|member| {
                let seen = number(member, 1).unwrap_or(0);
                number(member, 0) != Some(u64::from(queue)) && now.saturating_sub(seen) < MEMBER_MILLISECONDS
            });
            let mut value: Vec<u8> = others.flatten().copied().collect();
            value.extend(numbers(&[u64::from(queue), now]));
            if host::set_shared_data(&self.members, &value, cas) {
                return;
            }
        }
    }

    /// Wakes all members but the one with this queue.
    pub(crate) fn wake_others(&self, own: Option<u32>) {
        let members = host::shared_data(&self.members).0.unwrap_or_default();
        for member in members.chunks_exact(16) {
            if let Some(queue) = number(member, 0).and_then(|queue| u32::try_from(queue).ok())
                && Some(queue) != own
            {
                host::wake(queue);
            }
        }
    }

    /// What is known of the document.
    pub(crate) fn meta(&self) -> Option<Meta> {
        host::shared_data(&self.meta).0.and_then(|bytes| Meta::parse(&bytes))
    }

    /// A piece of the document that `meta` speaks of; none once another one is being put there.
    pub(crate) fn piece(&self, meta: &Meta, index: usize) -> Option<Vec<u8>> {
        let mut piece = host::shared_data(&self.piece_key(meta, index)).0?;
        let fingerprint = number(&piece, 0)?;
        piece.drain(..8);
        (fingerprint == meta.fingerprint).then_some(piece)
    }

    /// Puts a document where its pieces can be read, once `meta` is made known.
    pub(crate) fn put(&self, document: &[u8], meta: &Meta) {
        // An empty one has a piece, too: that there is none would mean that it is gone.
        let pieces = document.chunks(PIECE_BYTES).chain(document.is_empty().then_some(document));
        for (index, piece) in pieces.enumerate() {
            let mut value = Vec::with_capacity(8 + piece.len());
            value.extend(meta.fingerprint.to_le_bytes());
            value.extend_from_slice(piece);
            self.overwrite(&self.piece_key(meta, index), &value);
        }
    }

    fn piece_key(&self, meta: &Meta, index: usize) -> String {
        format!("{}.{}.{index}", self.document, meta.generation % 2)
    }

    /// Makes of what is known of the document what `change` makes of it, however often somebody else changes it
    /// meanwhile; nothing where that is nothing. Whether it was changed.
    pub(crate) fn change_meta(&self, change: impl Fn(Option<Meta>) -> Option<Meta>) -> bool {
        for _ in 0..TRIES {
            let (bytes, cas) = host::shared_data(&self.meta);
            let Some(meta) = change(bytes.and_then(|bytes| Meta::parse(&bytes))) else { return false };
            if host::set_shared_data(&self.meta, &meta.bytes(), cas) {
                return true;
            }
        }
        false
    }

    /// What went wrong last, in whichever VM, as it was written.
    pub(crate) fn error(&self) -> Option<String> {
        String::from_utf8(host::shared_data(&self.error).0?).ok()
    }

    /// Notes what went wrong.
    pub(crate) fn set_error(&self, error: &str) {
        self.overwrite(&self.error, error.as_bytes());
    }

    fn overwrite(&self, key: &str, value: &[u8]) {
        for _ in 0..TRIES {
            let (_, cas) = host::shared_data(key);
            if host::set_shared_data(key, value, cas) {
                return;
            }
        }
    }
}
