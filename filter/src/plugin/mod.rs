//! One plugin configuration at work: the document in force, and how a newer one takes its place.
//!
//! One VM of the proxy leads: it asks the source, compiles what comes, and makes it known in shared data. The others are
//! woken by their queues, or look at their next tick, and compile it in turn, in slices between which they serve
//! requests. A VM that serves none leads by preference: Envoy has one on its main thread. When the leader is gone, its
//! lease ends and another VM takes it. What becomes of the documents that come is in [`documents`].

mod documents;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use turquoise_core::feed::{Alternation, DocumentRecord, Provenance};
use turquoise_core::status::LastError;
use turquoise_core::{DocumentDigest, Settings, Severity, Untrusted, Validity, fingerprint, ofrep};

use crate::host;
use crate::job::Job;
use crate::live::Live;
use crate::metrics::{DocumentMetrics, FetchResult};
use crate::serving::Serving;
use crate::shared::Shared;
use crate::source::{Answer, Polled, Poller};
use crate::status::StatusPage;
use crate::trouble::Trouble;
use crate::trust::{self, Reason, Refusal};

/// The first tick comes so soon. Nothing is fetched before it: a proxy configures a VM that it then drops without ever
/// ticking, and the lease must not go to that one.
const FIRST_TICK: Duration = Duration::from_millis(10);

/// The longest time between two ticks: leases are renewed and looked at then.
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// How soon a slice follows the one before: requests have most of the time, also where all workers compile at once on
/// fewer processors than there are workers.
const PAUSE: Duration = Duration::from_millis(4);

/// How often a member says that it is still there, in milliseconds.
const REJOIN_MILLISECONDS: u64 = 20_000;

/// A configuration that was accepted.
pub(crate) struct Plugin {
    settings: Rc<Settings>,
    live: Rc<Live>,
    metrics: DocumentMetrics,
    /// Where its documents come from, if it fetches any.
    feed: Option<Feed>,
    trouble: Rc<Trouble>,
    /// What requests are decided by: the same document as `live`.
    serving: Rc<Serving>,
    /// Whether a request ever came to this VM.
    serves: Cell<bool>,
}

/// A VM's part in fetching.
struct Feed {
    shared: Rc<Shared>,
    poller: Poller,
    /// This VM, among those that may hold the lease.
    me: u64,
    leads: bool,
    /// The queue by which others wake this VM.
    queue: Option<u32>,
    started: bool,
    /// When leases and the like were last looked after, in milliseconds.
    looked: u64,
    /// The document that is being compiled.
    job: Option<Job>,
    /// When the VM last said that it is there, in milliseconds.
    joined: u64,
    /// Since when the rules in force are unconfirmed, if the source never confirmed any: when the plugin started.
    since: u64,
    /// How old the rules in force were when the VM last looked, in milliseconds.
    age: u64,
    /// Whether the period between ticks was made shorter for a question that has to wait.
    hastened: bool,
    /// Whether what came last from the source was refused.
    refused: bool,
    /// Whether the whole document shall come again, though it is in force: it is signed anew.
    anew: bool,
    /// The document that this VM would not have, so that it is not compiled at every tick.
    declined: Option<Declined>,
    /// When the newest document was signed that this VM believed.
    newest: Option<Validity>,
    /// The digest of the document in force, by its fingerprint, where this VM has seen its bytes.
    digest: Option<(u64, DocumentDigest)>,
    /// Whether it was told that the signature of the document in force has expired.
    expired: bool,
    /// The document that was refused because a VM had died over it.
    fatal: Option<u64>,
    /// Whether the source goes to and fro between two documents.
    alternation: Alternation,
    alternates: bool,
}

/// A document that a VM would not have. It is looked at again when others have signed it; after a replay, when it is
/// signed again.
struct Declined {
    fingerprint: u64,
    signers: String,
    /// When it was signed, if that was what was wrong.
    validity: Option<Option<Validity>>,
}

impl Declined {
    fn new(record: &DocumentRecord, reason: Reason) -> Self {
        let Provenance { fields, validity, .. } = &record.provenance;
        let validity = (reason == Reason::Replayed).then_some(*validity);
        Self { fingerprint: record.fingerprint, signers: fields.signers(), validity }
    }

    fn is(&self, record: &DocumentRecord) -> bool {
        self.fingerprint == record.fingerprint
            && self.validity.is_none_or(|validity| validity == record.provenance.validity)
            && self.signers == record.provenance.fields.signers()
    }
}

impl Plugin {
    /// Reads the configuration and compiles the inlined document.
    pub(crate) fn new(configuration: &[u8]) -> Result<Self, String> {
        let settings = Rc::new(Settings::parse(configuration).map_err(|error| error.to_string())?);
        let live = match &settings.document {
            Some(document) => Live::compile(&settings, document.get().as_bytes()).map_err(|error| {
                format!("plugin configuration, the inlined `document`: {}", trust::list(&error))
            })?,
            None => Live::without_document(&settings),
        };
        let name = fingerprint(configuration);
        let mut me = [0u8; 8];
        // Without randomness all VMs take themselves for the same one, and each asks the source.
        let _ = getrandom::fill(&mut me);
        let me = u64::from_le_bytes(me) | 1;
        let feed = settings.source.as_ref().map(|source| {
            host::set_tick_period(FIRST_TICK);
            Feed {
                shared: Shared::new(name, source.identity()),
                poller: Poller::default(),
                me,
                leads: false,
                queue: None,
                started: false,
                looked: 0,
                job: None,
                joined: 0,
                since: host::now(),
                age: 0,
                hastened: false,
                refused: false,
                anew: false,
                declined: None,
                newest: None,
                digest: None,
                expired: false,
                fatal: None,
                alternation: Alternation::default(),
                alternates: false,
            }
        });
        let metrics = DocumentMetrics::new(settings.source.as_ref());
        let shared = feed.as_ref().map(|feed| Rc::clone(&feed.shared));
        let page = || Rc::new(StatusPage::new(&settings, shared.clone(), &metrics, me));
        let status = settings.status.is_some().then(page);
        let (live, trouble) = (Rc::new(live), Rc::new(Trouble::new(shared)));
        let serving = Serving::new(Rc::clone(&live), status, Some(Rc::clone(&trouble)));
        let mut plugin = Self {
            live,
            metrics,
            feed,
            trouble,
            serving: Rc::new(serving),
            serves: Cell::new(false),
            settings,
        };
        plugin.log_problems();
        plugin.metrics.generation(plugin.generation());
        plugin.follow();
        plugin.finish();
        if plugin.has_work() {
            plugin.bridge();
        }
        Ok(plugin)
    }

    /// The number of the document in force, as far as the proxy knows: the inlined one is the first.
    fn generation(&self) -> u64 {
        let shared = self.feed.as_ref().and_then(|feed| feed.shared.document());
        shared.map_or(u64::from(self.settings.document.is_some()), |document| document.generation)
    }

    /// A request came: what it is decided by.
    pub(crate) fn serve(&self) -> Rc<Serving> {
        self.serves.set(true);
        Rc::clone(&self.serving)
    }

    pub(crate) fn tick(&mut self) {
        self.work();
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let now = host::now();
        let period = source.interval.min(LONGEST_TICK);
        if !feed.started {
            feed.started = true;
            if feed.job.is_none() {
                host::set_tick_period(period);
            }
            feed.queue = host::register_queue(&format!("turquoise.{:016x}", feed.me));
        } else if feed.job.is_some() && u128::from(now.abs_diff(feed.looked)) < period.as_millis() {
            // The tick was for the job.
            return;
        }
        feed.looked = now;
        if std::mem::take(&mut feed.hastened) {
            host::set_tick_period(period);
        }
        // A clock that was set back must not make anybody believe that this VM is gone.
        if now.abs_diff(feed.joined) >= REJOIN_MILLISECONDS {
            feed.joined = now;
            feed.shared.keep_house(now);
            if let Some(queue) = feed.queue {
                feed.shared.join(queue, now);
            }
        }
        if let Some(queue) = feed.queue {
            match self.serves.get() {
                true => feed.shared.withdraw_offer(feed.me),
                false => feed.shared.offer(feed.me, queue, now),
            }
        }
        self.elect(now);
        self.reconsider(now);
        self.follow();
        self.align();
        self.poll(now);
    }

    /// Finds out whether this VM leads.
    fn elect(&mut self, now: u64) {
        let Some(feed) = &mut self.feed else { return };
        let led = std::mem::replace(&mut feed.leads, feed.shared.lead(feed.me, now));
        if feed.leads && self.serves.get() && feed.job.is_none() {
            feed.leads = !feed.shared.hand_over(feed.me, now);
        }
        match (led, feed.leads) {
            (true, false) => feed.poller.abandon(),
            (false, true) => feed.poller.forget(),
            _ => {}
        }
    }

    /// Asks about the document that the proxy has, and no other: a 304 would otherwise confirm what it does not speak
    /// of. What this VM refused it goes on asking about, so that it need not come again.
    fn align(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        if !feed.leads || feed.refused || feed.anew {
            return;
        }
        let live = self.live.snapshot.fingerprint();
        match feed.shared.document().filter(|document| document.fingerprint == live) {
            Some(document) if feed.poller.last().is_none_or(|last| last.fingerprint != live) => {
                feed.poller.remember(document.etag, live);
            }
            Some(_) => {}
            None => feed.poller.forget(),
        }
    }

    /// Another VM says that there is something new, or that this one shall lead.
    pub(crate) fn woken(&mut self, queue: u32) {
        host::drain(queue);
        let Some(feed) = &self.feed else { return };
        let (me, led) = (feed.me, feed.leads);
        self.follow();
        if !led && self.feed.as_ref().is_some_and(|feed| feed.shared.holder() == me) {
            let now = host::now();
            self.elect(now);
            self.align();
            self.poll(now);
        }
    }

    /// Who leads asks the source.
    fn poll(&mut self, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        // What came last is first brought into force.
        if !feed.leads || feed.job.is_some() {
            return;
        }
        let age = feed.look_at_age(now, source.is_signed());
        self.metrics.age(age / 1000);
        self.look_at_expiry(now);
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        match feed.poller.poll(source, now) {
            Polled::Settled => {}
            Polled::Limited(wait) => {
                feed.hastened = true;
                host::set_tick_period(Duration::from_millis(wait).max(FIRST_TICK));
            }
            Polled::Failed(reason) => self.failed(&reason, now),
        }
    }

    pub(crate) fn answered(&mut self, token: u32, headers: usize) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let now = host::now();
        match feed.poller.answer(source, token, headers, now) {
            Answer::Unknown => return,
            Answer::NotModified(about) => self.not_modified(about, None, now),
            Answer::Failed(reason) => self.failed(&reason, now),
            Answer::Document(headers, etag) => self.offered(&headers, etag, now),
        }
        // With long polling, the next question may follow at once.
        self.poll(now);
    }

    fn failed(&mut self, reason: &str, now: u64) {
        self.metrics.fetched(FetchResult::Failed);
        let what = "the document could not be fetched, the one before stays in force";
        self.complain("fetch", None, what, reason, now);
    }

    fn recovered(&mut self, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        self.metrics.age(feed.look_at_age(now, source.is_signed()) / 1000);
        feed.expired = false;
        self.metrics.expired(false);
        self.trouble.over("the source answers again, and its document is in force", now);
    }

    /// Tells it when the signature of the document in force expires.
    fn look_at_expiry(&mut self, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let live = self.live.snapshot.fingerprint();
        let document = feed.shared.document().filter(|document| document.fingerprint == live);
        let validity =
            document.and_then(|document| document.provenance.validity).filter(|_| source.is_signed());
        let expired = validity.filter(|validity| validity.has_expired(now / 1000));
        self.metrics.expired(expired.is_some());
        let told = std::mem::replace(&mut feed.expired, expired.is_some());
        if let Some(Validity { expires, .. }) = expired.filter(|_| !told) {
            self.unconfirmed(&Refusal::untrusted(&Untrusted::Expired { expires }), now);
        }
    }

    /// The document in force stays, but nobody who is trusted says that it is still the one.
    fn unconfirmed(&self, refusal: &Refusal, now: u64) {
        let what = "the document in force is not confirmed any more";
        self.complain(refusal.reason.name(), None, what, &refusal.message, now);
    }

    /// Says what is wrong, in the log and on the status page.
    fn complain(&self, stage: &str, path: Option<&str>, what: &str, message: &str, now: u64) {
        if let Some(feed) = &self.feed {
            feed.shared.set_error(&LastError { time: now, stage, path, message }.to_json());
        }
        self.trouble.wrong(&format!("{what}: {message}"), now);
    }

    /// Logs what is wrong with a document that is in force all the same.
    fn log_problems(&self) {
        let now = host::now();
        for problem in self.live.snapshot.problems().iter().take(trust::MOST_LISTED) {
            let effect = match problem.severity {
                Severity::Flag => "this flag evaluates to PARSE_ERROR until it is corrected: ",
                _ => "",
            };
            self.trouble.warn(&format!("in the document, {effect}{problem}"), now);
        }
        if let Some(warning) = ofrep::header_warning(&self.live.snapshot, &self.settings) {
            self.trouble.warn(&format!("with this document, {warning}"), now);
        }
    }

    /// The configuration is drained: another one, or another VM, shall lead.
    pub(crate) fn done(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.job = None;
            if std::mem::take(&mut feed.leads) {
                feed.shared.resign(feed.me);
            }
        }
    }
}

impl Feed {
    /// How old the rules in force are, in milliseconds. Where the clock was set back behind the time of their
    /// confirmation, that is set back as well: else they would not age until the clock is there again.
    fn look_at_age(&mut self, now: u64, signed: bool) -> u64 {
        let confirmed = self.shared.document().map_or(self.since, |document| document.confirmed_at(signed));
        if confirmed > now {
            let as_old = now.saturating_sub(self.age);
            self.since = self.since.min(as_old);
            self.shared.change(|source| {
                let document = source.current.as_mut().filter(|document| document.confirmed > now)?;
                document.confirmed = as_old;
                Some(())
            });
            return self.age;
        }
        self.age = now - confirmed;
        self.age
    }
}
