//! Every command by name.
//!
//! The slices of shard commands and session commands become one table at start. A name is looked up
//! for each request, so the table is a power-of-two array probed linearly from a hash of the name's
//! first eight bytes and its length; names are compared without regard to case.

use commands::ShardCommand;
use spec::Spec;

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
    /// Subcommands, in the order of their declaration.
    pub(crate) subcommands: Vec<Self>,
}

/// All commands.
pub(crate) struct Registry {
    entries: Vec<Entry>,
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

const TABLE_SLOTS: usize = 1024;

impl Registry {
    /// The registry of all families.
    pub(crate) fn new() -> Self {
        let mut registry =
            Self { entries: Vec::new(), table: vec![0; TABLE_SLOTS], names: Vec::new(), count: 0 };
        let families = commands::FAMILIES.iter().flat_map(|family| family.iter());
        let shard = families.chain(commands::DEBUG_COMMANDS);
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
            if entry.spec.name.as_bytes().eq_ignore_ascii_case(name) {
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
        let entry = self.find(name).ok_or(Unknown::Command)?;
        if entry.subcommands.is_empty() {
            return Ok(entry);
        }
        match second {
            None => Ok(entry),
            Some(second) => entry.subcommand(second).ok_or(Unknown::Subcommand(entry.spec)),
        }
    }

    fn add(&mut self, spec: &'static Spec, action: Action) {
        let number = self.count;
        self.count += 1;
        self.names.push(spec.name);
        let entry = Entry { number, spec, action, subcommands: Vec::new() };
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
        for debug in entries.iter_mut().filter(|entry| entry.spec.name == "debug") {
            for subcommand in &mut debug.subcommands {
                subcommand.number = debug.number;
            }
        }
        assert!(entries.len() * 2 <= TABLE_SLOTS, "the name table is at most half full");
        for (index, entry) in entries.iter().enumerate() {
            let mut slot = hash(entry.spec.name.as_bytes()) & (TABLE_SLOTS - 1);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (TABLE_SLOTS - 1);
            }
            self.table[slot] = index as u16 + 1;
        }
        self.entries = entries;
    }
}

impl Entry {
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

/// A hash of a name without regard to the case of its letters.
#[inline]
fn hash(name: &[u8]) -> usize {
    let mut first = [0u8; 8];
    let length = name.len().min(8);
    first[..length].copy_from_slice(&name[..length]);
    // Letters differ from their other case in bit 5 only; other bytes may collide, no more.
    let word = u64::from_le_bytes(first) | 0x2020_2020_2020_2020;
    let mixed = (word ^ name.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 48) as usize
}
