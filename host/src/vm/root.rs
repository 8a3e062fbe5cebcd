//! Callbacks of root contexts: configuration, ticks, queues, callouts.

use super::Vm;
use super::contexts::Root;
use crate::error::Error;
use crate::proxy::CallResponse;

/// What came of a configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Configured {
    /// The root context that got it.
    pub root: u32,
    /// What `proxy_on_configure` returned. A proxy refuses a configuration that its guest does not accept.
    pub accepted: bool,
}

impl Vm {
    pub(super) fn start_first_root(&mut self) -> Result<(), Error> {
        let root = self.create_root()?;
        let size = length(self.store.data().vm_configuration.len());
        let function = self.exports.vm_start.clone();
        match self.call("proxy_on_vm_start", root, function, (root, size))? {
            Some(0) => Err(Error::StartRefused),
            _ => self.delete_finished(),
        }
    }

    /// Gives the VM a configuration. The first one goes to the root context that the VM was started with; each
    /// later one makes a new root context beside those that are there, which go on until
    /// [`shut_down_root`](Self::shut_down_root).
    ///
    /// # Errors
    /// [`Error::Exhausted`] if there are too many root contexts, and those that any callback may return. A configuration
    /// that the guest refuses is no error.
    pub fn configure(&mut self, configuration: Vec<u8>) -> Result<Configured, Error> {
        self.expect_alive("proxy_on_configure")?;
        let size = length(configuration.len());
        let mut roots = self.store.data().contexts.roots.iter();
        let fresh = roots.find(|(_, state)| **state == Root::Fresh).map(|(id, _)| *id);
        self.store.data_mut().plugin_configuration = Some(configuration);
        let configured = self.configure_root(fresh, size);
        self.store.data_mut().plugin_configuration = None;
        configured
    }

    fn configure_root(&mut self, fresh: Option<u32>, size: u32) -> Result<Configured, Error> {
        let root = match fresh {
            Some(root) => root,
            None => self.create_root()?,
        };
        self.store.data_mut().contexts.roots.insert(root, Root::Configured);
        let function = self.exports.configure.clone();
        let answer = self.call("proxy_on_configure", root, function, (root, size))?;
        self.delete_finished()?;
        Ok(Configured { root, accepted: answer != Some(0) })
    }

    /// Ticks a root context.
    ///
    /// # Errors
    /// [`Error::Misuse`] if there is no such root context, and those that any callback may return.
    pub fn on_tick(&mut self, root: u32) -> Result<(), Error> {
        self.expect_root("proxy_on_tick", root)?;
        let function = self.exports.tick.clone();
        self.call("proxy_on_tick", root, function, root)?;
        self.delete_finished()
    }

    /// Tells a root context that its queue has something.
    ///
    /// # Errors
    /// As [`on_tick`](Self::on_tick).
    pub fn on_queue_ready(&mut self, root: u32, queue: u32) -> Result<(), Error> {
        self.expect_root("proxy_on_queue_ready", root)?;
        let function = self.exports.queue_ready.clone();
        self.call("proxy_on_queue_ready", root, function, (root, queue))?;
        self.delete_finished()
    }

    /// Delivers what came back for a callout. `None` is a response that the proxy could not take whole: truncated,
    /// or too long. The guest then sees 0 headers and 0 bytes, and a header that it asks for all the same is
    /// `BadArgument`.
    ///
    /// # Errors
    /// As [`on_tick`](Self::on_tick).
    pub fn on_http_call_response(
        &mut self,
        root: u32,
        token: u32,
        response: Option<CallResponse>,
    ) -> Result<(), Error> {
        self.expect_root("proxy_on_http_call_response", root)?;
        let (headers, body, trailers) = match &response {
            None => (0, 0, 0),
            Some(response) => (response.headers.len(), response.body.len(), response.trailers.len()),
        };
        let params = (root, token, length(headers), length(body), length(trailers));
        let state = self.store.data_mut();
        state.calls.close(token);
        state.call_response = response.map(|response| (root, response));
        let function = self.exports.call_response.clone();
        let called = self.call("proxy_on_http_call_response", root, function, params);
        self.store.data_mut().call_response = None;
        called?;
        self.delete_finished()
    }

    /// Forgets a callout that the proxy will never answer. One that is neither answered nor forgotten counts among those
    /// that the VM may have open ([`MAX_CALLOUTS`](crate::caps::MAX_CALLOUTS)) until its root context ends.
    pub fn forget_http_call(&mut self, token: u32) {
        self.store.data_mut().calls.close(token);
    }

    /// Asks a root context to end, as Envoy does once the last connection under an old configuration is gone.
    /// Returns whether it has been deleted; if not, it will be when the guest calls `proxy_done`.
    ///
    /// # Errors
    /// As [`on_tick`](Self::on_tick).
    pub fn shut_down_root(&mut self, root: u32) -> Result<bool, Error> {
        self.expect_root("proxy_on_done", root)?;
        let function = self.exports.done.clone();
        if self.call("proxy_on_done", root, function, root)? == Some(0) {
            self.store.data_mut().contexts.roots.insert(root, Root::Draining);
            // The guest may have called `proxy_done` from within, before it was draining: that counts for nothing.
            return Ok(false);
        }
        self.delete_root(root)?;
        Ok(true)
    }

    /// Whether this root context exists.
    pub fn has_root(&self, root: u32) -> bool {
        self.store.data().contexts.roots.contains_key(&root)
    }

    fn create_root(&mut self) -> Result<u32, Error> {
        let root = self.store.data_mut().contexts.add_root()?;
        let function = self.exports.context_create.clone();
        self.call("proxy_on_context_create", root, function, (root, 0))?;
        Ok(root)
    }

    /// Deletes the root contexts that called `proxy_done` in the callback that has just returned.
    pub(super) fn delete_finished(&mut self) -> Result<(), Error> {
        while let Some(root) = self.store.data_mut().finished.pop() {
            self.delete_root(root)?;
        }
        Ok(())
    }

    fn delete_root(&mut self, root: u32) -> Result<(), Error> {
        let function = self.exports.delete.clone();
        let deleted = self.call("proxy_on_delete", root, function, root);
        let state = self.store.data_mut();
        state.contexts.roots.remove(&root);
        state.calls.close_all(root);
        deleted.map(|_| ())
    }

    pub(super) fn expect_root(&self, what: &str, root: u32) -> Result<(), Error> {
        if self.has_root(root) {
            return Ok(());
        }
        Err(Error::misuse(format!("`{what}` is for a root context, and {root} is none")))
    }
}

/// A length as the ABI passes it. No buffer of 4 GiB gets this far: it would not fit the guest's memory.
pub(super) fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
