//! What a snapshot weighs, by [`Snapshot::size`] and by an allocator that counts what is alive: under 300 bytes for a
//! flag without a rule. `cargo test -p turquoise-benches --test memory -- --nocapture` prints the figures.
#![expect(unsafe_code, reason = "an allocator can only be replaced by an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use turquoise_benches::documents::{mixed_flags, routes, simple_flags};
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

#[test]
fn the_scales_weigh() {
    let (kept, alive, most) = weigh(|| {
        drop(std::hint::black_box(vec![0u8; 5_000]));
        vec![0u8; 1_000]
    });
    assert_eq!((kept.len(), alive, most), (1_000, 1_000, 5_000));
}

/// Compiles, prints, and returns the bytes for each of `count`.
fn bytes_each(name: &str, document: &str, count: usize) -> usize {
    let (snapshot, alive, most) = weigh(|| Snapshot::compile(document.as_bytes()).unwrap());
    let size = snapshot.size();
    println!(
        "{name}: size() {}, alive {}, most while compiling {} bytes each",
        size / count,
        alive / count,
        most / count
    );
    // What the size leaves out: what constants and patterns hold themselves, and the snapshot's own struct.
    assert!(size <= alive + size_of::<Snapshot>(), "{name}: {size} of {alive} bytes alive");
    assert!(alive <= size + size / 4 + 4096, "{name}: {size} of {alive} bytes alive");
    alive / count
}

#[test]
fn a_simple_flag_takes_less_than_300_bytes() {
    let each = bytes_each("10,000 simple flags", &simple_flags(10_000), 10_000);
    assert!(each < 300, "{each} bytes");
}

#[test]
fn flags_with_rules_and_routes_stay_small() {
    let flag = bytes_each("10,000 flags of all kinds", &mixed_flags(10_000), 10_000);
    assert!(flag < 600, "{flag} bytes");
    let route = bytes_each("2,000 routes", &routes(2_000), 2_000);
    assert!(route < 400, "{route} bytes");
}
