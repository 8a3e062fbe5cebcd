//! What host calls see of a VM: which context is calling, and what it may reach.

use std::rc::Rc;

use wasmtime::{Memory, TypedFunc};

use super::calls::OpenCalls;
use super::contexts::Contexts;
use crate::limits::Limiter;
use crate::proxy::{CallResponse, Proxy, RootId};
use crate::stream::HttpStream;

/// The data of a VM's store.
pub(crate) struct State {
    pub(crate) proxy: Rc<dyn Proxy>,
    pub(crate) vm: u32,
    pub(crate) limiter: Limiter,
    /// None while the module's own start function runs, which therefore cannot pass anything to host calls.
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    /// While the guest's allocator runs, which must not ask for anything that needs it.
    pub(crate) allocating: bool,
    pub(crate) vm_configuration: Vec<u8>,
    /// Only while a root context is created and configured, as in Envoy.
    pub(crate) plugin_configuration: Option<Vec<u8>>,
    /// Only while `proxy_on_http_call_response` runs, and only if there is a response: a truncated one is none.
    pub(crate) call_response: Option<(u32, CallResponse)>,
    pub(crate) calls: OpenCalls,
    pub(crate) contexts: Contexts,
    /// Root contexts that have called `proxy_done` and are deleted once the callback has returned.
    pub(crate) finished: Vec<u32>,
    /// Set by a local response and a reset: whatever the callback returns, the stream goes no further.
    pub(crate) stop: bool,
    /// What the guest last logged as Critical in this callback: the message of a panic, which the trap lacks.
    pub(crate) last_words: Option<String>,
    current: u32,
    /// Zero if the guest has not chosen one in this callback.
    effective: u32,
}

impl State {
    pub(crate) fn new(proxy: Rc<dyn Proxy>, vm: u32, vm_configuration: Vec<u8>, memory: usize) -> Self {
        Self {
            proxy,
            vm,
            limiter: Limiter::new(memory),
            memory: None,
            allocate: None,
            allocating: false,
            vm_configuration,
            plugin_configuration: None,
            call_response: None,
            calls: OpenCalls::default(),
            contexts: Contexts::default(),
            finished: Vec::new(),
            stop: false,
            last_words: None,
            current: 0,
            effective: 0,
        }
    }

    /// A callback of `context` begins.
    pub(crate) fn enter(&mut self, context: u32) {
        self.current = context;
        self.effective = 0;
        self.stop = false;
        self.allocating = false;
        self.limiter.denied = None;
        self.last_words = None;
    }

    /// Lets the guest act in the name of another of its contexts until the callback returns.
    pub(crate) fn set_effective(&mut self, id: u32) -> bool {
        let known = self.contexts.contains(id);
        if known {
            self.effective = id;
        }
        known
    }

    /// The context that host calls act on: the chosen one, if it still exists, or else the one called back.
    fn context(&self) -> u32 {
        if self.effective != 0 && self.contexts.contains(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    /// The root context that host calls act on.
    pub(crate) fn root(&self) -> u32 {
        let context = self.context();
        self.contexts.https.get(&context).map_or(context, |http| http.root)
    }

    pub(crate) fn root_id(&self) -> RootId {
        RootId { vm: self.vm, context: self.root() }
    }

    /// The stream that host calls act on; `None` in a root context.
    pub(crate) fn stream(&self) -> Option<&dyn HttpStream> {
        self.contexts.https.get(&self.context()).map(|http| http.stream.as_ref())
    }

    /// As [`stream`](Self::stream), to change it.
    pub(crate) fn stream_mut(&mut self) -> Option<&mut (dyn HttpStream + 'static)> {
        let context = self.context();
        self.contexts.https.get_mut(&context).map(|http| http.stream.as_mut())
    }

    /// The callout's answer, if this root context is being given one.
    pub(crate) fn call_response(&self) -> Option<&CallResponse> {
        self.call_response.as_ref().filter(|(root, _)| *root == self.root()).map(|(_, response)| response)
    }
}
