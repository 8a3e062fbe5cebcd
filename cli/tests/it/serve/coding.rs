//! What goes over the wire: gzip and signatures.

use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flate2::read::GzDecoder;
use turquoise_core::{DocumentDigest, PublicKey, SignedFields, Trust, Untrusted, Validity};

use super::client::{Response, Server};
use super::files::rename;
use super::{document, start};
use crate::run::Folder;
use crate::sign::{fields, openssl_verifies};

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

fn signed_fields(response: &Response) -> SignedFields {
    fields(|name| response.header(name).map(str::to_owned))
}

#[test]
fn every_answer_is_signed_by_every_key() {
    let folder = Folder::new(&long("1"));
    let public = ["old.pem", "new.pem"]
        .map(|file| PublicKey::parse(folder.run(&["keygen", "--out", file]).stdout.trim_end()).unwrap());
    let arguments =
        ["--key", "old.pem", "--key", "new.pem", "--audience", "production", "--signature-lifetime", "2m"];
    let server = Server::start(&folder, &arguments);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let plain = server.get("/document.json", &[]);
    let zipped = server.get("/document.json", &[("accept-encoding", "gzip")]);
    let known = server.get("/document.json", &[("if-none-match", plain.header("etag").unwrap())]);
    assert_eq!((known.status, zipped.header("content-encoding")), (304, Some("gzip")));
    for response in [&plain, &zipped, &known] {
        let fields = signed_fields(response);
        for (key, file) in public.iter().zip(["old.pem", "new.pem"]) {
            let keys = [key.clone()];
            let trust = Trust { keys: &keys, audience: Some("production") };
            let digest = DocumentDigest::of(long("1").as_bytes());
            let Validity { created, expires } = trust.verify(&fields, &digest, Some(now)).unwrap();
            assert!(created >= now && expires == created + 120, "{created} {expires}");
            openssl_verifies(&folder, file, &key.id(), &fields, long("1").as_bytes());
            let other = DocumentDigest::of(long("2").as_bytes());
            assert_eq!(trust.verify(&fields, &other, Some(now)), Err(Untrusted::Digest));
        }
    }
    assert!(!start(&folder).get("/document.json", &[]).headers().any(|name| name.contains("signature")));
    folder.run(&["serve", "document.json", "--audience", "a"]).refused(2, &["--key"]);
}

#[test]
fn signatures_are_renewed_while_it_serves() {
    let folder = Folder::new(&document("1"));
    let public = folder.run(&["keygen", "--out", "key.pem"]).stdout;
    let keys = [PublicKey::parse(public.trim_end()).unwrap()];
    let server = Server::start(&folder, &["--key", "key.pem"]);
    let created = |known: &str| {
        let response = server.get("/document.json", &[("if-none-match", known)]);
        let digest = DocumentDigest::of(document("1").as_bytes());
        Trust { keys: &keys, audience: None }
            .verify(&signed_fields(&response), &digest, None)
            .unwrap()
            .created
    };
    let etag = server.etag();
    let (first, whole) = (created(&etag), created("\"x\""));
    assert!(whole - first <= 1, "200 and 304 alike");
    std::thread::sleep(Duration::from_millis(1100));
    assert!(created(&etag) > first);
    // Who waited gets one of when the wait ended.
    let start = Instant::now();
    let response = server.get("/document.json", &[("if-none-match", &etag), ("prefer", "wait=2")]);
    let digest = DocumentDigest::of(document("1").as_bytes());
    let trust = Trust { keys: &keys, audience: None };
    let waited = trust.verify(&signed_fields(&response), &digest, None).unwrap().created;
    assert!(start.elapsed() >= Duration::from_secs(2) && waited >= first + 3, "{waited} {first}");
}

#[test]
fn it_does_not_start_with_a_key_that_it_cannot_use() {
    let folder = Folder::new(&document("1"));
    folder.run(&["serve", "document.json", "--key", "none.pem"]).refused(1, &["`none.pem`", "no such file"]);
    folder.run(&["serve", "document.json", "--key", "document.json"]).refused(1, &["no Ed25519 private key"]);
}
