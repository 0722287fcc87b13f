//! The process: shards, directory, title, signals. Log lines and the slow log: `monitoring`.

use crate::declare::{Blank, flag, integer, section, text, word, words};
use crate::kind::{self, Kind, List};
use crate::number::{self, Unit};
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;
use crate::sections::monitoring::{Lines, Monitoring};
use crate::sections::why;
use crate::text::Text;

section! {
    /// The process as a whole.
    pub struct Server {
        /// Shards; 0: one for each CPU that the process may use.
        pub shards: u32,
        /// Working directory: relative paths start here.
        pub directory: Text,
        /// Daemon, pid file, title.
        pub process: Process,
        /// Score with the kernel's out-of-memory killer.
        pub oom: OomScore,
        /// Log lines.
        pub lines: Lines,
        /// What is measured about commands.
        pub monitoring: Monitoring,
        /// What SIGINT, SIGTERM and SHUTDOWN do.
        pub shutdown: Shutdown,
        /// CPU lists of Redis' threads and children.
        pub cpus: CpuLists,
        /// Redis' I/O threads.
        pub io_threads: u32,
        /// Redis' I/O threads read too.
        pub io_threads_do_reads: bool,
        /// Locale for SORT ALPHA and Lua; empty: from the environment.
        pub locale_collate: Text,
        /// Warnings at start to leave out.
        pub ignore_warnings: Text,
    }
    in server
}

section! {
    /// How the process presents itself.
    pub struct Process {
        /// Go to the background. Refused at start with a hint.
        pub daemonize: bool,
        /// Empty: none.
        pub pid_file: Text,
        /// Who supervises the process.
        pub supervised: Supervised,
        /// Show a title in `ps`.
        pub set_title: bool,
        /// What the title says.
        pub title_template: Text,
        /// Show a logo at start even when not on a terminal.
        pub always_show_logo: bool,
        /// Report a crash in the log.
        pub crash_log: bool,
        /// Check memory after a crash.
        pub crash_memcheck: bool,
        /// Exit instead of abort on a failed assertion.
        pub exit_on_panic: bool,
        /// Turn transparent huge pages off for the process.
        pub disable_thp: bool,
        /// Report a tick that takes longer; 0: off.
        pub watchdog_ms: u32,
        /// What to do when a replicated command fails.
        pub propagation_error: PropagationError,
    }
}

section! {
    /// `oom-score-adj` and its values.
    pub struct OomScore {
        /// Whether and how the score is set.
        pub mode: OomMode,
        /// Scores as primary, as replica, and of a child; -2000 to 2000.
        pub scores: Vec<i32>,
    }
}

section! {
    /// The end of the process.
    pub struct Shutdown {
        /// Time for replicas to catch up.
        pub timeout_seconds: u32,
        /// On SIGINT.
        pub on_sigint: ShutdownOptions,
        /// On SIGTERM.
        pub on_sigterm: ShutdownOptions,
    }
}

section! {
    /// CPU lists as taskset writes them; empty: all.
    pub struct CpuLists {
        /// Main and I/O threads.
        pub server: Text,
        /// Background threads.
        pub bio: Text,
        /// The child that rewrites the log.
        pub aof_rewrite: Text,
        /// The child that saves.
        pub bgsave: Text,
    }
}

words! {
    /// `supervised`.
    pub enum Supervised {
        /// Nobody.
        No = "no",
        /// upstart, by SIGSTOP, where the environment has UPSTART_JOB.
        Upstart = "upstart",
        /// systemd, by a message to NOTIFY_SOCKET.
        Systemd = "systemd",
        /// Whichever the environment names.
        Auto = "auto",
    }
}

words! {
    /// `oom-score-adj`.
    pub enum OomMode {
        /// Left alone.
        No = "no",
        /// The values are added to the score at start.
        Relative = "yes" | "relative",
        /// The values are the score.
        Absolute = "absolute",
    }
}

words! {
    /// `propagation-error-behavior`.
    pub enum PropagationError {
        /// Count it and go on.
        Ignore = "ignore",
        /// Stop.
        Panic = "panic",
        /// Stop, on a replica.
        PanicOnReplicas = "panic-on-replicas",
    }
}

/// What a signal asks of the shutdown, as the options of SHUTDOWN do. All false: the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShutdownOptions {
    /// Save even without save points.
    pub save: bool,
    /// Do not save; never together with `save`.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Exit even when something fails.
    pub force: bool,
}

impl Blank for ShutdownOptions {
    fn blank() -> Self {
        Self::default()
    }
}

impl ShutdownOptions {
    fn parse(arguments: &[&[u8]]) -> Result<Self, Reason> {
        const WORDS: [&str; 5] = ["default", "save", "nosave", "now", "force"];
        if arguments.is_empty() {
            return Err(kind::none_of(&WORDS));
        }
        let mut options = Self::default();
        for word in arguments {
            match word.to_ascii_lowercase().as_slice() {
                b"default" => {}
                b"save" => options.save = true,
                b"nosave" => options.nosave = true,
                b"now" => options.now = true,
                b"force" => options.force = true,
                _ => return Err(kind::none_of(&WORDS)),
            }
        }
        if options.save && options.nosave {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        Ok(options)
    }

    fn show(self) -> String {
        let Self { save, nosave, now, force } = self;
        let words = [(save, "save"), (nosave, "nosave"), (now, "now"), (force, "force")];
        let said: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        if said.is_empty() { "default".into() } else { said.join(" ") }
    }
}

const IO_THREADS: &str = "every shard does its own input and output; see `shards`";
const SIGNALS: &str = "either signal ends the server in order: the log is written and synced";
const CPU_LISTS: &str = "core threads are pinned one to a CPU; restrict them with taskset";

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "shards",
        integer!(server.shards, 0, 0, 1024),
        "Shards, each on its core thread; 0: one for each CPU the process may use. Bobbin's own.",
    )
    .at_start(),
    Parameter::new("dir", text!(server.directory, ".", directory), "Working directory.")
        .protected()
        .act(Act::Directory),
    Parameter::new(
        "daemonize",
        flag!(server.process.daemonize, false),
        "Go to the background. Bobbin refuses `yes` with a hint: a supervisor does it better.",
    )
    .at_start(),
    Parameter::new("pidfile", text!(server.process.pid_file, ""), "File for the process id.")
        .at_start(),
    Parameter::new(
        "supervised",
        word!(server.process.supervised: Supervised, "no"),
        "Who is told that the server is ready: upstart by SIGSTOP, systemd by a message.",
    )
    .at_start(),
    Parameter::new(
        "set-proc-title",
        flag!(server.process.set_title, true),
        "Show address and mode in `ps`.",
    )
    .at_start()
    .inert("the title is left as the system made it"),
    Parameter::new(
        "proc-title-template",
        text!(server.process.title_template, "{title} {listen-addr} {server-mode}", title_template),
        "What the title says.",
    )
    .inert("the title is left as the system made it"),
    Parameter::new(
        "always-show-logo",
        flag!(server.process.always_show_logo, false),
        "Show a logo at start.",
    )
    .at_start()
    .inert("there is no logo"),
    Parameter::new(
        "crash-log-enabled",
        flag!(server.process.crash_log, true),
        "Report a crash in the log.",
    )
    .inert("a panic always reports itself in the log"),
    Parameter::new(
        "crash-memcheck-enabled",
        flag!(server.process.crash_memcheck, true),
        "Check memory after a crash.",
    )
    .inert("there is no memory check"),
    Parameter::new(
        "use-exit-on-panic",
        flag!(server.process.exit_on_panic, false),
        "Exit instead of abort on a failed assertion.",
    )
    .hidden()
    .inert("a panic never aborts"),
    Parameter::new(
        "disable-thp",
        flag!(server.process.disable_thp, true),
        "Turn transparent huge pages off for the process.",
    )
    .at_start()
    .inert("huge pages hurt where a fork copies them; Bobbin never forks"),
    Parameter::new(
        "watchdog-period",
        integer!(server.process.watchdog_ms, 0, 0, i32::MAX),
        "Report a tick that takes longer than so many milliseconds; 0: off.",
    )
    .hidden()
    .inert("the watchdog has its own fixed bound"),
    Parameter::new(
        "propagation-error-behavior",
        word!(server.process.propagation_error: PropagationError, "ignore"),
        "What to do when a replicated command fails.",
    )
    .inert(why::REPLICATION),
    Parameter::new(
        "oom-score-adj",
        word!(server.oom.mode: OomMode, "no"),
        "Set the score with the out-of-memory killer.",
    )
    .act(Act::OomScore),
    Parameter::new(
        "oom-score-adj-values",
        OOM_SCORES,
        "Scores as primary, as replica, of a child. There are only primaries: the first counts.",
    )
    .act(Act::OomScore),
    Parameter::new(
        "shutdown-timeout",
        integer!(server.shutdown.timeout_seconds, 10, 0, i32::MAX),
        "Seconds that a shutdown waits for replicas.",
    )
    .inert(why::REPLICATION),
    Parameter::new("shutdown-on-sigint", ON_SIGINT, "What SIGINT does.").inert(SIGNALS),
    Parameter::new("shutdown-on-sigterm", ON_SIGTERM, "What SIGTERM does.").inert(SIGNALS),
    Parameter::new("server_cpulist", text!(server.cpus.server, ""), "CPUs of the main threads.")
        .at_start()
        .inert(CPU_LISTS),
    Parameter::new("bio_cpulist", text!(server.cpus.bio, ""), "CPUs of background threads.")
        .at_start()
        .inert(CPU_LISTS),
    Parameter::new("aof_rewrite_cpulist", text!(server.cpus.aof_rewrite, ""), "CPUs of a rewrite.")
        .at_start()
        .inert(why::NO_FORK),
    Parameter::new("bgsave_cpulist", text!(server.cpus.bgsave, ""), "CPUs of a snapshot.")
        .at_start()
        .inert(why::NO_FORK),
    Parameter::new("io-threads", integer!(server.io_threads, 1, 1, 128), "I/O threads of Redis.")
        .at_start()
        .inert(IO_THREADS),
    Parameter::new(
        "io-threads-do-reads",
        flag!(server.io_threads_do_reads, false),
        "I/O threads of Redis read too.",
    )
    .at_start()
    .inert(IO_THREADS),
    Parameter::new(
        "locale-collate",
        text!(server.locale_collate, ""),
        "Locale for comparing text.",
    )
    .inert("text is compared as bytes"),
    Parameter::new("ignore-warnings", text!(server.ignore_warnings, ""), "Warnings to leave out.")
        .inert("the only warning it names, ARM64-COW-BUG, is about forking"),
];

const OOM_SCORES: Kind = Kind::List(List {
    put: |config, arguments, _occasion| {
        if arguments.len() != 3 {
            return Err("wrong number of arguments".into());
        }
        let score = |text: &&[u8]| {
            let value = number::parse(text, Unit::Plain, -2000, 2000).ok()?;
            i32::try_from(value).ok()
        };
        let scores: Option<Vec<i32>> = arguments.iter().map(score).collect();
        config.server.oom.scores = scores
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
        Ok(())
    },
    show: |config| spaced(&config.server.oom.scores),
    lines: |config| vec![spaced(&config.server.oom.scores)],
    default: "0 200 800",
    grammar: "three scores of -2000 to 2000",
});

const ON_SIGINT: Kind = Kind::List(List {
    put: |config, arguments, _occasion| {
        config.server.shutdown.on_sigint = ShutdownOptions::parse(arguments)?;
        Ok(())
    },
    show: |config| config.server.shutdown.on_sigint.show().into(),
    lines: |config| vec![config.server.shutdown.on_sigint.show().into()],
    default: "default",
    grammar: "some of `default save nosave now force`",
});

const ON_SIGTERM: Kind = Kind::List(List {
    put: |config, arguments, _occasion| {
        config.server.shutdown.on_sigterm = ShutdownOptions::parse(arguments)?;
        Ok(())
    },
    show: |config| config.server.shutdown.on_sigterm.show().into(),
    lines: |config| vec![config.server.shutdown.on_sigterm.show().into()],
    default: "default",
    grammar: "some of `default save nosave now force`",
});

fn spaced(scores: &[i32]) -> Vec<u8> {
    let words: Vec<String> = scores.iter().map(i32::to_string).collect();
    words.join(" ").into_bytes()
}

fn directory(path: &[u8]) -> Result<(), Reason> {
    if path.is_empty() {
        return Err("No such file or directory".into());
    }
    Ok(())
}

/// Only the variables that Redis knows may stand in braces, and every brace must close.
fn title_template(template: &[u8]) -> Result<(), Reason> {
    const VARIABLES: [&str; 7] =
        ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];
    let refused = "template format is invalid or contains unknown variables";
    let mut rest = String::from_utf8_lossy(template).into_owned();
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        let close = after.find('}').ok_or(refused)?;
        if !VARIABLES.contains(&&after[..close]) {
            return Err(refused.into());
        }
        rest = after[close + 1..].to_owned();
    }
    Ok(())
}
