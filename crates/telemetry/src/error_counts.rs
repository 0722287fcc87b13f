//! Error replies counted by their prefix, the first word: `-WRONGTYPE Operation ...` is a
//! `WRONGTYPE`.
//!
//! Scripts can reply with errors of their own making, so prefixes come from outside: their number
//! and length are bounded. Prefixes over the number count in the total only; an error without a
//! prefix, or with too long a one, is an `ERR`.

use std::collections::BTreeMap;

/// Most prefixes told apart. Redis 7.2 has no bound at first and later the same one (server.c,
/// error statistics).
pub const ERROR_PREFIXES_MAX: usize = 128;

/// Longest prefix told apart, in bytes: the space that ends it must be among the first 32 bytes
/// sent, of which one is the `-` (Redis networking.c, `afterErrorReply`).
const PREFIX_BYTES_MAX: usize = 30;

/// What an error without a prefix of its own counts as.
const PREFIX_DEFAULT: &[u8] = b"ERR";

/// How many error replies were sent, by prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounts {
    /// At most [`ERROR_PREFIXES_MAX`] entries; in the order in which INFO lists them.
    by_prefix: BTreeMap<Box<[u8]>, u64>,
    /// All error replies, also those of no entry.
    total: u64,
}

impl ErrorCounts {
    /// Counts one error reply, given its text as sent, with or without the leading `-`.
    pub fn record(&mut self, text: &[u8]) {
        self.total += 1;
        self.add(prefix(text), 1);
    }

    /// Adds another core thread's counts to these.
    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        for (prefix, &count) in &other.by_prefix {
            self.add(prefix, count);
        }
    }

    /// All error replies (`total_error_replies`).
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Each prefix with its count, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.by_prefix.iter().map(|(prefix, &count)| (&**prefix, count))
    }

    fn add(&mut self, prefix: &[u8], count: u64) {
        if let Some(counted) = self.by_prefix.get_mut(prefix) {
            *counted += count;
        } else if self.by_prefix.len() < ERROR_PREFIXES_MAX {
            self.by_prefix.insert(prefix.into(), count);
        }
    }
}

/// The first word of an error reply, or the default if no space ends it soon enough.
fn prefix(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match text.iter().take(PREFIX_BYTES_MAX + 1).position(|&byte| byte == b' ') {
        None | Some(0) => PREFIX_DEFAULT,
        Some(end) => &text[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::{ERROR_PREFIXES_MAX, ErrorCounts};

    #[test]
    fn counts_by_first_word() {
        let mut errors = ErrorCounts::default();
        let longest = "X".repeat(30);
        let texts = ["-ERR a", "ERR b", "WRONGTYPE c", "-NOAUTH d", "-BARE\r\n", "- x", "", "-"];
        for text in texts.map(str::to_owned).into_iter().chain([format!("-{longest} e")]) {
            errors.record(text.as_bytes());
        }
        errors.record(format!("-{longest}X f").as_bytes());
        assert_eq!(errors.total(), 10);
        let counted: Vec<_> = errors.iter().collect();
        let longest = longest.as_bytes();
        assert_eq!(counted, [(&b"ERR"[..], 7), (b"NOAUTH", 1), (b"WRONGTYPE", 1), (longest, 1)]);
    }

    #[test]
    fn made_up_prefixes_are_bounded() {
        let mut errors = ErrorCounts::default();
        for number in 0..1000 {
            errors.record(format!("E{number:04} text").as_bytes());
        }
        errors.record(b"E0001 again");
        assert_eq!(errors.iter().count(), ERROR_PREFIXES_MAX);
        assert_eq!(errors.total(), 1001);
        assert!(errors.iter().any(|one| one == (b"E0001", 2)));
    }
}
