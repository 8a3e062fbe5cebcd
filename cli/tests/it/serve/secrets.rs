//! Tokens and keys that change while it serves.

use super::client::{Events, Server, until};
use super::{document, start};
use crate::run::Folder;
use crate::sign::{FIRST_KEY, SECOND_KEY, pem};

const TOKENS_CURRENT: &str = "turquoise_origin_secrets_current{kind=\"tokens\"}";
const KEYS_CURRENT: &str = "turquoise_origin_secrets_current{kind=\"keys\"}";

fn status(server: &Server, token: &str) -> u16 {
    server.get("/document.json", &[("authorization", &format!("Bearer {token}"))]).status
}

#[test]
fn tokens_are_read_again_when_they_change() {
    let folder = Folder::new(&document("1"));
    folder.write("tokens", "first\n");
    let server = Server::start(&folder, &["--token-file", "tokens"]);
    assert_eq!((status(&server, "first"), status(&server, "second")), (200, 401));
    let (_, mut events) = Events::open(&server, &[("authorization", "Bearer first")]);
    folder.write("tokens", "second\n");
    until(|| status(&server, "second") == 200, || server.stderr());
    assert_eq!(status(&server, "first"), 401);
    // Streams that an old token opened end; their clients come again.
    while events.block().is_some() {}
    server.until_stderr("`tokens` read again");
    assert_eq!(server.metric(TOKENS_CURRENT), Some(1));
}

#[test]
fn tokens_that_cannot_be_read_leave_those_before_in_use() {
    let folder = Folder::new(&document("1"));
    folder.write("tokens", "first\n");
    let server = Server::start(&folder, &["--token-file", "tokens"]);
    assert_eq!(server.metric(TOKENS_CURRENT), Some(1));
    for (text, complaint) in [
        (Some(" \n"), "`tokens` holds no token"),
        (Some("two words\n"), "`tokens`, line 1: a token is printable ASCII"),
        (None, "cannot read `tokens`: there is no such file"),
    ] {
        match text {
            Some(text) => folder.write("tokens", text),
            None => std::fs::remove_file(folder.path("tokens")).unwrap(),
        }
        server.until_stderr(complaint);
        server.until_stderr("still using the tokens that `tokens` held before");
        assert_eq!((status(&server, "first"), server.metric(TOKENS_CURRENT)), (200, Some(0)), "{complaint}");
        assert_eq!(server.get("/document.json", &[]).status, 401, "{complaint}");
    }
    folder.write("tokens", "second\n");
    until(|| status(&server, "second") == 200, || server.stderr());
    assert_eq!((status(&server, "first"), server.metric(TOKENS_CURRENT)), (401, Some(1)));
}

#[test]
fn keys_are_read_again_when_they_change() {
    let folder = Folder::new(&document("1"));
    folder.write("key.pem", &pem(FIRST_KEY.secret));
    let server = Server::start(&folder, &["--key", "key.pem"]);
    let signed_with = || {
        let response = server.get("/document.json", &[]);
        response.header("signature").unwrap().split('=').next().unwrap().to_owned()
    };
    assert_eq!(signed_with(), FIRST_KEY.id());
    folder.write("key.pem", "-----BEGIN");
    server.until_stderr("`key.pem` is no Ed25519 private key");
    server.until_stderr("still using the keys that `key.pem` held before");
    assert_eq!((signed_with(), server.metric(KEYS_CURRENT)), (FIRST_KEY.id(), Some(0)));
    folder.write("key.pem", &pem(SECOND_KEY.secret));
    until(|| signed_with() == SECOND_KEY.id(), || server.stderr());
    assert_eq!(server.metric(KEYS_CURRENT), Some(1));
}

#[test]
fn where_there_are_no_secrets_nothing_is_said_of_them() {
    let folder = Folder::new(&document("1"));
    assert!(!start(&folder).get("/metrics", &[]).body.contains("secrets_current"));
}
