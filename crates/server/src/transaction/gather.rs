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

use commands::{Merge, Replies};
use net::Envelope;
use resp::{Protocol, ReplyReader, Writer};

use crate::message::Message;

/// The replies of a transaction's parts, as they come in.
pub(crate) struct Gather {
    protocol: Protocol,
    /// Where the reply of each command comes from, in order.
    pieces: Vec<Piece>,
    /// Whether the replies are elements of an array: EXEC.
    framed: bool,
    /// The parts that have replied.
    parts: Vec<Option<Envelope<Message>>>,
    /// Parts and pieces that have not replied yet.
    missing: usize,
    /// What a merge that chooses at random draws from.
    random: u64,
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
    /// The parts, in the order of their shards.
    pub(crate) parts: Vec<u16>,
    /// For each key, in the command's order, an index into `parts`; empty where every shard runs
    /// the whole command.
    pub(crate) order: Vec<u16>,
}

impl Gather {
    /// Waits for `parts` parts, and for the pieces that are asked for.
    pub(crate) fn new(
        protocol: Protocol,
        pieces: Vec<Piece>,
        parts: usize,
        framed: bool,
        random: u64,
    ) -> Self {
        let asked = pieces.iter().filter(|piece| matches!(piece, Piece::Asked)).count();
        let missing = parts + asked;
        let parts = (0..parts).map(|_| None).collect();
        Self { protocol, pieces, framed, parts, missing, random }
    }

    /// Takes the reply of one part in.
    pub(crate) fn add(&mut self, envelope: Envelope<Message>) {
        let index = envelope.work.part.as_ref().map_or(0, |part| usize::from(part.index));
        if let Some(place @ None) = self.parts.get_mut(index) {
            *place = Some(envelope);
            self.missing -= 1;
        }
    }

    /// The answer to the question at `piece` is here.
    pub(crate) fn add_answer(&mut self, piece: usize, reply: Vec<u8>) {
        if let Some(place @ Piece::Asked) = self.pieces.get_mut(piece) {
            *place = Piece::Ready(reply);
            self.missing -= 1;
        }
    }

    /// Whether everything has come in.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Whether a watched key was touched, so that nothing was run.
    pub(crate) fn is_dirty(&self) -> bool {
        self.parts.iter().flatten().any(|part| part.work.dirty)
    }

    /// Writes the one reply.
    pub(crate) fn merge(&self, out: &mut Vec<u8>) {
        if self.is_dirty() {
            return Writer::new(out, self.protocol).null_array();
        }
        if self.framed {
            Writer::new(out, self.protocol).array(self.pieces.len());
        }
        self.each(|reply| out.extend_from_slice(reply));
    }

    /// Hands out the reply of each command, in order.
    pub(crate) fn each(&self, mut take: impl FnMut(&[u8])) {
        let mut rests: Vec<&[u8]> =
            self.parts.iter().map(|part| part.as_ref().map_or(&[][..], reply_of)).collect();
        let mut merged = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Part(part) => take(next_reply(&mut rests[usize::from(*part)])),
                Piece::Merged(of) => {
                    let replies: Vec<&[u8]> = of
                        .parts
                        .iter()
                        .map(|it| next_reply(&mut rests[usize::from(*it)]))
                        .collect();
                    let (protocol, order, random) = (self.protocol, &of.order, self.random);
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

    /// Gives the boxes back.
    pub(crate) fn take_envelopes(&mut self) -> impl Iterator<Item = Envelope<Message>> {
        std::mem::take(&mut self.parts).into_iter().flatten()
    }
}

fn reply_of(envelope: &Envelope<Message>) -> &[u8] {
    &envelope.work.reply
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
    use super::{Gather, Merged, Piece};
    use commands::Merge;
    use net::Envelope;
    use resp::Protocol;

    use crate::message::Message;
    use crate::transaction::Part;

    fn part(index: u16, reply: &[u8]) -> Envelope<Message> {
        let mut message = Message::default();
        message.work.reply = reply.to_vec();
        message.work.part = Some(Box::new(Part { index, ..Part::default() }));
        Envelope::new(message)
    }

    #[test]
    fn replies_come_in_the_order_of_the_commands() {
        let merged = Merged { merge: Merge::InOrder, parts: vec![0, 1], order: vec![1, 0] };
        let pieces = vec![
            Piece::Part(1),
            Piece::Asked,
            Piece::Merged(merged),
            Piece::Part(0),
            Piece::Ready(b"+PONG\r\n".to_vec()),
        ];
        let mut gather = Gather::new(Protocol::Resp2, pieces, 2, true, 0);
        gather.add(part(1, b"+OK\r\n*1\r\n$1\r\nb\r\n"));
        gather.add(part(0, b"*1\r\n$1\r\na\r\n:7\r\n"));
        assert!(!gather.is_complete());
        gather.add_answer(1, b":42\r\n".to_vec());
        assert!(gather.is_complete());
        let mut out = Vec::new();
        gather.merge(&mut out);
        let whole = "*5\r\n+OK\r\n:42\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n:7\r\n+PONG\r\n";
        assert_eq!(String::from_utf8_lossy(&out), whole);
    }

    #[test]
    fn a_touched_watch_is_the_reply() {
        let mut gather = Gather::new(Protocol::Resp2, vec![Piece::Part(0)], 1, true, 0);
        let mut envelope = part(0, b"");
        envelope.work.dirty = true;
        gather.add(envelope);
        let mut out = Vec::new();
        gather.merge(&mut out);
        assert_eq!(out, b"*-1\r\n");
    }
}
