//! One command's description.

use crate::keys::{ArgumentAt, KeyFinder};
use crate::{Argument, Categories, Flags, Group, KeyError, KeyFlags, KeySpec};

/// How many arguments a command takes, its own name counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity(i16);

impl Arity {
    /// Exactly `count`.
    #[must_use]
    pub const fn exactly(count: i16) -> Self {
        Self(count)
    }

    /// `count` or more.
    #[must_use]
    pub const fn at_least(count: i16) -> Self {
        Self(-count)
    }

    /// Whether `count` arguments are right.
    #[must_use]
    pub const fn admits(self, count: usize) -> bool {
        let bound = self.0.unsigned_abs() as usize;
        if self.0 >= 0 { count == bound } else { count >= bound }
    }

    /// As `COMMAND` prints it: negative for a lower bound.
    #[must_use]
    pub const fn number(self) -> i16 {
        self.0
    }
}

/// The version of Redis that brought a command.
pub type Version = &'static str;

/// The kinds of reply that a command gives, for checking every reply of a test run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Reply(u16);

impl Reply {
    /// Not said.
    pub const ANY: Self = Self(0);
    /// A simple string.
    pub const SIMPLE: Self = Self(1);
    /// An integer.
    pub const INTEGER: Self = Self(1 << 1);
    /// A bulk string.
    pub const BULK: Self = Self(1 << 2);
    /// Null.
    pub const NULL: Self = Self(1 << 3);
    /// An array.
    pub const ARRAY: Self = Self(1 << 4);
    /// A map (RESP2: an array).
    pub const MAP: Self = Self(1 << 5);
    /// A set (RESP2: an array).
    pub const SET: Self = Self(1 << 6);
    /// A double (RESP2: a bulk string).
    pub const DOUBLE: Self = Self(1 << 7);
    /// A verbatim string (RESP2: a bulk string).
    pub const VERBATIM: Self = Self(1 << 8);

    /// Either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `other` is among them, or nothing is said.
    #[must_use]
    pub const fn admits(self, other: Self) -> bool {
        self.0 == 0 || self.0 & other.0 != 0
    }
}

/// What a command is about: what it has to wait for, and what has to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing that others change: it waits for nobody.
    Nothing,
    /// The keys among its arguments.
    Keys,
    /// All keys of the server: FLUSHALL, KEYS, SCAN.
    Everything,
    /// Channels among its arguments.
    Channels,
}

/// All that there is to say of a command without running it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Lower case; a subcommand is `container|name`.
    pub name: &'static str,
    /// Arguments, the name counted (for a subcommand: both words).
    pub arity: Arity,
    /// What it may do.
    pub flags: Flags,
    /// What it has to wait for: keys, where it has key specs.
    pub subject: Subject,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Finds its keys where the specs cannot.
    pub finder: Option<KeyFinder>,
    /// Its documentation.
    pub about: About,
    /// The arguments' grammar.
    pub arguments: &'static [Argument],
    /// What it replies.
    pub reply: Reply,
    /// Hints for clients (`COMMAND INFO`'s tips).
    pub tips: &'static [&'static str],
}

/// The documentation of a command.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// One line, in our own words.
    pub summary: &'static str,
    /// Complexity, as a line.
    pub complexity: &'static str,
    /// Since which version of Redis.
    pub since: Version,
    /// The family.
    pub group: Group,
    /// Categories beyond those that group and flags imply.
    pub categories: Categories,
    /// What changed in later versions.
    pub history: &'static [(Version, &'static str)],
    /// Since when deprecated, and what replaces it.
    pub deprecated: Option<(Version, &'static str)>,
}

impl Spec {
    /// A command of `group`: nothing flagged, no keys.
    #[must_use]
    pub const fn new(name: &'static str, arity: Arity, group: Group, since: Version) -> Self {
        let about = About {
            summary: "",
            complexity: "O(1)",
            since,
            group,
            categories: Categories::NONE,
            history: &[],
            deprecated: None,
        };
        Self {
            name,
            arity,
            flags: Flags::NONE,
            subject: Subject::Nothing,
            keys: &[],
            finder: None,
            about,
            arguments: &[],
            reply: Reply::ANY,
            tips: &[],
        }
    }

    /// With these flags.
    #[must_use]
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// With these key specs, at least one.
    #[must_use]
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        assert!(!keys.is_empty(), "what has no keys is about something else");
        self.keys = keys;
        self.subject = Subject::Keys;
        self
    }

    /// The key specs do not find all its keys: this does.
    #[must_use]
    pub const fn finder(mut self, finder: KeyFinder) -> Self {
        self.finder = Some(finder);
        self.subject = Subject::Keys;
        self
    }

    /// It is about all keys of the server.
    #[must_use]
    pub const fn everything(mut self) -> Self {
        self.subject = Subject::Everything;
        self
    }

    /// It is about channels.
    #[must_use]
    pub const fn channels(mut self) -> Self {
        self.subject = Subject::Channels;
        self
    }

    /// With a line that says what it does and one that says what it costs.
    #[must_use]
    pub const fn about(mut self, summary: &'static str, complexity: &'static str) -> Self {
        self.about.summary = summary;
        self.about.complexity = complexity;
        self
    }

    /// With further ACL categories.
    #[must_use]
    pub const fn categories(mut self, categories: Categories) -> Self {
        self.about.categories = categories;
        self
    }

    /// With a history.
    #[must_use]
    pub const fn history(mut self, history: &'static [(Version, &'static str)]) -> Self {
        self.about.history = history;
        self
    }

    /// Deprecated since a version, replaced by something.
    #[must_use]
    pub const fn deprecated(mut self, since: Version, replaced_by: &'static str) -> Self {
        self.about.deprecated = Some((since, replaced_by));
        self
    }

    /// With a grammar.
    #[must_use]
    pub const fn arguments(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self
    }

    /// With what it replies.
    #[must_use]
    pub const fn reply(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }

    /// With tips.
    #[must_use]
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    /// All ACL categories: declared, and implied by group and flags.
    #[must_use]
    pub const fn categories_all(&self) -> Categories {
        let declared = self.about.categories.with(self.about.group.category());
        Categories::implied_by(self.flags, declared)
    }

    /// The container's name and the subcommand's, where it is a subcommand.
    #[must_use]
    pub fn subcommand(&self) -> Option<(&'static str, &'static str)> {
        self.name.split_once('|')
    }

    /// Calls `visit` with the position of every key and with what the command does to it, at most:
    /// in order of the specs. [`Spec::each_key_exactly`] says what it does with these arguments.
    ///
    /// # Errors
    /// [`KeyError`] when the arguments contradict a key spec.
    #[inline]
    pub fn each_key(
        &self,
        count: usize,
        argument: ArgumentAt<'_, '_>,
        visit: &mut dyn FnMut(usize, KeyFlags),
    ) -> Result<(), KeyError> {
        if let Some(finder) = self.finder {
            return finder(count, argument, visit);
        }
        for key_spec in self.keys {
            for at in key_spec.positions(count, argument)? {
                visit(at, key_spec.flags);
            }
        }
        Ok(())
    }

    /// The same, with what the command does to each key with just these arguments.
    ///
    /// # Errors
    /// [`KeyError`] when the arguments contradict a key spec.
    pub fn each_key_exactly(
        &self,
        count: usize,
        argument: ArgumentAt<'_, '_>,
        visit: &mut dyn FnMut(usize, KeyFlags),
    ) -> Result<(), KeyError> {
        if let Some(finder) = self.finder {
            return finder(count, argument, visit);
        }
        for key_spec in self.keys {
            let flags = key_spec.flags_in(count, argument);
            for at in key_spec.positions(count, argument)? {
                visit(at, flags);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Arity, Spec};
    use crate::{Categories, Flags, Group};

    #[test]
    fn arity_admits() {
        assert!(Arity::exactly(2).admits(2) && !Arity::exactly(2).admits(3));
        assert!(Arity::at_least(2).admits(5) && !Arity::at_least(2).admits(1));
        assert_eq!(Arity::at_least(3).number(), -3);
    }

    #[test]
    fn categories_follow_flags_and_group() {
        let spec = Spec::new("get", Arity::exactly(2), Group::String, "1.0.0")
            .flags(Flags::READONLY.with(Flags::FAST));
        let all = spec.categories_all();
        assert_eq!(all.names().collect::<Vec<_>>(), ["read", "string", "fast"]);
        assert!(!all.has(Categories::SLOW));
    }
}
