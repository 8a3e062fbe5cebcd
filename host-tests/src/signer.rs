//! Whoever signs documents in these tests.

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signer as _, SigningKey};
use turquoise_core::{DocumentDigest, PublicKey, SignedFields, Statement};
use turquoise_host::simulated::Response;

/// When simulated proxies begin, in seconds since the unix epoch.
pub const START: u64 = 1_767_225_600;

/// A key with its secret part.
#[derive(Debug)]
pub struct Signer(SigningKey);

impl Signer {
    /// Always the same key for the same seed.
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    /// The public key as the plugin configuration has it.
    pub fn public_key(&self) -> String {
        Base64::encode_string(self.0.verifying_key().as_bytes())
    }

    /// The name of its signatures.
    pub fn id(&self) -> String {
        PublicKey::of(self.0.verifying_key()).id()
    }
}

/// How a document is signed.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// By whom.
    pub signers: &'a [&'a Signer],
    /// For whom.
    pub audience: Option<&'a str>,
    /// How many seconds after [`START`].
    pub created: u64,
    /// For how many seconds.
    pub lifetime: u64,
}

impl<'a> Signing<'a> {
    /// At the start, for everybody, for an hour.
    pub fn by(signers: &'a [&'a Signer]) -> Self {
        Self { signers, audience: None, created: 0, lifetime: 3600 }
    }

    /// The same, so many seconds after the start.
    pub fn at(self, created: u64) -> Self {
        Self { created, ..self }
    }

    /// The fields for this document.
    pub fn fields(&self, body: &str) -> SignedFields {
        let audiences: Vec<_> = self.audience.iter().map(|name| (*name).to_owned()).collect();
        let statement = Statement {
            digest: DocumentDigest::of(body.as_bytes()),
            audiences: &audiences,
            created: START + self.created,
            expires: START + self.created + self.lifetime,
        };
        statement.sign(self.signers.iter().map(|signer| {
            (PublicKey::of(signer.0.verifying_key()), |base: &[u8]| signer.0.sign(base).to_bytes())
        }))
    }

    /// An answer with the fields for this document.
    pub fn sign(&self, response: Response, body: &str) -> Response {
        with_fields(response, &self.fields(body))
    }
}

/// An answer with these fields; without signers there is none.
pub fn with_fields(response: Response, fields: &SignedFields) -> Response {
    match fields.is_signed() {
        true => fields.fields().fold(response, |response, (name, value)| response.header(name, value)),
        false => response,
    }
}
