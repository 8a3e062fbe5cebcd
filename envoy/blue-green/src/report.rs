//! How the demo's findings look on a terminal of 100 columns.

use std::io::Write;
use std::time::Duration;

use envoy_harness::window::Window;
use serde_json::Value;

use crate::document::Difference;
use crate::paint::Paint;

/// As wide as the text may get.
const WIDTH: usize = 100;
/// How wide a bar of 100 % is.
const BAR: f64 = 40.0;

/// Writes to standard output.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The colours to use.
    pub paint: Paint,
}

impl Report {
    /// A step's heading.
    pub fn heading(self, number: usize, of: usize, title: &str) {
        println!("\n{}", self.paint.bold(&format!("{number:>2}/{of} {title}")));
    }

    /// What a step is about, for who watches.
    pub fn sentence(self, text: &str) {
        println!("      {text}");
    }

    /// One finding: a label and its text.
    pub fn line(self, label: &str, text: &str) {
        println!("      {}{text}", self.paint.dim(&format!("{label:<11}")));
    }

    /// What changed in the document.
    pub fn differences(self, differences: &[Difference]) {
        for (number, text) in differences.iter().flat_map(describe).enumerate() {
            self.line(if number == 0 { "document" } else { "" }, &text);
        }
    }

    /// How many requests, how many failed and how long they took.
    pub fn requests(self, window: &Window) {
        let failed = format!("{} failed", window.failed());
        let failed = if window.failed() == 0 { failed } else { self.paint.bad(&failed) };
        let (half, most) = (milliseconds(window.latency(0.5)), milliseconds(window.latency(0.99)));
        self.line("requests", &format!("{}, {failed}; p50 {half}, p99 {most}", thousands(window.requests())));
        for (failure, count) in window.failures() {
            self.line("", &self.paint.bad(&format!("{count} x {failure}")));
        }
    }

    /// The share of each colour, as bars.
    pub fn colours(self, window: &Window) {
        for (number, colour) in window.colours().into_keys().enumerate() {
            let share = window.share_of(&colour);
            let label = if number == 0 { "colour" } else { "" };
            let text = format!("{colour:<6}{:>7}  {}", percent(share), bar(share));
            self.line(label, &self.paint.named(&colour, &text));
        }
    }

    /// The share of the feature, by user and by request.
    pub fn feature(self, window: &Window) {
        let (users, requests) = (window.feature_by_user(), window.feature_by_request());
        let text = format!(
            "{} of {} users, {} of requests",
            percent(users),
            thousands(window.users()),
            percent(requests)
        );
        self.line("feature", &text);
    }

    /// A line that the next one replaces; nothing where lines cannot be replaced.
    pub fn passing(self, text: &str) {
        if self.paint.can_rewrite() {
            print!("\r\x1b[K      {}", self.paint.dim(text));
            let _ = std::io::stdout().flush();
        }
    }

    /// Removes a passing line.
    pub fn clear(self) {
        if self.paint.can_rewrite() {
            print!("\r\x1b[K");
            let _ = std::io::stdout().flush();
        }
    }
}

/// A share in percent, with one digit; but never 100 % or 0 % for what is only nearly so.
#[must_use]
pub fn percent(share: f64) -> String {
    let nearly = if share > 0.5 { share.min(0.999) } else { share.max(0.001) };
    let share = if share <= 0.0 || share >= 1.0 { share } else { nearly };
    format!("{:.1} %", share * 100.0)
}

/// A count with its thousands apart.
#[must_use]
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in milliseconds, with a digit after the point where it matters.
#[must_use]
pub fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is between 0 and 1")]
fn bar(share: f64) -> String {
    "█".repeat((share * BAR).round() as usize)
}

/// On one line if that fits, else the path and below it the values.
fn describe(difference: &Difference) -> Vec<String> {
    let Difference { path, old, new } = difference;
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let (sign, values) = match (old, new) {
        (None, _) => ("+", text(new)),
        (_, None) => ("-", text(old)),
        _ => ("~", format!("{} -> {}", text(old), text(new))),
    };
    let line = format!("{sign} {path}: {values}");
    if line.chars().count() + 17 <= WIDTH {
        vec![line]
    } else {
        vec![format!("{sign} {path}:"), format!("  {values}")]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([7, 1802, 1_000_000].map(thousands), ["7", "1,802", "1,000,000"]);
        assert_eq!(
            [0.0, 0.0001, 0.1, 0.9999, 1.0].map(percent),
            ["0.0 %", "0.1 %", "10.0 %", "99.9 %", "100.0 %"]
        );
        assert_eq!(milliseconds(Duration::from_micros(712)), "0.7 ms");
        assert_eq!(milliseconds(Duration::from_micros(153_400)), "153 ms");
    }

    #[test]
    fn a_difference_fits_into_the_width() {
        let path = "flags.shop-release.defaultVariant".to_owned();
        let short = Difference { path: path.clone(), old: Some(json!("blue")), new: Some(json!("green")) };
        assert_eq!(describe(&short), ["~ flags.shop-release.defaultVariant: \"blue\" -> \"green\""]);
        let long = Difference { path, old: None, new: Some(json!("a".repeat(80))) };
        assert_eq!(describe(&long).len(), 2);
    }
}
