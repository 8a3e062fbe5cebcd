//! Ed25519 keys that sign documents. Two can sign while one replaces the other. A key's id is made from its public key:
//! nobody has to hand out names, and none can be given twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::spki::der::zeroize::Zeroizing;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use turquoise_core::{PublicKey, SignedFields, Statement, check_audience, parse_duration};

use crate::document::reason;
use crate::failure::Failure;

/// The shortest time for which a signature may hold.
const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The keys that sign, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<SigningKey>);

impl Keys {
    /// Reads PKCS#8 PEM files.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut seen = BTreeMap::new();
        let mut keys = Vec::new();
        for file in files {
            let key = read(file)?;
            if let Some(other) = seen.insert(id(&key), file.display()) {
                let file = file.display();
                return Err(Failure::Usage(format!(
                    "--key `{file}`: this is the key of `{other}` again: give each once"
                )));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Whether there is nothing to sign with.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The header fields that carry the signatures of a statement.
    pub(crate) fn sign(&self, statement: &Statement<'_>) -> SignedFields {
        statement.sign(
            self.0
                .iter()
                .map(|key| (PublicKey::of(key.verifying_key()), |base: &[u8]| key.sign(base).to_bytes())),
        )
    }

    /// The ids of the keys, for people.
    pub(crate) fn ids(&self) -> String {
        self.0.iter().map(id).collect::<Vec<_>>().join(", ")
    }
}

/// Reads how long a signature holds: in whole seconds, and not so short that a slow answer outlives it.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| duration.subsec_nanos() == 0);
    duration.filter(|duration| *duration >= MIN_LIFETIME).ok_or_else(|| {
        format!("`{text}` is no lifetime of a signature: write a whole number with s, m or h, at least `10s`")
    })
}

/// Reads the name of an audience.
pub(crate) fn audience(text: &str) -> Result<String, String> {
    check_audience(text).map(|()| text.to_owned())
}

/// Makes a key of random bytes: its PEM, and its public key as `source.publicKeys` lists it.
pub(crate) fn generate() -> Result<(Zeroizing<String>, String), Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut())
        .map_err(|error| Failure::Work(format!("the system gives no random bytes: {error}")))?;
    let key = SigningKey::from_bytes(&seed);
    // Without the public key beside it: OpenSSL writes it so, and its version 3.0 does not read the other form.
    let pem = KeypairBytes { secret_key: *seed, public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| Failure::Work(format!("cannot encode the key: {error}")))?;
    Ok((pem, Base64::encode_string(key.verifying_key().as_bytes())))
}

fn read(file: &Path) -> Result<SigningKey, Failure> {
    let name = file.display();
    let pem = fs::read_to_string(file)
        .map_err(|error| Failure::Work(format!("cannot read `{name}`: {}", reason(&error))))?;
    SigningKey::from_pkcs8_pem(&Zeroizing::new(pem)).map_err(|_| {
        Failure::Work(format!(
            "`{name}` is no Ed25519 private key in PKCS#8 PEM: `turquoise keygen` and \
             `openssl genpkey -algorithm ed25519` write one"
        ))
    })
}

fn id(key: &SigningKey) -> String {
    PublicKey::of(key.verifying_key()).id()
}
