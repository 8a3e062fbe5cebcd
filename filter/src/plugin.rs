//! One plugin configuration at work: the document in force, and how a newer one takes its place.
//!
//! One VM of the proxy leads: it asks the source, compiles what comes, and makes it known in shared data. The others are
//! woken by their queues, or look at their next tick, and compile it in turn, in slices between which they serve
//! requests. A VM that serves none leads by preference: Envoy has one on its main thread. When the leader is gone, its
//! lease ends and another VM takes it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use turquoise_core::status::{InForce, LastError};
use turquoise_core::{Settings, Severity, Snapshot, fingerprint, ofrep};

use crate::host::{self, Headers, Map};
use crate::job::{Circumstances, Job, Progress};
use crate::live::Live;
use crate::metrics::{DocumentMetrics, FetchResult};
use crate::shared::{Meta, Seal, Shared};
use crate::source::{Answer, Poller};
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
    pub(crate) status: Option<Rc<StatusPage>>,
    pub(crate) trouble: Rc<Trouble>,
    /// Whether a request ever came to this VM.
    serves: Cell<bool>,
}

/// A VM's part in fetching.
struct Feed {
    shared: Shared,
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
    /// Whether what came last from the source was refused.
    refused: bool,
    /// Whether the whole document shall come again, though it is in force: it is signed anew.
    anew: bool,
    /// The document that this VM would not have, by its fingerprint, and why others have it; so that it is not compiled
    /// at every tick, but looked at again when it is signed anew.
    declined: Option<(u64, Seal)>,
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
            // All of what is asked: with other credentials it may be another document.
            let source =
                format!("{}\n{:?}\n{}\n{:?}", source.cluster, source.authority, source.path, source.headers);
            host::set_tick_period(FIRST_TICK);
            Feed {
                shared: Shared::new(name, fingerprint(source.as_bytes())),
                poller: Poller::default(),
                me,
                leads: false,
                queue: None,
                started: false,
                looked: 0,
                job: None,
                joined: 0,
                since: host::now(),
                refused: false,
                anew: false,
                declined: None,
            }
        });
        let metrics = DocumentMetrics::new(settings.source.as_ref());
        let shared = feed.as_ref().map(|feed| &feed.shared);
        let status =
            settings.status.is_some().then(|| StatusPage::new(&settings, shared, &metrics, me)).map(Rc::new);
        let mut plugin = Self {
            live: Rc::new(live),
            metrics,
            feed,
            status,
            trouble: Rc::new(Trouble::new(name)),
            serves: Cell::new(false),
            settings,
        };
        plugin.log_problems();
        plugin.metrics.generation(plugin.generation());
        plugin.follow();
        // A VM that starts serves nothing yet, and its first request shall find the rules.
        while plugin.has_work() {
            plugin.work();
        }
        Ok(plugin)
    }

    /// The number of the document in force, as far as the proxy knows: the inlined one is the first.
    fn generation(&self) -> u64 {
        let shared = self.feed.as_ref().and_then(|feed| feed.shared.meta());
        shared.map_or(u64::from(self.settings.document.is_some()), |meta| meta.generation)
    }

    /// A request came: what it goes by.
    pub(crate) fn serve(&self) -> Rc<Live> {
        self.serves.set(true);
        Rc::clone(&self.live)
    }

    pub(crate) fn tick(&mut self) {
        self.work();
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let now = host::now();
        let period = source.interval.min(LONGEST_TICK);
        if !feed.started {
            feed.started = true;
            host::set_tick_period(period);
            feed.queue = host::register_queue(&format!("turquoise.{:016x}", feed.me));
        } else if feed.job.is_some() && u128::from(now.abs_diff(feed.looked)) < period.as_millis() {
            // The tick was for the job.
            return;
        }
        feed.looked = now;
        if let Some(queue) = feed.queue {
            if now.saturating_sub(feed.joined) >= REJOIN_MILLISECONDS {
                feed.shared.join(queue, now);
                feed.joined = now;
            }
            match self.serves.get() {
                true => feed.shared.withdraw(feed.me),
                false => feed.shared.offer(feed.me, queue, now),
            }
        }
        self.elect(now);
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
        let shared = feed.shared.meta().filter(|meta| meta.fingerprint == self.live.snapshot.fingerprint());
        match shared {
            Some(meta) if feed.poller.last().is_none_or(|last| last.fingerprint != meta.fingerprint) => {
                feed.poller.remember(meta.etag, meta.fingerprint);
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
        if !led && self.feed.as_ref().is_some_and(|feed| feed.shared.holder() == Some(me)) {
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
        let confirmed = feed.shared.meta().map_or(feed.since, |meta| meta.confirmed);
        self.metrics.age(now.saturating_sub(confirmed) / 1000);
        if let Err(reason) = feed.poller.poll(source, now) {
            self.failed(&reason, now);
        }
    }

    /// Begins to take over the document that the proxy has, if this VM has another one.
    fn follow(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        let Some(meta) = feed.shared.meta() else { return };
        let known = meta.fingerprint == self.live.snapshot.fingerprint();
        let declined = feed
            .declined
            .as_ref()
            .is_some_and(|(fingerprint, seal)| *fingerprint == meta.fingerprint && *seal == meta.seal);
        if known || declined || feed.job.is_some() {
            return;
        }
        feed.job = Some(Job::of_shared(meta));
        self.work();
    }

    fn has_work(&self) -> bool {
        self.feed.as_ref().is_some_and(|feed| feed.job.is_some())
    }

    /// Goes on with the document that is being compiled, if there is one.
    fn work(&mut self) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let Some(job) = &mut feed.job else { return };
        let progress = job.slice(&Circumstances {
            shared: &feed.shared,
            settings: &self.settings,
            source,
            like: &self.live.snapshot,
            serves: self.serves.get(),
        });
        if let Progress::UnderWay = progress {
            return host::set_tick_period(PAUSE);
        }
        let period = if feed.started { source.interval.min(LONGEST_TICK) } else { FIRST_TICK };
        host::set_tick_period(period);
        let (Some(job), Progress::Over(result)) = (feed.job.take(), progress) else { return };
        self.metrics.compiled(job.spent);
        match (*result, job.is_new) {
            (Ok(snapshot), true) => self.publish(snapshot, job),
            (Ok(snapshot), false) => {
                self.swap(snapshot, job.meta.generation);
                // Perhaps there is a newer one by now.
                self.follow();
            }
            (Err(refusal), true) => {
                let now = host::now();
                self.refused(&refusal, job.meta.etag, now);
                self.poll(now);
            }
            (Err(refusal), false) => {
                feed.declined = Some((job.meta.fingerprint, job.meta.seal));
                self.metrics.refused(refusal.reason);
                let what = "the document that this proxy has was refused under this configuration";
                self.complain(
                    refusal.reason.name(),
                    refusal.path.as_deref(),
                    what,
                    &refusal.message,
                    host::now(),
                );
            }
        }
    }

    fn swap(&mut self, snapshot: Snapshot, generation: u64) {
        self.live = Rc::new(Live::new(&self.settings, snapshot));
        self.metrics.swapped(generation);
    }

    pub(crate) fn answered(&mut self, token: u32, headers: usize) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        let now = host::now();
        match feed.poller.answer(source, token, headers, now) {
            Answer::Unknown => return,
            Answer::NotModified => self.not_modified(None, now),
            Answer::Failed(reason) => self.failed(&reason, now),
            Answer::Document(headers, etag) => self.offered(&headers, etag, now),
        }
        // With long polling, the next question follows at once.
        self.poll(now);
    }

    /// Takes a document that may be trusted.
    fn offered(&mut self, headers: &Headers, etag: Option<String>, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        feed.anew = false;
        let meta = feed.shared.meta();
        // An inlined document counts for nothing here: a fallback may well be newer than what the source has. This VM may
        // have another one than the proxy, where it trusts other keys.
        let is_fetched = self.live.origin(meta.as_ref()) == InForce::Fetched;
        let own = self.live.snapshot.version().filter(|_| is_fetched);
        let known = [meta.as_ref().and_then(|meta| meta.version.as_deref()), own];
        match trust::accept(source, headers, known) {
            Ok((document, seal)) => self.received(document, etag, seal, now),
            Err(refusal) => self.refused(&refusal, etag, now),
        }
    }

    fn received(&mut self, document: Vec<u8>, etag: Option<String>, seal: Seal, now: u64) {
        let Some(feed) = &mut self.feed else { return };
        let known = feed.shared.meta();
        let new = fingerprint(&document);
        feed.poller.remember(etag.clone(), new);
        if known.as_ref().is_some_and(|meta| meta.fingerprint == new)
            && self.live.snapshot.fingerprint() == new
        {
            feed.refused = false;
            return self.not_modified(Some(&(etag, seal)), now);
        }
        feed.leads = feed.shared.lead(feed.me, now);
        if !feed.leads {
            return feed.poller.abandon();
        }
        let inlined = u64::from(self.settings.document.is_some());
        let before = known.map(|meta| meta.generation);
        let generation = before.unwrap_or(inlined).saturating_add(1);
        let length = document.len();
        let meta = Meta { generation, fingerprint: new, confirmed: now, length, etag, seal, version: None };
        feed.job = Some(Job::of_source(document, meta, before));
        self.work();
    }

    /// Brings a document that the source sent into force, here and in all other VMs.
    fn publish(&mut self, snapshot: Snapshot, job: Job) {
        let Job { mut meta, document, before, .. } = job;
        let Some(feed) = &mut self.feed else { return };
        feed.refused = false;
        // Compiling takes time, in which the lease may have ended: who has it now has asked, too.
        feed.leads = feed.shared.lead(feed.me, host::now());
        if !feed.leads {
            return feed.poller.abandon();
        }
        meta.version = snapshot.version().map(str::to_owned);
        // Another configuration may have the same source, and have brought something into force meanwhile: what is
        // newer, only the source can say.
        let as_before = |known: Option<Meta>| known.map(|known| known.generation) == before;
        if as_before(feed.shared.meta()) {
            feed.shared.put(&document, &meta);
        }
        if !feed.shared.change_meta(|known| as_before(known).then(|| meta.clone())) {
            feed.poller.forget();
            self.follow();
            return self.poll(host::now());
        }
        feed.shared.wake_others(feed.queue);
        self.metrics.fetched(FetchResult::Updated);
        self.swap(snapshot, meta.generation);
        self.log_problems();
        self.recovered();
        // With long polling, the next question follows at once.
        self.poll(host::now());
    }

    /// Goes on with the document before. What was refused need not come again while it is the same.
    fn refused(&mut self, refusal: &Refusal, etag: Option<String>, now: u64) {
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        feed.refused = true;
        match refusal.reason {
            Reason::Signature => feed.poller.ask_anew(source, now),
            _ => feed.poller.remember(etag, 0),
        }
        self.metrics.fetched(FetchResult::Refused);
        self.metrics.refused(refusal.reason);
        let what = "the document was refused, the one before stays in force";
        self.complain(refusal.reason.name(), refusal.path.as_deref(), what, &refusal.message, now);
    }

    /// The source still has what is in force; it may have sent it again, under another ETag or signed by others.
    fn not_modified(&mut self, sent_again: Option<&(Option<String>, Seal)>, now: u64) {
        self.metrics.fetched(FetchResult::NotModified);
        let (Some(source), Some(feed)) = (&self.settings.source, &mut self.feed) else { return };
        // A source that still has what was refused confirms nothing, nor does one that speaks of another document.
        let live = self.live.snapshot.fingerprint();
        let Some(known) = feed.shared.meta().filter(|meta| meta.fingerprint == live && !feed.refused) else {
            return;
        };
        if sent_again.is_none() {
            // Signed anew: the whole of it has to come again, so that the signature can be looked at.
            let signature = trust::signature(&host::headers(Map::CalloutResponse));
            if !source.public_keys.is_empty() && !signature.is_empty() && signature != known.seal.signature {
                feed.poller.forget();
                feed.anew = true;
            }
        }
        let confirmed = feed.shared.change_meta(|meta| {
            let meta = meta.filter(|meta| meta.fingerprint == live)?;
            let (etag, seal) = sent_again.cloned().unwrap_or((meta.etag, meta.seal));
            Some(Meta { confirmed: now, etag, seal, ..meta })
        });
        if confirmed {
            self.recovered();
        }
    }

    fn failed(&mut self, reason: &str, now: u64) {
        self.metrics.fetched(FetchResult::Failed);
        let what = "the document could not be fetched, the one before stays in force";
        self.complain("fetch", None, what, reason, now);
    }

    fn recovered(&self) {
        self.metrics.age(0);
        self.trouble.over("the source answers again, and its document is in force", host::now());
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
