//! What Envoy's `/stats/prometheus` says.

use std::collections::BTreeMap;

/// The samples of one reading.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

/// One line: a name, its labels and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Metrics {
    /// Reads the text format. Comments, and lines that are not samples, are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { samples: text.lines().filter_map(sample).collect() }
    }

    /// All samples of this name that have all of these labels.
    pub fn all<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        let fits = |sample: &Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        self.samples.iter().filter(move |sample| sample.name == name && fits(sample))
    }

    /// The sum over all samples of this name that have all of these labels; 0 if there is none, since a counter that
    /// was never touched is not shown.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).map(|sample| sample.value).sum()
    }

    /// The same for a counter, which counts.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a counter is a small whole number"
    )]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels) as u64
    }
}

fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some(Sample { name: series.to_owned(), labels: BTreeMap::new(), value });
    };
    Some(Sample { name: name.to_owned(), labels: parse_labels(labels.strip_suffix('}')?)?, value })
}

/// `a="x",b="y"`, where a value may hold any character, some of them escaped.
fn parse_labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (end, '"') => break end,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        text = rest.get(end + 1..)?;
        text = text.strip_prefix(',').unwrap_or(text);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# TYPE turquoise_requests_total counter
turquoise_requests_total{route="shop",variant="blue"} 30
turquoise_requests_total{route="shop",variant="green"} 12
turquoise_requests_total{route="a \"quoted\", odd\\one",variant="green"} 1
turquoise_document_generation{} 4
turquoise_document_age_seconds 0.25
"#;

    #[test]
    fn sums_by_label() {
        let metrics = Metrics::parse(TEXT);
        assert_eq!(metrics.count("turquoise_requests_total", &[]), 43);
        assert_eq!(metrics.count("turquoise_requests_total", &[("route", "shop"), ("variant", "green")]), 12);
        assert_eq!(metrics.count("turquoise_requests_total", &[("route", "a \"quoted\", odd\\one")]), 1);
        assert_eq!(metrics.count("turquoise_document_generation", &[]), 4);
        assert_eq!(metrics.sum("turquoise_document_age_seconds", &[]), 0.25);
        assert_eq!(metrics.count("never_touched", &[]), 0);
    }
}
