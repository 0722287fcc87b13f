//! A server process of a test's own: temporary directory, free port, log, and an end in any case.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;

/// The range of ports that tests use; a process starts somewhere in it and takes the next free one.
const PORTS: std::ops::Range<u16> = 24_100..24_300;

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running server. Killed when dropped, its log printed when the test fails.
pub(crate) struct Server {
    child: Child,
    /// Where it listens, unless its options say otherwise.
    pub(crate) port: u16,
    /// Its data directory and its log: removed with it.
    pub(crate) folder: PathBuf,
    ended: bool,
}

impl Server {
    /// Starts a server with `options` (words as on the command line) and waits until it answers.
    pub(crate) fn start(options: &str) -> Self {
        let folder = new_folder();
        Self::start_in(folder, options)
    }

    /// Starts a server with so many shards.
    pub(crate) fn with_shards(shards: usize) -> Self {
        Self::start(&format!("--shards {shards}"))
    }

    /// Starts a server over an existing folder: another life of the same data.
    pub(crate) fn start_in(folder: PathBuf, options: &str) -> Self {
        let mut server = Self::spawn(folder, options, None);
        server.await_ready();
        server
    }

    /// Starts a server that may open `descriptors` files at most.
    pub(crate) fn start_limited(descriptors: u32, options: &str) -> Self {
        let mut server = Self::spawn(new_folder(), options, Some(descriptors));
        server.await_ready();
        server
    }

    fn spawn(folder: PathBuf, options: &str, descriptors: Option<u32>) -> Self {
        let port = free_port();
        let log = File::create(folder.join("log")).expect("a log can be written");
        let mut command = match descriptors {
            None => Command::new(binary()),
            Some(count) => {
                let mut shell = Command::new("sh");
                let line = format!("ulimit -n {count}; exec \"$0\" \"$@\"");
                shell.args(["-c", &line]).arg(binary());
                shell
            }
        };
        command.args(["--port", &port.to_string(), "--dir"]).arg(&folder);
        command.args(options.split_whitespace()).current_dir(&folder).stdin(Stdio::null());
        let errors = log.try_clone().expect("a descriptor is left");
        let child = command.stdout(log).stderr(errors).spawn().expect("the binary runs");
        Self { child, port, folder, ended: false }
    }

    fn await_ready(&mut self) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.ended = true;
                panic!("the server ended at its start with {status}:\n{}", self.log());
            }
            if self.log().contains("Ready to accept connections") {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not get ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
            .unwrap_or_else(|error| panic!("cannot connect: {error}\n{}", self.log()))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status();
        assert!(status.expect("kill runs").success(), "the server is there to be signalled");
    }

    /// Waits for its end, and says how it ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                self.ended = true;
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it by SIGTERM; it must exit with 0.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "the server ended with {status}:\n{}", self.log());
    }

    /// Ends it by SIGTERM and starts it again over the same data.
    pub(crate) fn restart(mut self, options: &str) -> Self {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "the server ended with {status}:\n{}", self.log());
        let folder = std::mem::take(&mut self.folder);
        drop(self);
        Self::start_in(folder, options)
    }

    /// Its number as a process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process()))
            .expect("the process is there");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        let kib: u64 =
            line.split_whitespace().nth(1).and_then(|it| it.parse().ok()).expect("a number");
        kib * 1024
    }

    /// CPU time used so far, in clock ticks of 10 ms.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process()))
            .expect("the process is there");
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = |at: usize| {
            fields.split_whitespace().nth(at).and_then(|it| it.parse::<u64>().ok()).expect("ticks")
        };
        // utime and stime are fields 14 and 15; the name is field 2, and what follows starts at 3.
        ticks(11) + ticks(12)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself in between.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}---", self.log());
        }
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Runs the binary with `arguments` in a folder of its own until it ends by itself.
pub(crate) fn run_to_end(arguments: &[&str], folder: &Path) -> Output {
    Command::new(binary())
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// A new empty folder; whoever starts a server in it leaves its removal to the server's drop.
pub(crate) fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("bobbin-test-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary directory can be written");
    folder
}

/// A port that nobody listens on. Processes of tests begin at different places of the range.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    let offset = (std::process::id() % u32::from(count)) as u16;
    (0..count)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed))
        .map(|number| PORTS.start + (offset + number) % count)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("some port is free")
}

/// The binary under test: cargo builds it for this test.
fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_bobbin")
}
