//! The command line.
//!
//! `bobbin [file] [--name value ...]` is read as redis-server reads it (crate `config`); `--help`,
//! `--version` and `--check-system` are our own and stand alone.

use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use config::Invocation;

/// What the command line asks for.
pub(crate) enum Asked {
    /// To run the server.
    Serve(Invocation),
    /// To say whether this machine can run it.
    CheckSystem,
    /// It was answered here.
    Answered(ExitCode),
}

/// Reads the process's arguments.
pub(crate) fn read() -> Asked {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let own = ["--help", "-h", "--version", "-v", "-V", "--check-system"];
    let asks_us = arguments.first().is_some_and(|it| own.iter().any(|word| it == word));
    if !asks_us {
        let bytes: Vec<Vec<u8>> = arguments.into_iter().map(OsStringExt::into_vec).collect();
        return Asked::Serve(Invocation::parse(&bytes));
    }
    match command().try_get_matches() {
        Ok(_) => Asked::CheckSystem,
        Err(answer) => {
            // Nobody reads it any more if this fails.
            let _ = answer.print();
            let code = u8::try_from(answer.exit_code()).unwrap_or(1);
            Asked::Answered(ExitCode::from(code))
        }
    }
}

fn command() -> Command {
    Command::new("bobbin")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A Redis server for Linux that uses every core of a machine as one server.")
        .override_usage("bobbin [FILE] [--NAME VALUE...]...\n       bobbin --check-system")
        .arg(
            Arg::new("check-system")
                .long("check-system")
                .action(ArgAction::SetTrue)
                .help("Says whether this machine can run Bobbin, and what is missing"),
        )
        .arg(Arg::new("v").short('v').action(ArgAction::Version).help("Print version"))
        .after_help(
            "FILE is a redis.conf; every directive can also be given as an option. \
             The usual ones:\n\
             \n  --port 6379             where to listen (0: not on TCP)\
             \n  --bind 127.0.0.1 ::1    on which addresses\
             \n  --unixsocket PATH       on a unix socket\
             \n  --dir ./data            where the data lives\
             \n  --shards N              core threads (default: the CPUs that the process may use)\
             \n  --appendonly no         keep nothing on disk (default: yes)\
             \n  --appendfsync always    everysec (default) or no\
             \n  --maxmemory 4gb         with --maxmemory-policy allkeys-lru to be a cache\
             \n  --requirepass SECRET    clients must AUTH\
             \n  --loglevel verbose      debug, verbose, notice (default), warning, nothing\
             \n\nAll directives: docs/configuration.md. `bobbin -` reads a configuration \
             from its input.\
             \nExit codes: 0 ended in order, 1 could not start or could not finish its log.",
        )
}
