//! One server process of a scenario: started on its CPUs, measured through /proc, ended by its
//! process id.

use crate::failure::Failure;
use crate::wire::{Reply, Wire};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// First port tried; each server takes the next free one.
const PORT_FIRST: u16 = 22_040;
const PORT_LAST: u16 = 22_199;

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server of this workspace.
    Bobbin,
    /// Debian 12's Redis.
    Redis7,
    /// Debian unstable's Redis.
    Redis8,
    /// Debian unstable's Valkey.
    Valkey9,
}

impl Kind {
    /// All, Bobbin first.
    pub(crate) const ALL: [Self; 4] = [Self::Bobbin, Self::Redis7, Self::Redis8, Self::Valkey9];

    /// The name in reports and in the oracle's folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bobbin => "bobbin",
            Self::Redis7 => "redis-7.0",
            Self::Redis8 => "redis-8",
            Self::Valkey9 => "valkey-9",
        }
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Who.
    pub(crate) kind: Kind,
    /// Shards of Bobbin; the others have none.
    pub(crate) shards: usize,
    /// CPU list for taskset.
    pub(crate) cpus: String,
    /// Is the log on (`appendfsync everysec`)?
    pub(crate) log: bool,
}

impl Setting {
    /// One shard, no log.
    pub(crate) fn plain(kind: Kind, cpus: &str) -> Self {
        Self { kind, shards: 1, cpus: cpus.to_owned(), log: false }
    }

    /// The name in reports: `bobbin`, `bobbin 2 shards`, `bobbin log`.
    pub(crate) fn label(&self) -> String {
        let shards =
            if self.shards > 1 { format!(" {} shards", self.shards) } else { String::new() };
        format!("{}{shards}{}", self.kind.name(), if self.log { " log" } else { "" })
    }
}

/// A running server. Dropping it kills the process and removes its folder.
pub(crate) struct Server {
    setting: Setting,
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Starts a server in an empty folder and waits until it answers.
    pub(crate) fn start(setting: &Setting) -> Result<Self, Failure> {
        let port = free_port()?;
        let folder = std::env::temp_dir().join(format!("versus.{}.{port}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|why| Failure::new(folder.display(), why))?;
        let child = spawn(setting, port, &folder)?;
        let server = Self { setting: setting.clone(), child, folder, port };
        server.ready(Duration::from_secs(30))?;
        Ok(server)
    }

    /// Starts one server a setting.
    pub(crate) fn start_all(settings: &[Setting]) -> Result<Vec<Self>, Failure> {
        settings.iter().map(Self::start).collect()
    }

    /// Ends it by SIGTERM, starts it again on the same data, and answers how long the start took
    /// until the first PONG.
    pub(crate) fn restart(&mut self) -> Result<Duration, Failure> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").arg(&pid).status();
        status.map_err(|why| Failure::new("kill", why))?;
        self.child.wait().map_err(|why| Failure::new("wait", why))?;
        let begin = Instant::now();
        self.child = spawn(&self.setting, self.port, &self.folder)?;
        self.ready(Duration::from_secs(300))?;
        Ok(begin.elapsed())
    }

    fn ready(&self, limit: Duration) -> Result<(), Failure> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            let answer = Wire::connect(self.port).and_then(|mut wire| wire.command(&["PING"]));
            if answer.is_ok_and(|reply| reply == Reply::Text(b"PONG".to_vec())) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let log = fs::read_to_string(self.folder.join("stdout")).unwrap_or_default();
        Err(Failure::new(self.label(), format_args!("does not answer; its output:\n{log}")))
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Who it is.
    pub(crate) fn kind(&self) -> Kind {
        self.setting.kind
    }

    /// Its name in reports.
    pub(crate) fn label(&self) -> String {
        self.setting.label()
    }

    /// A new connection.
    pub(crate) fn wire(&self) -> Result<Wire, Failure> {
        Wire::connect(self.port)
    }

    /// Nanoseconds that its threads have run, and nanoseconds that they waited for a CPU although
    /// they could run.
    pub(crate) fn cpu(&self) -> Result<Cpu, Failure> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let entries = fs::read_dir(&tasks).map_err(|why| Failure::new(&tasks, why))?;
        let mut total = Cpu::default();
        for entry in entries.flatten() {
            // a thread may end between the two reads
            let task = Cpu::read(&entry.path().join("schedstat")).unwrap_or_default();
            total.ran_ns += task.ran_ns;
            total.waited_ns += task.waited_ns;
        }
        Ok(total)
    }

    /// The schedstat file of the thread that has run most: the one that serves, where there is one
    /// shard.
    pub(crate) fn busiest_thread(&self) -> Result<PathBuf, Failure> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let entries = fs::read_dir(&tasks).map_err(|why| Failure::new(&tasks, why))?;
        entries
            .flatten()
            .map(|entry| entry.path().join("schedstat"))
            .max_by_key(|path| Cpu::read(path).unwrap_or_default().ran_ns)
            .ok_or_else(|| Failure::new(tasks, "no threads"))
    }

    /// Resident bytes, from /proc.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Failure> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).map_err(|why| Failure::new(&path, why))?;
        text.lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
            })
            .map(|kib| kib * 1024)
            .ok_or_else(|| Failure::new(path, "no VmRSS"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Scheduler's account of a thread or process: /proc/.../schedstat.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// Time on a CPU.
    pub(crate) ran_ns: u64,
    /// Time in a run queue.
    pub(crate) waited_ns: u64,
}

impl Cpu {
    /// Reads one schedstat file; `None` when the thread is gone.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut fields = text.split_ascii_whitespace().map(str::parse);
        Some(Self { ran_ns: fields.next()?.ok()?, waited_ns: fields.next()?.ok()? })
    }
}

fn spawn(setting: &Setting, port: u16, folder: &Path) -> Result<Child, Failure> {
    let program = match setting.kind {
        Kind::Bobbin => bobbin()?,
        kind => oracle()?.join("bin").join(kind.name()),
    };
    let output =
        fs::File::create(folder.join("stdout")).map_err(|why| Failure::new("stdout", why))?;
    let errors = output.try_clone().map_err(|why| Failure::new("stdout", why))?;
    let mut command = Command::new("taskset");
    command.arg("-c").arg(&setting.cpus).arg(&program);
    command.args(["--port", &port.to_string(), "--dir"]).arg(folder);
    command.args([
        "--appendonly",
        if setting.log { "yes" } else { "no" },
        "--appendfsync",
        "everysec",
    ]);
    command.args(["--save", "", "--loglevel", "notice"]);
    if setting.kind == Kind::Bobbin {
        command.args(["--shards", &setting.shards.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    command.spawn().map_err(|why| Failure::new(program.display(), why))
}

/// Keeps the calling thread on these CPUs (a list as taskset takes it).
pub(crate) fn pin_this_thread(cpus: &str) -> Result<(), Failure> {
    // "<process>/task/<thread>"
    let place = fs::read_link("/proc/thread-self").map_err(|why| Failure::new("thread", why))?;
    let thread = place.file_name().unwrap_or_default();
    let output = Command::new("taskset").args(["-p", "-c", cpus]).arg(thread).output();
    let output = output.map_err(|why| Failure::new("taskset", why))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new("taskset", String::from_utf8_lossy(&output.stderr).trim()))
}

fn bobbin() -> Result<PathBuf, Failure> {
    std::env::var_os("BOBBIN")
        .map(PathBuf::from)
        .ok_or_else(|| Failure::new("BOBBIN", "not set; scripts/bench sets it"))
}

/// The folder of scripts/oracle.
pub(crate) fn oracle() -> Result<PathBuf, Failure> {
    if let Some(folder) = std::env::var_os("BOBBIN_ORACLE") {
        return Ok(PathBuf::from(folder));
    }
    let home = std::env::var_os("HOME").ok_or_else(|| Failure::new("HOME", "not set"))?;
    Ok(PathBuf::from(home).join(".cache/bobbin-oracle"))
}

fn free_port() -> Result<u16, Failure> {
    (PORT_FIRST..=PORT_LAST)
        .find(|&port| {
            std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() && Wire::connect(port).is_err()
        })
        .ok_or_else(|| Failure::new("port", "none is free"))
}
