//! From the command line to a running server, and to its end.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::{Config, Invocation, Level, Origin, Reason, Source, Supervised};
use server::{CommandNames, Server};
use telemetry::{LogControl, LogLevel, LogSettings};

use crate::signals::{self, SignalWatch};

/// Runs a server until it is told to end.
pub(crate) fn serve(invocation: &Invocation) -> ExitCode {
    let config = match load(invocation) {
        Ok(config) => config,
        Err(message) => return fail(&message),
    };
    if config.server.process.daemonize {
        return fail(
            "bobbin: daemonize is not supported: run it under systemd (Type=notify works), or with \
             `nohup bobbin ... &`",
        );
    }
    let control = match telemetry::start_log(&log_settings(&config)) {
        Ok(control) => control,
        Err(error) => return fail(&format!("bobbin: {error}")),
    };
    let inert: Vec<&str> = config.inert().iter().map(|parameter| parameter.name()).collect();
    if !inert.is_empty() {
        tracing::warn!("Accepted without effect (docs/configuration.md): {}", inert.join(", "));
    }
    let file = invocation.file.as_ref().map(|file| absolute(file.as_path()));
    run(config, file, control)
}

fn run(config: Config, file: Option<PathBuf>, control: LogControl) -> ExitCode {
    let pid_file = config.server.process.pid_file.clone();
    let supervised = config.server.process.supervised;
    let signals = match SignalWatch::start(move || notify(supervised, "STOPPING=1\n")) {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("bobbin: cannot watch signals: {error}")),
    };
    let port = config.network.port;
    let server = match Server::start(config, file.map(|file| file.display().to_string())) {
        Ok(server) => server,
        Err(error) => {
            tracing::error!("Cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    signals.ends(server.ender());
    server.keep_log_control(control);
    write_pid_file(pid_file.as_path());
    tracing::info!("Ready to accept connections on port {port}");
    match supervised {
        Supervised::Upstart | Supervised::Auto if std::env::var_os("UPSTART_JOB").is_some() => {
            stop_for_upstart();
        }
        _ => notify(supervised, "READY=1\nSTATUS=Ready to accept connections\n"),
    }
    let ended = server.join();
    remove_pid_file(pid_file.as_path());
    match ended {
        Ok(()) => {
            tracing::warn!("Bobbin is now ready to exit, bye bye...");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("Did not end in order: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether this machine can run Bobbin.
pub(crate) fn check_system() -> ExitCode {
    match server::check_system() {
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("bobbin: {error}")),
    }
}

fn fail(message: &str) -> ExitCode {
    // Nobody reads it any more if this fails.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::FAILURE
}

fn load(invocation: &Invocation) -> Result<Config, String> {
    let mut input = Vec::new();
    if invocation.stdin {
        std::io::stdin().read_to_end(&mut input).map_err(|error| error.to_string())?;
    }
    let stdin = invocation.stdin.then_some(input.as_slice());
    let mut names = CommandNames::new();
    let mut rename = |from: &[u8], to: &[u8]| {
        names.rename(from, to).map_err(|error| Reason::from(error.to_string()))
    };
    config::load(invocation, stdin, &mut read_files, &mut rename).map_err(|error| error.to_string())
}

/// Reads the file, or the files, that the command line or an `include` names.
fn read_files(pattern: &[u8]) -> Result<Vec<Source>, Reason> {
    let name = String::from_utf8_lossy(pattern).into_owned();
    let mut paths = vec![PathBuf::from(&name)];
    if name.contains(['*', '?', '[']) {
        paths = matching_files(Path::new(&name));
    }
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Result<Source, Reason> {
    let bytes = std::fs::read(path).map_err(|error| Reason::from(error.to_string()))?;
    let origin = Origin::File(path.display().to_string().as_str().into());
    Ok(Source { origin, bytes })
}

/// The files of a directory whose names match the last part of `pattern`, in order.
fn matching_files(pattern: &Path) -> Vec<PathBuf> {
    let directory = pattern.parent().filter(|it| !it.as_os_str().is_empty());
    let wanted = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries =
        std::fs::read_dir(directory.unwrap_or_else(|| Path::new("."))).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            server::glob_matches(wanted.as_bytes(), name.as_bytes())
        })
        .collect();
    found.sort();
    found
}

fn log_settings(config: &Config) -> LogSettings {
    let level = match config.server.lines.level {
        Level::Debug => LogLevel::Debug,
        Level::Verbose => LogLevel::Verbose,
        Level::Notice => LogLevel::Notice,
        Level::Warning => LogLevel::Warning,
        Level::Nothing => LogLevel::Nothing,
    };
    let file = &config.server.lines.file;
    LogSettings { level, file: (!file.is_empty()).then(|| file.as_path().to_owned()) }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn write_pid_file(path: &Path) {
    if path.as_os_str().is_empty() {
        return;
    }
    if let Err(error) = std::fs::write(path, format!("{}\n", std::process::id())) {
        tracing::warn!("Cannot write the pid file {}: {error}", path.display());
    }
}

/// Removes the pid file, unless another process has put its own id there since.
fn remove_pid_file(path: &Path) {
    let written = std::fs::read_to_string(path).unwrap_or_default();
    if written.trim() == std::process::id().to_string() {
        // A file that is gone already is what was wanted.
        let _ = std::fs::remove_file(path);
    }
}

/// Tells upstart: a job that says `expect stop` is ready when it stops, and is then continued.
fn stop_for_upstart() {
    tracing::info!("Stopping for upstart, which continues the server");
    if let Err(error) = signals::stop() {
        tracing::warn!("Cannot tell upstart: {error}");
    }
}

/// Tells systemd, where it asked to be told (`NOTIFY_SOCKET`).
fn notify(supervised: Supervised, message: &str) {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    if !matches!(supervised, Supervised::Systemd | Supervised::Auto) {
        return;
    }
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let path = path.to_string_lossy().into_owned();
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = UnixDatagram::unbound()
        .and_then(|socket| socket.send_to_addr(message.as_bytes(), &address?));
    if let Err(error) = sent {
        tracing::warn!("Cannot tell systemd: {error}");
    }
}
