//! Following the file, however it is changed.

use std::time::{Duration, Instant};

use super::client::Server;
use super::{document, start};
use crate::run::Folder;

/// Replaces the file as editors do.
pub(crate) fn rename(folder: &Folder, text: &str) {
    folder.write("new", text);
    std::fs::rename(folder.path("new"), folder.path("document.json")).unwrap();
}

#[test]
fn a_change_is_served_however_it_is_made() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    folder.write("document.json", &document("2"));
    server.until_served(&document("2"));
    rename(&folder, &document("3"));
    server.until_served(&document("3"));
    std::fs::remove_file(folder.path("document.json")).unwrap();
    assert_eq!(server.get("/document.json", &[]).body, document("3"), "gone for a moment");
    folder.write("document.json", &document("4"));
    server.until_served(&document("4"));
    // As a ConfigMap changes: the link that the file's folder is.
    std::fs::remove_file(folder.path("document.json")).unwrap();
    folder.write("five", &document("5"));
    std::os::unix::fs::symlink("five", folder.path("document.json")).unwrap();
    server.until_served(&document("5"));
    folder.write("six", &document("6"));
    std::os::unix::fs::symlink("six", folder.path("link")).unwrap();
    std::fs::rename(folder.path("link"), folder.path("document.json")).unwrap();
    server.until_served(&document("6"));
}

#[test]
fn what_proxies_would_refuse_as_older_is_not_served_where_versions_increase() {
    let folder = Folder::new(&document("10"));
    let server = Server::start(&folder, &["--versions", "increasing"]);
    rename(&folder, &document("9"));
    server.until_stderr("`9`, which is older than `10`");
    assert_eq!(server.get("/document.json", &[]).body, document("10"));
    rename(&folder, &document("11"));
    server.until_served(&document("11"));
}

#[test]
fn a_version_is_a_label_unless_somebody_says_otherwise() {
    let folder = Folder::new(&document("10"));
    let server = start(&folder);
    rename(&folder, &document("9"));
    server.until_served(&document("9"));
}

#[test]
fn changes_within_one_tick_of_the_file_systems_clock_are_seen() {
    let folder = Folder::new(&document("00"));
    let server = start(&folder);
    for number in 10..40 {
        // The same size each time, in the same file.
        folder.write("document.json", &document(&format!("{number}")));
    }
    server.until_served(&document("39"));
}

#[test]
fn a_change_is_visible_at_once() {
    let folder = Folder::new(&document("0"));
    let server = start(&folder);
    let mut delays: Vec<_> = (1..=15)
        .map(|number| {
            let etag = server.etag();
            let start = Instant::now();
            rename(&folder, &document(&number.to_string()));
            let waiting = [("if-none-match", etag.as_str()), ("prefer", "wait=20")];
            assert_eq!(server.get("/document.json", &waiting).status, 200);
            start.elapsed()
        })
        .collect();
    delays.sort();
    // About 10 ms on a quiet machine; tests run on busy ones.
    assert!(delays[delays.len() / 2] < Duration::from_millis(200), "{delays:?}");
}

#[test]
fn a_broken_document_is_not_served() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let etag = server.etag();
    rename(&folder, r#"{ "flags": { "a": {} } }"#);
    server.until_stderr("does not compile; still serving the last good document");
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
    // Looked at many times, told once.
    std::thread::sleep(Duration::from_millis(300));
    let stderr = server.stderr();
    assert_eq!(stderr.matches("does not compile").count(), 1, "{stderr}");
    assert!(stderr.contains("document.json:1:19: error: $.flags.a: `state` is missing"), "{stderr}");
    rename(&folder, "{");
    server.until_stderr("not JSON");
    rename(&folder, &document("1"));
    server.until_stderr("holds the document that is served again");
    assert_eq!(server.etag(), etag);
    rename(&folder, &document("2"));
    server.until_served(&document("2"));
}

#[test]
fn trouble_ends_however_the_file_comes_back() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    rename(&folder, "{");
    server.until_stderr("not JSON");
    // Gone for a moment, which is not worth a word.
    std::fs::remove_file(folder.path("document.json")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    folder.write("document.json", &document("1"));
    server.until_stderr("holds the document that is served again");
    server.until_metric("turquoise_origin_document_current", 1);
}

#[test]
fn a_file_that_stays_away_is_told_once() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    std::fs::remove_file(folder.path("document.json")).unwrap();
    server.until_stderr("no such file; still serving the last good document");
    std::fs::create_dir(folder.path("document.json")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
    assert_eq!(server.stderr().matches("cannot read").count(), 1, "{}", server.stderr());
    std::fs::remove_dir(folder.path("document.json")).unwrap();
    folder.write("document.json", &document("2"));
    server.until_served(&document("2"));
}

#[test]
fn writing_in_place_is_no_trouble() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    // Half of it first, as a slow writer does.
    let (text, start) = (document("2"), Instant::now());
    folder.write("document.json", &text[..text.len() / 2]);
    std::thread::sleep(Duration::from_millis(40));
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
    folder.write("document.json", &text);
    // On a machine that is too busy, half a document lies there for so long that it is rightly told.
    let quickly = start.elapsed() < Duration::from_millis(150);
    server.until_served(&text);
    assert!(!quickly || !server.stderr().contains("error"), "{}", server.stderr());
}

#[test]
fn a_flag_that_fails_alone_is_served_and_told() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let failing =
        document("2").replace("\"defaultVariant\"", "\"targeting\": { \"no_such\": [] }, \"defaultVariant\"");
    rename(&folder, &failing);
    server.until_served(&failing);
    server.until_stderr("`no_such` is no operator");
    server.until_stderr("1 flag failing");
}

/// A ConfigMap as the kubelet mounts it: the file is a link into `..data`, which is a link to a folder by date.
fn mount(folder: &Folder, date: &str, text: &str) {
    std::fs::create_dir(folder.path(date)).unwrap();
    folder.write(&format!("{date}/document.json"), text);
    std::os::unix::fs::symlink(date, folder.path("..data_tmp")).unwrap();
    std::fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
}

#[test]
fn a_config_map_changes_by_its_links() {
    let folder = Folder::new("");
    std::fs::remove_file(folder.path("document.json")).unwrap();
    mount(&folder, "..2026_11_21", &document("1"));
    std::os::unix::fs::symlink("..data/document.json", folder.path("document.json")).unwrap();
    let server = start(&folder);
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
    mount(&folder, "..2026_11_22", &document("2"));
    std::fs::remove_dir_all(folder.path("..2026_11_21")).unwrap();
    server.until_served(&document("2"));
    mount(&folder, "..2026_11_23", &document("3"));
    server.until_served(&document("3"));
    assert!(!server.stderr().contains("error"), "{}", server.stderr());
}

#[test]
fn what_is_half_written_is_never_served() {
    let folder = Folder::new(&document("1"));
    let server = start(&folder);
    let text = document("2");
    // An editor that hangs: emptied, then a part, and each of them for so long that it was looked at and told.
    folder.write("document.json", "");
    server.until_metric("turquoise_origin_document_refusals_total{reason=\"invalid\"}", 1);
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
    folder.write("document.json", &text[..text.len() - 1]);
    server.until_metric("turquoise_origin_document_refusals_total{reason=\"invalid\"}", 2);
    assert_eq!(server.get("/document.json", &[]).body, document("1"));
    assert_eq!(server.metric("turquoise_origin_document_changes_total"), Some(0));
    folder.write("document.json", &text);
    server.until_served(&text);
}
