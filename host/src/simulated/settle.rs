//! What happens between callbacks: answers, ticks, wakes, and requests that go on.

use super::SimulatedProxy;
use super::callouts::{CalloutFailure, Pending};
use super::exchange::Open;
use super::half::Step;
use super::message::Response;
use crate::abi::{Action, Direction};
use crate::caps::MAX_WAKES;
use crate::error::Error;
use crate::proxy::RootId;
use crate::vm::Vm;

impl SimulatedProxy {
    /// Delivers a callout's answer.
    pub(super) fn answer(&self, callout: u64, response: Option<Response>) -> Result<(), Error> {
        let Some(pending) = self.world().callouts.borrow_mut().take(callout) else {
            return Err(Error::misuse(
                "this callout is not open any more: answered, timed out, or its VM stopped",
            ));
        };
        let RootId { vm, context } = pending.root;
        let response = response.map(Into::into);
        let answered = self.with_vm(vm, |vm| vm.on_http_call_response(context, pending.token, response));
        let settled = self.settle();
        answered.and(settled)
    }

    /// The clock has passed a callout's timeout.
    pub(super) fn time_out(&self, callout: u64) -> Result<(), Error> {
        let Some(Pending { root, token, .. }) = self.world().callouts.borrow_mut().take(callout) else {
            return Ok(());
        };
        let response = CalloutFailure::Timeout.response().map(Into::into);
        let told = self.with_root(root, |vm| vm.on_http_call_response(root.context, token, response));
        told.and(self.settle())
    }

    /// Does what the callbacks so far have left to be done. Errors stay with the VMs that they killed.
    pub(super) fn settle_others(&self) {
        let _kept_by_the_vm = self.settle();
    }

    fn settle(&self) -> Result<(), Error> {
        let mut outcome = Ok(());
        // More are a guest that feeds its own queue for ever.
        for _ in 0..MAX_WAKES {
            for exchange in self.open_exchanges() {
                // In a dead VM nothing goes on, and that is no news.
                if self.with_vm(exchange.vm, |vm| Ok(vm.failure().is_none())) == Ok(true) {
                    outcome = outcome.and(self.go_on(&exchange));
                }
            }
            let wake = self.world().wakes.borrow_mut().pop_front();
            let Some((root, queue)) = wake else { return outcome };
            let woken = self.with_root(root, |vm| vm.on_queue_ready(root.context, queue));
            outcome = outcome.and(woken);
        }
        outcome.and(Err(Error::misuse(format!("more than {MAX_WAKES} queue wakes follow from one callback"))))
    }

    pub(super) fn tick(&self, root: RootId) -> Result<(), Error> {
        let ticked = self.with_root(root, |vm| vm.on_tick(root.context));
        {
            let mut timers = self.world().timers.borrow_mut();
            if let Some(timer) = timers.get_mut(&root) {
                // The period counts from the tick, unless the guest has just set another.
                timer.due = self.world().now.get() + timer.period;
            }
        }
        ticked.and(self.settle())
    }

    /// Runs a callback that nobody waits for: a root context that is gone, or a dead VM, does without.
    fn with_root(&self, root: RootId, run: impl FnOnce(&mut Vm) -> Result<(), Error>) -> Result<(), Error> {
        let alive = self.with_vm(root.vm, |vm| Ok(vm.failure().is_none() && vm.has_root(root.context)));
        if alive == Ok(true) {
            return self.with_vm(root.vm, run);
        }
        self.world().timers.borrow_mut().remove(&root);
        Ok(())
    }

    /// Shows the guest whatever of an exchange it can be shown now.
    pub(super) fn go_on(&self, exchange: &Open) -> Result<(), Error> {
        let Open { vm, context, ref stream } = *exchange;
        loop {
            let next = stream.borrow_mut().next();
            let Some((direction, step)) = next else { return Ok(()) };
            let action = self.with_vm(vm, |vm| show(vm, context, direction, step))?;
            stream.borrow_mut().half(direction).done(step, action, self.allows_stop_iteration());
        }
    }
}

fn show(vm: &mut Vm, context: u32, direction: Direction, step: Step) -> Result<Action, Error> {
    match (direction, step) {
        (Direction::Request, Step::Headers { count, end_of_stream }) => {
            vm.on_request_headers(context, count, end_of_stream)
        }
        (Direction::Request, Step::Body { size, end_of_stream }) => {
            vm.on_request_body(context, size, end_of_stream)
        }
        (Direction::Request, Step::Trailers { count }) => vm.on_request_trailers(context, count),
        (Direction::Response, Step::Headers { count, end_of_stream }) => {
            vm.on_response_headers(context, count, end_of_stream)
        }
        (Direction::Response, Step::Body { size, end_of_stream }) => {
            vm.on_response_body(context, size, end_of_stream)
        }
        (Direction::Response, Step::Trailers { count }) => vm.on_response_trailers(context, count),
    }
}
