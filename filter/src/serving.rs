//! What the requests of one plugin share: the rules in force at this moment, and what decides and counts by them.
//!
//! A request asks for the rules when it is decided, and lets go of them then. What it kept would stay in memory for as
//! long as the request lasts: a stream for hours, with a document for each stream that began under another one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use turquoise_core::Scratch;

use crate::live::Live;
use crate::status::StatusPage;
use crate::trouble::Trouble;

/// A plugin as its requests see it.
pub(crate) struct Serving {
    live: RefCell<Rc<Live>>,
    pub(crate) status: Option<Rc<StatusPage>>,
    pub(crate) trouble: Option<Rc<Trouble>>,
    pub(crate) scratch: RefCell<Scratch>,
    /// How many OFREP requests wait for their bodies.
    waiting: Cell<u32>,
}

impl Serving {
    pub(crate) fn new(live: Rc<Live>, status: Option<Rc<StatusPage>>, trouble: Option<Rc<Trouble>>) -> Self {
        let (live, scratch, waiting) = (RefCell::new(live), RefCell::default(), Cell::new(0));
        Self { live, status, trouble, scratch, waiting }
    }

    /// Of a plugin whose configuration was refused: it has no rules.
    pub(crate) fn without_plugin() -> Self {
        Self::new(Rc::new(Live::without_document(&Rc::default())), None, None)
    }

    /// The rules in force now. Keep them for one decision and no longer.
    pub(crate) fn live(&self) -> Rc<Live> {
        // Nobody holds a borrow beyond this line and the one below, so neither can fail.
        Rc::clone(&self.live.borrow())
    }

    /// Other rules are in force from now on.
    pub(crate) fn swap(&self, live: &Rc<Live>) {
        drop(self.live.replace(Rc::clone(live)));
    }
}

/// A place among the requests that wait for their bodies; free again when it is dropped.
pub(crate) struct Place(Rc<Serving>);

impl Place {
    /// A place, if fewer than `limit` are taken.
    pub(crate) fn take(serving: &Rc<Serving>, limit: u32) -> Option<Self> {
        let taken = serving.waiting.get();
        (taken < limit).then(|| {
            serving.waiting.set(taken + 1);
            Self(Rc::clone(serving))
        })
    }

    pub(crate) fn serving(&self) -> &Serving {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}
