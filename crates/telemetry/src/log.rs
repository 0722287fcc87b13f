//! Where log lines go: standard output or a file, from a level on that can change while running.
//!
//! Code logs with `tracing`'s macros. Redis' levels stand for tracing's as follows; `nothing` is
//! silence, as in Redis 7.2:
//!
//! ```text
//!   debug    trace!        verbose  debug!        notice  info!        warning  warn!, error!
//! ```
//!
//! A log file is opened for each line and closed after it, as Redis does: whoever moves the file
//! away (logrotate) needs to tell nobody. Lines are rare.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt as lines, reload};

use super::log_line::Line;

/// How much is logged: everything of this level and above. Redis' `loglevel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Whatever may help in development.
    Debug,
    /// Much that is rarely useful.
    Verbose,
    /// What an operator wants to know.
    #[default]
    Notice,
    /// Only what is important or wrong.
    Warning,
    /// Silence.
    Nothing,
}

/// Where log lines go, and which.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// Least level to log.
    pub level: LogLevel,
    /// File to append to; None is standard output.
    pub file: Option<PathBuf>,
}

/// The running log: changes its level. Cheap to clone; dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct LogControl {
    filter: reload::Handle<LevelFilter, Registry>,
}

/// Why the log could not be started.
#[derive(Debug)]
pub enum LogError {
    /// The log file could not be opened for appending.
    File(PathBuf, io::Error),
    /// This process has a log already.
    Started,
}

/// A word that is not a log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLogLevel;

/// Starts the process' log. Once a process: later calls fail and change nothing.
pub fn start_log(settings: &LogSettings) -> Result<LogControl, LogError> {
    let target = Target::new(settings.file.as_deref())?;
    let (subscriber, control) = subscriber(settings.level, target);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
    Ok(control)
}

impl LogControl {
    /// Changes the level of the running log (CONFIG SET loglevel).
    pub fn set_level(&self, level: LogLevel) {
        // Fails only if the subscriber is gone, and with it the log.
        let _ = self.filter.reload(level.filter());
    }
}

impl LogLevel {
    /// All levels, in ascending order.
    pub const ALL: [Self; 5] =
        [Self::Debug, Self::Verbose, Self::Notice, Self::Warning, Self::Nothing];

    /// Its name in configuration files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Verbose => "verbose",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Nothing => "nothing",
        }
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::TRACE,
            Self::Verbose => LevelFilter::DEBUG,
            Self::Notice => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            Self::Nothing => LevelFilter::OFF,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    /// Reads a level by name, in either case.
    fn from_str(word: &str) -> Result<Self, UnknownLogLevel> {
        let mut levels = Self::ALL.into_iter();
        levels.find(|level| level.name().eq_ignore_ascii_case(word)).ok_or(UnknownLogLevel)
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => {
                write!(f, "Can't open the log file {}: {error}", path.display())
            }
            Self::Started => f.write_str("the log was started already"),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Started => None,
        }
    }
}

impl fmt::Display for UnknownLogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of debug, verbose, notice, warning, nothing is expected")
    }
}

impl std::error::Error for UnknownLogLevel {}

/// What writes the lines, not yet the process' own.
fn subscriber(level: LogLevel, target: Target) -> (impl Subscriber, LogControl) {
    let (filter, handle) = reload::Layer::new(level.filter());
    let lines = lines::layer().event_format(Line).with_writer(target).with_ansi(false);
    let subscriber = Registry::default().with(filter.and_then(lines));
    (subscriber, LogControl { filter: handle })
}

/// Where a line goes.
enum Target {
    Stdout,
    /// A path that could be opened for appending when the log started.
    File(PathBuf),
}

/// Where one line goes.
enum Destination {
    Stdout(io::Stdout),
    File(File),
    /// The file cannot be opened any more; there is nobody to tell but standard error.
    Stderr(io::Stderr),
}

impl Target {
    fn new(file: Option<&Path>) -> Result<Self, LogError> {
        let Some(path) = file else { return Ok(Self::Stdout) };
        open(path).map_err(|error| LogError::File(path.to_owned(), error))?;
        Ok(Self::File(path.to_owned()))
    }
}

impl<'a> MakeWriter<'a> for Target {
    type Writer = Destination;

    fn make_writer(&'a self) -> Destination {
        match self {
            Self::Stdout => Destination::Stdout(io::stdout()),
            Self::File(path) => {
                open(path).map_or_else(|_| Destination::Stderr(io::stderr()), Destination::File)
            }
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.write(bytes),
            Self::Stderr(stderr) => stderr.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.flush(),
            Self::Stderr(stderr) => stderr.flush(),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::{LogError, LogLevel, Target, UnknownLogLevel, subscriber};
    use std::path::PathBuf;

    /// A directory of this test's own, removed with it.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bobbin-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("the temporary directory can be written to");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn lines_have_marks_and_the_level_changes_live() {
        let directory = Directory::new("log-level");
        let path = directory.0.join("bobbin.log");
        let target = Target::new(Some(&path)).expect("can be created");
        let (subscriber, control) = subscriber(LogLevel::Notice, target);
        tracing::subscriber::with_default(subscriber, || {
            for level in LogLevel::ALL {
                control.set_level(level);
                tracing::trace!("at {level}");
                tracing::debug!("at {level}");
                tracing::info!(port = 6379, name = "a\nb", "at {level}");
                tracing::warn!("at {level}");
                tracing::error!("at {level}");
            }
        });
        let text = std::fs::read_to_string(&path).expect("was written");
        // 2026-11-21T04:02:01.123Z and a space are 25 bytes.
        let lines: Vec<_> = text.lines().map(|line| &line[25..]).collect();
        let fields = "port=6379 name=a\\nb";
        let expected = [
            ". at debug".to_owned(),
            "- at debug".to_owned(),
            format!("* at debug {fields}"),
            "# at debug".to_owned(),
            "# at debug".to_owned(),
            "- at verbose".to_owned(),
            format!("* at verbose {fields}"),
            "# at verbose".to_owned(),
            "# at verbose".to_owned(),
            format!("* at notice {fields}"),
            "# at notice".to_owned(),
            "# at notice".to_owned(),
            "# at warning".to_owned(),
            "# at warning".to_owned(),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_rotated_file_is_made_anew_and_a_wrong_one_refused() {
        let directory = Directory::new("log-rotate");
        let path = directory.0.join("bobbin.log");
        let target = Target::new(Some(&path)).expect("can be created");
        let (subscriber, _control) = subscriber(LogLevel::Notice, target);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            std::fs::rename(&path, directory.0.join("bobbin.log.1")).expect("same directory");
            tracing::info!("after");
        });
        let text = std::fs::read_to_string(&path).expect("made anew");
        assert!(text.ends_with("* after\n") && text.lines().count() == 1, "{text}");
        let wrong = directory.0.join("missing/bobbin.log");
        assert!(matches!(Target::new(Some(&wrong)), Err(LogError::File(path, _)) if path == wrong));
    }

    #[test]
    fn levels_are_read_by_name() {
        for level in LogLevel::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(level.to_string().to_uppercase().parse(), Ok(level));
        }
        assert_eq!("info".parse::<LogLevel>(), Err(UnknownLogLevel));
    }
}
