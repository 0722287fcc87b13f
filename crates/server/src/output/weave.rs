//! Replies of several shards to consecutive commands of one connection, put back together.
//!
//! What a connection's commands want from a shard travels as one run of its bundle, whatever comes
//! between them for other shards. So a run's replies are cut where the commands change the shard,
//! and woven:
//!
//! ```text
//! commands    GET a   GET b   GET c   GET d   GET e
//! strand      0       0       1       0       1          stretches: 0 x 2, 1 x 1, 0 x 1, 1 x 1
//! replies     strand 0: "a" "b" "d"     strand 1: "c" "e"
//! ```
//!
//! The shard notes where each reply ends, so nobody has to look for that again.

use resp::ReplyReader;

use crate::memory::kept::KEPT_BYTES_MAX;

/// The strands of one place of a pipeline.
#[derive(Debug, Default)]
pub(crate) struct Weave {
    stretches: Vec<Stretch>,
    /// Strands in use: `strands` keeps the buffers of those that were.
    count: usize,
    strands: Vec<Strand>,
    /// Strands that have not come.
    missing: usize,
}

/// Commands in a row whose replies come in the same strand.
#[derive(Debug)]
struct Stretch {
    strand: u16,
    commands: u32,
}

/// What one run replied.
#[derive(Debug, Default)]
struct Strand {
    bytes: Vec<u8>,
    /// Where each reply ends in `bytes`.
    ends: Vec<usize>,
    /// So many replies, and bytes, have been woven.
    taken: (usize, usize),
}

/// The replies of a run.
#[derive(Clone, Copy)]
pub(crate) struct RunReplies<'a> {
    /// Of how many commands.
    pub(crate) commands: usize,
    pub(crate) bytes: &'a [u8],
    /// Where each ends in the message; none where that was not noted.
    pub(crate) ends: &'a [usize],
    /// Where the first begins in the message.
    pub(crate) begin: usize,
}

impl Weave {
    /// The first commands, all of strand 0.
    pub(crate) fn begin(&mut self, commands: usize) {
        self.stretches.clear();
        (self.count, self.missing) = (0, 0);
        let first = self.add_strand();
        self.stretches.push(Stretch { strand: first, commands: commands as u32 });
    }

    /// Another strand: its number.
    pub(crate) fn add_strand(&mut self) -> u16 {
        if self.count == self.strands.len() {
            self.strands.push(Strand::default());
        }
        let strand = &mut self.strands[self.count];
        strand.bytes.clear();
        strand.ends.clear();
        strand.taken = (0, 0);
        self.count += 1;
        self.missing += 1;
        (self.count - 1) as u16
    }

    /// The next command's reply comes in `strand`.
    #[inline]
    pub(crate) fn add(&mut self, strand: u16) {
        match self.stretches.last_mut() {
            Some(last) if last.strand == strand => last.commands += 1,
            _ => self.stretches.push(Stretch { strand, commands: 1 }),
        }
    }

    /// A strand came.
    pub(crate) fn take(&mut self, strand: u16, replies: RunReplies<'_>) {
        let Some(found) = self.strands.get_mut(usize::from(strand)) else { return };
        found.bytes.extend_from_slice(replies.bytes);
        if replies.ends.is_empty() {
            found.measure(replies.commands);
        } else {
            found.ends.extend(replies.ends.iter().map(|end| end - replies.begin));
        }
        self.missing -= 1;
    }

    /// Whether all strands have come.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Bytes of all strands.
    pub(crate) fn bytes(&self) -> usize {
        self.strands[..self.count].iter().map(|strand| strand.bytes.len()).sum()
    }

    /// Appends all replies, in the order of the commands.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>) {
        for stretch in &self.stretches {
            let strand = &mut self.strands[usize::from(stretch.strand)];
            let (replies, begin) = strand.taken;
            let replies = replies + stretch.commands as usize;
            // A client that was sent too much has fewer; it is being disconnected.
            let end = strand.ends.get(replies - 1).copied().unwrap_or(strand.bytes.len());
            out.extend_from_slice(strand.bytes.get(begin..end).unwrap_or_default());
            strand.taken = (replies, end);
        }
    }

    /// Whether it is small enough to be kept for the next use.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        let bytes =
            |strand: &Strand| strand.bytes.capacity() + strand.ends.capacity() * size_of::<usize>();
        let stretches = self.stretches.capacity() * size_of::<Stretch>();
        stretches + self.strands.iter().map(bytes).sum::<usize>() <= KEPT_BYTES_MAX
    }
}

impl Strand {
    /// Finds the ends of the replies: those of a message that was split from its bundle.
    #[cold]
    fn measure(&mut self, commands: usize) {
        let mut reader = ReplyReader::new();
        let mut end = 0;
        for _ in 0..commands {
            let rest = &self.bytes[end..];
            end += reader.read(rest).ok().flatten().unwrap_or(rest.len());
            self.ends.push(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RunReplies, Weave};

    /// Replies with their ends, as they stand in a message behind others.
    fn take(weave: &mut Weave, strand: u16, replies: &[&str]) {
        let text = format!("others{}", replies.concat());
        let mut end = "others".len();
        let ends: Vec<usize> = replies
            .iter()
            .map(|reply| {
                end += reply.len();
                end
            })
            .collect();
        let (begin, commands) = ("others".len(), replies.len());
        let bytes = &text.as_bytes()[begin..];
        weave.take(strand, RunReplies { commands, bytes, ends: &ends, begin });
    }

    #[test]
    fn replies_stand_in_the_order_of_the_commands() {
        let mut weave = Weave::default();
        for _ in 0..2 {
            weave.begin(2);
            let (second, third) = (weave.add_strand(), weave.add_strand());
            [second, 0, second, third, third].into_iter().for_each(|strand| weave.add(strand));
            take(&mut weave, third, &["+f\r\n", "+g\r\n"]);
            take(&mut weave, 0, &["+a\r\n", "$-1\r\n", "+d\r\n"]);
            assert!(!weave.is_complete());
            take(&mut weave, second, &["+c\r\n", "+e\r\n"]);
            assert!(weave.is_complete());
            let mut out = b"before ".to_vec();
            assert_eq!(weave.bytes(), 6 * 4 + 5);
            weave.write(&mut out);
            assert_eq!(out, b"before +a\r\n$-1\r\n+c\r\n+d\r\n+e\r\n+f\r\n+g\r\n");
        }
        assert!(weave.is_worth_keeping());
    }

    #[test]
    fn ends_that_were_not_noted_are_found() {
        let mut weave = Weave::default();
        weave.begin(1);
        let second = weave.add_strand();
        weave.add(second);
        weave.add(0);
        let bytes = b"*2\r\n+a\r\n$1\r\nb\r\n-ERR no\r\n";
        weave.take(0, RunReplies { commands: 2, bytes, ends: &[], begin: 0 });
        take(&mut weave, second, &[":1\r\n"]);
        let mut out = Vec::new();
        weave.write(&mut out);
        assert_eq!(out, b"*2\r\n+a\r\n$1\r\nb\r\n:1\r\n-ERR no\r\n");
    }

    #[test]
    fn a_strand_that_ends_early_is_no_panic() {
        let mut weave = Weave::default();
        weave.begin(3);
        let second = weave.add_strand();
        weave.add(second);
        weave.add(0);
        take(&mut weave, 0, &["+a\r\n"]);
        take(&mut weave, second, &["+b\r\n"]);
        let mut out = Vec::new();
        weave.write(&mut out);
        assert_eq!(out, b"+a\r\n+b\r\n");
    }
}
