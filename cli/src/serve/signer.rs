//! Signing what is served, anew for each second in which somebody asks: a signature says that the document is still the
//! one, so an answer that somebody kept gives itself away. Thousands who ask within a second share one.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderName, HeaderValue};
use turquoise_core::{DocumentDigest, Statement};

use super::published::Published;
use crate::key::Keys;

/// What a response carries.
type Fields = Arc<[(HeaderName, HeaderValue)]>;

/// Signs answers.
#[derive(Debug)]
pub(super) struct Signer {
    keys: RwLock<Arc<Keys>>,
    audiences: Vec<String>,
    lifetime: Duration,
    last: Mutex<Option<Signed>>,
}

/// What was signed last.
#[derive(Debug)]
struct Signed {
    created: u64,
    digest: DocumentDigest,
    keys: Arc<Keys>,
    fields: Fields,
}

impl Signer {
    pub(super) fn new(keys: Keys, audiences: Vec<String>, lifetime: Duration) -> Self {
        Self { keys: RwLock::new(Arc::new(keys)), audiences, lifetime, last: Mutex::default() }
    }

    /// Signs with these from now on.
    pub(super) fn replace(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// The header fields by which a document is signed now.
    pub(super) fn fields(&self, document: &Published) -> Vec<(HeaderName, HeaderValue)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.fields_at(document.digest, now.as_secs()).to_vec()
    }

    fn fields_at(&self, digest: DocumentDigest, now: u64) -> Fields {
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        if keys.is_empty() {
            return Arc::new([]);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signed) = &*last
            && (signed.created, signed.digest) == (now, digest)
            && Arc::ptr_eq(&signed.keys, &keys)
        {
            return Arc::clone(&signed.fields);
        }
        let expires = now.saturating_add(self.lifetime.as_secs());
        let signed = keys.sign(&Statement { digest, audiences: &self.audiences, created: now, expires });
        let fields: Fields = signed
            .fields()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
            })
            .collect();
        *last = Some(Signed { created: now, digest, keys, fields: Arc::clone(&fields) });
        fields
    }
}
