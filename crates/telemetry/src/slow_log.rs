//! The slow log: calls that took at least `slowlog-log-slower-than` microseconds, newest first.
//!
//! Each core thread keeps its own. Identifiers come from one source for the whole server, one after
//! the other, so that the logs of all core threads merge into one by identifier, and each knows by
//! the identifiers given out which of its entries are too old: `slowlog-max-len` is the server's.
//! What an entry may hold is bounded as in Redis (slowlog.h): 32 arguments of 128 bytes each.
//!
//! ```text
//!   an argument of 200 bytes     its first 128 bytes, then "... (72 more bytes)"
//!   40 arguments                 31 of them, then "... (9 more arguments)"
//! ```

use std::collections::VecDeque;
use std::ops::Range;

/// Most arguments that an entry shows, counting the one that says how many more there were.
pub const SLOW_ARGUMENTS_MAX: usize = 32;

/// Most bytes that an entry keeps of one argument.
pub const SLOW_ARGUMENT_BYTES_MAX: usize = 128;

/// What decides whether a call is slow, and how many slow calls are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowLogSettings {
    /// `slowlog-log-slower-than`, in microseconds: 0 logs every call, a negative number none.
    pub slower_than_us: i64,
    /// `slowlog-max-len`: most entries; 0 logs nothing.
    pub entries_max: usize,
}

impl Default for SlowLogSettings {
    /// As Redis' defaults: 10 ms, 128 entries.
    fn default() -> Self {
        Self { slower_than_us: 10_000, entries_max: 128 }
    }
}

/// A call just executed, as the slow log wants to know it.
#[derive(Clone, Debug)]
pub struct SlowCall<'a> {
    /// When it was executed, in seconds since 1970.
    pub unix_s: u64,
    /// How long it ran, in microseconds.
    pub duration_us: u64,
    /// Name and arguments, as sent (secrets already replaced by the caller), cut by [`SlowWords`].
    pub arguments: Vec<Box<[u8]>>,
    /// The client's address and port.
    pub client_address: &'a [u8],
    /// The client's name; empty without one.
    pub client_name: &'a [u8],
}

/// A slow call, as SLOWLOG GET shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowEntry {
    /// Unique in the server, growing with time.
    pub id: u64,
    /// When the call was executed, in seconds since 1970.
    pub unix_s: u64,
    /// How long it ran, in microseconds.
    pub duration_us: u64,
    /// Name and arguments, cut short. At most [`SLOW_ARGUMENTS_MAX`].
    pub arguments: Vec<Box<[u8]>>,
    /// The client's address and port.
    pub client_address: Box<[u8]>,
    /// The client's name; empty without one.
    pub client_name: Box<[u8]>,
}

/// One core thread's slow calls.
#[derive(Clone, Debug, Default)]
pub struct SlowLog {
    /// Oldest in front; at most `settings.entries_max`. Identifiers ascend: those of calls of other
    /// core threads are missing.
    entries: VecDeque<SlowEntry>,
    settings: SlowLogSettings,
}

impl SlowLog {
    /// An empty log.
    pub const fn new(settings: SlowLogSettings) -> Self {
        Self { entries: VecDeque::new(), settings }
    }

    /// Changes the settings (CONFIG SET). Entries over the old or the new bound go, oldest first.
    /// `next_id` as in [`SlowLog::trim`].
    pub fn set(&mut self, settings: SlowLogSettings, next_id: u64) {
        self.trim(next_id);
        self.settings = settings;
        self.trim(next_id);
    }

    /// Forgets the entries that are not among the newest of the whole server, of which the next one
    /// will have the identifier `next_id`.
    pub fn trim(&mut self, next_id: u64) {
        let first = next_id.saturating_sub(self.settings.entries_max as u64);
        let old = self.entries.partition_point(|entry| entry.id < first);
        self.entries.drain(..old);
    }

    /// Whether a call of this duration is to be logged. Asked after every call: two comparisons.
    pub const fn is_slow(&self, duration_us: u64) -> bool {
        let slower_than_us = self.settings.slower_than_us;
        slower_than_us >= 0
            && self.settings.entries_max > 0
            && duration_us >= slower_than_us.unsigned_abs()
    }

    /// Logs a call if it was slow. `id` is asked for an identifier only then; it must give
    /// ever greater ones, and none twice in the server.
    pub fn record(&mut self, call: SlowCall<'_>, id: impl FnOnce() -> u64) {
        if !self.is_slow(call.duration_us) {
            return;
        }
        let id = id();
        self.entries.push_back(SlowEntry::new(id, call));
        self.trim(id + 1);
    }

    /// The entries, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &SlowEntry> {
        self.entries.iter().rev()
    }

    /// The newest entries of several core threads together, newest first, at most `count`.
    pub fn newest_of<'a>(
        logs: impl IntoIterator<Item = &'a Self>,
        count: usize,
    ) -> Vec<&'a SlowEntry> {
        let mut all: Vec<_> = logs.into_iter().flat_map(|log| log.newest().take(count)).collect();
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
        all.truncate(count);
        all
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all entries (SLOWLOG RESET).
    pub fn reset(&mut self) {
        self.entries = VecDeque::new();
    }
}

impl SlowEntry {
    /// An entry for `call`.
    pub fn new(id: u64, call: SlowCall<'_>) -> Self {
        Self {
            id,
            unix_s: call.unix_s,
            duration_us: call.duration_us,
            arguments: call.arguments,
            client_address: call.client_address.into(),
            client_name: call.client_name.into(),
        }
    }
}

/// Name and arguments of calls that may turn out slow, cut short as they come: what a call brings
/// is gone when it is known how long it took. One buffer for many calls, which serves again.
#[derive(Clone, Debug, Default)]
pub struct SlowWords {
    bytes: Vec<u8>,
    words: Vec<SlowWord>,
}

/// A word in [`SlowWords`]: it begins where the one before ends.
#[derive(Clone, Copy, Debug)]
struct SlowWord {
    end: usize,
    /// Bytes that it had besides.
    left_out: usize,
}

/// The words of one call in [`SlowWords`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlowCallWords {
    words: Range<usize>,
    /// Arguments that it had besides.
    left_out: usize,
}

impl SlowWords {
    /// Keeps the words of a call: at most [`SLOW_ARGUMENTS_MAX`], [`SLOW_ARGUMENT_BYTES_MAX`] bytes
    /// of each.
    pub fn push<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]>) -> SlowCallWords {
        let count = words.len();
        // The last place is taken by the line that counts what is left out.
        let shown = if count > SLOW_ARGUMENTS_MAX { SLOW_ARGUMENTS_MAX - 1 } else { count };
        let begin = self.words.len();
        for word in words.take(shown) {
            let kept = word.len().min(SLOW_ARGUMENT_BYTES_MAX);
            self.bytes.extend_from_slice(&word[..kept]);
            let (end, left_out) = (self.bytes.len(), word.len() - kept);
            self.words.push(SlowWord { end, left_out });
        }
        SlowCallWords { words: begin..self.words.len(), left_out: count - shown }
    }

    /// The words of a call as an entry shows them.
    pub fn texts(&self, call: &SlowCallWords) -> Vec<Box<[u8]>> {
        let words = self.words.get(call.words.clone()).unwrap_or_default();
        let before = call.words.start.checked_sub(1).and_then(|at| self.words.get(at));
        let mut begin = before.map_or(0, |word| word.end);
        let mut texts: Vec<Box<[u8]>> = Vec::with_capacity(words.len() + 1);
        for word in words {
            let mut text = self.bytes[begin..word.end].to_vec();
            if word.left_out > 0 {
                text.extend_from_slice(format!("... ({} more bytes)", word.left_out).as_bytes());
            }
            texts.push(text.into());
            begin = word.end;
        }
        if call.left_out > 0 {
            let text = format!("... ({} more arguments)", call.left_out);
            texts.push(text.into_bytes().into());
        }
        texts
    }

    /// The words of one call as an entry shows them.
    pub fn texts_of<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Box<[u8]>> {
        let mut all = Self::default();
        let call = all.push(words);
        all.texts(&call)
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.words.clear();
    }

    /// Bytes that it has from the allocator.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.words.capacity() * size_of::<SlowWord>()
    }
}

#[cfg(test)]
mod tests {
    use super::{SLOW_ARGUMENTS_MAX, SlowCall, SlowEntry, SlowLog, SlowLogSettings, SlowWords};

    fn call(duration_us: u64, arguments: &[&[u8]]) -> SlowCall<'static> {
        let arguments = SlowWords::texts_of(arguments.iter().copied());
        let (client_address, client_name) = (b"127.0.0.1:5000".as_slice(), b"".as_slice());
        SlowCall { unix_s: 7, duration_us, arguments, client_address, client_name }
    }

    fn log(slower_than_us: i64, entries_max: usize) -> SlowLog {
        SlowLog::new(SlowLogSettings { slower_than_us, entries_max })
    }

    fn ids(log: &SlowLog) -> Vec<u64> {
        log.newest().map(|entry| entry.id).collect()
    }

    #[test]
    fn only_slow_calls_are_logged_and_only_they_take_an_id() {
        let mut slow = log(100, 10);
        slow.record(call(99, &[b"GET"]), || panic!("not slow: no id is taken"));
        slow.record(call(100, &[b"GET", b"k"]), || 4);
        assert_eq!(ids(&slow), [4]);
        assert!(log(0, 1).is_slow(0), "zero logs every call");
        assert!(!log(-1, 1).is_slow(u64::MAX), "negative logs none");
        assert!(!log(0, 0).is_slow(u64::MAX), "no room, no log");
        assert!(!log(i64::MAX, 1).is_slow(1) && !log(i64::MIN, 1).is_slow(1));
    }

    #[test]
    fn the_oldest_go_when_full_or_when_the_bound_shrinks() {
        let mut slow = log(0, 3);
        for id in 0..5 {
            slow.record(call(1, &[b"PING"]), || id);
        }
        assert_eq!(ids(&slow), [4, 3, 2]);
        slow.trim(6);
        assert_eq!(ids(&slow), [4, 3], "another core thread has the newest");
        slow.set(SlowLogSettings { slower_than_us: 0, entries_max: 1 }, 5);
        assert_eq!((ids(&slow), slow.len()), (vec![4], 1));
        slow.reset();
        assert!(slow.is_empty());
    }

    #[test]
    fn logs_of_several_core_threads_merge_by_id() {
        let (mut one, mut other) = (log(0, 10), log(0, 10));
        for id in 0..6 {
            let target = if id % 3 == 0 { &mut one } else { &mut other };
            target.record(call(1, &[b"PING"]), || id);
        }
        let merged = |count| -> Vec<u64> {
            SlowLog::newest_of([&one, &other], count).iter().map(|entry| entry.id).collect()
        };
        assert_eq!(merged(4), [5, 4, 3, 2]);
        assert_eq!(merged(usize::MAX), [5, 4, 3, 2, 1, 0]);
        assert!(merged(0).is_empty());
    }

    #[test]
    fn arguments_are_cut_as_redis_cuts_them() {
        let shown = |entry: &SlowEntry, index: usize| {
            String::from_utf8(entry.arguments[index].to_vec()).expect("ASCII in this test")
        };
        let (fits, long) = (vec![b'a'; 128], vec![b'b'; 200]);
        let entry = SlowEntry::new(0, call(1, &[b"SET", &fits, &long]));
        assert_eq!(shown(&entry, 1), "a".repeat(128));
        assert_eq!(shown(&entry, 2), "b".repeat(128) + "... (72 more bytes)");

        let arguments = vec![b"x".as_slice(); 32];
        let entry = SlowEntry::new(0, call(1, &arguments));
        assert_eq!((entry.arguments.len(), shown(&entry, 31).as_str()), (32, "x"));
        let arguments = vec![b"x".as_slice(); 40];
        let entry = SlowEntry::new(0, call(1, &arguments));
        assert_eq!(entry.arguments.len(), SLOW_ARGUMENTS_MAX);
        assert_eq!(
            (shown(&entry, 30).as_str(), shown(&entry, 31).as_str()),
            ("x", "... (9 more arguments)")
        );
        assert!(SlowEntry::new(0, call(1, &[])).arguments.is_empty());
    }

    #[test]
    fn words_of_many_calls_stand_in_one_buffer() {
        let (mut words, long) = (SlowWords::default(), vec![b'v'; 130]);
        for _ in 0..2 {
            words.clear();
            let first = words.push([b"DBSIZE".as_slice()].into_iter());
            let many = words.push((0..50).map(|_| long.as_slice()));
            let last = words.push([b"SET".as_slice(), b"", b"x"].into_iter());
            assert_eq!(words.texts(&first), [Box::from(b"DBSIZE".as_slice())]);
            let texts = words.texts(&many);
            assert_eq!(texts.len(), SLOW_ARGUMENTS_MAX);
            assert_eq!(&*texts[30], [&[b'v'; 128][..], b"... (2 more bytes)"].concat());
            assert_eq!(&*texts[31], b"... (19 more arguments)");
            let texts: Vec<&[u8]> = Vec::from([b"SET".as_slice(), b"", b"x"]);
            assert!(words.texts(&last).iter().map(|text| &**text).eq(texts));
        }
        assert!(words.heap_bytes() < 64 << 10);
    }
}
