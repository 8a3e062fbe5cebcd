//! What compiling takes of memory, counted by this binary's own allocator: bounded whatever a document is made of.
//! `cargo test -p turquoise-core --test memory -- --nocapture` prints the figures.
#![expect(unsafe_code, reason = "an allocator can only be replaced by an unsafe impl")]

mod greedy;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use serde_json::json;
use turquoise_core::Snapshot;

thread_local! {
    /// Bytes of this thread that are alive, and the most that were.
    static ALIVE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(bytes: isize) {
    let _ = ALIVE.try_with(|alive| {
        let (now, most) = alive.get();
        let now = now.saturating_add(bytes);
        alive.set((now, most.max(now)));
    });
}

// SAFETY: every call is passed on to the system's allocator as it came; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that stay alive for what `make` returns, and the most that were alive while it was made.
fn weigh<T>(make: impl FnOnce() -> T) -> (T, usize, usize) {
    let (before, _) = ALIVE.get();
    ALIVE.set((before, before));
    let made = make();
    let (after, most) = ALIVE.get();
    (made, (after - before).max(0).cast_unsigned(), (most - before).max(0).cast_unsigned())
}

/// Compiles, prints, and returns the most bytes that were alive, and why the document was refused.
fn compile(name: &str, document: &str) -> (usize, Option<String>) {
    let (result, alive, most) = weigh(|| Snapshot::compile(document.as_bytes()));
    let refused = result.as_ref().err().map(ToString::to_string);
    let times = |bytes: usize| bytes as f64 / document.len() as f64;
    println!(
        "{name}, {} bytes: {:.1} times alive, {:.1} times at most; {}",
        document.len(),
        times(alive),
        times(most),
        refused.as_deref().map_or("accepted".to_owned(), |error| error.chars().take(120).collect())
    );
    (most, refused)
}

/// What a document of so many bytes may take: what is stated, half as much again while lists move, and problems.
fn most_bytes(document: usize) -> usize {
    (64 * document + (4 << 20)).min(256 << 20) / 2 * 3 + (2 << 20)
}

#[test]
fn the_scales_weigh() {
    let (kept, alive, most) = weigh(|| {
        drop(std::hint::black_box(vec![0u8; 5_000]));
        vec![0u8; 1_000]
    });
    assert_eq!((kept.len(), alive, most), (1_000, 1_000, 5_000));
}

#[test]
fn what_a_document_takes_is_bounded_whatever_it_is_made_of() {
    for bytes in [1 << 16, 1 << 18] {
        for (name, document) in greedy::documents(bytes) {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&document).is_ok(), "{name}");
            let (most, _) = compile(name, &document);
            assert!(most <= most_bytes(document.len()), "{name}: {most} bytes for {}", document.len());
        }
    }
}

/// The document that asked for 5 GB when each flag had the flag set's metadata.
#[test]
fn half_a_megabyte_of_metadata_with_ten_thousand_flags_is_little() {
    let flag = |number: usize| json!({ "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on", "metadata": { "owner": number } });
    let flags: serde_json::Map<_, _> =
        (0..10_000).map(|number| (format!("f{number}"), flag(number))).collect();
    let document = json!({ "metadata": { "text": "x".repeat(500_000) }, "flags": flags }).to_string();
    let (most, refused) = compile("500 KB of metadata and 10,000 flags", &document);
    assert_eq!(refused, None);
    assert!(most < 8 * document.len(), "{most}");
}

#[test]
fn a_document_past_the_ceiling_is_refused_where_it_passes_it() {
    let numbers = vec!["0"; 4 << 20].join(",");
    let document = format!(
        r#"{{ "flags": {{ "small": {{ "state": "ENABLED", "variants": {{}} }},
                         "large": {{ "state": "ENABLED", "variants": {{ "v": [{numbers}] }} }} }} }}"#
    );
    let (most, refused) = compile("a value of 8 MB", &document);
    let refused = refused.expect("it takes more than 256 MiB");
    assert!(
        refused.starts_with("$.flags.large (line 2, column 35): compiling up to here takes"),
        "{refused}"
    );
    assert!(
        refused.contains("may take 268435456 (64 times its size and 4194304 more, at most 268435456)"),
        "{refused}"
    );
    assert!(most < 1 << 20, "it is refused before it is read: {most}");
}
