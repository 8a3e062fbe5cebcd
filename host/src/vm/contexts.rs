//! The contexts of a VM, and their numbers.

use std::collections::HashMap;

use crate::caps::{MAX_HTTP_CONTEXTS, MAX_ROOT_CONTEXTS};
use crate::error::Error;
use crate::stream::HttpStream;

/// An HTTP context.
pub(crate) struct Http {
    pub(crate) root: u32,
    pub(crate) stream: Box<dyn HttpStream>,
}

/// A root context.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Root {
    /// Made with the VM, and waiting for its first configuration.
    Fresh,
    /// Has had its `proxy_on_configure`.
    Configured,
    /// Answered false to `proxy_on_done`: it stays until the guest calls `proxy_done`.
    Draining,
}

/// All contexts of a VM. Root contexts and HTTP contexts are numbered together.
#[derive(Default)]
pub(crate) struct Contexts {
    pub(crate) roots: HashMap<u32, Root>,
    pub(crate) https: HashMap<u32, Http>,
    last: u32,
}

impl Contexts {
    /// Makes a root context.
    pub(super) fn add_root(&mut self) -> Result<u32, Error> {
        if self.roots.len() >= MAX_ROOT_CONTEXTS {
            return Err(Error::Exhausted { what: "root contexts", limit: MAX_ROOT_CONTEXTS });
        }
        let id = self.next();
        self.roots.insert(id, Root::Fresh);
        Ok(id)
    }

    /// Makes an HTTP context under a root context.
    pub(super) fn add_http(&mut self, root: u32, stream: Box<dyn HttpStream>) -> Result<u32, Error> {
        if self.https.len() >= MAX_HTTP_CONTEXTS {
            return Err(Error::Exhausted { what: "HTTP contexts", limit: MAX_HTTP_CONTEXTS });
        }
        let id = self.next();
        self.https.insert(id, Http { root, stream });
        Ok(id)
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.roots.contains_key(&id) || self.https.contains_key(&id)
    }

    /// The next number that no living context has; never 0, which means the VM itself. There is one: contexts are
    /// bounded, and far fewer than numbers.
    fn next(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.contains(self.last) {
                return self.last;
            }
        }
    }

    /// Goes on counting from `last`, as if so many contexts had come and gone.
    #[cfg(test)]
    pub(crate) fn count_from(&mut self, last: u32) {
        self.last = last;
    }
}

#[cfg(test)]
mod tests {
    use super::Contexts;
    use crate::caps::MAX_ROOT_CONTEXTS;
    use crate::error::Error;

    #[test]
    fn numbers_go_round_past_zero_and_past_those_that_live() {
        let mut contexts = Contexts::default();
        assert_eq!([contexts.add_root(), contexts.add_root(), contexts.add_root()], [Ok(1), Ok(2), Ok(3)]);
        contexts.roots.remove(&2);
        contexts.count_from(u32::MAX - 1);
        let next = [contexts.add_root(), contexts.add_root(), contexts.add_root()];
        assert_eq!(next, [Ok(u32::MAX), Ok(2), Ok(4)], "neither 0 nor 1 nor 3");
    }

    #[test]
    fn root_contexts_are_bounded() {
        let mut contexts = Contexts::default();
        for _ in 0..MAX_ROOT_CONTEXTS {
            contexts.add_root().unwrap();
        }
        let refused = Error::Exhausted { what: "root contexts", limit: MAX_ROOT_CONTEXTS };
        assert_eq!(contexts.add_root(), Err(refused));
        contexts.roots.remove(&7);
        assert_eq!(contexts.add_root(), Ok(1 + u32::try_from(MAX_ROOT_CONTEXTS).unwrap()));
    }
}
