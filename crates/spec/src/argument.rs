//! The grammar of a command's arguments, as `COMMAND DOCS` prints it.

/// What kind of thing an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A key; the number is the index of its key spec.
    Key(u8),
    /// Any string.
    String,
    /// An integer.
    Integer,
    /// A floating-point number.
    Double,
    /// A pattern with `*`, `?` and `[...]`.
    Pattern,
    /// Unix time in seconds or milliseconds.
    UnixTime,
    /// A word that is there or not.
    PureToken,
    /// One of several.
    OneOf(&'static [Argument]),
    /// Several in this order.
    Block(&'static [Argument]),
}

impl ArgumentKind {
    /// The `type` in `COMMAND DOCS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf(_) => "oneof",
            Self::Block(_) => "block",
        }
    }
}

/// How often an argument may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ArgumentFlags {
    /// May be absent.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// Its token is repeated with it.
    pub multiple_token: bool,
}

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: ArgumentKind,
    /// The word before it, or for [`ArgumentKind::PureToken`] the word itself.
    pub token: Option<&'static str>,
    /// How often it may come.
    pub flags: ArgumentFlags,
    /// Since when, where later than the command.
    pub since: Option<&'static str>,
    /// Until when, where it is deprecated.
    pub deprecated_since: Option<&'static str>,
}

impl Argument {
    const fn of(name: &'static str, kind: ArgumentKind) -> Self {
        let flags = ArgumentFlags { optional: false, multiple: false, multiple_token: false };
        Self { name, kind, token: None, flags, since: None, deprecated_since: None }
    }

    /// A key found by the first key spec.
    #[must_use]
    pub const fn key(name: &'static str) -> Self {
        Self::of(name, ArgumentKind::Key(0))
    }

    /// A key found by key spec `index`.
    #[must_use]
    pub const fn key_of(name: &'static str, index: u8) -> Self {
        Self::of(name, ArgumentKind::Key(index))
    }

    /// A string.
    #[must_use]
    pub const fn string(name: &'static str) -> Self {
        Self::of(name, ArgumentKind::String)
    }

    /// An integer.
    #[must_use]
    pub const fn integer(name: &'static str) -> Self {
        Self::of(name, ArgumentKind::Integer)
    }

    /// A floating-point number.
    #[must_use]
    pub const fn double(name: &'static str) -> Self {
        Self::of(name, ArgumentKind::Double)
    }

    /// A pattern.
    #[must_use]
    pub const fn pattern(name: &'static str) -> Self {
        Self::of(name, ArgumentKind::Pattern)
    }

    /// Unix time.
    #[must_use]
    pub const fn unix_time(name: &'static str) -> Self {
        Self::of(name, ArgumentKind::UnixTime)
    }

    /// A word that is there or not.
    #[must_use]
    pub const fn word(name: &'static str, token: &'static str) -> Self {
        Self::of(name, ArgumentKind::PureToken).token(token)
    }

    /// One of `choices`.
    #[must_use]
    pub const fn one_of(name: &'static str, choices: &'static [Self]) -> Self {
        Self::of(name, ArgumentKind::OneOf(choices))
    }

    /// All of `parts`, in order.
    #[must_use]
    pub const fn block(name: &'static str, parts: &'static [Self]) -> Self {
        Self::of(name, ArgumentKind::Block(parts))
    }

    /// With a word before it.
    #[must_use]
    pub const fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// May be absent.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.flags.optional = true;
        self
    }

    /// May be repeated.
    #[must_use]
    pub const fn multiple(mut self) -> Self {
        self.flags.multiple = true;
        self
    }

    /// May be repeated, with its token each time.
    #[must_use]
    pub const fn multiple_token(mut self) -> Self {
        self.flags.multiple = true;
        self.flags.multiple_token = true;
        self
    }

    /// There since a later version than the command itself.
    #[must_use]
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Deprecated since a version.
    #[must_use]
    pub const fn deprecated(mut self, version: &'static str) -> Self {
        self.deprecated_since = Some(version);
        self
    }
}
