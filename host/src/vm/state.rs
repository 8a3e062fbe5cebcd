//! What host calls see of a VM: which context is calling, and what it may reach.

use std::collections::HashMap;
use std::rc::Rc;

use wasmtime::{Memory, TypedFunc};

use crate::limits::Limiter;
use crate::proxy::{CallResponse, Proxy, RootId};
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

/// The data of a VM's store.
pub(crate) struct State {
    pub(crate) proxy: Rc<dyn Proxy>,
    pub(crate) vm: u32,
    pub(crate) limiter: Limiter,
    /// None while the module's own start function runs, which therefore cannot pass anything to host calls.
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    pub(crate) vm_configuration: Vec<u8>,
    /// Only while a root context is created and configured, as in Envoy.
    pub(crate) plugin_configuration: Option<Vec<u8>>,
    /// Only while `proxy_on_http_call_response` runs, and only if there is a response: a truncated one is none.
    pub(crate) call_response: Option<(u32, CallResponse)>,
    pub(crate) roots: HashMap<u32, Root>,
    pub(crate) https: HashMap<u32, Http>,
    /// Root contexts that have called `proxy_done` and are deleted once the callback has returned.
    pub(crate) finished: Vec<u32>,
    /// Set by a local response and a reset: whatever the callback returns, the stream goes no further.
    pub(crate) stop: bool,
    /// What the guest last logged as Critical in this callback: the message of a panic, which the trap lacks.
    pub(crate) last_words: Option<String>,
    current: u32,
    /// Zero if the guest has not chosen one in this callback.
    effective: u32,
    last_context: u32,
}

impl State {
    pub(crate) fn new(proxy: Rc<dyn Proxy>, vm: u32, vm_configuration: Vec<u8>, memory: usize) -> Self {
        Self {
            proxy,
            vm,
            limiter: Limiter { memory, denied: None },
            memory: None,
            allocate: None,
            vm_configuration,
            plugin_configuration: None,
            call_response: None,
            roots: HashMap::new(),
            https: HashMap::new(),
            finished: Vec::new(),
            stop: false,
            last_words: None,
            current: 0,
            effective: 0,
            last_context: 0,
        }
    }

    /// A callback of `context` begins.
    pub(crate) fn enter(&mut self, context: u32) {
        self.current = context;
        self.effective = 0;
        self.stop = false;
        self.limiter.denied = None;
        self.last_words = None;
    }

    /// A number for a new context: never 0, which means the VM itself, and never twice.
    pub(crate) fn new_context(&mut self) -> u32 {
        self.last_context += 1;
        self.last_context
    }

    pub(crate) fn is_context(&self, id: u32) -> bool {
        self.roots.contains_key(&id) || self.https.contains_key(&id)
    }

    /// Lets the guest act in the name of another of its contexts until the callback returns.
    pub(crate) fn set_effective(&mut self, id: u32) -> bool {
        let known = self.is_context(id);
        if known {
            self.effective = id;
        }
        known
    }

    /// The context that host calls act on: the chosen one, if it still exists, or else the one called back.
    fn context(&self) -> u32 {
        if self.effective != 0 && self.is_context(self.effective) { self.effective } else { self.current }
    }

    /// The root context that host calls act on.
    pub(crate) fn root(&self) -> u32 {
        let context = self.context();
        self.https.get(&context).map_or(context, |http| http.root)
    }

    pub(crate) fn root_id(&self) -> RootId {
        RootId { vm: self.vm, context: self.root() }
    }

    /// The stream that host calls act on; `None` in a root context.
    pub(crate) fn stream(&self) -> Option<&dyn HttpStream> {
        self.https.get(&self.context()).map(|http| http.stream.as_ref())
    }

    /// As [`stream`](Self::stream), to change it.
    pub(crate) fn stream_mut(&mut self) -> Option<&mut (dyn HttpStream + 'static)> {
        let context = self.context();
        self.https.get_mut(&context).map(|http| http.stream.as_mut())
    }

    /// The callout's answer, if this root context is being given one.
    pub(crate) fn call_response(&self) -> Option<&CallResponse> {
        self.call_response.as_ref().filter(|(root, _)| *root == self.root()).map(|(_, response)| response)
    }
}
