//! Whoever signs documents in these tests.

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signer as _, SigningKey};

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
        let bytes = self.0.verifying_key().to_bytes();
        let digits: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("k{digits}")
    }

    /// A member of the signature header for this body.
    pub fn sign(&self, body: &str) -> String {
        let signature = self.0.sign(body.as_bytes()).to_bytes();
        format!("{}=:{}:", self.id(), Base64::encode_string(&signature))
    }
}
