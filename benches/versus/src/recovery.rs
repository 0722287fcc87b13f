//! Recovery: ten million keys of 16 bytes with 32-byte values, read back from the log at start.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::report::Report;
use crate::server::{Kind, Server, Setting};
use crate::wire::Reply;

const KEYS: u64 = 10_000_000;

/// >= 1.5 M keys a second on two shards. Redis 8 reads a tenth of the keys, for comparison.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    for (kind, keys) in
        [(Kind::Bobbin, arguments.amount(KEYS)), (Kind::Redis8, arguments.amount(KEYS) / 10)]
    {
        let setting =
            Setting { shards: 2, log: true, ..Setting::plain(kind, &arguments.both_cpus) };
        let mut server = Server::start(&setting)?;
        server.wire()?.fill(0..keys, 32)?;
        let seconds = server.restart()?.as_secs_f64();
        let found = server.wire()?.command(&["DBSIZE"])?;
        if found != Reply::Integer(keys.cast_signed()) {
            return Err(Failure::new(
                server.label(),
                format_args!("{found:?} keys of {keys} after the restart"),
            ));
        }
        let speed = keys as f64 / seconds / 1e6;
        report.row("recovery from the log", kind.name(), "million_keys_per_s", speed);
        if kind == Kind::Bobbin {
            report.at_least("3: recovery on 2 shards, million keys per second", speed, 1.5);
        }
    }
    Ok(())
}
