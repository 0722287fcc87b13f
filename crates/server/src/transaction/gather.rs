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

use commands::{Merge, Replies};
use resp::{Protocol, ReplyReader, Writer};

use crate::memory::kept::KEPT_BYTES_MAX;

/// The replies of a transaction's parts, as they come in.
#[derive(Default)]
pub(crate) struct Gather {
    protocol: Protocol,
    /// Where the reply of each command comes from.
    outline: Outline,
    /// Whether the replies are elements of an array: EXEC.
    framed: bool,
    /// What the parts have replied, if they have: these bytes of `bytes`.
    parts: Vec<Option<Range<usize>>>,
    /// Their replies, as they came.
    bytes: Vec<u8>,
    /// Parts and pieces that have not replied yet.
    missing: usize,
    /// What a merge that chooses at random draws from.
    random: u64,
}

/// Where the replies of a transaction's commands come from, in order.
#[derive(Default)]
pub(crate) struct Outline {
    pub(crate) pieces: Vec<Piece>,
    /// What [`Merged`] points into.
    pub(crate) numbers: Vec<u16>,
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
}

impl Outline {
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.numbers.clear();
    }

    /// Whether it is small enough to be kept for the next use.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        let Self { pieces, numbers } = self;
        let bytes = pieces.capacity() * size_of::<Piece>() + numbers.capacity() * size_of::<u16>();
        bytes <= KEPT_BYTES_MAX
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
    }

    /// The replies become an array.
    pub(crate) fn frame(&mut self) {
        self.framed = true;
    }

    /// Takes the reply of part `index` in.
    pub(crate) fn add_bytes(&mut self, index: u16, reply: &[u8]) {
        if let Some(place @ None) = self.parts.get_mut(usize::from(index)) {
            let begin = self.bytes.len();
            self.bytes.extend_from_slice(reply);
            *place = Some(begin..self.bytes.len());
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
    pub(crate) fn merge(&self, out: &mut Vec<u8>) {
        if self.framed {
            Writer::new(out, self.protocol).array(self.outline.pieces.len());
        }
        self.each(|reply| out.extend_from_slice(reply));
    }

    /// Hands out the reply of each command, in order.
    pub(crate) fn each(&self, mut take: impl FnMut(&[u8])) {
        if self.outline.pieces.is_empty() {
            return;
        }
        let replied = self.parts.iter().map(|part| part.clone().unwrap_or_default());
        let mut rests: Vec<&[u8]> = replied.map(|range| &self.bytes[range]).collect();
        let Outline { pieces, numbers } = &self.outline;
        let mut merged = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Part(part) => take(next_reply(&mut rests[usize::from(*part)])),
                Piece::Merged(of) => {
                    let parts = numbers[of.parts.clone()].iter();
                    let replies: Vec<&[u8]> =
                        parts.map(|it| next_reply(&mut rests[usize::from(*it)])).collect();
                    let (protocol, random) = (self.protocol, self.random);
                    let order = &numbers[of.order.clone()];
                    let replies = Replies { protocol, parts: &replies, order, random };
                    merged.clear();
                    of.merge.merge(&replies, &mut merged);
                    take(&merged);
                }
                Piece::Ready(reply) => take(reply),
                Piece::Asked => debug_assert!(false, "merged before it is complete"),
            }
        }
    }

    /// Whether it is small enough to be kept for the next use.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.bytes.capacity() <= KEPT_BYTES_MAX && self.outline.is_worth_keeping()
    }
}

/// Splits the next whole reply off; all there is where it is not whole, which this server does not
/// write.
fn next_reply<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = ReplyReader::new().read(rest).ok().flatten().unwrap_or(rest.len());
    let (reply, tail) = rest.split_at(length);
    *rest = tail;
    reply
}

#[cfg(test)]
mod tests {
    use super::{Gather, Merged, Outline, Piece};
    use commands::Merge;
    use resp::Protocol;

    fn gather(mut outline: Outline, parts: usize) -> Gather {
        let mut gather = Gather::default();
        gather.begin(Protocol::Resp2, &mut outline, parts, 0);
        gather
    }

    #[test]
    fn replies_come_in_the_order_of_the_commands() {
        let mut outline = Outline { pieces: Vec::new(), numbers: vec![0, 1, 1, 0] };
        outline.pieces = vec![
            Piece::Part(1),
            Piece::Asked,
            Piece::Merged(Merged { merge: Merge::InOrder, parts: 0..2, order: 2..4 }),
            Piece::Part(0),
            Piece::Ready(b"+PONG\r\n".to_vec()),
        ];
        let mut gather = gather(outline, 2);
        gather.frame();
        gather.add_bytes(1, b"+OK\r\n*1\r\n$1\r\nb\r\n");
        gather.add_bytes(0, b"*1\r\n$1\r\na\r\n:7\r\n");
        assert!(!gather.is_complete());
        gather.add_answer(1, b":42\r\n".to_vec());
        assert!(gather.is_complete());
        let mut out = Vec::new();
        gather.merge(&mut out);
        let whole = "*5\r\n+OK\r\n:42\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n:7\r\n+PONG\r\n";
        assert_eq!(String::from_utf8_lossy(&out), whole);
    }

    #[test]
    fn a_gather_serves_again() {
        let mut outline = Outline { pieces: vec![Piece::Part(0)], numbers: vec![7] };
        let mut gather = gather(Outline::default(), 3);
        gather.add_bytes(2, b"+LATE\r\n");
        gather.frame();
        gather.begin(Protocol::Resp2, &mut outline, 1, 0);
        assert!(outline.pieces.is_empty() && outline.numbers.is_empty());
        gather.add_bytes(0, b"+OK\r\n");
        let mut out = Vec::new();
        gather.merge(&mut out);
        assert_eq!(out, b"+OK\r\n");
    }
}
