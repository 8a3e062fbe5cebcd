//! What becomes of a document: the source offers it, it is compiled, it comes into force in one VM and then in all.

use std::rc::Rc;

use turquoise_core::feed::{DocumentRecord, Provenance, SourceRecord, Verdict, piece_count};
use turquoise_core::status::InForce;
use turquoise_core::{DocumentDigest, Snapshot, Source, Validity, fingerprint};

use super::{Declined, FIRST_TICK, LONGEST_TICK, PAUSE, Plugin};
use crate::host::{self, Headers, Map};
use crate::job::{Circumstances, Job, Progress};
use crate::live::Live;
use crate::metrics::FetchResult;
use crate::source::alternation_window;
use crate::trust::{self, Accepted, Known, Reason, Refusal};

impl Plugin {
    /// Begins to take over the document that the proxy has, if this VM has another one.
    pub(super) fn follow(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        let Some(document) = feed.shared.document() else { return };
        let known = document.fingerprint == self.live.snapshot.fingerprint();
        let declined = feed.declined.as_ref().is_some_and(|declined| declined.is(&document));
        if known || declined || feed.job.is_some() {
            return;
        }
        feed.job = Some(Job::of_shared(document));
        self.work();
    }

    pub(super) fn has_work(&self) -> bool {
        self.feed.as_ref().is_some_and(|feed| feed.job.is_some())
    }

    /// Goes on until nothing is left to do: a VM that starts serves nothing yet, and its first request shall find the
    /// rules.
    pub(super) fn finish(&mut self) {
        while self.has_work() && self.work() {}
    }

    /// A VM that starts, and must wait before it may compile what the proxy has, goes by what the proxy had before.
    pub(super) fn bridge(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        if let Some(previous) = feed.shared.source().previous {
            feed.job = Some(Job::of_shared(previous));
            // Ends with the document that has to wait.
            self.finish();
        }
    }

    /// Goes on with the document that is being compiled, if there is one. Whether it could: it may have to wait until it
    /// is known whether another VM died over the same document.
    pub(super) fn work(&mut self) -> bool {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return false };
        let Some(job) = &mut feed.job else { return false };
        let fingerprint = job.record.fingerprint;
        let verdict = feed.shared.begin_trial(fingerprint, feed.me, host::now());
        let progress = match verdict {
            Verdict::Free => job.slice(&Circumstances {
                shared: &feed.shared,
                settings: &self.settings,
                source,
                newest: feed.newest,
                like: &self.live.snapshot,
                serves: self.serves.get(),
            }),
            Verdict::Wait => {
                host::set_tick_period(FIRST_TICK);
                return false;
            }
            Verdict::Fatal => Progress::Over(Box::new(Err(Refusal::fatal(fingerprint)))),
        };
        if let Progress::UnderWay = progress {
            feed.shared.end_trial(feed.me);
            host::set_tick_period(PAUSE);
            return true;
        }
        let period = if feed.started { source.interval.min(LONGEST_TICK) } else { FIRST_TICK };
        host::set_tick_period(period);
        if let (Some(job), Progress::Over(result)) = (feed.job.take(), progress) {
            if verdict == Verdict::Free {
                self.metrics.compiled(job.spent);
            }
            self.compiled(*result, job);
        }
        // Only now: whatever kills a VM on the way is to be known.
        if let Some(feed) = &self.feed {
            feed.shared.end_trial(feed.me);
        }
        // Perhaps there is a newer one by now.
        self.follow();
        true
    }

    fn compiled(&mut self, result: Result<Snapshot, Refusal>, job: Job) {
        let now = host::now();
        match (result, job.is_new) {
            (Ok(snapshot), true) => self.publish(snapshot, job),
            (Ok(snapshot), false) => {
                self.believe(&job);
                self.swap(snapshot, job.record.generation);
            }
            (Err(refusal), true) => {
                self.note_fatal(&refusal, &job.record);
                self.refused(&refusal, job.record.etag, now);
                self.poll(now);
            }
            (Err(refusal), false) => {
                self.note_fatal(&refusal, &job.record);
                self.declined(&refusal, &job.record, now);
            }
        }
    }

    fn note_fatal(&mut self, refusal: &Refusal, record: &DocumentRecord) {
        if let Some(feed) = &mut self.feed {
            feed.fatal = (refusal.reason == Reason::Fatal).then_some(record.fingerprint);
        }
    }

    /// Does without a document that the proxy has. One over which a VM died is withdrawn for all of them, if there is one
    /// to go back to.
    fn declined(&mut self, refusal: &Refusal, record: &DocumentRecord, now: u64) {
        let Some(feed) = &mut self.feed else { return };
        let withdraws = |source: &mut SourceRecord| source.withdraw(record.fingerprint);
        let withdrawn = match refusal.reason {
            Reason::Fatal => feed.shared.change(withdraws),
            _ => None,
        };
        let what = match withdrawn {
            Some(place) => {
                feed.shared.discard(place);
                feed.shared.wake_others(feed.queue);
                "the document was withdrawn, the one before is in force again"
            }
            None => "the document that this proxy has was refused under this configuration",
        };
        feed.declined = Some(Declined::new(record, refusal.reason));
        self.metrics.refused(refusal.reason);
        self.complain(refusal.reason.name(), refusal.path.as_deref(), what, &refusal.message, now);
    }

    /// A document that was refused because a VM seemed to have died over it is as good as any other once that VM has come
    /// back: it was only slow.
    pub(super) fn reconsider(&mut self, now: u64) {
        let Some(feed) = &mut self.feed else { return };
        let Some(fatal) = feed.fatal else { return };
        if feed.shared.verdict(fatal, feed.me, now) != Verdict::Free {
            return;
        }
        feed.fatal = None;
        feed.refused = false;
        feed.declined = None;
        feed.poller.forget();
    }

    fn swap(&mut self, snapshot: Snapshot, generation: u64) {
        self.live = Rc::new(Live::new(&self.settings, snapshot));
        self.serving.swap(&self.live);
        self.metrics.swapped(generation);
    }

    /// Takes a document that may be trusted.
    pub(super) fn offered(&mut self, headers: &Headers, etag: Option<String>, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        feed.anew = false;
        let fetched = feed.shared.document();
        // An inlined document counts for nothing here: a fallback may well be newer than what the source has. This VM may
        // have another one than the proxy, where it trusts other keys.
        let is_fetched = self.live.origin(fetched.as_ref()) == InForce::Fetched;
        let own = self.live.snapshot.version().filter(|_| is_fetched);
        let trust = source.trust().fingerprint();
        let ours = fetched.as_ref().map(|document| &document.provenance).filter(|known| known.trust == trust);
        let known = Known {
            versions: [fetched.as_ref().and_then(|document| document.version.as_deref()), own],
            live: self.live.snapshot.fingerprint(),
            newest: feed.newest.max(ours.and_then(|known| known.validity)),
        };
        match trust::accept(source, headers, &known, now) {
            Ok(accepted) => self.received(accepted, etag, now),
            Err(refusal) => self.refused(&refusal, etag, now),
        }
    }

    /// Remembers when a document was signed that comes into force, and what its digest is.
    fn believe(&mut self, job: &Job) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let Provenance { trust, validity, .. } = &job.record.provenance;
        let known = validity.filter(|_| *trust == source.trust().fingerprint());
        feed.newest = feed.newest.max(known).max(job.verified.map(|(_, validity)| validity));
        feed.digest = job.verified.map(|(digest, _)| (job.record.fingerprint, digest));
    }

    fn received(&mut self, accepted: Accepted, etag: Option<String>, now: u64) {
        let Accepted { document, provenance, verified } = accepted;
        let Some(feed) = &mut self.feed else { return };
        let known = feed.shared.document();
        let new = fingerprint(&document);
        feed.poller.remember(etag.clone(), new);
        self.watch_alternation(new, now);
        let Some(feed) = &mut self.feed else { return };
        if known.as_ref().is_some_and(|known| known.fingerprint == new)
            && self.live.snapshot.fingerprint() == new
        {
            feed.refused = false;
            feed.digest = verified.map(|(digest, _)| (new, digest));
            return self.not_modified(Some(new), Some((etag, provenance)), now);
        }
        feed.leads = feed.shared.lead(feed.me, now);
        if !feed.leads {
            return feed.poller.abandon();
        }
        let inlined = u64::from(self.settings.document.is_some());
        let before = known.map(|known| known.generation);
        let generation = before.unwrap_or(inlined).saturating_add(1);
        let record = DocumentRecord {
            generation,
            fingerprint: new,
            confirmed: now,
            length: document.len(),
            etag,
            provenance,
            ..DocumentRecord::default()
        };
        feed.job = Some(Job::of_source(document, verified, record, before));
        self.work();
    }

    /// Says so if the source goes to and fro between two documents. It is obeyed all the same: which one is right, only
    /// those who run it know.
    fn watch_alternation(&mut self, fingerprint: u64, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let Some(other) = feed.alternation.came(fingerprint, now, alternation_window(source)) else { return };
        feed.alternates = other.is_some();
        let Some(other) = other else { return };
        feed.shared.change(|source| {
            source.alternated = Some(now);
            Some(())
        });
        self.metrics.alternated();
        let (one, other) = (fingerprint.min(other), fingerprint.max(other));
        let message = format!(
            "the source goes to and fro between two documents (fingerprints {one:016x} and {other:016x}), and users with it: are \
             its replicas in step?"
        );
        self.trouble.warn(&message, now);
    }

    /// Brings a document that the source sent into force, here and in all other VMs.
    fn publish(&mut self, snapshot: Snapshot, job: Job) {
        self.believe(&job);
        let Job { mut record, document, before, .. } = job;
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        feed.refused = false;
        let now = host::now();
        // Compiling takes time, in which the lease may have ended: who has it now has asked, too.
        feed.leads = feed.shared.lead(feed.me, now);
        if !feed.leads {
            return feed.poller.abandon();
        }
        record.version = snapshot.version().map(str::to_owned);
        if !feed.make_known(&mut record, &document, before) {
            feed.poller.forget();
            return self.poll(now);
        }
        feed.shared.wake_others(feed.queue);
        if !feed.alternates {
            feed.poller.hurry(source, now);
        }
        self.metrics.fetched(FetchResult::Updated);
        self.swap(snapshot, record.generation);
        self.log_problems();
        self.recovered(now);
        self.poll(now);
    }

    /// Goes on with the document before. What was refused need not come again while it is the same.
    pub(super) fn refused(&mut self, refusal: &Refusal, etag: Option<String>, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        feed.refused = true;
        match refusal.reason {
            reason if reason.is_trust() => feed.poller.ask_anew(source, now),
            _ => feed.poller.remember(etag, 0),
        }
        self.metrics.fetched(FetchResult::Refused);
        self.metrics.refused(refusal.reason);
        let what = "the document was refused, the one before stays in force";
        self.complain(refusal.reason.name(), refusal.path.as_deref(), what, &refusal.message, now);
    }

    /// The source still has the document with this fingerprint; it may have sent it again, under another ETag or signed by
    /// others. Where documents are signed, only what their signer says confirms it.
    pub(super) fn not_modified(
        &mut self,
        about: Option<u64>,
        sent_again: Option<(Option<String>, Provenance)>,
        now: u64,
    ) {
        self.metrics.fetched(FetchResult::NotModified);
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        // A source that still has what was refused confirms nothing, nor does one that speaks of another document.
        let live = self.live.snapshot.fingerprint();
        let known = feed.shared.document().filter(|known| known.fingerprint == live);
        let Some(known) = known.filter(|_| about == Some(live) && !feed.refused) else { return };
        let again = match sent_again {
            Some(again) => Some(again),
            None if source.is_signed() => match feed.signed_again(source, &known, now) {
                Ok(provenance) => provenance.map(|provenance| (known.etag.clone(), provenance)),
                Err(refusal) => {
                    self.metrics.refused(refusal.reason);
                    return self.unconfirmed(&refusal, now);
                }
            },
            None => None,
        };
        let validity = again.as_ref().and_then(|(_, provenance)| provenance.validity);
        feed.newest = feed.newest.max(validity);
        let signed = source.is_signed();
        let confirmed = feed.shared.change(|source| {
            let document = source.current.as_mut().filter(|document| document.fingerprint == live)?;
            document.confirmed = now;
            if let Some((etag, provenance)) = again.clone() {
                document.etag = etag;
                // Who requires no signature knows nothing of one, and an older one says less than the one that is known.
                if provenance.validity >= document.provenance.validity {
                    document.provenance = provenance;
                }
            }
            Some(document.provenance.validity)
        });
        // A source that is frozen says what it said before, for ever.
        let has_expired = |validity: Option<Validity>| {
            signed && validity.is_some_and(|validity| validity.has_expired(now / 1000))
        };
        if confirmed.is_some_and(|validity| !has_expired(validity)) {
            self.recovered(now);
        }
    }
}

impl super::Feed {
    /// What the source says of the document in force by a 304, if it is signed. Where this VM does not know the document's
    /// digest, because others accepted it, the whole of it has to come again.
    fn signed_again(
        &mut self,
        source: &Source,
        known: &DocumentRecord,
        now: u64,
    ) -> Result<Option<Provenance>, Refusal> {
        let fields = trust::fields(&host::headers(Map::CalloutResponse));
        if !fields.is_signed() {
            return Ok(None);
        }
        let trust = source.trust().fingerprint();
        let seen = self.digest.filter(|(fingerprint, _)| *fingerprint == known.fingerprint);
        let ours =
            (known.provenance.trust == trust).then(|| DocumentDigest::read(&known.provenance.fields.digest));
        let Some(digest) = seen.map(|(_, digest)| digest).or(ours.flatten()) else {
            self.poller.forget();
            self.anew = true;
            return Ok(None);
        };
        let validity = trust::verify(source, &fields, &digest, Some(now))?;
        Ok(Some(Provenance { trust, fields, validity: Some(validity) }))
    }

    /// Puts a document into shared data, unless the proxy has got another one since: another configuration may have the
    /// same source, and what is newer, only the source can say. Whether it was put there.
    fn make_known(&self, record: &mut DocumentRecord, document: &[u8], before: Option<u64>) -> bool {
        let as_before =
            |source: &SourceRecord| source.current.as_ref().map(|known| known.generation) == before;
        let pieces = piece_count(document.len());
        let reserved =
            self.shared.change(|source| as_before(source).then(|| source.reserve(pieces)).flatten());
        let Some(place) = reserved else { return false };
        self.shared.put(place.number, document, record.fingerprint);
        record.place = place.number;
        let published =
            self.shared.change(|source| as_before(source).then(|| source.publish(record.clone())));
        let useless = published.unwrap_or(Some(place));
        useless.into_iter().for_each(|place| self.shared.discard(place));
        published.is_some()
    }
}
