//! A second of each fuzz body in every `cargo test`, from a seed that is always the same: what a fuzzer found once, or
//! would find at once, fails here without one. The long runs are those of `fuzz/`, and what they learned, in few small
//! files, is in `fuzz/seeds`.

use std::path::Path;
use std::time::{Duration, Instant};

use turquoise_core::{Severity, fuzzing};

type Body = fn(&[u8]);

/// Every target of `fuzz/`, with its body.
const TARGETS: [(&str, Body); 6] = [
    ("document", fuzzing::document),
    ("document_and_context", fuzzing::document_and_context),
    ("ofrep", fuzzing::ofrep),
    ("configuration", fuzzing::configuration),
    ("signature", fuzzing::signature),
    ("feed", fuzzing::feed),
];

/// How long each body runs.
const LONG: Duration = Duration::from_secs(1);

/// How often it runs at least, however busy the machine is. That a run takes too long is for libFuzzer to find.
const FEWEST: u32 = 200;

/// Xorshift64*: enough to be varied, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most);
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Documents to begin with: one of everything that a document may hold.
const SEEDS: [&str; 3] = [
    include_str!("data/everything.json"),
    r#"{"flags":[{"key":"a","state":"ENABLED","variants":{"on":1},"defaultVariant":"on"}],"metadata":{"v":1.5}}"#,
    r#"{"flags":{}}"#,
];

/// Changes a text as fuzzers do: a byte, a cut, a repetition, a piece of another place.
fn mutate(random: &mut Random, document: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        let (at, len) = (random.below(document.len()), random.below(16));
        let end = (at + len).min(document.len());
        match random.below(5) {
            0 => document.truncate(if random.below(8) == 0 { at } else { document.len() }),
            1 => drop(document.drain(at..end)),
            2 => {
                let piece = document[at..end].to_vec();
                let to = random.below(document.len());
                document.splice(to..to, piece);
            }
            3 => {
                let token = b"{}[],:\"0e-\\\xff"[random.below(12)];
                if let Some(byte) = document.get_mut(at) {
                    *byte = token;
                }
            }
            _ => {
                if let Some(byte) = document.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
        }
    }
}

/// Runs `body` until the time is over; the input that it panicked on is printed.
fn drive(mut body: impl FnMut(&mut Random) -> Vec<u8>, run: Body) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let start = Instant::now();
    let mut runs = 0u32;
    while start.elapsed() < LONG || runs < FEWEST {
        let bytes = body(&mut random);
        let result = std::panic::catch_unwind(|| run(&bytes));
        assert!(result.is_ok(), "run {runs} failed, with these bytes: {}", bytes.escape_ascii());
        runs += 1;
    }
}

/// The seeds of a target, in order.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Drives a target with its seeds, changed as fuzzers do.
fn drive_seeds(target: &str) {
    let seeds = seeds(target);
    let (_, run) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let changed = |random: &mut Random| {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(random, &mut bytes);
        bytes
    };
    drive(changed, run);
}

#[test]
fn every_seed_of_every_target_holds() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    let targets: Vec<_> =
        manifest.split("[[bin]]\nname = \"").skip(1).map(|bin| &bin[..bin.find('"').unwrap()]).collect();
    assert_eq!(targets, TARGETS.map(|(name, _)| name), "each target runs here, too");
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        seeds.iter().for_each(|seed| run(seed));
    }
}

#[test]
fn ofrep_requests() {
    drive_seeds("ofrep");
}

#[test]
fn signatures() {
    drive_seeds("signature");
}

#[test]
fn records_that_vms_share() {
    drive(|random| random.bytes(300), fuzzing::feed);
    drive_seeds("feed");
}

#[test]
fn configurations() {
    drive_seeds("configuration");
}

#[test]
fn documents() {
    let mutated = |random: &mut Random| {
        let mut document = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        mutate(random, &mut document);
        document
    };
    drive(mutated, fuzzing::document);
}

#[test]
fn documents_and_contexts() {
    drive(|random| random.bytes(400), fuzzing::document_and_context);
}

#[test]
fn the_seeds_are_documents() {
    for seed in SEEDS {
        let snapshot = turquoise_core::Snapshot::compile(seed.as_bytes()).unwrap();
        let failing = snapshot.problems().iter().find(|problem| problem.severity != Severity::Warning);
        assert_eq!(failing, None, "nothing in it fails");
    }
}

#[test]
fn every_operator_is_reached() {
    let mut random = Random(1);
    let documents: String =
        (0..2_000).map(|_| fuzzing::Choices::new(&random.bytes(400)).document().to_string()).collect();
    let everything: serde_json::Value = serde_json::from_str(SEEDS[0]).unwrap();
    for operator in everything["metadata"]["operators"].as_str().unwrap().split(' ') {
        assert!(documents.contains(&format!("{{\"{operator}\":")), "{operator} is never made");
    }
}

#[test]
fn hostile_documents_go_through_everything() {
    for (_, write) in fuzzing::HOSTILE {
        fuzzing::document(write(5_000).as_bytes());
    }
}
