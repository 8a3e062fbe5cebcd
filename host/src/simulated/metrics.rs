//! Metrics that a test can read by name.

use std::collections::BTreeMap;

use super::world::World;
use crate::abi::{MetricKind, Status};
use crate::caps::{MAX_KEPT_BYTES, MAX_METRICS};
use crate::proxy::Metrics;

/// All metrics. A metric's number is its place, counted from 1.
#[derive(Default)]
pub(super) struct MetricBook {
    metrics: Vec<Metric>,
    index: BTreeMap<MetricKind, BTreeMap<Vec<u8>, usize>>,
    /// How many observations are kept, of all histograms.
    observations: usize,
}

struct Metric {
    kind: MetricKind,
    name: Vec<u8>,
    value: u64,
    observations: Vec<u64>,
}

impl MetricBook {
    fn get(&mut self, metric: u32) -> Result<&mut Metric, Status> {
        let index = usize::try_from(metric).ok().and_then(|metric| metric.checked_sub(1));
        index.and_then(|index| self.metrics.get_mut(index)).ok_or(Status::NotFound)
    }

    fn find(&self, kind: MetricKind, name: &[u8]) -> Option<usize> {
        self.index.get(&kind)?.get(name).copied()
    }

    pub(super) fn value(&self, kind: MetricKind, name: &str) -> Option<u64> {
        let index = self.find(kind, name.as_bytes())?;
        self.metrics.get(index).map(|metric| metric.value)
    }

    pub(super) fn observations(&self, name: &str) -> Option<Vec<u64>> {
        let index = self.find(MetricKind::Histogram, name.as_bytes())?;
        self.metrics.get(index).map(|metric| metric.observations.clone())
    }

    pub(super) fn values(&self) -> BTreeMap<String, u64> {
        let countable = self.metrics.iter().filter(|metric| metric.kind != MetricKind::Histogram);
        countable.map(|metric| (String::from_utf8_lossy(&metric.name).into_owned(), metric.value)).collect()
    }
}

impl Metrics for World {
    fn define_metric(&self, kind: MetricKind, name: &[u8]) -> Result<u32, Status> {
        let mut book = self.metrics.borrow_mut();
        let index = match book.find(kind, name) {
            Some(index) => index,
            None if book.metrics.len() >= MAX_METRICS => return Err(Status::InternalFailure),
            None => {
                let index = book.metrics.len();
                book.metrics.push(Metric { kind, name: name.to_vec(), value: 0, observations: Vec::new() });
                book.index.entry(kind).or_default().insert(name.to_vec(), index);
                index
            }
        };
        u32::try_from(index + 1).map_err(|_| Status::InternalFailure)
    }

    fn increment_metric(&self, metric: u32, offset: i64) -> Result<(), Status> {
        let mut book = self.metrics.borrow_mut();
        let metric = book.get(metric)?;
        match metric.kind {
            MetricKind::Counter if offset > 0 => metric.value = metric.value.wrapping_add_signed(offset),
            MetricKind::Gauge => metric.value = metric.value.wrapping_add_signed(offset),
            MetricKind::Counter | MetricKind::Histogram => return Err(Status::BadArgument),
        }
        Ok(())
    }

    fn record_metric(&self, metric: u32, value: u64) -> Result<(), Status> {
        let mut book = self.metrics.borrow_mut();
        let full = book.observations >= MAX_KEPT_BYTES / size_of::<u64>();
        let metric = book.get(metric)?;
        match metric.kind {
            MetricKind::Counter => metric.value = metric.value.wrapping_add(value),
            MetricKind::Gauge => metric.value = value,
            // A proxy counts observations and does not keep them: to the guest there is always room.
            MetricKind::Histogram if full => {}
            MetricKind::Histogram => {
                metric.observations.push(value);
                book.observations += 1;
            }
        }
        Ok(())
    }

    fn metric(&self, metric: u32) -> Result<u64, Status> {
        let mut book = self.metrics.borrow_mut();
        let metric = book.get(metric)?;
        if metric.kind == MetricKind::Histogram { Err(Status::BadArgument) } else { Ok(metric.value) }
    }
}

#[cfg(test)]
mod tests {
    use super::World;
    use crate::abi::MetricKind;
    use crate::caps::MAX_KEPT_BYTES;
    use crate::proxy::Metrics;

    #[test]
    fn observations_are_kept_to_a_bound_and_never_refused() {
        let world = World::new();
        let metric = world.define_metric(MetricKind::Histogram, b"h").unwrap();
        world.metrics.borrow_mut().observations = MAX_KEPT_BYTES / size_of::<u64>() - 1;
        for value in 1..=3 {
            assert_eq!(world.record_metric(metric, value), Ok(()));
        }
        assert_eq!(world.metrics.borrow().observations("h"), Some(vec![1]));
    }
}
