//! What ends a connection: requests that are none.

/// What a peer did to lose its connection. The reply is `-ERR Protocol error: ` and this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number after `*` is no integer or too large.
    InvalidMultibulkLength,
    /// The number after `$` is no integer, negative or too large.
    InvalidBulkLength,
    /// Where `$` should be is another byte.
    ExpectedBulk(u8),
    /// An inline command without an end in sight.
    InlineTooBig,
    /// An inline command with a quote that is not closed, or closed in the middle of an argument.
    UnbalancedQuotes,
    /// A `*` line without an end in sight.
    MultibulkCountTooBig,
    /// A `$` line without an end in sight.
    BulkCountTooBig,
    /// More arguments than a client may send before AUTH.
    UnauthenticatedMultibulkLength,
    /// A larger argument than a client may send before AUTH.
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// Appends the text of the error to `out`, without prefix and line end.
    pub fn write_text(self, out: &mut Vec<u8>) {
        let text: &[u8] = match self {
            Self::InvalidMultibulkLength => b"invalid multibulk length",
            Self::InvalidBulkLength => b"invalid bulk length",
            Self::ExpectedBulk(_) => b"expected '$', got '",
            Self::InlineTooBig => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::MultibulkCountTooBig => b"too big mbulk count string",
            Self::BulkCountTooBig => b"too big bulk count string",
            Self::UnauthenticatedMultibulkLength => b"unauthenticated multibulk length",
            Self::UnauthenticatedBulkLength => b"unauthenticated bulk length",
        };
        out.extend_from_slice(text);
        if let Self::ExpectedBulk(byte) = self {
            out.extend_from_slice(&[byte, b'\'']);
        }
    }
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::new();
        self.write_text(&mut text);
        write!(formatter, "Protocol error: {}", text.escape_ascii())
    }
}

impl std::error::Error for ProtocolError {}
