//! The plugin: its configuration, the document in force, and how a newer one takes its place.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use turquoise_core::{CompileError, Scratch, Settings, Severity};

use crate::exchange::Exchange;
use crate::host::{self, Buffer, LogLevel};
use crate::live::Live;
use crate::metrics::{DocumentMetrics, FetchResult};
use crate::source::{Answer, Poller};

/// How many problems of one document are logged; `turquoise validate` shows all of them.
const MOST_LOGGED: usize = 10;

/// One plugin configuration in one VM.
#[derive(Default)]
pub(crate) struct Root {
    plugin: Option<Plugin>,
    scratch: Rc<RefCell<Scratch>>,
}

/// A configuration that was accepted.
struct Plugin {
    settings: Rc<Settings>,
    live: Rc<Live>,
    poller: Poller,
    metrics: DocumentMetrics,
    /// Under this key all VMs with the same configuration share which generation is in force.
    shared_key: String,
    /// When the source last confirmed what is in force, in milliseconds.
    confirmed: u64,
    /// Whether what came last from the source was refused.
    refused: bool,
    /// What was last logged as wrong, so that it is said once and not at every poll.
    trouble: Option<String>,
}

impl Root {
    fn configure(&mut self, configuration: &[u8]) -> Result<(), String> {
        let settings = Rc::new(Settings::parse(configuration).map_err(|error| error.to_string())?);
        let live = match &settings.document {
            Some(document) => {
                let live = Live::compile(&settings, document.get().as_bytes()).map_err(|error| {
                    format!("plugin configuration, the inlined `document`: {}", list(&error))
                })?;
                log_problems(&live);
                live
            }
            None => Live::without_document(&settings),
        };
        let mut plugin = Plugin {
            live: Rc::new(live),
            poller: Poller::default(),
            metrics: DocumentMetrics::new(),
            shared_key: format!("turquoise.generation.{}", turquoise_core::fingerprint(configuration)),
            confirmed: host::now(),
            refused: false,
            trouble: None,
            settings,
        };
        if plugin.settings.document.is_some() {
            plugin.publish();
        }
        if let Some(source) = &plugin.settings.source {
            host::set_tick_period(source.interval);
        }
        plugin.poll();
        self.plugin = Some(plugin);
        Ok(())
    }
}

impl Plugin {
    fn poll(&mut self) {
        let Some(source) = &self.settings.source else { return };
        let now = host::now();
        self.metrics.age(now.saturating_sub(self.confirmed) / 1000);
        if let Err(reason) = self.poller.poll(source, now) {
            self.failed(&reason);
        }
    }

    fn answered(&mut self, token: u32, headers: usize) {
        match self.poller.answer(token, headers) {
            Answer::Unknown => {}
            Answer::NotModified => self.not_modified(),
            Answer::Failed(reason) => self.failed(&reason),
            Answer::Document(document, etag) => self.received(&document, etag),
        }
    }

    fn received(&mut self, document: &[u8], etag: Option<String>) {
        self.poller.received(etag);
        if self.live.snapshot.fingerprint() == turquoise_core::fingerprint(document) {
            self.refused = false;
            return self.not_modified();
        }
        match Live::compile(&self.settings, document) {
            Ok(live) => {
                log_problems(&live);
                self.live = Rc::new(live);
                self.metrics.fetched(FetchResult::Updated);
                self.refused = false;
                self.confirm();
                self.publish();
            }
            Err(error) => {
                self.metrics.fetched(FetchResult::Refused);
                self.refused = true;
                self.complain(format!(
                    "the document was refused, the one before stays in force: {}; `turquoise validate` shows more",
                    list(&error)
                ));
            }
        }
    }

    fn not_modified(&mut self) {
        self.metrics.fetched(FetchResult::NotModified);
        // A source that still has what was refused confirms nothing.
        if !self.refused {
            self.confirm();
        }
    }

    fn failed(&mut self, reason: &str) {
        self.metrics.fetched(FetchResult::Failed);
        self.complain(format!("the document could not be fetched, the one before stays in force: {reason}"));
    }

    fn confirm(&mut self) {
        self.confirmed = host::now();
        self.metrics.age(0);
        if self.trouble.take().is_some() {
            host::log(LogLevel::Info, "the source answers again, and its document is in force");
        }
    }

    /// Logs what is wrong, once.
    fn complain(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            host::log(LogLevel::Error, &trouble);
            self.trouble = Some(trouble);
        }
    }

    /// Counts the new document among those that the proxy has had: the first VM to have it raises the generation.
    fn publish(&self) {
        let fingerprint = self.live.snapshot.fingerprint();
        // Somebody else may change it in between; who loses every time leaves the gauge to the winners.
        for _ in 0..10 {
            let (shared, cas) = host::shared_data(&self.shared_key);
            let before = shared.and_then(|bytes| {
                let (generation, rest) = bytes.split_first_chunk()?;
                Some((u64::from_le_bytes(*generation), u64::from_le_bytes(*rest.first_chunk()?)))
            });
            let generation = match before {
                Some((generation, known)) if known == fingerprint => return self.metrics.swapped(generation),
                Some((generation, _)) => generation.saturating_add(1),
                None => 1,
            };
            let value: Vec<u8> =
                generation.to_le_bytes().into_iter().chain(fingerprint.to_le_bytes()).collect();
            if host::set_shared_data(&self.shared_key, &value, cas) {
                return self.metrics.swapped(generation);
            }
        }
    }
}

/// The problems that refused a document, in one line.
fn list(error: &CompileError) -> String {
    let causes: Vec<_> = error.causes().take(MOST_LOGGED).map(ToString::to_string).collect();
    match error.causes().count().saturating_sub(MOST_LOGGED) {
        0 => causes.join("; "),
        more => format!("{}; and {more} more", causes.join("; ")),
    }
}

/// Logs what is wrong with a document that is in force all the same.
fn log_problems(live: &Live) {
    for problem in live.snapshot.problems().iter().take(MOST_LOGGED) {
        let effect = match problem.severity {
            Severity::Flag => "this flag evaluates to PARSE_ERROR: ",
            _ => "",
        };
        host::log(LogLevel::Warn, &format!("in the document, {effect}{problem}"));
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, _: usize, _: usize) {
        if let Some(plugin) = &mut self.plugin {
            plugin.answered(token, headers);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        match self.configure(&host::buffer(Buffer::PluginConfiguration)) {
            Ok(()) => true,
            Err(reason) => {
                host::log(LogLevel::Critical, &reason);
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &mut self.plugin {
            plugin.poll();
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        // The SDK panics on None, and a proxy sends no request to a plugin that it was refused.
        let live = match &self.plugin {
            Some(plugin) => Rc::clone(&plugin.live),
            None => Rc::new(Live::without_document(&Rc::default())),
        };
        Some(Box::new(Exchange::new(live, Rc::clone(&self.scratch))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
