//! One VM: an instance of a module, its contexts, and the callbacks that drive it.

mod calls;
mod contexts;
mod exports;
mod http;
mod root;
mod state;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use wasmtime::{Store, Trap, TypedFunc, WasmParams, WasmResults};

use crate::engine::{Module, Ticker};
use crate::error::Error;
use crate::limits::Limits;
use crate::proxy::Proxy;
use exports::Exports;

pub(crate) use contexts::Root;
pub use root::Configured;
pub(crate) use state::State;

/// What a VM is started with.
#[derive(Clone, Debug, Default)]
pub struct VmOptions {
    /// The VM's number, by which the proxy tells its VMs apart.
    pub id: u32,
    /// What the guest reads in `proxy_on_vm_start`.
    pub configuration: Vec<u8>,
    /// What the VM may use.
    pub limits: Limits,
}

/// A running guest. All its callbacks go through here, and a proxy calls them; nothing calls them behind its back.
///
/// Any callback may return [`Error::Trap`], [`Error::TimeLimit`] or [`Error::MemoryLimit`]. The VM is dead from then
/// on, and whatever is called later returns [`Error::Dead`]; other VMs of the same module are not affected.
pub struct Vm {
    store: Store<State>,
    exports: Exports,
    limits: Limits,
    dead: Option<Error>,
    /// Declared last, so that it is dropped last: epochs are counted for as long as the guest could run.
    _ticker: Arc<Ticker>,
}

impl Vm {
    /// Instantiates the module, initialises it, and starts it: `_initialize` or `_start`, then the creation of the
    /// first root context, then `proxy_on_vm_start`.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if an export has the wrong type, [`Error::StartRefused`] if `proxy_on_vm_start`
    /// returns false, and those that any callback may return.
    pub fn start(module: &Module, proxy: Rc<dyn Proxy>, options: VmOptions) -> Result<Self, Error> {
        let VmOptions { id, configuration, limits } = options;
        let mut store = Store::new(module.wasmtime(), State::new(proxy, id, configuration, limits.memory));
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(limits.epochs());
        let instance = module
            .linked
            .instantiate(&mut store)
            .map_err(|error| explain(&error, "instantiation", limits, store.data()))?;
        let exports = Exports::resolve(&mut store, &instance)?;
        let mut vm = Self { store, exports, limits, dead: None, _ticker: module.ticker() };
        vm.initialize()?;
        vm.start_first_root()?;
        Ok(vm)
    }

    /// The number that the VM was started with.
    pub fn id(&self) -> u32 {
        self.store.data().vm
    }

    /// How large the linear memory is now, in bytes. It never shrinks, so a guest that does not leak keeps it flat.
    pub fn memory_size(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// What the VM died of, if it has.
    pub fn failure(&self) -> Option<&Error> {
        self.dead.as_ref()
    }

    fn expect_alive(&self, callback: &'static str) -> Result<(), Error> {
        match &self.dead {
            None => Ok(()),
            Some(cause) => Err(Error::Dead { callback, cause: Box::new(cause.clone()) }),
        }
    }

    fn initialize(&mut self) -> Result<(), Error> {
        // A reactor exports `_initialize`, a command `_start`; a module that exports neither needs nothing.
        let functions =
            [("_initialize", self.exports.initialize.clone()), ("_start", self.exports.start.clone())];
        if let Some((name, function)) = functions.into_iter().find(|(_, function)| function.is_some()) {
            self.call(name, 0, function, ())?;
        }
        Ok(())
    }

    /// Calls an export in the name of a context; `None` if the module does not have it.
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        callback: &'static str,
        context: u32,
        function: Option<TypedFunc<P, R>>,
        params: P,
    ) -> Result<Option<R>, Error> {
        self.expect_alive(callback)?;
        let Some(function) = function else { return Ok(None) };
        self.store.data_mut().enter(context);
        self.store.set_epoch_deadline(self.limits.epochs());
        match function.call(&mut self.store, params) {
            Ok(result) => Ok(Some(result)),
            Err(error) => {
                let error = explain(&error, callback, self.limits, self.store.data());
                self.dead = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vm")
            .field("id", &self.id())
            .field("memory_size", &self.memory_size())
            .field("failure", &self.dead)
            .finish_non_exhaustive()
    }
}

/// What wasmtime says, in the terms of whoever set the limits.
fn explain(error: &wasmtime::Error, callback: &'static str, limits: Limits, state: &State) -> Error {
    if let (Some(Trap::Interrupt), Some(limit)) = (error.downcast_ref::<Trap>(), limits.time) {
        return Error::TimeLimit { callback, limit };
    }
    if let Some(wanted) = state.limiter.denied {
        return Error::MemoryLimit { callback, limit: limits.memory, wanted };
    }
    // The root cause without the backtrace above it, whose addresses mean nothing in a stripped module.
    let mut reason = error.root_cause().to_string();
    if let Some(words) = &state.last_words {
        reason.push_str(&format!("; its last words: {words}"));
    }
    Error::Trap { callback, reason }
}
