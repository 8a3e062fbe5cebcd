//! The steps of the story, and what is right after each.

use crate::document::Edit;

/// One step.
pub(super) struct Step {
    pub(super) title: &'static str,
    /// One sentence for who watches.
    pub(super) what: &'static str,
    pub(super) edits: Vec<Edit>,
    pub(super) extra: Extra,
    /// How long it is watched. Every user has a turn in each round of 1.7 s, so two rounds reach everybody.
    pub(super) seconds: u64,
    /// The colour that serves all users from then on.
    pub(super) colour: &'static str,
    /// The colour that serves the tester.
    pub(super) tester: &'static str,
    /// The share of users that have the feature.
    pub(super) feature: f64,
    /// Whether everybody who had the feature keeps it.
    pub(super) feature_grows: bool,
}

/// What happens in a step beside a change of the document.
pub(super) enum Extra {
    Nothing,
    DeployGreen,
    Monitor,
}

/// Most steps differ from each other in little.
impl Default for Step {
    fn default() -> Self {
        Self {
            title: "",
            what: "",
            edits: Vec::new(),
            extra: Extra::Nothing,
            seconds: 5,
            colour: "green",
            tester: "green",
            feature: 0.0,
            feature_grows: false,
        }
    }
}

pub(super) fn all() -> Vec<Step> {
    let mut steps = Vec::from(release());
    steps.extend(feature());
    steps.push(Step {
        title: "Roll back",
        what: "The release goes back to blue, for everybody at once; testers may stay on green.",
        edits: vec![Edit::release("blue")],
        colour: "blue",
        ..Step::default()
    });
    steps
}

fn release() -> [Step; 5] {
    [
        Step {
            title: "Blue serves",
            what: "Version 1 serves everybody. Version 2 does not run yet.",
            seconds: 4,
            colour: "blue",
            tester: "blue",
            ..Step::default()
        },
        Step {
            title: "Deploy green, dark",
            what: "Version 2 starts. No rule names it, so nobody gets there.",
            extra: Extra::DeployGreen,
            seconds: 4,
            colour: "blue",
            tester: "blue",
            ..Step::default()
        },
        Step {
            title: "Let a tester in",
            what: "Requests with the header `x-tester: green` go to green; users stay on blue.",
            edits: vec![Edit::testers_to_green()],
            colour: "blue",
            ..Step::default()
        },
        Step {
            title: "Switch",
            what: "Everybody moves to green.",
            edits: vec![Edit::release("green")],
            ..Step::default()
        },
        Step {
            title: "Monitor",
            what: "What Envoy's Prometheus endpoint says, beside what the load saw.",
            extra: Extra::Monitor,
            seconds: 4,
            ..Step::default()
        },
    ]
}

fn feature() -> [Step; 4] {
    let grow = |title, what, percent: u32| Step {
        title,
        what,
        edits: vec![Edit::feature_for(percent)],
        feature: f64::from(percent) / 100.0,
        feature_grows: true,
        ..Step::default()
    };
    [
        grow("Feature for 10 %", "A new greeting for one user in ten, chosen by who they are.", 10),
        grow("Feature for 50 %", "For every second user. Who had it keeps it.", 50),
        grow("Feature for everybody", "All users get the new greeting.", 100),
        Step {
            title: "Kill switch",
            what: "The feature is off for everybody, whatever its rules say.",
            edits: vec![Edit::feature_killed()],
            ..Step::default()
        },
    ]
}
