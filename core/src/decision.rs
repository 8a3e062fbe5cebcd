//! The decision on a request: which route, whether its gate is open, which upstream.

use crate::eval::{MOST_STEPS, Scratch, Timestamp};
use crate::flag::{Evaluation, VariantId};
use crate::request::Request;
use crate::route::{RouteId, Taken};
use crate::snapshot::Snapshot;
use crate::value::Attributes;

/// What the gates may take together that a request meets beside that of its route.
const STEPS: u32 = 2 * MOST_STEPS;

/// What was decided, without text; the snapshot has the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The route, if one matched.
    pub route: Option<RouteId>,
    /// The evaluation of the gate's flag, if the route has a gate.
    pub gate: Option<Evaluation>,
    /// The status to answer with, if the gate is closed. Nothing else counts then.
    pub closed: Option<u16>,
    /// The evaluation of the route's flag, if it has one and the gate is not closed.
    pub flag: Option<Evaluation>,
}

impl Decision {
    /// The variant whose value is the upstream: the flag's own. Where evaluating the flag failed, it is the flag's default
    /// variant, so that nothing that a client sends takes its request out of the release.
    pub fn variant(&self, snapshot: &Snapshot) -> Option<VariantId> {
        let flag = self.flag?;
        match flag.error {
            None => flag.variant,
            Some(_) => snapshot.default_variant(flag.flag?),
        }
    }

    /// The upstream that was chosen. None leaves the request to the proxy's own default route.
    pub fn upstream<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a str> {
        snapshot.variant(self.variant(snapshot)?).string
    }
}

impl Snapshot {
    /// Decides a request: `request` finds the route, `attributes` are what its rules read.
    pub fn decide<R: Request + ?Sized, A: Attributes + ?Sized>(
        &self,
        request: &R,
        attributes: &A,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Decision {
        let Taken { route, others } = self.taken(request);
        let Some(id) = route else { return Decision::default() };
        let mut decision = Decision { route, ..Decision::default() };
        let Some(route) = self.routes.routes.get(id.index()) else { return decision };
        if let Some(gate) = route.gate {
            let evaluation = self.evaluate_flag(gate.flag, attributes, now, scratch);
            decision.gate = Some(evaluation);
            if !self.opens(evaluation.variant) {
                decision.closed = Some(gate.status);
                return decision;
            }
        }
        if let Some(closed) = self.closed(&others, attributes, now, scratch) {
            return closed;
        }
        decision.flag = route.flag.map(|flag| self.evaluate_flag(flag, attributes, now, scratch));
        decision
    }

    /// The first of these routes whose gate is closed. They share the steps of a few evaluations: who spells a path so that
    /// it meets a thousand gates shall not have a thousand rules evaluated. A gate that gets none is closed.
    fn closed<A: Attributes + ?Sized>(
        &self,
        routes: &[RouteId],
        attributes: &A,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Option<Decision> {
        if routes.is_empty() {
            return None;
        }
        scratch.limit(Some(STEPS));
        let closed = routes.iter().find_map(|id| {
            let gate = self.routes.routes.get(id.index())?.gate?;
            let evaluation = self.evaluate_flag(gate.flag, attributes, now, scratch);
            let closed = Decision { route: Some(*id), gate: Some(evaluation), ..Decision::default() };
            (!self.opens(evaluation.variant)).then_some(Decision { closed: Some(gate.status), ..closed })
        });
        scratch.limit(None);
        closed
    }
}
