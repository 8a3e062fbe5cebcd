//! What goes over the wire: gzip and signatures.

use std::io::Read as _;

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use flate2::read::GzDecoder;

use super::client::{Response, Server};
use super::files::rename;
use super::{document, start};
use crate::run::Folder;

/// A document that gzip makes much smaller.
fn long(version: &str) -> String {
    format!("{}{}", document(version), " ".repeat(5000))
}

fn unzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn who_accepts_gzip_gets_it() {
    let folder = Folder::new(&long("1"));
    let server = start(&folder);
    let plain = server.get("/document.json", &[]);
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let etag = plain.header("etag").unwrap();
    let zipped = server.get("/document.json", &[("accept-encoding", "br, gzip;q=0.8")]);
    assert_eq!((zipped.status, zipped.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(zipped.header("vary"), Some("accept-encoding"));
    assert_eq!(zipped.header("content-type"), Some("application/json"));
    assert_eq!(unzip(&zipped.bytes), long("1"));
    assert!(zipped.bytes.len() < 500, "{}", zipped.bytes.len());
    let zipped_etag = zipped.header("etag").unwrap();
    assert_eq!(zipped_etag, format!("{}-gzip\"", etag.trim_end_matches('"')));
    for refused in ["gzip;q=0", "br", "gzip;q=0, *", "identity", "gzip;q=0.1, identity"] {
        let response = server.get("/document.json", &[("accept-encoding", refused)]);
        assert_eq!(
            (response.header("content-encoding"), response.body.as_str()),
            (None, long("1").as_str()),
            "{refused}"
        );
    }
    let size = zipped.bytes.len() as u64;
    assert_eq!(server.metric("turquoise_origin_document_bytes{coding=\"gzip\"}"), Some(size));
}

#[test]
fn either_etag_is_known() {
    let folder = Folder::new(&long("1"));
    let server = start(&folder);
    let plain = server.etag();
    let zipped =
        server.get("/document.json", &[("accept-encoding", "gzip")]).header("etag").unwrap().to_owned();
    assert_ne!(plain, zipped);
    for accept in ["gzip", "identity"] {
        for known in [&plain, &zipped] {
            let headers = [("accept-encoding", accept), ("if-none-match", known.as_str())];
            let response = server.get("/document.json", &headers);
            assert_eq!((response.status, response.header("etag")), (304, Some(known.as_str())), "{accept}");
            assert_eq!(response.header("vary"), Some("accept-encoding"));
        }
    }
    // And is waited on: nothing is newer than it until there is.
    let headers = [("accept-encoding", "gzip"), ("if-none-match", zipped.as_str()), ("prefer", "wait=30")];
    let waiting = super::client::ask(&server.address, "GET", "/document.json", &headers);
    server.until_metric("turquoise_origin_long_polls", 1);
    rename(&folder, &long("2"));
    assert_eq!(unzip(&Response::read(waiting).bytes), long("2"));
}

#[test]
fn what_gzip_makes_larger_is_sent_as_it_is() {
    let folder = Folder::new(r#"{"flags":{}}"#);
    let response = start(&folder).get("/document.json", &[("accept-encoding", "gzip")]);
    assert_eq!((response.header("content-encoding"), response.body.as_str()), (None, r#"{"flags":{}}"#));
    assert_eq!(response.header("vary"), Some("accept-encoding"));
}

/// Whether the header has a signature by this public key over these bytes.
fn verifies(header: &str, public: &str, document: &[u8]) -> bool {
    let public: [u8; 32] = Base64::decode_vec(public).unwrap().try_into().unwrap();
    let id: String = public[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let prefix = format!("k{id}=:");
    let member = header.split(", ").find_map(|member| member.strip_prefix(&prefix)?.strip_suffix(':'));
    let Some(member) = member else { return false };
    let signature = Signature::from_slice(&Base64::decode_vec(member).unwrap()).unwrap();
    VerifyingKey::from_bytes(&public).unwrap().verify(document, &signature).is_ok()
}

#[test]
fn every_document_is_signed_by_every_key() {
    let folder = Folder::new(&long("1"));
    let [old, new] = ["old.pem", "new.pem"]
        .map(|file| folder.run(&["keygen", "--out", file]).stdout.trim_end().to_owned());
    let server = Server::start(&folder, &["--key", "old.pem", "--key", "new.pem"]);
    let plain = server.get("/document.json", &[]);
    let header = plain.header("x-turquoise-signature").unwrap();
    for public in [&old, &new] {
        assert!(verifies(header, public, long("1").as_bytes()), "{header}");
        assert!(!verifies(header, public, long("2").as_bytes()));
    }
    let signed = folder.run(&["sign", "document.json", "--key", "old.pem", "--key", "new.pem"]).stdout;
    assert_eq!(signed.trim_end(), header, "`sign` says the same");
    let zipped = server.get("/document.json", &[("accept-encoding", "gzip")]);
    assert_eq!(zipped.header("x-turquoise-signature"), Some(header), "over the identity coding");
    let known = server.get("/document.json", &[("if-none-match", plain.header("etag").unwrap())]);
    assert_eq!((known.status, known.header("x-turquoise-signature")), (304, Some(header)));
    rename(&folder, &long("2"));
    server.until_served(&long("2"));
    let changed = server.get("/document.json", &[]);
    assert!(verifies(changed.header("x-turquoise-signature").unwrap(), &new, long("2").as_bytes()));
    assert_eq!(
        start(&folder).get("/document.json", &[]).header("x-turquoise-signature"),
        None,
        "without a key"
    );
}

#[test]
fn it_does_not_start_with_a_key_that_it_cannot_use() {
    let folder = Folder::new(&document("1"));
    folder.run(&["serve", "document.json", "--key", "none.pem"]).refused(1, &["`none.pem`", "no such file"]);
    folder.run(&["serve", "document.json", "--key", "document.json"]).refused(1, &["no Ed25519 private key"]);
}
