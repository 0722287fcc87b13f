//! Commands to be logged, as RESP bytes.
//!
//! The log of a shard is a sequence of RESP arrays, each for one database. What a command logs
//! other than its own request is encoded here once, and the log copies it as it is.
//!
//! ```text
//! bytes:    *2\r\n$3\r\nDEL\r\n$1\r\na\r\n*3\r\n...
//! commands: (db 0, ends at 22)              (db 0, ends at ...)
//! ```

/// Encoded commands in order. Reused: `clear` keeps the capacity, unless a huge value went through.
#[derive(Debug, Default)]
pub struct LoggedCommands {
    /// RESP arrays, one after the other.
    bytes: Vec<u8>,
    /// Database and end of each; ends never fall.
    commands: Vec<(usize, usize)>,
}

/// Bytes that are kept for the next commands: a value that is larger is logged rarely.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl LoggedCommands {
    /// Forgets all commands.
    pub fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.commands.clear();
    }

    /// Bytes that it has room for.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether there is no command.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// How many commands there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.commands.len()
    }

    /// Appends the command made of `words`, for database `db`.
    pub fn push(&mut self, db: usize, words: &[&[u8]]) {
        self.header(b'*', words.len());
        for word in words {
            self.header(b'$', word.len());
            self.bytes.extend_from_slice(word);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.commands.push((db, self.bytes.len()));
    }

    /// Appends a command that is encoded already, for database `db`.
    pub fn push_encoded(&mut self, db: usize, command: &[u8]) {
        self.bytes.extend_from_slice(command);
        self.commands.push((db, self.bytes.len()));
    }

    /// The commands in order: database and RESP bytes.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut start = 0;
        self.commands.iter().map(move |&(db, end)| {
            let bytes = &self.bytes[start..end];
            start = end;
            (db, bytes)
        })
    }

    fn header(&mut self, kind: u8, count: usize) {
        self.bytes.push(kind);
        push_decimal(&mut self.bytes, count);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Appends `number` in decimal.
fn push_decimal(bytes: &mut Vec<u8>, number: usize) {
    // 2^64 - 1 has 20 digits
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::{LoggedCommands, push_decimal};

    #[test]
    fn commands_come_back_one_by_one() {
        let mut logged = LoggedCommands::default();
        logged.push(0, &[b"DEL", b"a"]);
        logged.push(15, &[b"SET", b"key", b"0123456789", b""]);
        let all: Vec<_> = logged.iter().collect();
        assert_eq!(all[0], (0, b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n".as_slice()));
        let set = b"*4\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10\r\n0123456789\r\n$0\r\n\r\n";
        assert_eq!(all[1], (15, set.as_slice()));
        assert_eq!(logged.len(), 2);
        logged.clear();
        assert!(logged.is_empty() && logged.iter().next().is_none());
        assert!(logged.capacity() > 0);
        logged.push(0, &[b"SET", b"key", &[b'v'; 1 << 20]]);
        logged.clear();
        assert_eq!(logged.capacity(), 0, "what a huge value took is given back");
    }

    #[test]
    fn decimals() {
        for number in [0, 9, 10, 99, 100, 12_345_678_901, usize::MAX] {
            let mut bytes = Vec::new();
            push_decimal(&mut bytes, number);
            assert_eq!(bytes, number.to_string().as_bytes());
        }
    }
}
