//! How much a peer may ask the parser to wait for.
//!
//! The parser allocates nothing on the word of a length it has read, so these limits are not what
//! protects memory: the bound of a query buffer (`client-query-buffer-limit`) is, and the server
//! keeps it. They exist to refuse at the header what Redis refuses at the header, with its text.

/// The bounds of requests; `Limits::default()` is an authenticated client of an untouched Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument in bytes: `proto-max-bulk-len`.
    pub bulk_bytes_max: u64,
    /// Most arguments of one command, its name included.
    pub arguments_max: u64,
    /// Longest inline line, and longest `*` or `$` line, in bytes without its line end.
    pub inline_bytes_max: usize,
    /// Whether the connection has passed AUTH or needs none. Until then a command has at most
    /// [`Limits::ARGUMENTS_MAX_UNAUTHENTICATED`] arguments of at most
    /// [`Limits::BULK_BYTES_MAX_UNAUTHENTICATED`] bytes; inline commands are not limited further.
    pub authenticated: bool,
}

impl Limits {
    /// What Redis accepts before a client has authenticated (networking.c): 10 arguments.
    pub const ARGUMENTS_MAX_UNAUTHENTICATED: u64 = 10;
    /// What Redis accepts before a client has authenticated (networking.c): 16 KiB an argument.
    pub const BULK_BYTES_MAX_UNAUTHENTICATED: u64 = 16 * 1024;

    /// These limits for a client that still has to authenticate, or no longer has to.
    #[must_use]
    pub fn authenticated(self, authenticated: bool) -> Self {
        Self { authenticated, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // proto-max-bulk-len 512mb
            bulk_bytes_max: 512 * 1024 * 1024,
            // Redis 7.0 raised 1,048,576 to INT_MAX (measured: 7.0.15 takes *2147483647 and
            // refuses *2147483648)
            arguments_max: i32::MAX as u64,
            // PROTO_INLINE_MAX_SIZE
            inline_bytes_max: 64 * 1024,
            authenticated: true,
        }
    }
}
