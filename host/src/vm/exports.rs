//! The guest's side of the ABI: what a module may export, found once per VM.

use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use super::State;
use crate::error::Error;

/// An export that a module may lack.
type Callback<P, R> = Option<TypedFunc<P, R>>;

/// The functions that a host calls. A module may lack any of them, and is then not called.
pub(super) struct Exports {
    pub(super) initialize: Callback<(), ()>,
    pub(super) start: Callback<(), ()>,
    pub(super) context_create: Callback<(u32, u32), ()>,
    pub(super) vm_start: Callback<(u32, u32), u32>,
    pub(super) configure: Callback<(u32, u32), u32>,
    pub(super) tick: Callback<u32, ()>,
    pub(super) queue_ready: Callback<(u32, u32), ()>,
    pub(super) call_response: Callback<(u32, u32, u32, u32, u32), ()>,
    pub(super) request_headers: Callback<(u32, u32, u32), u32>,
    pub(super) request_body: Callback<(u32, u32, u32), u32>,
    pub(super) request_trailers: Callback<(u32, u32), u32>,
    pub(super) response_headers: Callback<(u32, u32, u32), u32>,
    pub(super) response_body: Callback<(u32, u32, u32), u32>,
    pub(super) response_trailers: Callback<(u32, u32), u32>,
    pub(super) log: Callback<u32, ()>,
    pub(super) done: Callback<u32, u32>,
    pub(super) delete: Callback<u32, ()>,
}

impl Exports {
    /// Finds them all, and gives host calls the memory and the allocator.
    pub(super) fn resolve(store: &mut Store<State>, instance: &Instance) -> Result<Self, Error> {
        let Some(memory) = instance.get_memory(&mut *store, "memory") else {
            return Err(Error::Incompatible { reason: "it does not export `memory`".to_owned() });
        };
        // The ABI's own name first; `malloc` is what older SDKs and those for C export.
        let allocate = match function(store, instance, "proxy_on_memory_allocate")? {
            None => function(store, instance, "malloc")?,
            found => found,
        };
        if allocate.is_none() {
            let reason = "it exports neither `proxy_on_memory_allocate` nor `malloc`".to_owned();
            return Err(Error::Incompatible { reason });
        }
        store.data_mut().memory = Some(memory);
        store.data_mut().allocate = allocate;
        Ok(Self {
            initialize: function(store, instance, "_initialize")?,
            start: function(store, instance, "_start")?,
            context_create: function(store, instance, "proxy_on_context_create")?,
            vm_start: function(store, instance, "proxy_on_vm_start")?,
            configure: function(store, instance, "proxy_on_configure")?,
            tick: function(store, instance, "proxy_on_tick")?,
            queue_ready: function(store, instance, "proxy_on_queue_ready")?,
            call_response: function(store, instance, "proxy_on_http_call_response")?,
            request_headers: function(store, instance, "proxy_on_request_headers")?,
            request_body: function(store, instance, "proxy_on_request_body")?,
            request_trailers: function(store, instance, "proxy_on_request_trailers")?,
            response_headers: function(store, instance, "proxy_on_response_headers")?,
            response_body: function(store, instance, "proxy_on_response_body")?,
            response_trailers: function(store, instance, "proxy_on_response_trailers")?,
            log: function(store, instance, "proxy_on_log")?,
            done: function(store, instance, "proxy_on_done")?,
            delete: function(store, instance, "proxy_on_delete")?,
        })
    }
}

fn function<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
) -> Result<Callback<P, R>, Error> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let typed = function.typed(&*store);
    typed.map(Some).map_err(|error| Error::Incompatible { reason: format!("export `{name}`: {error:#}") })
}
