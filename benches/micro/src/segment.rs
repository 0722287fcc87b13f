//! Gathering records for the log, and handing them out once a tick.

use std::hint::black_box;

use durability::{FsyncPolicy, Segment};

use crate::counted::{OPERATIONS, Scenario, counted};
use crate::keys::command_set;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "segment/record", what: "a SET, 100 to a tick", run: record },
    Scenario { name: "segment/tick", what: "a SET and the write of its tick", run: tick },
];

fn record() {
    ticks(100);
}

fn tick() {
    ticks(1);
}

/// Records [`OPERATIONS`] commands, so many a tick; every write succeeds whole.
fn ticks(records: usize) {
    let command = command_set();
    let mut segment = Segment::resume(0, FsyncPolicy::No, 0);
    // the SELECT in front of the first record is not what is to be counted
    segment.record(0, &command);
    let first = segment.poll_write(0).map_or(0, <[u8]>::len);
    segment.handle_written(first);
    counted(&mut || {
        for _ in 0..OPERATIONS / records {
            for _ in 0..records {
                segment.record(0, black_box(&command));
            }
            let bytes = segment.poll_write(0).map_or(0, <[u8]>::len);
            segment.handle_written(bytes);
        }
    });
    assert_eq!(segment.write_position(), (first + OPERATIONS * command.len()) as u64);
}
