//! The manifest: the one file that says which segments there are and in which order they apply.
//!
//! Redis' line format, with pairs of our own behind Redis' three, which its loader skips:
//!
//! ```text
//! file appendonly.aof.shard-0000.1.incr.aof seq 1 type i generation 1 shard 0 shards 2
//! file appendonly.aof.shard-0001.1.incr.aof seq 2 type i generation 1 shard 1 shards 2
//! file appendonly.aof.shard-0000.2.incr.aof seq 3 type i generation 2 shard 0 shards 1
//! ```
//!
//! The idea: time in the log is a sequence of *generations*. Within one, the number of shards is
//! fixed and each shard has a *chain* of files that apply one after the other; keys never move
//! between chains, so chains need no order among each other. A change of the number of shards
//! begins the next generation, and all of an earlier one applies before anything of a later one.
//!
//! Lines without `generation` are Redis' own: together they are generation 0, with one shard.
//! A base of ours is `type i` with `role base`, because Redis allows one `type b` in a manifest
//! and we have one a shard; so the whole directory is one that `redis-server` itself can load.
//!
//! Invariants of a [`Manifest`] value, checked when it is read: `seq` rises from line to line
//! (Redis demands it); generations do not fall; every chain of a generation has a file; a base
//! comes first in its chain, only in the first generation, and for all of its shards or none.
//! docs/formats/manifest.md has the rules byte by byte.

use std::fmt;

use crate::names::is_plain;

/// The largest number of shards a log can have. A line of marks then stays below the 1,024 bytes
/// that Redis' tools read as one annotation: `#TXN `, an id of 20, and 1024 / 4 = 256 digits.
pub const SHARDS_MAX: u16 = 1024;

/// A manifest larger than this is refused: 64 MiB are half a million segments.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// What a listed file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A whole image of the shard at the beginning of its generation.
    Base,
    /// Commands in the order they ran.
    Increment,
    /// No longer read; to be removed.
    History,
}

/// One line: a file and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// The file's name in the log's directory.
    pub name: String,
    /// Redis' sequence number.
    pub seq: u64,
    /// What the file is for.
    pub role: Role,
    /// The generation; 0 for a line that Redis wrote.
    pub generation: u64,
    /// Whose keys are in it; below `shards`.
    pub shard: u16,
    /// How many shards its generation has; at least 1.
    pub shards: u16,
}

/// The list of files. See the module text for what always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    files: Vec<SegmentFile>,
}

/// One generation of a manifest.
#[derive(Debug, Clone, Copy)]
pub struct Generation<'a> {
    /// Its number; 0 is an import of Redis' files.
    pub number: u64,
    /// How many shards, and so chains, it has.
    pub shards: u16,
    files: &'a [SegmentFile],
}

impl<'a> Generation<'a> {
    /// The files of `shard`, in the order they apply.
    pub fn chain(self, shard: u16) -> impl Iterator<Item = &'a SegmentFile> {
        self.files.iter().filter(move |file| file.shard == shard && file.role != Role::History)
    }
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut files = Vec::new();
        let mut number = 0;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            number += 1;
            let Some(line) = line.strip_suffix(b"\n") else {
                return Err(ManifestError { line: number, fault: ManifestFault::NoLineEnd });
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.first() == Some(&b'#') {
                continue;
            }
            let file = parse_line(line).map_err(|fault| ManifestError { line: number, fault })?;
            files.push(file);
            check_last(&files).map_err(|fault| ManifestError { line: number, fault })?;
        }
        let manifest = Self { files };
        manifest.check_whole().map_err(|fault| ManifestError { line: number, fault })?;
        Ok(manifest)
    }

    /// The manifest's text.
    pub fn write(&self) -> Vec<u8> {
        let mut text = String::new();
        for file in &self.files {
            let imported = file.generation == 0;
            let kind = match file.role {
                Role::Base if imported => 'b',
                Role::Base | Role::Increment => 'i',
                Role::History => 'h',
            };
            text.push_str(&format!("file {} seq {} type {kind}", file.name, file.seq));
            if !imported {
                let SegmentFile { generation, shard, shards, .. } = file;
                text.push_str(&format!(" generation {generation} shard {shard} shards {shards}"));
                if file.role == Role::Base {
                    text.push_str(" role base");
                }
            }
            text.push('\n');
        }
        text.into_bytes()
    }

    /// All lines, in order.
    pub fn files(&self) -> &[SegmentFile] {
        &self.files
    }

    /// The files that recovery reads, in order: all but history.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentFile> {
        self.files.iter().filter(|file| file.role != Role::History)
    }

    /// The generations, first to last.
    pub fn generations(&self) -> impl Iterator<Item = Generation<'_>> {
        self.files
            .chunk_by(|left, right| left.generation == right.generation)
            .filter(|files| files.iter().any(|file| file.role != Role::History))
            .map(|files| Generation { number: files[0].generation, shards: files[0].shards, files })
    }

    /// The generation that is being written, or was when the server last ran.
    pub fn last_generation(&self) -> Option<Generation<'_>> {
        self.generations().last()
    }

    /// Appends a line with the next sequence number.
    pub(crate) fn push(&mut self, mut file: SegmentFile) {
        file.seq = self.files.iter().map(|file| file.seq).max().unwrap_or(0) + 1;
        self.files.push(file);
    }

    /// Turns every line into history.
    pub(crate) fn retire_all(&mut self) {
        for file in &mut self.files {
            file.role = Role::History;
        }
    }

    /// Drops the lines of history.
    pub(crate) fn forget_history(&mut self) {
        self.files.retain(|file| file.role != Role::History);
    }

    fn check_whole(&self) -> Result<(), ManifestFault> {
        if self.files.is_empty() {
            return Err(ManifestFault::Empty);
        }
        let mut names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ManifestFault::NameTwice);
        }
        for (index, generation) in self.generations().enumerate() {
            let mut bases = 0;
            for shard in 0..generation.shards {
                let mut chain = generation.chain(shard);
                let Some(first) = chain.next() else {
                    return Err(ManifestFault::ShardMissing { shard });
                };
                bases += u32::from(first.role == Role::Base);
                if chain.any(|file| file.role == Role::Base) {
                    return Err(ManifestFault::BaseNotFirst);
                }
            }
            let base_allowed = index == 0;
            if bases != 0 && (!base_allowed || bases != u32::from(generation.shards)) {
                return Err(ManifestFault::BaseNotFirst);
            }
        }
        Ok(())
    }
}

/// Checks the last line against the ones before it.
fn check_last(files: &[SegmentFile]) -> Result<(), ManifestFault> {
    let [earlier @ .., last] = files else { return Ok(()) };
    let Some(previous) = earlier.last() else { return Ok(()) };
    if last.generation < previous.generation {
        return Err(ManifestFault::GenerationFalls);
    }
    if last.generation == previous.generation && last.shards != previous.shards {
        return Err(ManifestFault::ShardsDiffer);
    }
    // Redis keeps one numbering for bases and one for increments.
    let sequence = |file: &SegmentFile| (file.role == Role::Base && file.generation == 0, file.seq);
    let before = earlier.iter().filter(|file| file.role != Role::History);
    let rises = before.map(sequence).all(|(base, seq)| base != sequence(last).0 || seq < last.seq);
    if last.role != Role::History && !rises {
        return Err(ManifestFault::SeqFalls);
    }
    Ok(())
}

fn parse_line(line: &[u8]) -> Result<SegmentFile, ManifestFault> {
    let line = std::str::from_utf8(line).map_err(|_| ManifestFault::Form)?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if words.len() < 6 || !words.len().is_multiple_of(2) {
        return Err(ManifestFault::Form);
    }
    let value = |key: &str| {
        let pair = words.chunks_exact(2).find(|pair| pair[0].eq_ignore_ascii_case(key));
        pair.map(|pair| pair[1])
    };
    let name = value("file").ok_or(ManifestFault::Form)?;
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    if !is_plain(name) {
        return Err(ManifestFault::Name);
    }
    let seq = value("seq").and_then(|text| text.parse().ok()).filter(|&seq| seq > 0);
    let kind = value("type").ok_or(ManifestFault::Form)?;
    let mut role = match kind {
        "b" => Role::Base,
        "i" => Role::Increment,
        "h" => Role::History,
        _ => return Err(ManifestFault::Kind),
    };
    let (mut generation, mut shard, mut shards) = (0, 0, 1);
    if let Some(text) = value("generation") {
        let number = |key| value(key).and_then(|text| text.parse::<u16>().ok());
        generation = text.parse().ok().filter(|&n| n > 0).ok_or(ManifestFault::Form)?;
        shard = number("shard").ok_or(ManifestFault::Form)?;
        shards = number("shards").ok_or(ManifestFault::Form)?;
        if value("role") == Some("base") && role == Role::Increment {
            role = Role::Base;
        }
        if shard >= shards || shards > SHARDS_MAX {
            return Err(ManifestFault::Shards);
        }
    }
    let seq = seq.ok_or(ManifestFault::Form)?;
    Ok(SegmentFile { name: name.to_owned(), seq, role, generation, shard, shards })
}

/// Why a manifest was refused, and at which line (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The line; the last one if what is wrong concerns the whole.
    pub line: usize,
    /// What is wrong.
    pub fault: ManifestFault,
}

/// What can be wrong with a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestFault {
    /// It lists no file.
    Empty,
    /// The last line does not end.
    NoLineEnd,
    /// A line is not `file NAME seq N type T` with pairs behind it.
    Form,
    /// A name is a path, or has a byte in it that names do not have.
    Name,
    /// A type other than b, i, h.
    Kind,
    /// A shard that is not below the number of shards, or too many of them.
    Shards,
    /// A name is listed twice.
    NameTwice,
    /// A sequence number is not above those before it.
    SeqFalls,
    /// A generation is below the one before it.
    GenerationFalls,
    /// Two lines of a generation disagree about its number of shards.
    ShardsDiffer,
    /// A shard of a generation has no file.
    ShardMissing {
        /// Which one.
        shard: u16,
    },
    /// A base that is not first in its chain, not in the first generation, or not for all shards.
    BaseNotFirst,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.fault {
            ManifestFault::Empty => f.write_str("the manifest lists no file"),
            ManifestFault::NoLineEnd => f.write_str("the line does not end"),
            ManifestFault::Form => f.write_str("not of the form 'file NAME seq N type T ...'"),
            ManifestFault::Name => f.write_str("the file's name is not a plain name"),
            ManifestFault::Kind => f.write_str("a type other than b, i, h"),
            ManifestFault::Shards => f.write_str("shard and shards do not fit each other"),
            ManifestFault::NameTwice => f.write_str("a file is listed twice"),
            ManifestFault::SeqFalls => f.write_str("seq does not rise"),
            ManifestFault::GenerationFalls => f.write_str("generation falls"),
            ManifestFault::ShardsDiffer => f.write_str("two counts of shards in a generation"),
            ManifestFault::ShardMissing { shard } => {
                write!(f, "a generation has no file for shard {shard}")
            }
            ManifestFault::BaseNotFirst => {
                f.write_str("a base that is not the beginning of the whole log")
            }
        }
    }
}

impl std::error::Error for ManifestError {}

#[cfg(test)]
mod tests;
