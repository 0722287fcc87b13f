//! Strings: the type that most keys hold.
//!
//! A string has one of three forms in memory. The table knows two of them: an integer kept as a
//! number, and bytes embedded in the record. The third is [`LongString`], for what is longer than
//! the table embeds. `OBJECT ENCODING` speaks of Redis' own forms instead; [`StringEncoding`] maps
//! one to the other.

mod encoding;
mod long;
mod mapping;
mod stored;

pub use encoding::{EMBSTR_BYTES_MAX, StringEncoding};
pub use long::LongString;
pub use mapping::mapped_bytes;
pub use stored::{
    EMBEDDED_BYTES_MAX, NotString, StringBytes, append, edit, stored_bytes, stored_encoding,
    stored_integer, stored_string, stored_zeros,
};
