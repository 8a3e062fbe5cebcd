//! The protocol over one snapshot, under one configuration.

use super::body::Stated;
use super::etag::{Known, Tag};
use super::evaluation::write_within;
use super::limits::{MAX_ANSWER_BYTES, least_answer};
use super::overlay::{OverlaidContext, Overlay};
use super::{Answer, Endpoint};
use crate::eval::MOST_STEPS;
use crate::flag::{EvaluationError, FlagId, Reason};
use crate::request::{Bindings, Request, RequestContext};
use crate::settings::{OfrepSettings, Settings, VisibleFlags};
use crate::snapshot::Snapshot;
use crate::{Scratch, Timestamp};

/// What the flags of one bulk answer may take together, and how much more for each flag of the document: the body of a
/// request could otherwise make every one of thousands of flags take all that it may, and hold the worker for seconds.
const STEPS: u32 = 10 * MOST_STEPS;
const STEPS_PER_FLAG: u32 = 500;

/// What every answer of one snapshot needs, prepared once.
#[derive(Debug)]
pub struct Service {
    /// The flags that callers may see, in ascending order; all of them when `None`.
    visible: Option<Vec<FlagId>>,
    overlay: Overlay,
    /// Whether an answer may change while everything that is known before it stays the same.
    unforeseeable: bool,
    /// Streams that tell of changes, as JSON; empty when there are none.
    event_streams: String,
    /// Whether an answer for all flags is too large whatever they evaluate to, so that none need be begun.
    too_large: bool,
}

/// A request, and what it is answered from.
#[derive(Debug)]
pub struct Asked<'a, R: ?Sized> {
    /// What is asked for.
    pub endpoint: &'a Endpoint,
    /// The request.
    pub request: &'a R,
    /// The plugin configuration.
    pub settings: &'a Settings,
    /// The snapshot that the service was prepared for.
    pub snapshot: &'a Snapshot,
    /// The bindings that were made for that snapshot.
    pub bindings: &'a Bindings,
    /// The time; it does not matter where [`Snapshot::reads_clock`] says so.
    pub now: Timestamp,
}

impl Service {
    /// Prepares the protocol for a snapshot; `None` where the configuration does not serve it.
    pub fn new(settings: &Settings, snapshot: &Snapshot) -> Option<Self> {
        let ofrep = &settings.ofrep;
        if !ofrep.enabled {
            return None;
        }
        let event_streams = match ofrep.event_streams.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&ofrep.event_streams).unwrap_or_default(),
        };
        let visible = visible(&ofrep.flags, snapshot);
        Some(Self {
            too_large: least_answer(snapshot, visible.as_deref()) > MAX_ANSWER_BYTES,
            visible,
            overlay: Overlay::new(snapshot, &settings.context),
            unforeseeable: snapshot.reads_clock() || snapshot.reads_anything(),
            event_streams,
        })
    }

    /// The answer to a request that its headers decide alone; `None` where the body is needed.
    pub fn refuse<R: Request + ?Sized>(
        settings: &OfrepSettings,
        endpoint: &Endpoint,
        request: &R,
    ) -> Option<Answer> {
        settings.refusal(endpoint, request).map(|answer| settings.expose(request, answer))
    }

    /// The answer to a body that is longer than allowed.
    pub fn too_long<R: Request + ?Sized>(
        settings: &OfrepSettings,
        endpoint: &Endpoint,
        request: &R,
    ) -> Answer {
        settings.expose(request, settings.too_long(endpoint))
    }

    /// The answer to a request that would wait for its body where too many do already.
    pub fn too_many<R: Request + ?Sized>(
        settings: &OfrepSettings,
        endpoint: &Endpoint,
        request: &R,
    ) -> Answer {
        settings.expose(request, settings.too_many(endpoint))
    }

    /// The answer to a request that was not refused, with its whole body.
    pub fn answer<R: Request + ?Sized>(
        &self,
        asked: &Asked<'_, R>,
        body: &[u8],
        scratch: &mut Scratch,
    ) -> Answer {
        let settings = &asked.settings.ofrep;
        let answer = match asked.endpoint {
            _ if settings.is_too_long(body.len() as u64) => settings.too_long(asked.endpoint),
            Endpoint::Flag(key) => self.one(asked, key, body, scratch),
            Endpoint::Flags => self.all(asked, body, scratch),
        };
        settings.expose(asked.request, answer)
    }

    fn one<R: Request + ?Sized>(
        &self,
        asked: &Asked<'_, R>,
        key: &str,
        body: &[u8],
        scratch: &mut Scratch,
    ) -> Answer {
        let snapshot = asked.snapshot;
        let context = match self.context(asked, body) {
            Ok(context) => context,
            Err(answer) => return answer,
        };
        // What nobody may see answers exactly as what is not there.
        let key_of_visible =
            Some(key).filter(|key| snapshot.flag(key).is_none_or(|flag| self.is_visible(flag)));
        let evaluation = match key_of_visible {
            Some(key) => snapshot.evaluate(key, &context, asked.now, scratch),
            None => crate::Evaluation {
                flag: None,
                variant: None,
                reason: Reason::Error,
                error: Some(EvaluationError::FlagNotFound),
            },
        };
        let mut out = String::new();
        if !write_within(&mut out, MAX_ANSWER_BYTES, snapshot, key, &evaluation) {
            let details = format!(
                "the answer for this flag would have more than {MAX_ANSWER_BYTES} bytes: its value or its metadata is too large"
            );
            return Answer::failed(asked.endpoint, "GENERAL", &details);
        }
        let status = match evaluation.error {
            None => 200,
            Some(EvaluationError::FlagNotFound) => 404,
            Some(_) => 400,
        };
        Answer::json(status, out)
    }

    fn all<R: Request + ?Sized>(&self, asked: &Asked<'_, R>, body: &[u8], scratch: &mut Scratch) -> Answer {
        let header = asked.request.header(b"if-none-match");
        let known = Known::of(header.unwrap_or_default());
        let foreseen = (!self.unforeseeable).then(|| self.tag(asked, body));
        if let Some(tag) = foreseen.as_ref().filter(|tag| known.lists(tag)) {
            return not_modified(tag);
        }
        let context = match self.context(asked, body) {
            Ok(context) => context,
            Err(answer) => return answer,
        };
        let Some(out) = self.write_all(asked, &context, scratch) else {
            let details = format!(
                "the answer for all flags would have more than {MAX_ANSWER_BYTES} bytes: let callers see fewer flags \
                 (`ofrep.flags`), or make values and metadata smaller"
            );
            return Answer::failed(asked.endpoint, "GENERAL", &details);
        };
        let tag = foreseen.unwrap_or_else(|| {
            let mut tag = Tag::new();
            tag.part(out.as_bytes());
            tag.finish()
        });
        match known == Known::Anything || known.lists(&tag) {
            true => not_modified(&tag),
            false => Answer::json(200, out).with("etag", tag),
        }
    }

    /// The answer for all flags; none where it would be too large.
    fn write_all<R: Request + ?Sized>(
        &self,
        asked: &Asked<'_, R>,
        context: &OverlaidContext<'_, R>,
        scratch: &mut Scratch,
    ) -> Option<String> {
        if self.too_large {
            return None;
        }
        let snapshot = asked.snapshot;
        let flags = u32::try_from(snapshot.flags().count()).unwrap_or(u32::MAX);
        scratch.limit(Some(STEPS.saturating_add(STEPS_PER_FLAG.saturating_mul(flags))));
        let mut out = "{\"flags\":[".to_owned();
        let empty = out.len();
        let mut flags = snapshot.flags().filter(|flag| self.is_visible(*flag));
        let fits = flags.all(|flag| {
            if out.len() > empty {
                out.push(',');
            }
            let evaluation = snapshot.evaluate_flag(flag, context, asked.now, scratch);
            write_within(&mut out, MAX_ANSWER_BYTES, snapshot, snapshot.key(flag), &evaluation)
        });
        scratch.limit(None);
        if !fits {
            return None;
        }
        out.push(']');
        if !self.event_streams.is_empty() {
            out.push_str(",\"eventStreams\":");
            out.push_str(&self.event_streams);
        }
        if let Some(metadata) = snapshot.metadata(None) {
            if out.len().saturating_add(metadata.size()) > MAX_ANSWER_BYTES {
                return None;
            }
            out.push_str(",\"metadata\":");
            metadata.write(&mut out);
        }
        out.push('}');
        (out.len() <= MAX_ANSWER_BYTES).then_some(out)
    }

    fn is_visible(&self, flag: FlagId) -> bool {
        self.visible.as_ref().is_none_or(|visible| visible.binary_search(&flag).is_ok())
    }

    /// What the caller states, under what the proxy knows.
    fn context<'a, R: Request + ?Sized>(
        &self,
        asked: &Asked<'a, R>,
        body: &[u8],
    ) -> Result<OverlaidContext<'a, R>, Answer> {
        let failed = |code, details: &str| Answer::failed(asked.endpoint, code, details);
        let mut stated = Stated::parse(body).map_err(|details| failed("INVALID_CONTEXT", &details))?;
        let (context, trusted) = (&asked.settings.context, asked.settings.ofrep.trust_context);
        let stated_key = stated.targeting_key.take();
        let named = context.named_key(asked.request);
        let known = if trusted { stated_key.as_deref().or(named) } else { named.or(stated_key.as_deref()) };
        let key = known.or_else(|| context.anonymous_key(asked.request));
        if key.is_none() && asked.settings.ofrep.require_targeting_key {
            return Err(failed("TARGETING_KEY_MISSING", "`context.targetingKey` is missing"));
        }
        let request = RequestContext::new(asked.request, asked.bindings, context, named);
        Ok(self.overlay.apply(stated, key, request, trusted))
    }

    /// A tag of everything that the answer depends on.
    fn tag<R: Request + ?Sized>(&self, asked: &Asked<'_, R>, body: &[u8]) -> String {
        let context = &asked.settings.context;
        let mut tag = Tag::new();
        tag.part(&asked.snapshot.fingerprint().to_le_bytes());
        tag.part(&asked.settings.fingerprint.to_le_bytes());
        tag.part(body);
        tag.optional(context.named_key(asked.request).map(str::as_bytes));
        tag.optional(context.anonymous_key(asked.request).map(str::as_bytes));
        let request = RequestContext::new(asked.request, asked.bindings, context, None);
        self.overlay.visit(&request, |value| tag.optional(value));
        tag.finish()
    }
}

fn not_modified(tag: &str) -> Answer {
    Answer::bare(304).with("etag", tag)
}

/// The flags that callers may see; `None` for all.
pub(super) fn visible(flags: &VisibleFlags, snapshot: &Snapshot) -> Option<Vec<FlagId>> {
    let mut visible: Vec<_> = match flags {
        VisibleFlags::All => return None,
        VisibleFlags::Listed(keys) => keys.iter().filter_map(|key| snapshot.flag(key)).collect(),
        VisibleFlags::Client => snapshot.flags().filter(|flag| snapshot.is_for_clients(*flag)).collect(),
    };
    visible.sort_unstable();
    visible.dedup();
    Some(visible)
}
