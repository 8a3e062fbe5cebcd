//! `turquoise keygen` and `turquoise sign`: what they write is what RFC 9421 and OpenSSL say.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding as _};
use turquoise_core::{DocumentDigest, PublicKey, SignedFields, Trust, Untrusted, Validity};

use crate::run::Folder;

/// A key of RFC 8032, section 7.1, in hexadecimal.
pub(crate) struct TestKey {
    pub(crate) secret: &'static str,
    public: &'static str,
}

pub(crate) const FIRST_KEY: &TestKey = &TestKey {
    secret: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
};
pub(crate) const SECOND_KEY: &TestKey = &TestKey {
    secret: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The secret as a PKCS#8 PEM: the prefix says "a private key, version 1, Ed25519, 32 bytes" (RFC 8410).
pub(crate) fn pem(secret: &str) -> String {
    let der = [bytes("302e020100300506032b657004220420"), bytes(secret)].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", Base64::encode_string(&der))
}

impl TestKey {
    /// The name of the key.
    pub(crate) fn id(&self) -> String {
        format!("k{}", &self.public[..16])
    }
}

/// The fields that `sign` printed, or that an answer has.
pub(crate) fn fields(field: impl Fn(&str) -> Option<String>) -> SignedFields {
    SignedFields::read(|name| field(name).map(String::into_bytes))
}

fn printed(text: &str) -> SignedFields {
    fields(|name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    })
}

/// The parameters of the signature with this label, by the structure of the field alone.
fn params(fields: &SignedFields, label: &str) -> String {
    let start = fields.input.find(&format!("{label}=(")).unwrap() + label.len() + 1;
    fields.input[start..].split(", ").next().unwrap().to_owned()
}

/// The text that is signed, made by hand: RFC 9421, section 2.5.
fn signature_base(fields: &SignedFields, params: &str) -> String {
    let mut base = format!("\"unencoded-digest\": {}\n", fields.digest);
    if params.contains("turquoise-audience") {
        base.push_str(&format!("\"turquoise-audience\": {}\n", fields.audience));
    }
    base + &format!("\"@signature-params\": {params}")
}

/// Whether OpenSSL finds that this key signed these fields for this document.
pub(crate) fn openssl_verifies(folder: &Folder, key: &str, id: &str, fields: &SignedFields, document: &[u8]) {
    std::fs::write(folder.path("signed-document"), document).unwrap();
    let digest = shell(folder, "openssl dgst -sha256 -binary signed-document | openssl base64");
    assert_eq!(fields.digest, format!("sha-256=:{}:", digest.trim_end()));
    folder.write("base", &signature_base(fields, &params(fields, id)));
    let start = fields.signature.find(&format!("{id}=:")).expect("a signature") + id.len() + 2;
    let signature = fields.signature[start..].split(':').next().unwrap();
    std::fs::write(folder.path("signature"), Base64::decode_vec(signature).unwrap()).unwrap();
    let verify = format!("openssl pkeyutl -verify -rawin -in base -sigfile signature -inkey {key}");
    assert!(shell(folder, &verify).contains("Verified Successfully"), "{key}");
}

fn shell(folder: &Folder, line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir(folder.path(".")).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_printed_says_who_signed_what_for_whom_and_until_when() {
    let folder = Folder::new("{ \"flags\": {} }");
    folder.write("first.pem", &pem(FIRST_KEY.secret));
    folder.write("second.pem", &pem(SECOND_KEY.secret));
    let keys = ["--key", "first.pem", "--key", "second.pem"];
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let output = folder.run(
        &[&["sign", "document.json", "--audience", "production", "--lifetime", "48h"], &keys[..]].concat(),
    );
    assert_eq!((output.code, output.stdout.lines().count()), (0, 4), "{output:?}");
    let fields = printed(&output.stdout);
    assert_eq!(fields.audience, "\"production\"");
    let (one, two) = fields.input.split_once(", ").expect("both");
    assert!(one.starts_with(&FIRST_KEY.id()) && two.starts_with(&SECOND_KEY.id()), "{}", fields.input);
    for key in [FIRST_KEY, SECOND_KEY] {
        let public = [PublicKey::parse(&Base64::encode_string(&bytes(key.public))).unwrap()];
        let trust = Trust { keys: &public, audience: Some("production") };
        let digest = DocumentDigest::of(b"{ \"flags\": {} }");
        let Validity { created, expires } = trust.verify(&fields, &digest, Some(before + 1)).unwrap();
        assert!(
            (before..before + 60).contains(&created) && expires == created + 48 * 3600,
            "{created} {expires}"
        );
    }
    let from_stdin = folder.run_with(&["sign", "-", "--key", "first.pem"], b"{ \"flags\": {} }");
    let from_stdin = printed(&from_stdin.stdout);
    assert_eq!((from_stdin.digest, from_stdin.audience), (fields.digest, String::new()));
    let usage = |arguments: &[&str], parts: &[&str]| {
        folder.run(&[&["sign", "document.json", "--key", "first.pem"], arguments].concat()).refused(2, parts);
    };
    usage(&["--lifetime", "1s"], &["`1s` is no lifetime", "at least `10s`"]);
    usage(&["--lifetime", "soon"], &["`soon` is no lifetime"]);
    usage(&["--audience", "two words"], &["`two words` is no name of an audience"]);
    folder.write("copy.pem", &pem(FIRST_KEY.secret));
    usage(&["--key", "copy.pem"], &["`copy.pem`", "`first.pem`", "give each once"]);
}

#[test]
fn a_new_key_is_private_and_never_written_over() {
    let folder = Folder::new("{}");
    let output = folder.run(&["keygen", "--out", "key.pem"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let public = output.stdout.strip_suffix('\n').unwrap();
    assert_eq!(Base64::decode_vec(public).unwrap().len(), 32, "{public}");
    let mode = std::fs::metadata(folder.path("key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(folder.path("key.pem")).unwrap();
    folder.run(&["keygen", "--out", "key.pem"]).refused(1, &["`key.pem` exists already"]);
    assert_eq!(std::fs::read_to_string(folder.path("key.pem")).unwrap(), text);
    assert_ne!(folder.run(&["keygen"]).stdout.trim_end(), public, "no two are the same");
    assert!(folder.path("turquoise-key.pem").exists());
    folder.run(&["keygen", "--out", "none/key.pem"]).refused(1, &["`none/key.pem`", "no such file"]);
}

#[test]
fn what_is_no_key_is_refused() {
    let folder = Folder::new("{}");
    folder.run(&["sign", "document.json"]).refused(2, &["--key"]);
    folder.run(&["sign", "document.json", "--key", "none.pem"]).refused(1, &["`none.pem`", "no such file"]);
    folder.run(&["sign", "document.json", "--key", "document.json"]).refused(1, &["no Ed25519 private key"]);
    folder.write("key.pem", &pem(FIRST_KEY.secret));
    folder.run(&["sign", "none.json", "--key", "key.pem"]).refused(1, &["`none.json`", "no such file"]);
}

#[test]
fn openssl_reads_our_keys_and_verifies_our_signatures() {
    let folder = Folder::new("{ \"flags\": {} }");
    let ours = folder.run(&["keygen", "--out", "ours.pem"]).stdout;
    shell(&folder, "openssl genpkey -algorithm ed25519 -out theirs.pem");
    // The last 32 bytes of a public key's DER are the key.
    let public = "openssl pkey -in ours.pem -pubout -outform DER | tail -c 32 | openssl base64";
    assert_eq!(shell(&folder, public), ours);
    let (mine, form) = (std::fs::read_to_string(folder.path("ours.pem")).unwrap(), "theirs.pem");
    assert_eq!(
        mine.lines().map(str::len).collect::<Vec<_>>(),
        shell(&folder, &format!("cat {form}")).lines().map(str::len).collect::<Vec<_>>(),
        "the same form",
    );
    let arguments = ["sign", "document.json", "--audience", "a", "--key", "ours.pem", "--key", "theirs.pem"];
    let fields = printed(&folder.run(&arguments).stdout);
    for key in ["ours.pem", "theirs.pem"] {
        let public = format!("openssl pkey -in {key} -pubout -outform DER | tail -c 32 | openssl base64");
        let id = PublicKey::parse(shell(&folder, &public).trim_end()).unwrap().id();
        openssl_verifies(&folder, key, &id, &fields, b"{ \"flags\": {} }");
    }
}

#[test]
fn a_signature_that_openssl_made_by_the_rfc_alone_is_believed() {
    let folder = Folder::new("{ \"flags\": {} }");
    shell(&folder, "openssl genpkey -algorithm ed25519 -out key.pem");
    let public =
        shell(&folder, "openssl pkey -in key.pem -pubout -outform DER | tail -c 32 | openssl base64");
    let key = PublicKey::parse(public.trim_end()).unwrap();
    let digest = shell(&folder, "openssl dgst -sha256 -binary document.json | openssl base64");
    let mut fields = SignedFields {
        digest: format!("sha-256=:{}:", digest.trim_end()),
        audience: "\"production\"".to_owned(),
        ..SignedFields::default()
    };
    let params = format!(
        "(\"unencoded-digest\" \"turquoise-audience\");created=1000;keyid=\"{}\";tag=\"turquoise-document\";expires=2000",
        key.id()
    );
    folder.write("base", &signature_base(&fields, &params));
    let signature =
        shell(&folder, "openssl pkeyutl -sign -rawin -in base -inkey key.pem | openssl base64 -A");
    fields.input = format!("other={params}");
    fields.signature = format!("other=:{signature}:");
    let trust = Trust { keys: &[key], audience: Some("production") };
    let digest = DocumentDigest::of(b"{ \"flags\": {} }");
    assert_eq!(trust.verify(&fields, &digest, Some(1500)), Ok(Validity { created: 1000, expires: 2000 }));
    assert_eq!(trust.verify(&fields, &digest, Some(2001)), Err(Untrusted::Expired { expires: 2000 }));
}
