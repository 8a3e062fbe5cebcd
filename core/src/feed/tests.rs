use proptest::prelude::*;

use super::*;
use crate::signature::{SignedFields, Validity};

fn document(fingerprint: u64, generation: u64, length: usize) -> DocumentRecord {
    DocumentRecord { generation, fingerprint, length, ..DocumentRecord::default() }
}

/// Reserves a place for a document and brings it into force.
fn publish(record: &mut SourceRecord, document: DocumentRecord) -> Option<Place> {
    let place = record.reserve(piece_count(document.length)).unwrap().number;
    record.publish(DocumentRecord { place, ..document })
}

#[test]
fn a_record_reads_as_it_was_written() {
    let full = DocumentRecord {
        generation: 3,
        fingerprint: u64::MAX,
        confirmed: 1_790_000_000_000,
        length: 70_000,
        place: 2,
        etag: Some("\"1\n2\"".to_owned()),
        provenance: Provenance {
            trust: 9,
            fields: SignedFields {
                digest: "sha-256=:AA==:".to_owned(),
                audience: String::new(),
                input: "k=()".to_owned(),
                signature: "k=:AA==:".to_owned(),
            },
            validity: Some(Validity { created: 5, expires: 10 }),
        },
        version: Some("v\n1".to_owned()),
    };
    let mut record = SourceRecord::default();
    record.alternated = Some(5);
    publish(&mut record, document(1, 1, 10));
    publish(&mut record, full);
    record.reserve(4);
    assert_eq!(SourceRecord::decode(&record.encode()), record);
    assert_eq!(SourceRecord::decode(&SourceRecord::default().encode()), SourceRecord::default());
}

#[test]
fn a_field_that_is_not_known_is_skipped() {
    let mut record = SourceRecord::default();
    publish(&mut record, document(1, 1, 10));
    let mut bytes = record.encode();
    bytes.extend([200, 2, 0, 0, 0, 7, 7]);
    assert_eq!(SourceRecord::decode(&bytes), record);
}

#[test]
fn bytes_that_break_off_are_no_record() {
    let mut record = SourceRecord::default();
    publish(&mut record, document(1, 1, 10));
    let bytes = record.encode();
    assert_eq!(SourceRecord::decode(&bytes[..bytes.len() - 1]), SourceRecord::default());
}

#[test]
fn a_document_larger_than_any_is_not_believed() {
    let mut record = SourceRecord::default();
    publish(&mut record, document(1, 1, usize::MAX));
    assert_eq!(SourceRecord::decode(&record.encode()).current, None);
}

#[test]
fn those_who_publish_at_the_same_time_write_to_different_places() {
    let mut record = SourceRecord::default();
    publish(&mut record, document(1, 1, 10));
    let [one, other] = [1, 1].map(|pieces| record.reserve(pieces).unwrap().number);
    let places = [record.current.as_ref().unwrap().place, one, other];
    assert!(places[0] != one && places[0] != other && one != other, "{places:?}");
}

#[test]
fn places_are_used_again_once_they_are_empty() {
    let mut record = SourceRecord::default();
    let mut numbers = std::collections::BTreeSet::new();
    for generation in 1..100 {
        let retired = publish(&mut record, document(generation, generation, PIECE_BYTES + 1));
        numbers.insert(record.current.as_ref().unwrap().place);
        let Some(retired) = retired else { continue };
        assert_eq!(retired.pieces, 2);
        let fresh = record.clone().reserve(1).unwrap().number;
        assert_ne!(fresh, retired.number, "it is not empty yet");
        record.release(retired.number);
    }
    assert_eq!(numbers.len(), 3);
    assert_eq!(record.places().count(), 2, "of this document and the one before");
}

#[test]
fn a_place_whose_writer_died_is_free_again_after_some_rounds() {
    let mut record = SourceRecord::default();
    let place = record.reserve(7).unwrap().number;
    assert!(record.next_round().is_empty() && record.next_round().is_empty());
    let left = record.next_round();
    assert_eq!(left.iter().map(|place| (place.number, place.pieces)).collect::<Vec<_>>(), [(place, 7)]);
    assert_ne!(record.reserve(1).unwrap().number, place, "it is not empty yet");
    record.release(place);
    assert_eq!(record.reserve(1).unwrap().number, place);
}

#[test]
fn a_document_that_is_withdrawn_gives_way_to_the_one_before() {
    let mut record = SourceRecord::default();
    publish(&mut record, document(1, 1, 10));
    assert_eq!(record.withdraw(1), None, "there is nothing to go back to");
    publish(&mut record, document(2, 2, 10));
    assert_eq!(record.withdraw(1), None, "it is not in force");
    assert!(record.withdraw(2).is_some());
    let current = record.current.clone().unwrap();
    assert_eq!((current.fingerprint, current.generation), (1, 3));
    assert_eq!(record.withdraw(1), None);
}

const NOW: u64 = 1_790_000_000_000;

#[test]
fn a_document_over_which_a_vm_died_is_not_tried_again() {
    let mut trials = Trials::default();
    assert_eq!(trials.begin(7, 1, NOW), Verdict::Free);
    assert_eq!(trials.begin(7, 2, NOW + 10), Verdict::Free, "others compile it at the same time");
    trials.end(2);
    assert_eq!(trials.begin(7, 3, NOW + 500), Verdict::Wait);
    assert_eq!(trials.begin(7, 3, NOW + 1000), Verdict::Fatal);
    let mut trials = Trials::decode(&trials.encode());
    for later in [2000, 3_600_000, 0] {
        assert_eq!(trials.begin(7, 4, NOW + later), Verdict::Fatal);
    }
    assert_eq!(trials.begin(8, 4, NOW + 2000), Verdict::Free, "another document");
}

#[test]
fn a_vm_that_was_only_slow_takes_its_note_back() {
    let mut trials = Trials::default();
    trials.begin(7, 1, NOW);
    assert_eq!(trials.begin(7, 2, NOW + 5000), Verdict::Fatal);
    trials.end(1);
    assert_eq!(trials.begin(7, 2, NOW + 5001), Verdict::Free);
}

#[test]
fn deaths_are_remembered_whatever_happens_to_the_clock_and_in_a_bounded_number() {
    let mut trials = Trials::default();
    trials.begin(7, 1, NOW);
    assert_eq!(
        trials.begin(7, 2, NOW - 3_600_000),
        Verdict::Fatal,
        "a note of the future was left behind, too"
    );
    for vm in 0..1000 {
        trials.begin(vm, vm, NOW + vm * 2000);
    }
    assert!(trials.encode().len() < 5000, "{}", trials.encode().len());
    assert_eq!(trials.verdict(990, 5000, NOW), Verdict::Fatal);
}

#[test]
fn owners_have_numbers_of_their_own_and_keep_them() {
    let mut registry = Registry::default();
    let (a, b) = (Owner::Configuration(7), Owner::Source(7));
    let (first, second) = (registry.touch(a), registry.touch(b));
    assert_ne!(first, second);
    let mut registry = Registry::decode(&registry.encode());
    assert_eq!((registry.touch(b), registry.touch(a)), (second, first));
}

#[test]
fn who_is_gone_is_swept_and_who_is_there_never_is() {
    let mut registry = Registry::default();
    let (gone, there) = (Owner::Configuration(1), Owner::Source(2));
    let (slot, _) = (registry.touch(gone), registry.touch(there));
    let mut now = NOW;
    let mut swept = Vec::new();
    // The clock is set back and forth, and looked at far more often than rounds pass.
    for step in 0..2000_u64 {
        now = if step % 100 == 50 { now - 40_000_000 } else { now + 20_000 };
        now = if step % 100 == 70 { now + 90_000_000 } else { now };
        registry.touch(there);
        for found in registry.next_round(now).unwrap_or_default() {
            assert_eq!((found.owner, found.slot), (gone, slot));
            assert_ne!(registry.clone().touch(Owner::Source(99)), slot, "it is not empty yet");
            swept.push(step);
            registry.remove(slot);
        }
    }
    assert_eq!(swept.len(), 1, "{swept:?}");
    assert!(swept[0] >= 29, "ten minutes of silence at least: {swept:?}");
    assert_eq!(registry.touch(Owner::Source(100)), slot, "its number is used again");
}

#[test]
fn who_comes_back_while_he_is_swept_gets_another_number() {
    let mut registry = Registry::default();
    let slot = registry.touch(Owner::Source(1));
    let mut now = NOW;
    while registry.next_round(now).unwrap_or_default().is_empty() {
        now += 60_000;
    }
    let again = registry.touch(Owner::Source(1));
    assert_ne!(again, slot);
    registry.remove(slot);
    assert_eq!(registry.touch(Owner::Source(1)), again);
}

#[test]
fn members_are_forgotten_even_when_the_clock_was_set_back() {
    let mut members = Members::default();
    members.join(1, NOW);
    members.join(2, NOW + 1000);
    assert_eq!(members.queues().collect::<Vec<_>>(), [1, 2]);
    members.join(3, NOW - 3_600_000);
    assert_eq!(Members::decode(&members.encode()).queues().collect::<Vec<_>>(), [3]);
}

#[test]
fn a_lease_of_the_future_is_nobodys() {
    let lease = Lease::decode(&Lease::new(7, NOW).encode());
    assert!(lease.holds(NOW) && lease.holds(NOW + LEASE_MILLISECONDS - 1));
    assert!(!lease.holds(NOW + LEASE_MILLISECONDS) && !lease.holds(NOW - 1000));
    let idle = Idle::decode(&Idle::new(7, 1, NOW).encode());
    assert!(idle.is_there(NOW + 1) && !idle.is_there(NOW + 4000) && !idle.is_there(NOW - 4000));
}

#[test]
fn a_bucket_bounds_the_rate_and_lets_a_few_pass_at_once() {
    let mut bucket = Bucket::default();
    let mut asked = |from: u64, to: u64| (from..to).filter(|now| bucket.take(*now, 50).is_ok()).count();
    assert_eq!(asked(NOW, NOW + 10), 10, "at once");
    assert!(asked(NOW + 10, NOW + 2000) <= 52);
    assert_eq!(asked(NOW + 2000, NOW + 12_000), 200);
    assert_eq!(asked(NOW, NOW + 10_000), 199, "after the clock was set back");
    assert_eq!(bucket.take(NOW + 10_000, 50).and(bucket.take(NOW + 10_000, 50)), Err(50));
}

#[test]
fn to_and_fro_is_two_documents_by_turns() {
    let other = |documents: &[u64], apart: u64| {
        let mut alternation = Alternation::default();
        let times = (0..).map(|index| NOW + index * apart);
        documents
            .iter()
            .zip(times)
            .map(|(document, now)| alternation.came(*document, now, 60_000))
            .last()
            .unwrap()
    };
    assert_eq!(other(&[1, 2, 1, 2], 100), Some(Some(1)));
    assert_eq!(other(&[1, 1, 2, 2, 1, 2], 100), Some(Some(1)));
    assert_eq!(other(&[1, 2, 1], 100), Some(None), "a release that was taken back");
    assert_eq!(other(&[1, 2, 3, 1], 100), Some(None));
    assert_eq!(other(&[1, 2, 1, 2, 3], 100), Some(None));
    assert_eq!(other(&[1, 2, 1, 2], 30_000), Some(None), "days of work");
    assert_eq!(other(&[1, 2, 1, 2, 2], 100), None, "it is the same one again, which says nothing");
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300, byte: u8) {
        let mut record = SourceRecord::default();
        publish(&mut record, document(1, 1, 10));
        publish(&mut record, document(2, 2, 10));
        let mut bent = record.encode();
        if let Some(here) = bent.get_mut(at) {
            *here = byte;
        }
        for bytes in [&bytes, &bent] {
            let mut source = SourceRecord::decode(bytes);
            prop_assert_eq!(&SourceRecord::decode(&source.encode()), &source);
            prop_assert!(source.places().count() < 100);
            source.reserve(1);
            source.next_round();
            source.withdraw(2);
            let mut trials = Trials::decode(bytes);
            trials.begin(1, 2, NOW);
            let mut registry = Registry::decode(bytes);
            registry.touch(Owner::Source(1));
            registry.next_round(NOW);
            let mut members = Members::decode(bytes);
            members.join(1, NOW);
            Lease::decode(bytes).holds(NOW);
            Idle::decode(bytes).is_there(NOW);
            LogRecord::decode(bytes).wrong("x", NOW);
        }
    }
}
