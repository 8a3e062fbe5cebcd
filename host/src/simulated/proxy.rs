//! The proxy itself: its VMs, and what happens between callbacks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::callouts::Callout;
use super::exchange::Open;
use super::vm::SimulatedVm;
use super::world::World;
use crate::engine::Module;
use crate::error::Error;
use crate::limits::Limits;
use crate::proxy::Proxy;
use crate::vm::{Vm, VmOptions};

/// A simulated proxy. Clones are the same proxy; VMs of one proxy share clock, data, queues and metrics.
#[derive(Clone)]
pub struct SimulatedProxy(Rc<Inner>);

struct Inner {
    module: Module,
    world: Rc<World>,
    limits: Cell<Limits>,
    allow_stop_iteration: Cell<bool>,
    vms: RefCell<BTreeMap<u32, Slot>>,
    last_vm: Cell<u32>,
    /// Exchanges that are not finished, which a callback of any kind may resume.
    open: RefCell<Vec<Open>>,
}

/// A VM, and the root context that new requests go to.
struct Slot {
    vm: Rc<RefCell<Vm>>,
    root: Option<u32>,
}

impl SimulatedProxy {
    /// A proxy whose VMs run this module. It knows no upstream cluster yet.
    pub fn new(module: &Module) -> Self {
        Self(Rc::new(Inner {
            module: module.clone(),
            world: Rc::new(World::new()),
            limits: Cell::default(),
            allow_stop_iteration: Cell::new(true),
            vms: RefCell::default(),
            last_vm: Cell::new(0),
            open: RefCell::default(),
        }))
    }

    /// Limits the VMs that are started from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.0.limits.set(limits);
    }

    /// Sets Envoy's `allow_on_headers_stop_iteration`: whether the body follows while a guest pauses in the headers.
    /// It does unless this says otherwise, since our configurations for Envoy have it so; Envoy's own default is not.
    pub fn set_allow_on_headers_stop_iteration(&self, allow: bool) {
        self.0.allow_stop_iteration.set(allow);
    }

    /// Starts another VM with this VM configuration.
    ///
    /// # Errors
    /// As [`Vm::start`].
    pub fn start_vm(&self, configuration: impl AsRef<[u8]>) -> Result<SimulatedVm, Error> {
        let id = self.new_vm();
        let proxy: Rc<dyn Proxy> = Rc::<World>::clone(&self.0.world);
        let configuration = configuration.as_ref().to_vec();
        let options = VmOptions { id, configuration, limits: self.0.limits.get() };
        let vm = Vm::start(&self.0.module, proxy, options).inspect_err(|_| self.0.world.forget_vm(id))?;
        self.0.vms.borrow_mut().insert(id, Slot { vm: Rc::new(RefCell::new(vm)), root: None });
        self.settle_others();
        Ok(SimulatedVm { proxy: self.clone(), id })
    }

    /// The simulated time.
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.0.world.now.get()
    }

    /// Lets time pass. Ticks that fall due come in order, each at its time; so do the timeouts of callouts.
    ///
    /// # Errors
    /// The first error of a callback. The others have been called all the same.
    pub fn advance(&self, time: Duration) -> Result<(), Error> {
        let world = &self.0.world;
        let until = world.now.get() + time;
        let mut outcome = Ok(());
        loop {
            let deadline = world.callouts.borrow().next_deadline(until);
            let tick = world.next_timer(until);
            let happened = match (deadline, tick) {
                (None, None) => break,
                (Some((at, callout)), tick) if tick.is_none_or(|(due, _)| at <= due) => {
                    world.now.set(at);
                    self.time_out(callout)
                }
                (_, Some((due, root))) => {
                    world.now.set(due);
                    self.tick(root)
                }
                (Some(_), None) => break,
            };
            outcome = outcome.and(happened);
        }
        world.now.set(until);
        outcome
    }

    /// Sets the wall clock back, as an operator or a time server may. Ticks and timeouts go on as they would.
    pub fn set_clock_back(&self, time: Duration) {
        let world = &self.0.world;
        world.set_back.set(world.set_back.get() + time);
    }

    /// Moves the wall clock on by so much each time a guest looks at it, as if all that guests do took time. Otherwise no
    /// time passes during a callback.
    pub fn set_pace(&self, time: Duration) {
        self.0.world.pace.set(time);
    }

    /// Adds an upstream that callouts may go to.
    pub fn add_cluster(&self, name: &str) {
        self.0.world.callouts.borrow_mut().clusters.insert(name.into());
    }

    /// Sets whether an upstream has endpoints. Callouts to one without fail at once.
    pub fn set_endpoints(&self, cluster: &str, present: bool) {
        let without = &mut self.0.world.callouts.borrow_mut().without_endpoints;
        if present {
            without.remove(cluster.as_bytes());
        } else {
            without.insert(cluster.into());
        }
    }

    /// The callouts that wait for an answer, oldest first.
    pub fn callouts(&self) -> Vec<Callout> {
        let book = self.0.world.callouts.borrow();
        book.pending.iter().map(|pending| Callout { proxy: self.clone(), pending: pending.clone() }).collect()
    }

    /// How many callouts have ever been sent.
    pub fn callouts_made(&self) -> u64 {
        self.0.world.callouts.borrow().made
    }

    pub(super) fn world(&self) -> &Rc<World> {
        &self.0.world
    }

    pub(super) fn allows_stop_iteration(&self) -> bool {
        self.0.allow_stop_iteration.get()
    }

    pub(super) fn current_root(&self, vm: u32) -> Option<u32> {
        self.0.vms.borrow().get(&vm).and_then(|slot| slot.root)
    }

    pub(super) fn set_current_root(&self, vm: u32, root: u32) {
        if let Some(slot) = self.0.vms.borrow_mut().get_mut(&vm) {
            slot.root = Some(root);
        }
    }

    pub(super) fn remove_vm(&self, vm: u32) {
        self.0.vms.borrow_mut().remove(&vm);
        self.0.open.borrow_mut().retain(|exchange| exchange.vm != vm);
        self.0.world.forget_vm(vm);
    }

    /// Runs a callback of a VM. Host calls reach the world only, never a VM, so this is never entered twice.
    pub(super) fn with_vm<T>(
        &self,
        id: u32,
        run: impl FnOnce(&mut Vm) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let vm = self.0.vms.borrow().get(&id).map(|slot| Rc::clone(&slot.vm));
        match vm {
            Some(vm) => run(&mut vm.borrow_mut()),
            None => Err(Error::misuse(format!("VM {id} has been stopped"))),
        }
    }

    /// The next number that no living VM has, and not 0.
    fn new_vm(&self) -> u32 {
        loop {
            let id = self.0.last_vm.get().wrapping_add(1);
            self.0.last_vm.set(id);
            if id != 0 && !self.0.vms.borrow().contains_key(&id) {
                return id;
            }
        }
    }

    /// Tells a VM that one of its callouts is never answered, unless it has been stopped.
    pub(super) fn forget_call(&self, vm: u32, token: u32) {
        let vm = self.0.vms.borrow().get(&vm).map(|slot| Rc::clone(&slot.vm));
        if let Some(vm) = vm {
            vm.borrow_mut().forget_http_call(token);
        }
    }

    pub(super) fn open_exchanges(&self) -> Vec<Open> {
        self.0.open.borrow().clone()
    }

    pub(super) fn watch(&self, exchange: &Open) {
        self.0.open.borrow_mut().push(exchange.clone());
    }

    pub(super) fn unwatch(&self, exchange: &Open) {
        self.0.open.borrow_mut().retain(|open| !Rc::ptr_eq(&open.stream, &exchange.stream));
    }
}

impl fmt::Debug for SimulatedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vms: Vec<u32> = self.0.vms.borrow().keys().copied().collect();
        f.debug_struct("SimulatedProxy").field("vms", &vms).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::SimulatedProxy;
    use crate::engine::Module;
    use crate::simulated::{Exchange, Progress, Request};

    /// Holds every request.
    const HOLDS: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1)))"#;

    #[test]
    fn a_vm_that_has_had_four_billion_exchanges_gives_no_number_twice() {
        let proxy = SimulatedProxy::new(&Module::new(HOLDS.as_bytes()).unwrap());
        let vm = proxy.start_vm("").unwrap();
        let root = vm.configure("").unwrap().root();
        let request = |path: &str| vm.request(Request::get("a", path)).unwrap();
        let first = request("/first");
        assert_eq!((root, first.context()), (1, 2));

        let renumbered = proxy.with_vm(vm.id(), |vm| {
            vm.count_contexts_from(u32::MAX - 1);
            Ok(())
        });
        assert_eq!(renumbered, Ok(()));
        let later = ["/1", "/2", "/3"].map(request);
        assert_eq!(
            later.each_ref().map(Exchange::context),
            [u32::MAX, 3, 4],
            "not 0, and not those that live"
        );
        let plugin = vm.configure("another").unwrap();
        assert_eq!(plugin.root(), 5, "root contexts are numbered with them");
        assert_eq!(first.progress(), Progress::Paused);
        assert_eq!(first.finish().unwrap().request_header(":path").as_deref(), Some("/first"));
        for exchange in later {
            exchange.finish().unwrap();
        }
    }
}
