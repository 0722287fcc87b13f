//! The replies of a transaction's parts, put together as the reply of its commands.
//!
//! Each part replies to its commands one after another; each command of the transaction, in the
//! client's order, is a [`Piece`] that says where its reply comes from.
//!
//! ```text
//! EXEC of   SET a 1      PING       MGET a b        a on shard 0, b on shard 1
//! pieces    Part(0)      Ready      Merged(0, 1)
//! replies   0: "+OK" "*1 1"    1: "*1 null"         together: *3 +OK +PONG *2 1 null
//! ```

use std::ops::Range;

use commands::{Merge, Replies, ShardCommand};
use resp::{Protocol, ReplyReader, Writer};
use telemetry::{SlowCallWords, SlowWords};

use crate::memory::kept::KEPT_BYTES_MAX;
use crate::tick::time::Time;

/// The replies of a transaction's parts, as they come in.
#[derive(Default)]
pub(crate) struct Gather {
    protocol: Protocol,
    /// Where the reply of each command comes from.
    outline: Outline,
    /// Whether the replies are elements of an array: EXEC.
    framed: bool,
    /// What came from each part, if it has.
    parts: Vec<Option<Came>>,
    /// Their replies, as they came.
    bytes: Vec<u8>,
    /// Their shares, as they came.
    shares: Vec<u64>,
    /// The commands that several parts ran, once they are merged.
    ended: Vec<Ended>,
    /// Parts and pieces that have not replied yet.
    missing: usize,
    /// What a merge that chooses at random draws from.
    random: u64,
}

/// What a part brought: places in [`Gather::bytes`] and in [`Gather::shares`].
#[derive(Clone, Default)]
struct Came {
    bytes: Range<usize>,
    shares: Range<usize>,
}

/// A command that several parts ran, and that has come to its end.
pub(crate) struct Ended {
    /// Which of the pieces.
    piece: usize,
    /// How long it took: the longest of the parts, which run side by side, and merging. That is how
    /// long its client would wait if there were nobody else: what it took of one core thread's time
    /// at most, as Redis has only one.
    pub(crate) took_ns: u64,
    /// Its error reply, if it is one.
    pub(crate) error: Option<Box<[u8]>>,
}

/// Where the replies of a transaction's commands come from, in order.
#[derive(Default)]
pub(crate) struct Outline {
    pub(crate) pieces: Vec<Piece>,
    /// What [`Merged`] points into.
    pub(crate) numbers: Vec<u16>,
    /// The words of the commands that several parts run: see [`SharedCall`].
    pub(crate) words: SlowWords,
}

/// Where the reply of one command comes from.
pub(crate) enum Piece {
    /// The next reply of this part.
    Part(u16),
    /// The next replies of several parts, merged.
    Merged(Merged),
    /// It is here.
    Ready(Vec<u8>),
    /// An answer of all core threads that is under way.
    Asked,
}

/// How the replies of several parts become one.
pub(crate) struct Merged {
    pub(crate) merge: Merge,
    /// The parts, in the order of their shards: places in [`Outline::numbers`].
    pub(crate) parts: Range<usize>,
    /// Places in [`Outline::numbers`] that say for each key, in the command's order, which of
    /// `parts` it went to; none where every shard runs the whole command.
    pub(crate) order: Range<usize>,
    pub(crate) call: SharedCall,
}

/// A command that several shards run: to its client, and to whoever counts, it is one.
#[derive(Clone)]
pub(crate) struct SharedCall {
    pub(crate) command: &'static ShardCommand,
    /// Its number in the registry.
    pub(crate) number: u16,
    /// Its words in [`Outline::words`], as the client sent them; none without a slow log.
    pub(crate) words: SlowCallWords,
}

impl Outline {
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.numbers.clear();
        self.words.clear();
    }

    /// Whether it is small enough to be kept for the next use.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        let Self { pieces, numbers, words } = self;
        let bytes = pieces.capacity() * size_of::<Piece>() + numbers.capacity() * size_of::<u16>();
        bytes + words.heap_bytes() <= KEPT_BYTES_MAX
    }
}

impl Gather {
    /// Waits for `parts` parts, and for the pieces that are asked for. Leaves an outline for the
    /// next use.
    pub(crate) fn begin(
        &mut self,
        protocol: Protocol,
        outline: &mut Outline,
        parts: usize,
        random: u64,
    ) {
        std::mem::swap(&mut self.outline, outline);
        outline.clear();
        let pieces = &self.outline.pieces;
        self.missing = parts + pieces.iter().filter(|it| matches!(it, Piece::Asked)).count();
        (self.protocol, self.framed, self.random) = (protocol, false, random);
        self.parts.clear();
        self.parts.resize(parts, None);
        self.bytes.clear();
        self.shares.clear();
        self.ended.clear();
    }

    /// The replies become an array.
    pub(crate) fn frame(&mut self) {
        self.framed = true;
    }

    /// Takes the reply of part `index` in, and how long it took for what others ran as well.
    pub(crate) fn add_bytes(&mut self, index: u16, reply: &[u8], shares: &[u64]) {
        if let Some(place @ None) = self.parts.get_mut(usize::from(index)) {
            let (bytes_begin, shares_begin) = (self.bytes.len(), self.shares.len());
            self.bytes.extend_from_slice(reply);
            self.shares.extend_from_slice(shares);
            let bytes = bytes_begin..self.bytes.len();
            *place = Some(Came { bytes, shares: shares_begin..self.shares.len() });
            self.missing -= 1;
        }
    }

    /// The answer to the question at `piece` is here.
    pub(crate) fn add_answer(&mut self, piece: usize, reply: Vec<u8>) {
        if let Some(place @ Piece::Asked) = self.outline.pieces.get_mut(piece) {
            *place = Piece::Ready(reply);
            self.missing -= 1;
        }
    }

    /// Whether everything has come in.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Writes the one reply.
    pub(crate) fn merge(&mut self, time: &Time, out: &mut Vec<u8>) {
        if self.framed {
            Writer::new(out, self.protocol).array(self.outline.pieces.len());
        }
        self.each(time, |reply| out.extend_from_slice(reply));
    }

    /// Hands out the reply of each command, in order.
    pub(crate) fn each(&mut self, time: &Time, mut take: impl FnMut(&[u8])) {
        self.ended.clear();
        if self.outline.pieces.is_empty() {
            return;
        }
        let (bytes, shares) = (&self.bytes, &self.shares);
        let came = self.parts.iter().map(|part| part.clone().unwrap_or_default());
        let mut rests: Vec<Rest<'_>> = came
            .map(|came| Rest { bytes: &bytes[came.bytes], shares: &shares[came.shares] })
            .collect();
        let Outline { pieces, numbers, .. } = &self.outline;
        let mut merged = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Part(part) => take(rests[usize::from(*part)].next_reply()),
                Piece::Merged(of) => {
                    let began_ns = time.now_ns();
                    let parts = &numbers[of.parts.clone()];
                    let longest = |part: &u16| rests[usize::from(*part)].next_share();
                    let longest_ns = parts.iter().map(longest).max().unwrap_or(0);
                    let next = |part: &u16| rests[usize::from(*part)].next_reply();
                    let replies: Vec<&[u8]> = parts.iter().map(next).collect();
                    let (protocol, random) = (self.protocol, self.random);
                    let order = &numbers[of.order.clone()];
                    let replies = Replies { protocol, parts: &replies, order, random };
                    merged.clear();
                    of.merge.merge(&replies, &mut merged);
                    take(&merged);
                    let is_error = matches!(merged.first(), Some(b'-' | b'!'));
                    let error = is_error.then(|| Box::from(&merged[..]));
                    let took_ns = longest_ns + (time.now_ns() - began_ns);
                    self.ended.push(Ended { piece: at, took_ns, error });
                }
                Piece::Ready(reply) => take(reply),
                Piece::Asked => debug_assert!(false, "merged before it is complete"),
            }
        }
    }

    /// The commands that several parts ran and that came to their end when this was last merged.
    pub(crate) fn ended(&self) -> impl Iterator<Item = (&SharedCall, &Ended)> {
        self.ended.iter().filter_map(|ended| match self.outline.pieces.get(ended.piece) {
            Some(Piece::Merged(merged)) => Some((&merged.call, ended)),
            _ => None,
        })
    }

    /// The words of such a command as the slow log shows them.
    pub(crate) fn words_of(&self, call: &SharedCall) -> Vec<Box<[u8]>> {
        self.outline.words.texts(&call.words)
    }

    /// Whether it is small enough to be kept for the next use.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.bytes.capacity() <= KEPT_BYTES_MAX && self.outline.is_worth_keeping()
    }
}

/// What a part brought and that was not handed out yet.
struct Rest<'a> {
    bytes: &'a [u8],
    shares: &'a [u64],
}

impl<'a> Rest<'a> {
    /// Splits the next whole reply off; all there is where it is not whole, which this server does
    /// not write.
    fn next_reply(&mut self) -> &'a [u8] {
        let length = ReplyReader::new().read(self.bytes).ok().flatten();
        let (reply, tail) = self.bytes.split_at(length.unwrap_or(self.bytes.len()));
        self.bytes = tail;
        reply
    }

    /// How long the part took for the next command that others ran as well.
    fn next_share(&mut self) -> u64 {
        let Some((first, tail)) = self.shares.split_first() else { return 0 };
        self.shares = tail;
        *first
    }
}

#[cfg(test)]
mod tests {
    use super::{Gather, Merged, Outline, Piece, SharedCall};
    use crate::tick::time::Time;
    use commands::Merge;
    use net::Clock;
    use resp::Protocol;
    use telemetry::SlowCallWords;

    fn time() -> Time {
        Time::new(Clock::new())
    }

    fn gather(mut outline: Outline, parts: usize) -> Gather {
        let mut gather = Gather::default();
        gather.begin(Protocol::Resp2, &mut outline, parts, 0);
        gather
    }

    #[test]
    fn replies_come_in_the_order_of_the_commands() {
        let mut outline =
            Outline { pieces: Vec::new(), numbers: vec![0, 1, 1, 0], ..Outline::default() };
        let command = commands::FAMILIES[0][0];
        let call = SharedCall { command, number: 7, words: SlowCallWords::default() };
        outline.pieces = vec![
            Piece::Part(1),
            Piece::Asked,
            Piece::Merged(Merged { merge: Merge::InOrder, parts: 0..2, order: 2..4, call }),
            Piece::Part(0),
            Piece::Ready(b"+PONG\r\n".to_vec()),
        ];
        let mut gather = gather(outline, 2);
        gather.frame();
        gather.add_bytes(1, b"+OK\r\n*1\r\n$1\r\nb\r\n", &[3_000_000]);
        gather.add_bytes(0, b"*1\r\n$1\r\na\r\n:7\r\n", &[1_000_000]);
        assert!(!gather.is_complete());
        gather.add_answer(1, b":42\r\n".to_vec());
        assert!(gather.is_complete());
        let mut out = Vec::new();
        gather.merge(&time(), &mut out);
        let whole = "*5\r\n+OK\r\n:42\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n:7\r\n+PONG\r\n";
        assert_eq!(String::from_utf8_lossy(&out), whole);
        let ended: Vec<_> = gather.ended().collect();
        let [(call, ended)] = ended[..] else { panic!("one command is of several parts") };
        assert_eq!((call.number, ended.error.as_deref()), (7, None));
        let took_ns = ended.took_ns;
        assert!((3_000_000..1_000_000_000).contains(&took_ns), "the longest share: {took_ns}");
    }

    #[test]
    fn a_gather_serves_again() {
        let mut outline =
            Outline { pieces: vec![Piece::Part(0)], numbers: vec![7], ..Outline::default() };
        let mut gather = gather(Outline::default(), 3);
        gather.add_bytes(2, b"+LATE\r\n", &[]);
        gather.frame();
        gather.begin(Protocol::Resp2, &mut outline, 1, 0);
        assert!(outline.pieces.is_empty() && outline.numbers.is_empty());
        gather.add_bytes(0, b"+OK\r\n", &[]);
        let mut out = Vec::new();
        gather.merge(&time(), &mut out);
        assert_eq!(out, b"+OK\r\n");
    }
}
