//! A proxy of one's own: the traits are enough to run a VM, with nothing of the simulated one.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use turquoise_host::{
    Action, Callouts, Clock, Direction, Environment, Error, Headers, HttpCall, HttpStream, LocalResponse,
    Log, LogLevel, MetricKind, Metrics, Proxy, Queues, Random, RootId, SharedData, Status, StreamMap, Timers,
    Vm, VmOptions,
};

use crate::guest::module;

/// A proxy that tells the time and keeps the log, and has nothing else to offer.
#[derive(Default)]
struct Spare {
    log: RefCell<Vec<(u32, String)>>,
    ticks: RefCell<Vec<(RootId, Duration)>>,
}

impl Clock for Spare {
    fn now(&self) -> Duration {
        Duration::from_millis(1_234)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

impl Random for Spare {
    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(4);
    }
}

impl Log for Spare {
    fn level(&self) -> LogLevel {
        LogLevel::Info
    }

    fn log(&self, vm: u32, _: LogLevel, message: &[u8]) {
        self.log.borrow_mut().push((vm, String::from_utf8_lossy(message).into_owned()));
    }
}

impl SharedData for Spare {
    fn get_shared_data(&self, _: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        Err(Status::NotFound)
    }

    fn set_shared_data(&self, _: &[u8], _: &[u8], _: u32) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
}

impl Queues for Spare {
    fn register_queue(&self, _: RootId, _: &[u8]) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }

    fn resolve_queue(&self, _: &[u8], _: &[u8]) -> Result<u32, Status> {
        Err(Status::NotFound)
    }

    fn enqueue(&self, _: u32, _: &[u8]) -> Result<(), Status> {
        Err(Status::NotFound)
    }

    fn dequeue(&self, _: u32) -> Result<Vec<u8>, Status> {
        Err(Status::NotFound)
    }
}

impl Metrics for Spare {
    fn define_metric(&self, _: MetricKind, _: &[u8]) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }

    fn increment_metric(&self, _: u32, _: i64) -> Result<(), Status> {
        Err(Status::NotFound)
    }

    fn record_metric(&self, _: u32, _: u64) -> Result<(), Status> {
        Err(Status::NotFound)
    }

    fn metric(&self, _: u32) -> Result<u64, Status> {
        Err(Status::NotFound)
    }
}

impl Timers for Spare {
    fn set_tick_period(&self, root: RootId, period: Duration) {
        self.ticks.borrow_mut().push((root, period));
    }
}

impl Callouts for Spare {
    fn dispatch(&self, _: RootId, _: HttpCall) -> Result<u32, Status> {
        Err(Status::BadArgument)
    }
}

impl Environment for Spare {
    fn property(&self, _: &[&[u8]]) -> Result<Vec<u8>, Status> {
        Err(Status::NotFound)
    }

    fn call_foreign_function(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, Status> {
        Err(Status::NotFound)
    }
}

/// An exchange whose headers all have the value `v`, and which notes what is added.
struct Noted(Rc<RefCell<Vec<String>>>);

impl HttpStream for Noted {
    fn header(&self, _: StreamMap, _: &[u8]) -> Result<Cow<'_, [u8]>, Status> {
        Ok(Cow::Borrowed(b"v"))
    }

    fn visit_headers(&self, _: StreamMap, _: &mut dyn FnMut(&[u8], &[u8])) {}

    fn set_headers(&mut self, _: StreamMap, _: Headers) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }

    fn add_header(&mut self, map: StreamMap, name: &[u8], value: &[u8]) -> Result<(), Status> {
        self.0.borrow_mut().push(format!("{map:?} {} {}", name.escape_ascii(), value.escape_ascii()));
        Ok(())
    }

    fn replace_header(&mut self, _: StreamMap, _: &[u8], _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }

    fn remove_header(&mut self, _: StreamMap, _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }

    fn body(&self, _: Direction, _: usize, _: usize) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn set_body(&mut self, _: Direction, _: usize, _: usize, _: &[u8]) -> Result<(), Status> {
        Err(Status::NotFound)
    }

    fn property(&self, _: &[&[u8]]) -> Result<Vec<u8>, Status> {
        Err(Status::NotFound)
    }

    fn set_property(&mut self, _: &[&[u8]], _: &[u8]) -> Result<(), Status> {
        Err(Status::NotFound)
    }

    fn call_foreign_function(&mut self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, Status> {
        Err(Status::NotFound)
    }

    fn resume(&mut self, _: Direction) {}

    fn reset(&mut self, _: Direction) {}

    fn respond(&mut self, _: LocalResponse) {}
}

#[test]
fn a_vm_runs_on_whatever_implements_the_traits() {
    let module = module(
        r#"(data (i32.const 0) "name")
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $tick_period (i32.const 250)))
            (drop (call $time (i32.const 8)))
            (call $number (i32.wrap_i64 (i64.div_u (i64.load (i32.const 8)) (i64.const 1000000))))
            (i32.const 1))
        (func (export "proxy_on_request_headers") (param i32) (param $count i32) (param i32) (result i32)
            (drop (call $get_header (i32.const 0) (i32.const 0) (i32.const 4) (global.get $data) (global.get $size)))
            (if (i32.eq (local.get $count) (i32.const 5)) (then
                (drop (call $respond (i32.const 404) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const -1)))
                (return (i32.const 0))))
            (call $status (call $add_header (i32.const 0) (i32.const 0) (i32.const 4)
                (i32.load (global.get $data)) (i32.load (global.get $size))))
            (i32.const 0))"#,
    );
    let spare = Rc::new(Spare::default());
    let proxy: Rc<dyn Proxy> = Rc::<Spare>::clone(&spare);
    let mut vm = Vm::start(&module, proxy, VmOptions { id: 9, ..VmOptions::default() }).unwrap();
    let configured = vm.configure(b"{}".to_vec()).unwrap();
    assert!(configured.accepted);
    let root = RootId { vm: 9, context: configured.root };
    assert_eq!(*spare.ticks.borrow(), [(root, Duration::from_millis(250))]);

    let added = Rc::default();
    let context = vm.create_http(configured.root, Box::new(Noted(Rc::clone(&added)))).unwrap();
    assert_eq!(vm.on_request_headers(context, 4, true), Ok(Action::Continue));
    assert_eq!(
        vm.on_request_headers(context, 5, true),
        Ok(Action::Pause),
        "whatever an answered stream returns"
    );
    assert_eq!(*added.borrow(), ["RequestHeaders name v"]);
    vm.on_log(context).unwrap();
    vm.delete_http(context).unwrap();
    assert_eq!(Rc::strong_count(&added), 1, "the VM has let go of the exchange");
    assert!(vm.on_log(context).is_err());
    assert_eq!(*spare.log.borrow(), [(9, "number 1234".to_owned()), (9, "status 00".to_owned())]);
}

#[test]
fn a_dead_vm_keeps_no_exchange() {
    let module = module(
        r#"(func (export "proxy_on_context_create") (param i32) (param $root i32)
            (if (local.get $root) (then unreachable)))"#,
    );
    let proxy: Rc<dyn Proxy> = Rc::new(Spare::default());
    let mut vm = Vm::start(&module, proxy, VmOptions::default()).unwrap();
    let root = vm.configure(Vec::new()).unwrap().root;
    let added = Rc::default();
    let mut create = || vm.create_http(root, Box::new(Noted(Rc::clone(&added))));
    assert!(matches!(create(), Err(Error::Trap { callback: "proxy_on_context_create", .. })));
    for _ in 0..3 {
        assert!(matches!(create(), Err(Error::Dead { .. })));
        assert_eq!(Rc::strong_count(&added), 1, "the VM has let go of the exchange");
    }
}
