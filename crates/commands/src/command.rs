//! What a command is: its description, its function, and how it spreads over shards.
//!
//! A command is declared in one place, a `const` beside its function, and collected in the slice of
//! its family. Everything else (lookup by name, `COMMAND`, ACL categories, key extraction, arity
//! errors, routing, the log's flags) reads those slices; nothing matches on names.

use resp::{Arguments, CommandError, Writer};
use spec::{BeginSearch, FindKeys, Flags, KeySpec, Spec};

use crate::{Merge, ShardContext, Wait};

/// A command that runs on a shard.
#[derive(Clone, Copy)]
pub struct ShardCommand {
    /// All that there is to say of it without running it.
    pub spec: Spec,
    /// Runs it.
    pub run: Run,
    /// How it spreads over shards.
    pub across: Across,
}

/// Runs a command.
#[derive(Clone, Copy)]
pub enum Run {
    /// It replies.
    Replies(RunReplies),
    /// It may find nothing, and want to wait.
    Waits(RunWaits),
}

/// Runs a command with its arguments (its name is the first; for a subcommand the first two) on the
/// shard where its keys live. Arity has been checked. Writes exactly one reply, or fails and then
/// whatever was written is taken back. It never suspends: nobody sees it half done.
pub type RunReplies =
    fn(&mut ShardContext<'_>, Arguments<'_>, &mut Writer<'_>) -> Result<(), CommandError>;

/// The same of a command that may wait.
pub type RunWaits =
    fn(&mut ShardContext<'_>, Arguments<'_>, &mut Writer<'_>) -> Result<Outcome, CommandError>;

/// How a command that may wait ended, if it did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It replied.
    Done,
    /// It found nothing, and wants to run again when there may be something. It wrote no reply and
    /// changed nothing. In a box, so that what all other commands return is no larger for it.
    Wait(Box<Wait>),
}

impl Run {
    /// Runs it: see [`RunReplies`].
    ///
    /// # Errors
    /// What the client is to be told.
    #[inline]
    pub fn call(
        self,
        shard: &mut ShardContext<'_>,
        arguments: Arguments<'_>,
        reply: &mut Writer<'_>,
    ) -> Result<Outcome, CommandError> {
        match self {
            Self::Replies(run) => run(shard, arguments, reply).map(|()| Outcome::Done),
            Self::Waits(run) => run(shard, arguments, reply),
        }
    }
}

/// How a command spreads over shards.
#[derive(Clone, Copy, Debug)]
pub enum Across {
    /// It needs all its keys in one place. Where they live on one shard it runs there, without keys
    /// it runs at home; otherwise it runs at home on what their shards lend it. All its keys are
    /// named by its key specs.
    Together {
        /// The database of the key at an argument, given the client's.
        db_of: fn(Arguments<'_>, usize, u32) -> u32,
    },
    /// It has one key spec, a range from a fixed index. Each shard that holds some of its keys runs
    /// it with those only (`step` arguments a key, in the command's order), and the replies merge.
    Split {
        /// How.
        merge: Merge,
    },
    /// Every shard runs it with all its arguments, and the replies merge.
    Everywhere {
        /// How.
        merge: Merge,
    },
    /// Its first argument is a cursor over all shards. Those that [`cursor_shards`] names run it
    /// with all its arguments, and where these are several the replies merge.
    ///
    /// [`cursor_shards`]: crate::cursor_shards
    Cursor {
        /// How.
        merge: Merge,
    },
}

impl Across {
    /// It needs all its keys in one place, and they are in the client's database.
    pub const TOGETHER: Self = Self::Together { db_of: |_, _, db| db };
}

impl ShardCommand {
    /// A command that replies, and needs all its keys in one place.
    #[must_use]
    pub const fn new(spec: Spec, run: RunReplies) -> Self {
        Self { spec, run: Run::Replies(run), across: Across::TOGETHER }
    }

    /// The same of one that may wait for its keys.
    #[must_use]
    pub const fn waiting(spec: Spec, run: RunWaits) -> Self {
        assert!(spec.flags.has(Flags::BLOCKING), "what may wait says so");
        Self { spec, run: Run::Waits(run), across: Across::TOGETHER }
    }

    /// It spreads over shards in another way.
    #[must_use]
    pub const fn across(mut self, across: Across) -> Self {
        self.across = across;
        self
    }

    /// Which argument is its key, if it has exactly one, always at the same place, and runs on that
    /// key's shard: the common case.
    #[inline]
    #[must_use]
    pub fn sole_key(&self) -> Option<usize> {
        match (self.across, self.spec.keys) {
            (Across::Together { .. } | Across::Split { .. }, [only]) => match only {
                KeySpec {
                    begin: BeginSearch::Index(at),
                    find: FindKeys::Range { last: 0, .. },
                    ..
                } => Some(usize::from(*at)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it splits: it has any number of keys, and each shard runs it with its own.
    #[inline]
    pub fn splits(&self) -> bool {
        matches!(self.across, Across::Split { .. })
    }

    /// Where its keys begin, and how many arguments belong to each; `None` unless it has a range
    /// of keys from a fixed place, as all that splits has.
    pub fn key_range(&self) -> Option<(usize, usize)> {
        let first = self.spec.keys.first()?;
        let BeginSearch::Index(begin) = first.begin else { return None };
        let FindKeys::Range { step, .. } = first.find else { return None };
        Some((usize::from(begin), usize::from(step).max(1)))
    }

    /// Whether it splits, and these arguments end within the group of a key: it refuses that.
    pub fn is_uneven(&self, arguments: Arguments<'_>) -> bool {
        self.splits()
            && self
                .key_range()
                .is_some_and(|(begin, step)| !(arguments.len() - begin).is_multiple_of(step))
    }
}

impl std::fmt::Debug for ShardCommand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("ShardCommand").field(&self.spec.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use spec::{KeyFlags, Subject};

    use crate::{Across, DEBUG_COMMANDS, FAMILIES};

    #[test]
    fn a_command_says_what_it_is_about() {
        for command in FAMILIES.iter().flat_map(|family| family.iter()).chain(DEBUG_COMMANDS) {
            let (spec, has_keys) = (&command.spec, !command.spec.keys.is_empty());
            let is_wide =
                matches!(command.across, Across::Everywhere { .. } | Across::Cursor { .. });
            assert_eq!(spec.subject == Subject::Keys, has_keys, "{}", spec.name);
            assert_eq!(spec.subject == Subject::Everything, is_wide, "{}", spec.name);
            let hides = |key: &spec::KeySpec| key.flags.has(KeyFlags::INCOMPLETE);
            let finds = spec.finder.is_some() || !spec.keys.iter().any(hides);
            assert!(finds, "{}: its specs do not find all keys, and nothing else does", spec.name);
        }
    }
}
