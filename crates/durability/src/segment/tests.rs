//! Batches, positions, failures.

use super::*;

const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
const SELECT_0: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

fn segment(policy: FsyncPolicy) -> Segment {
    Segment::resume(100, policy, 5000)
}

/// Writes everything out; returns the bytes.
fn drain(segment: &mut Segment, now_ms: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(bytes) = segment.poll_write(now_ms).map(<[u8]>::to_vec) {
        segment.handle_written(bytes.len());
        out.extend_from_slice(&bytes);
    }
    out
}

#[test]
fn select_is_written_when_the_database_changes() {
    let mut segment = segment(FsyncPolicy::No);
    for db in [0, 0, 15, 0] {
        segment.record(db, SET);
    }
    let text = String::from_utf8(drain(&mut segment, 0)).unwrap();
    let selects: Vec<_> = text.match_indices("SELECT").collect();
    assert_eq!(selects.len(), 3);
    assert!(text.contains("SELECT\r\n$2\r\n15\r\n"));
    // The next batch goes on in the same database.
    segment.record(0, SET);
    assert_eq!(drain(&mut segment, 0), SET);
}

#[test]
fn positions_follow_the_write() {
    let mut segment = segment(FsyncPolicy::EverySecond);
    assert!(segment.poll_write(5000).is_none());
    segment.record(0, SET);
    let end = 100 + (SELECT_0.len() + SET.len()) as u64;
    assert_eq!((segment.appended(), segment.written(), segment.synced()), (end, 100, 100));
    let bytes = segment.poll_write(5000).unwrap().len();
    segment.handle_written(7);
    assert_eq!((segment.written(), segment.write_position()), (100, 107));
    assert_eq!(segment.poll_write(5000).unwrap().len(), bytes - 7);
    // What comes meanwhile joins the next batch.
    segment.record(0, SET);
    segment.handle_written(bytes - 7);
    assert_eq!((segment.written(), segment.acknowledged()), (end, end));
    assert_eq!(segment.poll_write(5000), Some(SET));
}

#[test]
fn always_acknowledges_what_is_synced() {
    let mut segment = segment(FsyncPolicy::Always);
    segment.record(0, SET);
    assert_eq!(segment.poll_sync(5000), None, "nothing is written yet");
    drain(&mut segment, 5000);
    let position = segment.poll_sync(5000).unwrap();
    assert_eq!((position, segment.acknowledged()), (segment.written(), 100));
    assert_eq!(segment.poll_sync(9000), None, "one is in flight");
    segment.record(0, SET);
    drain(&mut segment, 5001);
    segment.handle_synced(position);
    assert_eq!(segment.acknowledged(), position);
    assert_eq!(segment.poll_sync(5001), Some(segment.written()));
}

#[test]
fn everysec_syncs_once_a_second_and_sleeps_when_idle() {
    let mut segment = segment(FsyncPolicy::EverySecond);
    assert_eq!(segment.next_wake_ms(), None);
    segment.record(0, SET);
    drain(&mut segment, 5100);
    assert_eq!((segment.poll_sync(5999), segment.next_wake_ms()), (None, Some(6000)));
    let position = segment.poll_sync(6000).unwrap();
    assert!(segment.is_syncing());
    assert_eq!(segment.next_wake_ms(), None);
    segment.handle_synced(position);
    assert_eq!((segment.synced(), segment.next_wake_ms()), (segment.written(), None));
    assert_eq!(segment.poll_sync(99_000), None, "nothing is unsynced");
}

#[test]
fn writes_that_overtake_a_slow_sync_are_counted() {
    let mut segment = segment(FsyncPolicy::EverySecond);
    segment.record(0, SET);
    drain(&mut segment, 6000);
    segment.poll_sync(6000).unwrap();
    for now_ms in [7999, 8000, 8001] {
        segment.record(0, SET);
        drain(&mut segment, now_ms);
    }
    assert_eq!(segment.delayed_syncs(), 2);
}

#[test]
fn no_never_syncs_unless_told_to() {
    let mut segment = segment(FsyncPolicy::No);
    segment.record(0, SET);
    drain(&mut segment, 6000);
    assert_eq!((segment.poll_sync(1 << 40), segment.next_wake_ms()), (None, None));
    segment.sync_soon();
    let position = segment.poll_sync(6000).unwrap();
    segment.handle_synced(position);
    segment.record(0, SET);
    drain(&mut segment, 6000);
    assert_eq!(segment.synced(), position);
}

#[test]
fn a_failed_write_is_cut_off_and_tried_again_each_second() {
    let mut segment = segment(FsyncPolicy::EverySecond);
    segment.record(0, SET);
    let batch = segment.poll_write(6000).unwrap().to_vec();
    segment.handle_written(5);
    segment.handle_write_error(&io::Error::from_raw_os_error(28), 6000);
    let refusal = segment.refusal().unwrap();
    assert_eq!(refusal.failure, Failure::Write);
    assert_eq!(refusal.reason, "No space left on device");
    assert_eq!(segment.poll_truncate(), Some(100));
    segment.handle_truncated(&Ok(()));
    assert_eq!(segment.poll_truncate(), None);
    assert_eq!(segment.poll_write(6999), None);
    assert_eq!(segment.next_wake_ms(), Some(7000));
    // Records of commands that were already under way are kept.
    segment.record(0, SET);
    assert_eq!(segment.poll_write(7000), Some(&batch[..]));
    assert_eq!(segment.write_position(), 100);
    segment.handle_written(batch.len());
    assert!(segment.refusal().is_none());
    assert_eq!(segment.poll_write(7000), Some(SET));
}

#[test]
fn where_the_cut_fails_the_batch_goes_on_behind_what_arrived() {
    let mut segment = segment(FsyncPolicy::EverySecond);
    segment.record(0, SET);
    let batch = segment.poll_write(6000).unwrap().to_vec();
    segment.handle_written(5);
    segment.handle_write_error(&io::Error::from_raw_os_error(28), 6000);
    segment.handle_truncated(&Err(io::Error::from_raw_os_error(5)));
    assert_eq!(segment.poll_write(7000), Some(&batch[5..]));
    assert_eq!(segment.write_position(), 105);
}

#[test]
fn a_failed_sync_is_final() {
    let mut segment = segment(FsyncPolicy::Always);
    segment.record(0, SET);
    drain(&mut segment, 6000);
    segment.poll_sync(6000).unwrap();
    segment.handle_sync_error(&io::Error::from_raw_os_error(5));
    assert_eq!(segment.refusal().unwrap().failure, Failure::Sync);
    let appended = segment.appended();
    segment.record(0, SET);
    let behind = segment.appended();
    assert!(behind > appended);
    assert_eq!(segment.poll_write(60_000), None);
    // What will never be written takes no memory, and counts all the same.
    assert_eq!((segment.buffered_bytes(), segment.appended()), (0, behind));
    assert_eq!(segment.poll_sync(60_000), None);
    assert_eq!(segment.next_wake_ms(), None);
    assert_eq!(segment.acknowledged(), 100);
    segment.handle_write_error(&io::Error::from_raw_os_error(28), 60_000);
    assert_eq!(segment.refusal().unwrap().failure, Failure::Sync, "poison stays");
}

#[test]
fn parts_and_units_nest_in_this_order() {
    let mut segment = segment(FsyncPolicy::No);
    let id = TransactionId::new(0, 9);
    let start = segment.begin_part(id, &[0, 2].into_iter().collect());
    segment.begin_unit();
    segment.record(0, SET);
    segment.end_unit();
    let end = segment.end_part();
    let text = String::from_utf8(drain(&mut segment, 0)).unwrap();
    assert!(text.starts_with("#TXN 0-9 5\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nSELECT"), "{text}");
    assert!(text.ends_with("*1\r\n$4\r\nEXEC\r\n#END 0-9\r\n"), "{text}");
    assert_eq!((start, end), (100, 100 + text.len() as u64));
}

#[test]
#[should_panic(expected = "end within their tick")]
fn an_open_part_is_not_written() {
    let mut segment = segment(FsyncPolicy::No);
    segment.begin_part(TransactionId::new(0, 9), &Participants::new());
    segment.poll_write(0);
}

#[test]
fn the_steady_state_allocates_nothing() {
    let mut segment = segment(FsyncPolicy::No);
    let before = segment.heap_bytes();
    for now_ms in 0..1000 {
        for _ in 0..100 {
            segment.record(0, SET);
        }
        drain(&mut segment, now_ms);
    }
    assert_eq!(segment.heap_bytes(), before);
}

#[test]
fn a_burst_gives_its_memory_back() {
    let mut segment = segment(FsyncPolicy::No);
    let value = vec![b'x'; 4 * BUFFER_BYTES_KEPT];
    segment.record_arguments(0, &[b"SET", b"a", &value]);
    drain(&mut segment, 0);
    assert!(segment.heap_bytes() <= BUFFER_BYTES_KEPT, "{}", segment.heap_bytes());
}
