//! Statistics over some of a load's requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::load::{Record, Seen};

/// What a set of requests came to.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// In the order in which they ended.
    records: Vec<Record>,
}

impl Window {
    /// Over these records.
    #[must_use]
    pub fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Self {
        let mut records: Vec<_> = records.cloned().collect();
        records.sort_by_key(|record| record.ended);
        Self { records }
    }

    /// How many requests.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.records.len()
    }

    /// How many of them failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.records.iter().filter(|record| record.outcome.is_err()).count()
    }

    /// Each way in which requests failed, and how many did.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for failure in self.records.iter().filter_map(|record| record.outcome.as_ref().err()) {
            *kinds.entry(failure.to_string()).or_default() += 1;
        }
        kinds
    }

    /// How many requests each colour served.
    #[must_use]
    pub fn colours(&self) -> BTreeMap<String, usize> {
        let mut colours = BTreeMap::new();
        for (_, seen) in self.served() {
            *colours.entry(seen.colour.clone()).or_default() += 1;
        }
        colours
    }

    /// The share of the answered requests that this colour served; 0 if nothing was answered.
    #[must_use]
    pub fn share_of(&self, colour: &str) -> f64 {
        share(self.served().filter(|(_, seen)| seen.colour == colour).count(), self.served().count())
    }

    /// The share of the answered requests that had the feature on.
    #[must_use]
    pub fn feature_by_request(&self) -> f64 {
        share(self.served().filter(|(_, seen)| seen.feature).count(), self.served().count())
    }

    /// How many different users were answered.
    #[must_use]
    pub fn users(&self) -> usize {
        self.last_by_user().len()
    }

    /// The users that had the feature on in their last answer.
    pub fn users_with_feature(&self) -> impl Iterator<Item = usize> {
        self.last_by_user().into_iter().filter(|(_, seen)| seen.feature).map(|(user, _)| user)
    }

    /// The share of the answered users that had the feature on in their last answer.
    #[must_use]
    pub fn feature_by_user(&self) -> f64 {
        share(self.users_with_feature().count(), self.users())
    }

    /// How many users got different answers to the same request. In a settled window nobody may.
    #[must_use]
    pub fn mixed_users(&self) -> usize {
        let last = self.last_by_user();
        let stale = self.served().filter(|(record, seen)| last.get(&record.user) != Some(seen));
        let mut users: Vec<_> = stale.map(|(record, _)| record.user).collect();
        users.sort_unstable();
        users.dedup();
        users.len()
    }

    /// How long after `change` the last answer came that its user would not get any more: the time until every worker
    /// obeyed, as clients see it. Zero if there was none after `change`.
    #[must_use]
    pub fn lag(&self, change: Instant) -> Duration {
        let last = self.last_by_user();
        let stale = self.served().filter(|(record, seen)| last.get(&record.user) != Some(seen));
        let ended = stale.map(|(record, _)| record.ended).max();
        ended.map_or(Duration::ZERO, |ended| ended.saturating_duration_since(change))
    }

    /// The latency that this share of the answered requests (0.99, say) did not exceed.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a place in a list that fits into memory"
    )]
    pub fn latency(&self, share: f64) -> Duration {
        let mut latencies: Vec<_> =
            self.served().map(|(record, _)| record.ended.duration_since(record.started)).collect();
        latencies.sort_unstable();
        let place = (latencies.len() as f64 * share).ceil() as usize;
        latencies.get(place.saturating_sub(1)).copied().unwrap_or_default()
    }

    fn served(&self) -> impl Iterator<Item = (&Record, &Seen)> {
        self.records.iter().filter_map(|record| Some((record, record.outcome.as_ref().ok()?)))
    }

    fn last_by_user(&self) -> BTreeMap<usize, &Seen> {
        self.served().map(|(record, seen)| (record.user, seen)).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Failure;

    /// Requests of 1 ms each, one every 10 ms: (user, colour, feature), or a failure.
    fn window(start: Instant, requests: &[Option<(usize, &str, bool)>]) -> Window {
        let record = |(place, request): (usize, &Option<(usize, &str, bool)>)| {
            let started = start + Duration::from_millis(10) * u32::try_from(place).unwrap();
            let outcome = match request {
                Some((_, colour, feature)) => {
                    Ok(Seen { version: "v1".to_owned(), colour: (*colour).to_owned(), feature: *feature })
                }
                None => Err(Failure::Status(503)),
            };
            let user = request.map_or(0, |(user, ..)| user);
            Record { started, ended: started + Duration::from_millis(1), connection: 0, user, outcome }
        };
        let records: Vec<_> = requests.iter().enumerate().map(record).collect();
        Window::of(records.iter())
    }

    #[test]
    fn shares_are_of_users_and_of_requests() {
        let requests = [Some((1, "blue", true)), Some((1, "blue", true)), Some((2, "green", false)), None];
        let window = window(Instant::now(), &requests);
        assert_eq!((window.requests(), window.failed(), window.users()), (4, 1, 2));
        assert_eq!(window.failures(), BTreeMap::from([("status 503".to_owned(), 1)]));
        assert_eq!((window.feature_by_user(), window.feature_by_request()), (0.5, 2.0 / 3.0));
        assert_eq!(window.share_of("blue"), 2.0 / 3.0);
        assert_eq!(window.latency(0.5), Duration::from_millis(1));
    }

    #[test]
    fn the_lag_is_that_of_the_last_answer_that_was_out_of_date() {
        let start = Instant::now();
        let requests = [
            Some((1, "blue", false)),
            Some((2, "blue", false)),
            Some((1, "green", false)),
            Some((2, "green", false)),
        ];
        let window = window(start, &requests);
        assert_eq!(window.lag(start), Duration::from_millis(11));
        assert_eq!(window.mixed_users(), 2);
    }

    #[test]
    fn an_empty_window_has_no_shares() {
        let window = Window::default();
        assert_eq!((window.feature_by_user(), window.share_of("blue")), (0.0, 0.0));
        assert_eq!(window.latency(0.99), Duration::ZERO);
    }
}
