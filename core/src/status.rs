//! The status page's JSON: what is in force in a proxy, since when, and what went wrong last.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::explain::time::rfc3339;
use crate::problem::{Problem, Severity};
use crate::settings::Source;
use crate::signature::Validity;
use crate::snapshot::Snapshot;

/// How many problems of the document are listed; `turquoise validate` shows all.
const MOST_PROBLEMS: usize = 20;

/// What a proxy knows beside the snapshot that one of its VMs serves with.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// Counts the documents that the proxy has had.
    pub generation: u64,
    /// The ETag of the document, if the source gave one.
    pub etag: Option<&'a str>,
    /// Where the document in force comes from.
    pub in_force: InForce,
    /// Where documents are fetched from.
    pub source: Option<&'a Source>,
    /// Seconds since the source last confirmed what is in force.
    pub age_seconds: Option<u64>,
    /// From when until when the document's signature holds, where one is required, and what the time is, in seconds.
    pub signature: Option<(Validity, u64)>,
    /// Whether the source has gone to and fro between two documents of late.
    pub alternates: bool,
    /// The last error as [`LastError::to_json`] wrote it.
    pub last_error: Option<&'a str>,
    /// Which VM answers.
    pub vm: u64,
    /// Whether it is the one that asks the source.
    pub leads: bool,
    /// Answers of the source, of the whole proxy, by result.
    pub fetches: &'a [(&'a str, u64)],
    /// Documents that were refused, of the whole proxy, by reason.
    pub refusals: &'a [(&'a str, u64)],
}

/// Where a document in force comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InForce {
    /// There is no document.
    #[default]
    None,
    /// The plugin configuration.
    Inlined,
    /// The source.
    Fetched,
}

impl Facts<'_> {
    /// Everything as a JSON object. No credentials are in it: of the source's path, the query is left out.
    pub fn to_json(&self, snapshot: &Snapshot) -> String {
        let last_error = self.last_error.and_then(|json| serde_json::from_str::<&RawValue>(json).ok());
        let page = Page {
            generation: self.generation,
            in_force: self.in_force,
            version: snapshot.version(),
            fingerprint: (self.in_force != InForce::None).then(|| hex(snapshot.fingerprint())),
            etag: self.etag,
            age_seconds: self.age_seconds,
            signature: self.signature.map(|(validity, now)| SignaturePart {
                created: rfc3339(validity.created.saturating_mul(1000)),
                expires: rfc3339(validity.expires.saturating_mul(1000)),
                expired: validity.has_expired(now),
            }),
            source: self.source.map(|source| SourcePart {
                cluster: &source.cluster,
                authority: source.authority.as_deref().unwrap_or(&source.cluster),
                path: source.path_alone(),
                signed: !source.public_keys.is_empty(),
                audience: source.audience.as_deref(),
                alternates: self.alternates,
            }),
            last_error,
            vm: Vm { id: hex(self.vm), leads: self.leads },
            counts: Counts {
                flags: snapshot.flags().count(),
                failing_flags: snapshot.failing_flags().count(),
                routes: snapshot.route_count(),
                fetches: Members(self.fetches),
                refusals: Members(self.refusals),
            },
            problems: snapshot.problems().iter().take(MOST_PROBLEMS).map(ProblemPart::of).collect(),
        };
        // Writing what has only text for keys cannot fail.
        serde_json::to_string(&page).unwrap_or_default()
    }
}

/// The last thing that went wrong with the source or with what it offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError<'a> {
    /// When, in milliseconds since the unix epoch.
    pub time: u64,
    /// What was being done: `fetch`, or the reason for which a document was refused.
    pub stage: &'a str,
    /// Where in the document, as a JSON path.
    pub path: Option<&'a str>,
    /// What is wrong, and what to do.
    pub message: &'a str,
}

impl LastError<'_> {
    /// As a JSON object, the time in RFC 3339.
    pub fn to_json(&self) -> String {
        let part =
            ErrorPart { time: rfc3339(self.time), stage: self.stage, path: self.path, message: self.message };
        serde_json::to_string(&part).unwrap_or_default()
    }
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    generation: u64,
    in_force: InForce,
    version: Option<&'a str>,
    fingerprint: Option<String>,
    etag: Option<&'a str>,
    age_seconds: Option<u64>,
    signature: Option<SignaturePart>,
    source: Option<SourcePart<'a>>,
    last_error: Option<&'a RawValue>,
    vm: Vm,
    counts: Counts<'a>,
    problems: Vec<ProblemPart<'a>>,
}

#[derive(Serialize)]
struct SourcePart<'a> {
    cluster: &'a str,
    authority: &'a str,
    path: &'a str,
    signed: bool,
    audience: Option<&'a str>,
    alternates: bool,
}

#[derive(Serialize)]
struct SignaturePart {
    created: String,
    expires: String,
    expired: bool,
}

#[derive(Serialize)]
struct ErrorPart<'a> {
    time: String,
    stage: &'a str,
    path: Option<&'a str>,
    message: &'a str,
}

#[derive(Serialize)]
struct Vm {
    id: String,
    leads: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts<'a> {
    flags: usize,
    failing_flags: usize,
    routes: usize,
    fetches: Members<'a>,
    refusals: Members<'a>,
}

/// An object of numbers.
struct Members<'a>(&'a [(&'a str, u64)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[derive(Serialize)]
struct ProblemPart<'a> {
    severity: &'static str,
    path: String,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
}

impl<'a> ProblemPart<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Warning => "warning",
                Severity::Flag => "flag",
                Severity::Document => "document",
            },
            path: problem.path.to_string(),
            line: problem.position.map(|position| position.line),
            column: problem.position.map(|position| position.column),
            message: &problem.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Settings;

    fn page(facts: &Facts<'_>, document: &str) -> Value {
        serde_json::from_str(&facts.to_json(&Snapshot::compile(document.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn it_tells_what_is_known_and_no_secret() {
        let settings = Settings::parse(
            br#"{ "source": { "cluster": "c", "path": "/d?token=s3cret", "headers": { "authorization": "s3cret" } } }"#,
        );
        let source = settings.unwrap().source.unwrap();
        let error =
            LastError { time: 1_795_161_600_000, stage: "invalid", path: Some("$.flags"), message: "`x`" };
        let error = error.to_json();
        let facts = Facts {
            generation: 3,
            etag: Some("\"1\""),
            in_force: InForce::Fetched,
            source: Some(&source),
            age_seconds: Some(4),
            signature: Some((Validity { created: 1_795_161_600, expires: 1_795_161_900 }, 1_795_161_901)),
            alternates: true,
            last_error: Some(&error),
            vm: 10,
            leads: true,
            fetches: &[("updated", 2)],
            refusals: &[("size", 1)],
        };
        let document = r#"{ "metadata": { "version": "7" }, "flags": { "a": { "state": "ENABLED", "variants": { "v": 1 },
            "targeting": { "no_such": [] } } } }"#;
        let page = page(&facts, document);
        assert_eq!(page["version"], "7");
        assert_eq!(page["inForce"], "fetched");
        assert_eq!(page["ageSeconds"], 4);
        assert_eq!(
            page["signature"],
            json!({ "created": "2026-11-20T08:00:00Z", "expires": "2026-11-20T08:05:00Z", "expired": true })
        );
        assert_eq!(
            page["source"],
            json!({ "cluster": "c", "authority": "c", "path": "/d", "signed": false, "audience": null, "alternates": true })
        );
        let time = "2026-11-20T08:00:00Z";
        assert_eq!(
            page["lastError"],
            json!({ "time": time, "stage": "invalid", "path": "$.flags", "message": "`x`" })
        );
        assert_eq!(page["vm"], json!({ "id": "000000000000000a", "leads": true }));
        let counts = json!({ "flags": 1, "failingFlags": 1, "routes": 0, "fetches": { "updated": 2 },
            "refusals": { "size": 1 } });
        assert_eq!(page["counts"], counts);
        assert_eq!(page["problems"][0]["severity"], "flag");
        assert_eq!(page["problems"][0]["path"], "$.flags.a.targeting");
        assert!(!page.to_string().contains("s3cret"));
    }

    #[test]
    fn what_is_unknown_is_null() {
        let page = page(&Facts { last_error: Some("{ broken"), ..Facts::default() }, r#"{ "flags": {} }"#);
        for key in ["version", "fingerprint", "etag", "ageSeconds", "signature", "source", "lastError"] {
            assert_eq!(page[key], Value::Null, "{key}");
        }
        assert_eq!(page["inForce"], "none");
    }
}
