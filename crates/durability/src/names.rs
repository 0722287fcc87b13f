//! The names of the log's files.
//!
//! ```text
//! appendonlydir/                                   appenddirname
//!   appendonly.aof.manifest                        appendfilename + ".manifest"
//!   appendonly.aof.shard-0003.1.incr.aof           shard 3's increment of generation 1
//!   appendonly.aof.shard-0003.2.base.aof           shard 3's base of generation 2
//!   temp-appendonly.aof.manifest                   never read; removed at the next start
//! ```
//!
//! Names are for people and for `ls`; the manifest alone says what a file is. The one thing read
//! from a name is the generation of files that no manifest lists, so that a new generation never
//! takes a number that some file already carries.

use crate::manifest::{Role, SHARDS_MAX};

/// What temporaries begin with; such files mean nothing and are removed at start.
pub(crate) const TEMPORARY: &str = "temp-";

/// Where the log lives: `appenddirname` and `appendfilename`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogNames {
    directory: String,
    prefix: String,
}

impl Default for LogNames {
    fn default() -> Self {
        Self { directory: "appendonlydir".to_owned(), prefix: "appendonly.aof".to_owned() }
    }
}

impl LogNames {
    /// The names under `directory` (`appenddirname`) with `prefix` (`appendfilename`).
    ///
    /// `None` unless both are plain file names, which is what Redis asks of them too.
    pub fn new(directory: &str, prefix: &str) -> Option<Self> {
        let plain = is_plain(directory) && is_plain(prefix);
        plain.then(|| Self { directory: directory.to_owned(), prefix: prefix.to_owned() })
    }

    /// The directory, relative to the data directory.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// `name` with the directory before it, as `Storage` takes it.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{}", self.directory, name)
    }

    /// The single-file log of Redis before 7.0, which lies in the data directory itself.
    pub(crate) fn single_file(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn manifest(&self) -> String {
        format!("{}.manifest", self.prefix)
    }

    pub(crate) fn segment(&self, generation: u64, shard: u16, role: Role) -> String {
        let kind = if role == Role::Base { "base" } else { "incr" };
        format!("{}.shard-{shard:04}.{generation}.{kind}.aof", self.prefix)
    }

    /// Whether `name` is of the form of a segment, ours or Redis': `prefix.*.aof`.
    pub(crate) fn is_segment(&self, name: &str) -> bool {
        self.tail(name).is_some_and(|tail| tail.ends_with(".aof") || tail.ends_with(".rdb"))
    }

    /// Whether `name` is exactly one that [`Self::segment`] gives.
    pub(crate) fn is_own_segment(&self, name: &str) -> bool {
        let Some(generation) = self.generation(name) else { return false };
        let shard = self.tail(name).and_then(|tail| tail.get("shard-".len()..)?.split('.').next());
        let Some(shard) = shard.and_then(|digits| digits.parse().ok()) else { return false };
        let is = |role| self.segment(generation, shard, role) == name;
        shard < SHARDS_MAX && (is(Role::Base) || is(Role::Increment))
    }

    /// The generation in the name of one of our segments.
    pub(crate) fn generation(&self, name: &str) -> Option<u64> {
        let (_shard, rest) = self.tail(name)?.strip_prefix("shard-")?.split_once('.')?;
        rest.split_once('.')?.0.parse().ok()
    }

    fn tail<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.prefix.as_str())?.strip_prefix('.')
    }
}

/// Whether `name` is a file name and not a path, and has nothing in it that a line of the
/// manifest would have to quote.
pub(crate) fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'"' | b'\'' | b'\\');
    !name.is_empty() && name != "." && name != ".." && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        let names = LogNames::default();
        assert_eq!(names.segment(1, 3, Role::Increment), "appendonly.aof.shard-0003.1.incr.aof");
        assert_eq!(names.segment(2, 3, Role::Base), "appendonly.aof.shard-0003.2.base.aof");
        assert_eq!(names.path(&names.manifest()), "appendonlydir/appendonly.aof.manifest");
    }

    #[test]
    fn generations_are_read_from_our_names_only() {
        let names = LogNames::default();
        assert_eq!(names.generation("appendonly.aof.shard-0003.12.incr.aof"), Some(12));
        assert_eq!(names.generation("appendonly.aof.1.incr.aof"), None);
        assert!(names.is_segment("appendonly.aof.1.incr.aof"));
        assert!(names.is_segment("appendonly.aof.1.base.rdb"));
        assert!(!names.is_segment("appendonly.aof.manifest"));
        assert!(!names.is_segment("other.aof"));
    }

    #[test]
    fn own_segments_are_recognised_to_the_letter() {
        let names = LogNames::default();
        for own in ["shard-0003.12.incr.aof", "shard-0000.1.base.aof", "shard-1023.9.base.aof"] {
            assert!(names.is_own_segment(&format!("appendonly.aof.{own}")), "{own}");
        }
        for other in [
            "shard-3.12.incr.aof",
            "shard-0003.012.incr.aof",
            "shard-0003.12.incr.aof.bak",
            "shard-0003.12.copy.aof",
            "shard-0003.12.base.rdb",
            "shard-+003.12.incr.aof",
            "shard-1024.12.incr.aof",
            "shard-99999.12.incr.aof",
            "1.incr.aof",
            "manifest",
        ] {
            assert!(!names.is_own_segment(&format!("appendonly.aof.{other}")), "{other}");
        }
        assert!(!names.is_own_segment("other.aof.shard-0003.12.incr.aof"));
    }

    #[test]
    fn paths_and_quotes_are_no_names() {
        for bad in ["", ".", "..", "a/b", "a b", "a\"b", "a\nb", "\u{e9}"] {
            assert!(LogNames::new(bad, "appendonly.aof").is_none(), "{bad:?}");
            assert!(LogNames::new("dir", bad).is_none(), "{bad:?}");
        }
    }
}
