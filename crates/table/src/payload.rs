//! What a record holds beside its key, as it goes in, is looked at, and comes out.
//!
//! The three forms are the same everywhere: bytes that lie inside the record, an integer that
//! lies inside the record in as few bytes as it needs, or an object of the caller's type `V` (a
//! small move-only thing, such as a box) of which the record is the only owner.

/// A payload on its way in. Bytes are copied into the record; an object is moved into it.
#[derive(Debug)]
pub enum Payload<'a, V> {
    /// These bytes, embedded. Any length that fits an allocation; meant for short ones.
    Bytes(&'a [u8]),
    /// This integer, in 1, 2, 4 or 8 bytes.
    Int(i64),
    /// This object, which the record owns from now on.
    Object(V),
}

/// A payload as seen inside a record.
#[derive(Debug)]
pub enum PayloadRef<'a, V> {
    /// The embedded bytes.
    Bytes(&'a [u8]),
    /// The integer.
    Int(i64),
    /// The object.
    Object(&'a V),
}

impl<V> PayloadRef<'_, V> {
    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

impl<V> Clone for PayloadRef<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for PayloadRef<'_, V> {}

/// A payload that left its record and owns what it holds.
#[derive(Debug, PartialEq, Eq)]
pub enum OwnedPayload<V> {
    /// A copy of the bytes that were embedded.
    Bytes(Box<[u8]>),
    /// The integer.
    Int(i64),
    /// The object itself.
    Object(V),
}

/// What to do with the expiry of a record that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Leave the one that is there; a new record has none.
    Keep,
    /// The record has none.
    Never,
    /// The record expires at this moment, in unix milliseconds. The table attaches no meaning to
    /// it: records do not vanish by themselves.
    At(i64),
}

impl From<Option<i64>> for Expiry {
    fn from(at_ms: Option<i64>) -> Self {
        at_ms.map_or(Self::Never, Self::At)
    }
}

/// What a write replaced.
#[derive(Debug, PartialEq, Eq)]
pub enum Replaced<V> {
    /// Nothing: the key is new.
    Nothing,
    /// Bytes or an integer, gone.
    Plain,
    /// This object, now the caller's (to drop it at once or in slices).
    Object(V),
}

impl<V> Replaced<V> {
    /// Whether there was a record under the key before.
    pub fn existed(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// The object, if it was one.
    pub fn into_object(self) -> Option<V> {
        match self {
            Self::Object(object) => Some(object),
            Self::Nothing | Self::Plain => None,
        }
    }
}

/// What is left of a removed record. Its bytes are gone; its object, if any, is the caller's.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed<V> {
    /// The object that the record owned.
    pub object: Option<V>,
    /// Its expiry, unix milliseconds.
    pub expiry: Option<i64>,
}

/// A record taken out whole, without its key, to be put elsewhere (RENAME, MOVE).
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<V> {
    /// What it held.
    pub payload: OwnedPayload<V>,
    /// Its expiry, unix milliseconds.
    pub expiry: Option<i64>,
    /// Its 24 bits of access.
    pub access: u32,
    /// Its raw flag.
    pub raw: bool,
}
