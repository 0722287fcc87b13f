//! Bytes per key: a million 16-byte keys with values of 32 and of 256 bytes of text, used (INFO)
//! and resident (/proc).

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::report::Report;
use crate::server::{Kind, Server, Setting};

const KEYS: u64 = 1_000_000;
const KEY_BYTES: usize = 16;

/// <= 72 used and 80 resident for 32-byte values, <= 340 and 350 for 256-byte ones.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    for (value_bytes, used_max, resident_max) in [(32, 72.0, 80.0), (256, 340.0, 350.0)] {
        let scenario = format!("1 M keys of 16 + {value_bytes} B");
        for kind in Kind::ALL {
            let server = Server::start(&Setting::plain(kind, &arguments.server_cpus))?;
            let mut wire = server.wire()?;
            let (used_before, resident_before) =
                (wire.info("memory", "used_memory")?, server.resident_bytes()?);
            wire.fill(0..KEYS, value_bytes)?;
            let used = per_key(wire.info("memory", "used_memory")?, used_before);
            let resident = per_key(server.resident_bytes()?, resident_before);
            report.row(&scenario, &server.label(), "used_bytes_per_key", used);
            report.row(&scenario, &server.label(), "resident_bytes_per_key", resident);
            if kind != Kind::Bobbin {
                continue;
            }
            report.at_most(
                format!("3: {scenario}, resident bytes per key"),
                resident,
                resident_max,
            );
            // a server that reports less than its clients gave it does not count all its memory
            if used < (KEY_BYTES + value_bytes) as f64 {
                let why = format!("used_memory grew by {used:.1} bytes a key, less than the data");
                report.broken(&scenario, &Failure::new("used bytes per key", why));
            } else {
                report.at_most(format!("3: {scenario}, used bytes per key"), used, used_max);
            }
        }
    }
    Ok(())
}

fn per_key(after: u64, before: u64) -> f64 {
    (after as f64 - before as f64) / KEYS as f64
}
