//! A test's handle on one VM, and on one configuration of it.

use std::fmt;

use super::SimulatedProxy;
use super::exchange::{Exchange, Outcome};
use super::message::{Request, Response};
use crate::error::Error;

/// A VM of a simulated proxy. Clones are the same VM.
#[derive(Clone)]
pub struct SimulatedVm {
    pub(super) proxy: SimulatedProxy,
    pub(super) id: u32,
}

impl SimulatedVm {
    /// The VM's number, as log lines and callouts have it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Gives the VM a plugin configuration. The first one goes to its first root context; each later one makes
    /// another beside it, as a configuration update does in Envoy.
    ///
    /// # Errors
    /// Those that any callback may return. That the guest refuses it tells [`Plugin::accepted`].
    pub fn configure(&self, configuration: impl AsRef<[u8]>) -> Result<Plugin, Error> {
        let configured = self.proxy.with_vm(self.id, |vm| vm.configure(configuration.as_ref().to_vec()));
        self.proxy.settle_others();
        let configured = configured?;
        self.proxy.set_current_root(self.id, configured.root);
        Ok(Plugin { vm: self.clone(), root: configured.root, accepted: configured.accepted })
    }

    /// A request arrives, under the newest configuration; shows it to the guest as far as the guest lets it go on.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the VM has no configuration yet, and those that any callback may return.
    pub fn request(&self, request: impl Into<Request>) -> Result<Exchange, Error> {
        let Some(root) = self.proxy.current_root(self.id) else {
            return Err(Error::misuse("a VM without a configuration serves no requests"));
        };
        Exchange::start(&self.proxy, self.id, root, request.into())
    }

    /// A whole exchange: the request, this response of the upstream if the request gets there, and the end.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn exchange(
        &self,
        request: impl Into<Request>,
        response: impl Into<Response>,
    ) -> Result<Outcome, Error> {
        let exchange = self.request(request)?;
        if exchange.progress() == super::Progress::Forwarded {
            exchange.respond(response)?;
        }
        exchange.finish()
    }

    /// How large the VM's linear memory is, in bytes.
    pub fn memory_size(&self) -> usize {
        self.proxy.with_vm(self.id, |vm| Ok(vm.memory_size())).unwrap_or(0)
    }

    /// What the VM died of, if it has. Callbacks that no call of the test asked for (a queue that another VM wrote to)
    /// leave their errors here.
    pub fn failure(&self) -> Option<Error> {
        self.proxy.with_vm(self.id, |vm| Ok(vm.failure().cloned())).unwrap_or(None)
    }

    /// Takes the VM down without a word to the guest, as Envoy does with its canary: timers end, and callouts are never
    /// answered.
    pub fn stop(&self) {
        self.proxy.remove_vm(self.id);
    }
}

impl fmt::Debug for SimulatedVm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedVm").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A configuration of a VM: one root context.
#[derive(Clone, Debug)]
pub struct Plugin {
    vm: SimulatedVm,
    root: u32,
    accepted: bool,
}

impl Plugin {
    /// What `proxy_on_configure` returned.
    pub fn accepted(&self) -> bool {
        self.accepted
    }

    /// The root context's number.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// A request arrives under this configuration, whether it is the newest or a draining one.
    ///
    /// # Errors
    /// As [`SimulatedVm::request`].
    pub fn request(&self, request: impl Into<Request>) -> Result<Exchange, Error> {
        Exchange::start(&self.vm.proxy, self.vm.id, self.root, request.into())
    }

    /// Ends this configuration; see [`Vm::shut_down_root`](crate::Vm::shut_down_root). Its callouts are never answered
    /// once it is gone.
    ///
    /// # Errors
    /// Those that any callback may return.
    pub fn shut_down(&self) -> Result<bool, Error> {
        let ended = self.vm.proxy.with_vm(self.vm.id, |vm| vm.shut_down_root(self.root));
        self.vm.proxy.settle_others();
        ended
    }
}
