//! What is in force: a snapshot with everything that is derived from it once, swapped as a whole.

use std::rc::Rc;

use turquoise_core::feed::DocumentRecord;
use turquoise_core::ofrep::Service;
use turquoise_core::status::InForce;
use turquoise_core::{Bindings, CompileError, FlagId, Settings, Snapshot, Startup, fingerprint};

use crate::job::options;
use crate::metrics::{OfrepRequests, Requests};
use crate::request::property_names;

/// A snapshot in force. Whoever decides a request holds its own `Rc`, so a swap never changes a decision under way.
pub(crate) struct Live {
    pub(crate) settings: Rc<Settings>,
    pub(crate) snapshot: Snapshot,
    pub(crate) bindings: Bindings,
    pub(crate) property_names: Vec<String>,
    /// The flags that the flag header carries; a flag that the document lacks is left out.
    pub(crate) exposed: Vec<FlagId>,
    pub(crate) requests: Requests,
    /// OFREP, where the configuration serves it.
    pub(crate) ofrep: Option<Service>,
    pub(crate) ofrep_requests: OfrepRequests,
}

impl Live {
    /// Compiles a document under the rules of the configuration.
    pub(crate) fn compile(settings: &Rc<Settings>, document: &[u8]) -> Result<Self, CompileError> {
        Snapshot::compile_with(document, options(settings, document.len(), None))
            .map(|snapshot| Self::new(settings, snapshot))
    }

    /// What is in force while there is no document: no routes, no flags, every request goes its own way.
    pub(crate) fn without_document(settings: &Rc<Settings>) -> Self {
        Self::new(settings, Snapshot::default())
    }

    /// Where this document comes from, by what the proxy knows of the one that was fetched last. One that is inlined and
    /// was fetched as well counts as fetched.
    pub(crate) fn origin(&self, fetched: Option<&DocumentRecord>) -> InForce {
        let live = self.snapshot.fingerprint();
        let inlined = self.settings.document.as_ref().map(|document| fingerprint(document.get().as_bytes()));
        match (live, inlined) {
            (0, _) => InForce::None,
            _ if fetched.is_some_and(|fetched| fetched.fingerprint == live) => InForce::Fetched,
            (_, Some(inlined)) if inlined == live => InForce::Inlined,
            _ => InForce::Fetched,
        }
    }

    /// Whether no request may pass: there is no document yet, and the configuration wants gates to hold from the first
    /// request on.
    pub(crate) fn is_closed(&self) -> bool {
        self.settings.startup == Startup::Closed && self.origin(None) == InForce::None
    }

    pub(crate) fn new(settings: &Rc<Settings>, snapshot: Snapshot) -> Self {
        let exposed = settings.flag_header.iter().flat_map(|header| &header.flags);
        Self {
            bindings: Bindings::new(&snapshot, &settings.context),
            property_names: property_names(&settings.context),
            exposed: exposed.filter_map(|key| snapshot.flag(key)).collect(),
            requests: Requests::default(),
            ofrep: Service::new(settings, &snapshot),
            ofrep_requests: OfrepRequests::default(),
            settings: Rc::clone(settings),
            snapshot,
        }
    }
}
