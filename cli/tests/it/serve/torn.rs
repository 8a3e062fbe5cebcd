//! A file that is written while it is read: no mix of two versions is ever served.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::start;
use crate::run::Folder;

/// A document with this letter from its beginning to its end, always of the same size: every mix of two is one as well.
fn filled(letter: char) -> String {
    let value = letter.to_string().repeat(30);
    let flag = |number: usize| {
        format!(r#""f{number:04}":{{"state":"ENABLED","variants":{{"on":"{value}"}},"defaultVariant":"on"}}"#)
    };
    format!(r#"{{"flags":{{{}}}}}"#, (0..8000).map(flag).collect::<Vec<_>>().join(","))
}

#[test]
fn no_mix_of_two_versions_is_served() {
    let versions = ['a', 'b'].map(filled);
    let folder = Folder::new(&versions[0]);
    let server = start(&folder);
    let path = folder.path("document.json");
    let done = AtomicBool::new(false);
    let (mut seen, mut changes, mut mixed) = (String::new(), 0, false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = File::options().write(true).open(&path).unwrap();
            let mut turn = 0;
            while !done.load(Ordering::Relaxed) {
                turn += 1;
                // In place and piece by piece, over some 20 ms, and then left alone for a while.
                for (number, piece) in versions[turn % 2].as_bytes().chunks(64 << 10).enumerate() {
                    file.write_all_at(piece, number as u64 * (64 << 10)).unwrap();
                    std::thread::sleep(Duration::from_micros(1500));
                }
                std::thread::sleep(Duration::from_millis(60));
            }
        });
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(4) && !mixed {
            let served = server.get("/document.json", &[]).body;
            mixed = !versions.contains(&served);
            changes += usize::from(served != seen);
            seen = served;
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(!mixed, "a mix of two versions");
    assert!(changes > 2, "{changes}: both versions are served in turn");
}
