//! Every command by name.
//!
//! The slices of shard commands and session commands become one table at start. A name is looked up
//! for each request, so the table is a power-of-two array probed linearly from a hash of the name's
//! first eight bytes and its length; names are compared without regard to case.
//!
//! `rename-command` gives commands other names, or none, before anybody looks one up. What COMMAND
//! and INFO tell of a command goes by its declared name all the same, as in Redis. The log holds
//! what clients sent; a record is found by either name ([`Registry::resolve_record`]), so that what
//! was logged before a command was renamed, or was logged by the server itself, can be recovered.

use std::fmt;
use std::num::NonZeroU16;

use commands::ShardCommand;
use config::Config;
use spec::{Flags, Spec};

use crate::commands::SessionCommand;

/// What a name stands for.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// Runs on the shard of its keys.
    Shard(&'static ShardCommand),
    /// Runs at home.
    Session(&'static SessionCommand),
    /// Has subcommands: `CONFIG`, `CLIENT`, `OBJECT` ...
    Container,
}

/// A command of the registry.
pub(crate) struct Entry {
    /// Its number: an index into statistics.
    pub(crate) number: u16,
    pub(crate) spec: &'static Spec,
    pub(crate) action: Action,
    /// Which argument is its key, if it always has exactly one and runs on its shard.
    pub(crate) sole_key: Option<NonZeroU16>,
    /// What clients call it: the declared name unless it was renamed.
    name: Box<[u8]>,
    /// Subcommands, in the order of their declaration.
    pub(crate) subcommands: Vec<Self>,
}

/// All commands.
pub(crate) struct Registry {
    entries: Vec<Entry>,
    /// Commands that have no name any more.
    removed: Vec<Entry>,
    /// Index + 1 into `entries`; 0: free. At most half full.
    table: Vec<u16>,
    /// By number.
    names: Vec<&'static str>,
    count: u16,
}

/// Why there is no such command.
pub(crate) enum Unknown {
    /// No such name.
    Command,
    /// The container has no such subcommand.
    Subcommand(&'static Spec),
}

/// Why a `rename-command` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameError {
    /// There is no command of the first name.
    NoSuchCommand,
    /// There is one of the second name already.
    NameTaken,
}

/// The names that commands have, for those who read a configuration.
pub struct CommandNames(Registry);

const TABLE_SLOTS: usize = 1024;

impl Registry {
    /// The registry of all families.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same, with the commands that exist for tests only.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn for_trials() -> Self {
        Self::with(crate::waiting::trial::COMMANDS)
    }

    fn with(others: &'static [&'static ShardCommand]) -> Self {
        let mut registry = Self {
            entries: Vec::new(),
            removed: Vec::new(),
            table: Vec::new(),
            names: Vec::new(),
            count: 0,
        };
        let families = commands::FAMILIES.iter().flat_map(|family| family.iter());
        let shard = families.chain(commands::DEBUG_COMMANDS).chain(others);
        for command in shard {
            registry.add(&command.spec, Action::Shard(command));
        }
        for spec in commands::CONTAINERS.iter().chain(crate::commands::CONTAINERS) {
            registry.add(spec, Action::Container);
        }
        let session = crate::commands::FAMILIES.iter().flat_map(|family| family.iter());
        for command in session {
            registry.add(&command.spec, Action::Session(command));
        }
        registry.settle();
        registry
    }

    /// The registry of all families, with the names that `config` gives them.
    ///
    /// # Errors
    /// A `rename-command` cannot be.
    pub(crate) fn with_names(config: &Config) -> Result<Self, RenameError> {
        Self::new().named(config)
    }

    /// Gives the commands the names of `config`.
    pub(crate) fn named(mut self, config: &Config) -> Result<Self, RenameError> {
        for names in &config.security.directives.renamed_commands {
            if let [from, to] = names.as_slice() {
                self.rename(from, to)?;
            }
        }
        Ok(self)
    }

    /// Calls the command `from` `to`, and no longer `from`; an empty `to` removes it.
    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), RenameError> {
        let is_called = |name: &[u8], entry: &Entry| entry.name.eq_ignore_ascii_case(name);
        let index = self.entries.iter().position(|entry| is_called(from, entry));
        let index = index.ok_or(RenameError::NoSuchCommand)?;
        let others = self.entries.iter().enumerate().filter(|(other, _)| *other != index);
        if others.into_iter().any(|(_, entry)| is_called(to, entry)) {
            return Err(RenameError::NameTaken);
        }
        if to.is_empty() {
            self.removed.push(self.entries.remove(index));
        } else {
            self.entries[index].name = to.into();
        }
        self.fill_table();
        Ok(())
    }

    /// How many commands there are, subcommands included: the bound of [`Entry::number`].
    pub(crate) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// The full name (`get`, `client|list`) of the command with this number.
    pub(crate) fn name(&self, number: u16) -> Option<&'static str> {
        self.names.get(usize::from(number)).copied()
    }

    /// Every top-level command.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every command, subcommands behind their containers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flat_map(|entry| std::iter::once(entry).chain(&entry.subcommands))
    }

    /// Those of [`Self::all`] that are counted under names of their own.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &Entry> {
        self.all().filter(|entry| self.name(entry.number) == Some(entry.spec.name))
    }

    /// The top-level command called `name`, in any case.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Entry> {
        let mut slot = hash(name) & (TABLE_SLOTS - 1);
        loop {
            let index = self.table[slot];
            if index == 0 {
                return None;
            }
            let entry = &self.entries[usize::from(index) - 1];
            if entry.name.eq_ignore_ascii_case(name) {
                return Some(entry);
            }
            slot = (slot + 1) & (TABLE_SLOTS - 1);
        }
    }

    /// The command with this full name (`get`, `client|list`), in any case.
    pub(crate) fn find_full(&self, name: &[u8]) -> Option<&Entry> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.find(name),
            Some(bar) => self.find(&name[..bar])?.subcommand(&name[bar + 1..]),
        }
    }

    /// The command that a request's first words name.
    #[inline]
    pub(crate) fn resolve(&self, name: &[u8], second: Option<&[u8]>) -> Result<&Entry, Unknown> {
        self.find(name).ok_or(Unknown::Command)?.resolve(second)
    }

    /// The command that a record's first words name: as clients call it, or as it is declared.
    pub(crate) fn resolve_record(
        &self,
        name: &[u8],
        second: Option<&[u8]>,
    ) -> Result<&Entry, Unknown> {
        let declared = || {
            let mut all = self.entries.iter().chain(&self.removed);
            all.find(|entry| entry.spec.name.as_bytes().eq_ignore_ascii_case(name))
        };
        self.find(name).or_else(declared).ok_or(Unknown::Command)?.resolve(second)
    }

    fn add(&mut self, spec: &'static Spec, action: Action) {
        let number = self.count;
        self.count += 1;
        self.names.push(spec.name);
        let name = spec.name.as_bytes().into();
        let sole_key = match action {
            Action::Shard(command) => command.sole_key(),
            Action::Session(_) | Action::Container => None,
        };
        let sole_key = sole_key.and_then(|at| NonZeroU16::new(at as u16));
        let entry = Entry { number, spec, action, sole_key, name, subcommands: Vec::new() };
        match spec.subcommand() {
            None => self.entries.push(entry),
            Some((container, _)) => {
                let found = self.entries.iter_mut().find(|entry| entry.spec.name == container);
                if let Some(found) = found {
                    found.subcommands.push(entry);
                } else {
                    // The container is declared later: keep the order by a stand-in.
                    self.entries.push(entry);
                }
            }
        }
    }

    /// Moves subcommands declared before their container into it, and fills the table.
    fn settle(&mut self) {
        let (early, mut entries): (Vec<_>, Vec<_>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| entry.spec.subcommand().is_some());
        for entry in early {
            let container = entry.spec.subcommand().map(|(container, _)| container);
            let found = entries.iter_mut().find(|other| Some(other.spec.name) == container);
            found.expect("a subcommand's container is declared").subcommands.push(entry);
        }
        // As in Redis, all of DEBUG is one command to the statistics.
        for debug in entries.iter_mut().filter(|entry| entry.spec.flags.has(Flags::DEBUGS)) {
            for subcommand in &mut debug.subcommands {
                subcommand.number = debug.number;
            }
        }
        self.entries = entries;
        self.fill_table();
    }

    fn fill_table(&mut self) {
        assert!(self.entries.len() * 2 <= TABLE_SLOTS, "the name table is at most half full");
        self.table = vec![0; TABLE_SLOTS];
        for (index, entry) in self.entries.iter().enumerate() {
            let mut slot = hash(&entry.name) & (TABLE_SLOTS - 1);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (TABLE_SLOTS - 1);
            }
            self.table[slot] = index as u16 + 1;
        }
    }
}

impl Entry {
    /// Itself, or the subcommand that the second word names.
    #[inline]
    fn resolve(&self, second: Option<&[u8]>) -> Result<&Self, Unknown> {
        match second {
            Some(second) if !self.subcommands.is_empty() => {
                self.subcommand(second).ok_or(Unknown::Subcommand(self.spec))
            }
            _ => Ok(self),
        }
    }

    /// The subcommand called `name`, in any case.
    pub(crate) fn subcommand(&self, name: &[u8]) -> Option<&Self> {
        self.subcommands.iter().find(|entry| {
            entry
                .spec
                .subcommand()
                .is_some_and(|(_, own)| own.as_bytes().eq_ignore_ascii_case(name))
        })
    }
}

impl CommandNames {
    /// The names that commands are declared with.
    #[must_use]
    pub fn new() -> Self {
        Self(Registry::new())
    }

    /// Calls the command `from` `to`, and no longer `from`; an empty `to` removes it.
    ///
    /// # Errors
    /// There is no command `from`, or already one called `to`.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), RenameError> {
        self.0.rename(from, to)
    }
}

impl Default for CommandNames {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RenameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoSuchCommand => "No such command in rename-command",
            Self::NameTaken => "Target command name already exists",
        })
    }
}

impl std::error::Error for RenameError {}

/// A hash of a name without regard to the case of its letters.
#[inline]
fn hash(name: &[u8]) -> usize {
    // Letters differ from their other case in bit 5 only; other bytes may collide, no more.
    let word = beginning(name) | 0x2020_2020_2020_2020;
    let mixed = (word ^ name.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 48) as usize
}

/// Up to eight bytes of a name as one word, without a copy of as many: a word that is read right
/// after single bytes of it were written waits for them to reach the cache.
#[inline]
fn beginning(name: &[u8]) -> u64 {
    if let Some(eight) = name.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << 32;
    }
    match name {
        [] => 0,
        [first, .., last] => {
            let middle = name[name.len() / 2];
            u64::from(*first) | u64::from(middle) << 8 | u64::from(*last) << 16
        }
        [only] => u64::from(*only),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(registry: &Registry, name: &str) -> Option<&'static str> {
        registry.find(name.as_bytes()).map(|entry| entry.spec.name)
    }

    #[test]
    fn a_renamed_command_has_its_new_name_only() {
        let mut registry = Registry::new();
        let (count, commands) = (registry.count(), registry.entries().len());
        registry.rename(b"Config", b"Settings-of-the-house").expect("both can be");
        assert_eq!(declared(&registry, "CONFIG"), None);
        assert_eq!(declared(&registry, "settings-OF-the-house"), Some("config"));
        let get = registry.resolve(b"settings-of-the-house", Some(b"GET"));
        assert_eq!(get.ok().map(|entry| entry.spec.name), Some("config|get"));
        assert_eq!((registry.count(), registry.entries().len()), (count, commands));
        registry.rename(b"Settings-of-the-house", b"config").expect("and back");
        assert_eq!(declared(&registry, "config"), Some("config"));
        registry.rename(b"get", b"GET").expect("its own name is free to it");
    }

    #[test]
    fn a_removed_command_is_unknown_and_its_name_free() {
        let mut registry = Registry::new();
        let commands = registry.entries().len();
        registry.rename(b"FLUSHALL", b"").expect("it is there");
        assert_eq!(declared(&registry, "flushall"), None);
        assert_eq!(declared(&registry, ""), None);
        assert_eq!(registry.entries().len(), commands - 1);
        assert_eq!(registry.rename(b"FLUSHALL", b"x"), Err(RenameError::NoSuchCommand));
        registry.rename(b"FLUSHDB", b"FLUSHALL").expect("the name is free");
        assert_eq!(declared(&registry, "FLUSHALL"), Some("flushdb"));
        for name in ["get", "set", "command", "xyz"] {
            let known = registry.find(name.as_bytes()).is_some();
            assert_eq!(known, name != "xyz", "{name}: the table is whole");
        }
    }

    #[test]
    fn what_cannot_be_renamed_changes_nothing() {
        let mut registry = Registry::new();
        assert_eq!(registry.rename(b"NOSUCH", b""), Err(RenameError::NoSuchCommand));
        assert_eq!(registry.rename(b"config|get", b""), Err(RenameError::NoSuchCommand));
        assert_eq!(registry.rename(b"GET", b"sEt"), Err(RenameError::NameTaken));
        assert_eq!(declared(&registry, "get"), Some("get"));
    }

    #[test]
    fn records_are_found_by_both_names() {
        let mut registry = Registry::new();
        registry.rename(b"SET", b"put").expect("both can be");
        registry.rename(b"DEL", b"").expect("it is there");
        for (name, declared) in [("put", "set"), ("SET", "set"), ("Del", "del"), ("GET", "get")] {
            let entry = registry.resolve_record(name.as_bytes(), None).ok();
            assert_eq!(entry.map(|entry| entry.spec.name), Some(declared), "{name}");
        }
        assert!(registry.resolve_record(b"NOSUCH", None).is_err());
    }
}
