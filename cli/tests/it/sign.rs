//! `turquoise keygen` and `turquoise sign`: what they write is what RFC 8032 and OpenSSL say.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use base64ct::{Base64, Encoding as _};

use crate::run::Folder;

/// A case of RFC 8032, section 7.1, in hexadecimal.
pub(crate) struct Vector {
    pub(crate) secret: &'static str,
    public: &'static str,
    message: &'static str,
    signature: &'static str,
}

const VECTORS: [Vector; 3] = [
    Vector {
        secret: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        public: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        message: "",
        signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                    5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    },
    Vector {
        secret: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        public: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        message: "72",
        signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                    085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
    Vector {
        secret: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        public: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        message: "af82",
        signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                    18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    },
];

/// Two of them as keys.
pub(crate) const FIRST_KEY: &Vector = &VECTORS[0];
pub(crate) const SECOND_KEY: &Vector = &VECTORS[1];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The secret as a PKCS#8 PEM: the prefix says "a private key, version 1, Ed25519, 32 bytes" (RFC 8410).
pub(crate) fn pem(secret: &str) -> String {
    let der = [bytes("302e020100300506032b657004220420"), bytes(secret)].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", Base64::encode_string(&der))
}

impl Vector {
    /// The name of its key.
    pub(crate) fn id(&self) -> String {
        format!("k{}", &self.public[..16])
    }

    /// As the header says it.
    fn member(&self) -> String {
        format!("k{}=:{}:", &self.public[..16], Base64::encode_string(&bytes(self.signature)))
    }
}

fn shell(folder: &Folder, line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir(folder.path(".")).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let folder = Folder::new("{}");
    for (number, vector) in VECTORS.iter().enumerate() {
        std::fs::write(folder.path("message"), bytes(vector.message)).unwrap();
        folder.write("key.pem", &pem(vector.secret));
        let output = folder.run(&["sign", "message", "--key", "key.pem"]);
        assert_eq!((output.code, output.stdout), (0, format!("{}\n", vector.member())), "vector {number}");
        let output = folder.run_with(&["sign", "-", "--key", "key.pem"], &bytes(vector.message));
        assert_eq!(output.stdout, format!("{}\n", vector.member()), "vector {number} from stdin");
    }
}

#[test]
fn two_keys_sign_in_the_order_given() {
    let folder = Folder::new("{}");
    let [first, second, _] = &VECTORS;
    folder.write("empty", "");
    folder.write("first.pem", &pem(first.secret));
    folder.write("second.pem", &pem(second.secret));
    let output = folder.run(&["sign", "empty", "--key", "first.pem", "--key", "second.pem"]);
    let (one, two) = output.stdout.trim_end().split_once(", ").unwrap();
    assert_eq!(one, first.member());
    assert!(two.starts_with("k3d4017c3e843895a=:") && two.ends_with(":"), "{two}");
    folder.write("copy.pem", &pem(first.secret));
    folder
        .run(&["sign", "empty", "--key", "first.pem", "--key", "copy.pem"])
        .refused(2, &["`copy.pem`", "`first.pem`", "give each once"]);
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
    folder.write("key.pem", &pem(VECTORS[0].secret));
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
    let header = folder.run(&["sign", "document.json", "--key", "ours.pem", "--key", "theirs.pem"]).stdout;
    for (member, name) in header.trim_end().split(", ").zip(["ours", "theirs"]) {
        let signature = member.split_once("=:").unwrap().1.strip_suffix(':').unwrap();
        std::fs::write(folder.path("signature"), Base64::decode_vec(signature).unwrap()).unwrap();
        let verify =
            format!("openssl pkeyutl -verify -rawin -in document.json -sigfile signature -inkey {name}.pem");
        assert!(shell(&folder, &verify).contains("Verified Successfully"), "{name}");
    }
}
