//! From files, standard input and options to a [`Config`].
//!
//! Lines take effect in the order file, standard input, options, so that a later one overrides an
//! earlier one; an `include` takes effect where it stands. `save`, `user` and `rename-command` add
//! up instead. The caller reads: `load` hands it the pattern of each `include` and gets back the
//! files that match. The caller, too, knows the commands: it judges each
//! `rename-command`. Includes are bounded in depth and in number, so that a file
//! which includes itself is an error rather than the end of the stack.
//!
//! What guards access or data and is not there yet is an error (`refusal`), with the line that asks
//! for it: see [`Guard`](crate::parameter::Guard).
//!
//! Errors print as redis-server prints them, with the place on a line of its own at the end.

use std::collections::HashMap;
use std::fmt;

use crate::Invocation;
use crate::config::{self, Config};
use crate::kind::Occasion;
use crate::parameter::Parameter;
use crate::reason::Reason;
use crate::refusal;
use crate::split;
use crate::text::Text;

/// A piece of configuration: where it is from and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// For messages.
    pub origin: Origin,
    /// The text.
    pub bytes: Vec<u8>,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file, by the path that it was asked for under.
    File(Text),
    /// Standard input.
    StandardInput,
    /// Options of the command line; a line an option.
    CommandLine,
}

/// Why there is no configuration. `Display` gives what redis-server prints before it exits with 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// A line is wrong.
    Line {
        /// Where it stands.
        origin: Origin,
        /// From 1.
        number: usize,
        /// Without the blanks around it.
        line: Text,
        /// What is wrong.
        reason: Reason,
    },
    /// Every line is right, but they do not go together.
    Conflict(Reason),
    /// The caller could not read a file.
    Unreadable {
        /// The file, as the command line or the `include` named it.
        file: Text,
        /// The system's reason.
        reason: Reason,
    },
}

/// An `include` within this many others is refused: far beyond any sane nesting, and a cycle.
const INCLUDE_DEPTH_MAX: usize = 16;
/// Files read in one load: bounds a cycle that fans out, which depth alone does not (2^16 at two
/// includes a file).
const INCLUDE_FILES_MAX: usize = 1024;

/// The version whose error messages and behaviour these are.
const REDIS_VERSION: &str = "7.2.4";

/// Gives the files that match the pattern of an `include`, or the one file of the command line.
pub type Read<'a> = dyn FnMut(&[u8]) -> Result<Vec<Source>, Reason> + 'a;

/// Renames a command, or removes it (the second name is empty), for those who come after; `Err`:
/// why the line is refused.
pub type Rename<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Reason> + 'a;

/// The configuration that the file of `invocation` (read through `read`), then `stdin` (what
/// standard input holds, `None` unless [`Invocation::stdin`]), then its options say together.
/// `rename` is asked about each `rename-command`, in their order.
pub fn load(
    invocation: &Invocation,
    stdin: Option<&[u8]>,
    read: &mut Read<'_>,
    rename: &mut Rename<'_>,
) -> Result<Config, LoadError> {
    let mut loader = Loader::new(read, rename);
    if let Some(file) = &invocation.file {
        loader.include(file, 0)?;
    }
    if let Some(bytes) = stdin {
        loader.source(&Origin::StandardInput, bytes, 0)?;
    }
    for (index, line) in invocation.options.iter().enumerate() {
        let place = Place::new(&Origin::CommandLine, index + 1, &split::join(line));
        loader.at(place, |loader| loader.arguments(line, 0))?;
    }
    loader.finish()
}

struct Loader<'a, 'b> {
    config: Config,
    /// Parameters that a line has set, and the last such line of each; decides whether a list
    /// starts anew.
    seen: HashMap<&'static str, Place>,
    /// The line that is being read.
    place: Place,
    files: usize,
    read: &'a mut Read<'b>,
    rename: &'a mut Rename<'b>,
}

/// A line, and where it stands.
#[derive(Clone)]
struct Place {
    origin: Origin,
    number: usize,
    line: Text,
}

impl Place {
    fn new(origin: &Origin, number: usize, line: &[u8]) -> Self {
        Self { origin: origin.clone(), number, line: Text::from(line) }
    }
}

/// What is wrong with a line: the line itself, or something in a file that it includes.
enum Fault {
    Here(Reason),
    Within(LoadError),
}

impl Fault {
    fn at(self, Place { origin, number, line }: Place) -> LoadError {
        match self {
            Self::Here(reason) => LoadError::Line { origin, number, line, reason },
            Self::Within(error) => error,
        }
    }
}

impl<T: Into<Reason>> From<T> for Fault {
    fn from(reason: T) -> Self {
        Self::Here(reason.into())
    }
}

impl<'a, 'b> Loader<'a, 'b> {
    fn new(read: &'a mut Read<'b>, rename: &'a mut Rename<'b>) -> Self {
        let place = Place::new(&Origin::CommandLine, 0, b"");
        let (config, seen) = (Config::default(), HashMap::new());
        Self { config, seen, place, files: 0, read, rename }
    }

    /// Reads a line, which stands at `place`.
    fn at(
        &mut self,
        place: Place,
        read: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), LoadError> {
        self.place = place.clone();
        read(self).map_err(|fault| fault.at(place))
    }

    /// All files that `pattern` names. `depth`: how many includes this one is within.
    fn include(&mut self, pattern: &Text, depth: usize) -> Result<(), LoadError> {
        let sources = (self.read)(pattern)
            .map_err(|reason| LoadError::Unreadable { file: pattern.clone(), reason })?;
        for source in sources {
            self.files += 1;
            self.source(&source.origin, &source.bytes, depth)?;
        }
        Ok(())
    }

    fn source(&mut self, origin: &Origin, bytes: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let place = Place::new(origin, index + 1, line);
            self.at(place, |loader| loader.line(line, depth))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], depth: usize) -> Result<(), Fault> {
        let words = split(line).ok_or("Unbalanced quotes in configuration line")?;
        let words: Vec<Text> = words.into_iter().map(Text::from).collect();
        self.arguments(&words, depth)
    }

    /// One line, cut into name and arguments.
    fn arguments(&mut self, words: &[Text], depth: usize) -> Result<(), Fault> {
        let Some((name, arguments)) = words.split_first() else {
            return Ok(());
        };
        if let Some(parameter) = config::parameter(name) {
            return Ok(self.parameter(parameter, arguments)?);
        }
        let directives = &mut self.config.security.directives;
        match (name.to_ascii_lowercase().as_slice(), arguments) {
            (b"include", [pattern]) => {
                if depth >= INCLUDE_DEPTH_MAX || self.files >= INCLUDE_FILES_MAX {
                    return Err("include directives are nested too deeply, or in a cycle".into());
                }
                return self.include(pattern, depth + 1).map_err(Fault::Within);
            }
            (b"rename-command", [from, to]) => {
                (self.rename)(from, to)?;
                directives.renamed_commands.push(arguments.to_vec());
            }
            (b"user", [_, ..]) => {
                if !refusal::is_default_user(arguments) {
                    return Err(refusal::USER.into());
                }
                directives.users.push(arguments.to_vec());
            }
            (b"loadmodule", [_, ..]) => return Err(refusal::MODULE.into()),
            (b"sentinel", _) => return Err("sentinel directive while not in sentinel mode".into()),
            (lower, [_, ..]) if lower.contains(&b'.') => {
                return Err("Module Configuration detected without loadmodule directive or no \
                            ApplyConfig call: aborting"
                    .into());
            }
            _ => return Err("Bad directive or wrong number of arguments".into()),
        }
        Ok(())
    }

    fn parameter(
        &mut self,
        parameter: &'static Parameter,
        arguments: &[Text],
    ) -> Result<(), Reason> {
        // One quoted argument of a list is cut into several: bind "10.0.0.1 10.0.0.2".
        let cut = match arguments {
            [one] if parameter.kind.is_list() && !one.is_empty() => {
                split(one).ok_or("Unbalanced quotes in configuration line")?
            }
            _ => arguments.iter().map(|one| one.to_vec()).collect(),
        };
        let arguments: Vec<&[u8]> = cut.iter().map(Vec::as_slice).collect();
        let occasion = match self.seen.insert(parameter.name, self.place.clone()) {
            Some(_) => Occasion::FurtherLine,
            None => Occasion::FirstLine,
        };
        parameter.kind.put(&mut self.config, &arguments, occasion)
    }

    /// What can only be judged at the end.
    fn finish(self) -> Result<Config, LoadError> {
        let mut config = self.config;
        config.snapshot.save_is_asked = self.seen.contains_key("save");
        if config.cluster.enabled && config.replication.primary.is_some() {
            return Err(LoadError::Conflict(
                "replicaof directive not allowed in cluster mode".into(),
            ));
        }
        match refusal::of(&config) {
            None => Ok(config),
            Some((name, advice)) => match self.seen.get(name) {
                Some(place) => Err(Fault::from(advice).at(place.clone())),
                None => Err(LoadError::Conflict(advice.into())),
            },
        }
    }
}

/// Without the blanks around it that a configuration line may have.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***");
        match self {
            Self::Line { origin, number, line, reason } => {
                writeln!(f, "{title}\nReading the configuration file, at line {number}")?;
                write!(f, ">>> '{line}'\n{reason}\n({origin}, line {number})")
            }
            Self::Conflict(reason) => write!(f, "{title}\n{reason}"),
            Self::Unreadable { file, reason } => {
                write!(f, "Fatal error, can't open config file '{file}': {reason}")
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {path}"),
            Self::StandardInput => f.write_str("standard input"),
            Self::CommandLine => f.write_str("options of the command line"),
        }
    }
}

impl std::error::Error for LoadError {}
