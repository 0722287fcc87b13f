//! How `OBJECT ENCODING` names the form of a string.
//!
//! | here | Redis says |
//! | --- | --- |
//! | integer in the record | `int` |
//! | bytes in the record, at most 44, as they were set | `embstr` |
//! | bytes in the record, longer, or changed in place (the record's raw flag) | `raw` |
//! | [`LongString`](crate::LongString) | `raw` |
//!
//! Redis never shrinks a string back to `embstr`: once APPEND, SETRANGE or SETBIT made it `raw`, it
//! stays so until it is set anew. The record keeps one flag for that.

/// The longest string that Redis keeps in one piece with its header: a 64-byte allocation less 16
/// bytes of object, 3 of string header and one terminator (`OBJ_ENCODING_EMBSTR_SIZE_LIMIT`).
pub const EMBSTR_BYTES_MAX: usize = 64 - 16 - 3 - 1;

/// Redis' forms of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringEncoding {
    /// A 64-bit integer.
    Int,
    /// A short string that was never changed in place.
    Embstr,
    /// Any other string.
    Raw,
}

impl StringEncoding {
    /// The form of a string of `len` bytes that is not an integer; `raw` is whether it was changed
    /// in place.
    #[must_use]
    pub const fn of_bytes(len: usize, raw: bool) -> Self {
        if raw || len > EMBSTR_BYTES_MAX { Self::Raw } else { Self::Embstr }
    }

    /// The word that `OBJECT ENCODING` replies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Embstr => "embstr",
            Self::Raw => "raw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StringEncoding;

    #[test]
    fn embstr_ends_at_44_bytes() {
        assert_eq!(StringEncoding::of_bytes(0, false).name(), "embstr");
        assert_eq!(StringEncoding::of_bytes(44, false).name(), "embstr");
        assert_eq!(StringEncoding::of_bytes(45, false).name(), "raw");
        assert_eq!(StringEncoding::of_bytes(3, true).name(), "raw");
    }
}
