//! Why a document is not believed.

use std::fmt;

use super::message::{AUDIENCE_FIELD, DIGEST_FIELD, SIGNATURE_FIELD, SIGNATURE_INPUT_FIELD};
use super::trust::MAX_CLOCK_SKEW_SECONDS;
use crate::explain::time::rfc3339;

/// Why no signature was accepted, those that came nearest to being accepted last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untrusted {
    /// There is no signature.
    Missing,
    /// A field cannot be read: its name.
    Malformed(&'static str),
    /// None of the signatures is by a configured key: the ids that there are.
    UnknownKeys(Vec<String>),
    /// A signature states something that cannot be checked here.
    Unsupported {
        /// Which one, by its label or key.
        label: String,
        /// What it states.
        why: String,
    },
    /// The digest is of other bytes than the document's.
    Digest,
    /// A signature by a configured key, this one, is of something else.
    Mismatch(String),
    /// The document is for others.
    Audience {
        /// For these.
        named: Vec<String>,
        /// Not for this one.
        wanted: String,
    },
    /// It was signed in the future.
    Future {
        /// When, in seconds since the unix epoch.
        created: u64,
    },
    /// It holds no longer.
    Expired {
        /// Until when it held, in seconds since the unix epoch.
        expires: u64,
    },
    /// It was signed before what is in force.
    Replayed {
        /// When, in seconds since the unix epoch.
        created: u64,
        /// When what is in force was signed.
        before: u64,
    },
}

impl Untrusted {
    /// What metrics and the status page call it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Audience { .. } => "audience",
            Self::Future { .. } => "future",
            Self::Expired { .. } => "expired",
            Self::Replayed { .. } => "replayed",
            _ => "signature",
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[String]| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        let time = |seconds: &u64| rfc3339(seconds.saturating_mul(1000));
        match self {
            Self::Missing => write!(
                f,
                "it is not signed: the answer has no `{SIGNATURE_INPUT_FIELD}` and `{SIGNATURE_FIELD}`, which \
                 `source.publicKeys` requires; `turquoise sign` and `turquoise serve --key` sign it"
            ),
            Self::Malformed(field) => {
                write!(f, "its `{field}` cannot be read: send it as `turquoise sign` prints it")
            }
            Self::UnknownKeys(ids) if ids.is_empty() => write!(
                f,
                "its `{SIGNATURE_INPUT_FIELD}` holds no signature of a document; `turquoise sign` makes one"
            ),
            Self::UnknownKeys(ids) => write!(
                f,
                "it is signed with {}, none of which is in `source.publicKeys`: add that key there if it is yours",
                list(ids)
            ),
            Self::Unsupported { label, why } => {
                write!(f, "the signature `{label}` cannot be checked: {why}; sign it with `turquoise sign`")
            }
            Self::Digest => write!(
                f,
                "its `{DIGEST_FIELD}` is missing or does not fit its bytes: it was changed after it was signed; sign it \
                 again and serve exactly these bytes"
            ),
            Self::Mismatch(id) => write!(
                f,
                "the signature by `{id}` does not fit: the fields that it covers were changed after it was signed, or \
                 somebody else signed; sign it again and send all fields as they are printed"
            ),
            Self::Audience { named, wanted } if named.is_empty() => write!(
                f,
                "it names no audience, and `source.audience` is `{wanted}`: sign it with `--audience {wanted}`"
            ),
            Self::Audience { named, wanted } => write!(
                f,
                "its `{AUDIENCE_FIELD}` is {}, and `source.audience` is `{wanted}`: it is meant for other proxies; fetch \
                 the right one, or sign it with `--audience {wanted}` as well",
                list(named)
            ),
            Self::Future { created } => write!(
                f,
                "it was signed at {}, more than {MAX_CLOCK_SKEW_SECONDS} s ahead of this proxy's clock: set the clock \
                 that is wrong",
                time(created)
            ),
            Self::Expired { expires } => write!(
                f,
                "its signature expired at {}: sign it again; if the source does so, something on the way holds it back, \
                 or this proxy's clock is wrong",
                time(expires)
            ),
            Self::Replayed { created, before } => write!(
                f,
                "it was signed at {}, before what is in force was, at {}: an old answer comes again; sign again what you \
                 release, and set the clocks of your signers alike",
                time(created),
                time(before)
            ),
        }
    }
}

impl std::error::Error for Untrusted {}
