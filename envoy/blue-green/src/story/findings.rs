//! What a step came to, and whether that is what it should be.

use std::collections::BTreeSet;
use std::time::Instant;

use envoy_harness::window::Window;

use super::steps::Step;
use super::{Demo, USERS};
use crate::chance;
use crate::report::{milliseconds, percent};

impl Demo {
    /// Prints what the step came to, and notes what it should not have.
    pub(super) fn findings(
        &mut self,
        step: &Step,
        start: Instant,
        written: Option<Instant>,
        settled: Instant,
    ) {
        let whole = self.users.window(|record| record.ended >= start);
        if let Some(written) = written {
            let tester = self.tester.window(|record| record.ended >= start);
            let seen = milliseconds(whole.lag(written).max(tester.lag(written)));
            let (swapped, vms) = (milliseconds(settled - written), self.scenario.vms());
            let text = format!(
                "by every worker {seen} after the file (last old answer); {vms} of {vms} VMs by {swapped}"
            );
            self.report.line("obeyed", &text);
        }
        let tester = self.tester.window(|record| record.started > settled);
        let settled = self.since(settled);
        self.report.requests(&whole);
        self.report.colours(&settled);
        self.report.feature(&settled);
        let seen = tester.colours().into_keys().collect::<Vec<_>>().join(" and ");
        self.report.line("tester", &self.report.paint.named(&seen, &format!("served by {seen}")));

        let problems = self.judge(step, &settled, &tester);
        self.note(step.title, problems);
    }

    /// What is not as the step wants it, once it has settled.
    fn judge(&mut self, step: &Step, users: &Window, tester: &Window) -> Vec<String> {
        let mut problems = Vec::new();
        if users.share_of(step.colour) < 1.0 {
            problems.push(format!(
                "only {} of requests on {}",
                percent(users.share_of(step.colour)),
                step.colour
            ));
        }
        if tester.share_of(step.tester) < 1.0 {
            problems.push(format!(
                "only {} of the tester's requests on {}",
                percent(tester.share_of(step.tester)),
                step.tester
            ));
        }
        if users.mixed_users() > 0 {
            problems.push(format!("{} users got different answers to the same request", users.mixed_users()));
        }
        if users.users() < USERS {
            problems.push(format!("only {} of {USERS} users were answered", users.users()));
        }
        problems.extend(chance::check(step.feature, users.feature_by_user(), users.users()).err());
        let has_feature: BTreeSet<usize> = users.users_with_feature().collect();
        let lost = self.had_feature.difference(&has_feature).count();
        if step.feature_grows && lost > 0 {
            problems.push(format!("{lost} users lost the feature while its share grew"));
        }
        self.had_feature = has_feature;
        problems
    }

    pub(super) fn note(&mut self, title: &str, problems: Vec<String>) {
        for problem in problems {
            self.report.line("wrong", &self.report.paint.bad(&problem));
            self.problems.push(format!("{title}: {problem}"));
        }
    }
}
