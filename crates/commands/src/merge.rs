//! One reply out of the replies of several shards.
//!
//! Each shard that took part replied as if it were alone; how these become the reply of the command
//! is data in its declaration ([`Merge`]), and done here, on bytes. An error of any part is the
//! reply of the whole: the first one, in the order of the shards.
//!
//! ```text
//! Sum           :2 :0 :1                  :3
//! Ok            +OK +OK                   +OK
//! InOrder       *2 a c   *1 b             *3 a b c        by the part that each key went to
//! Concatenate   *2 a c   *1 b             *3 a c b
//! Pages         [:10 :4 $2 a..] [:10 :3 $0 b..]   [$0 a..b..]
//! RandomKey     *2 :10 x  *2 :90 y        y, nine times of ten
//! ```

use resp::{Protocol, ReplyReader, Writer, number};

/// How the replies of shards become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Integers are added.
    Sum,
    /// All said OK (or the like): the first reply.
    Ok,
    /// Arrays with one element a key, put back into the order of the keys.
    InOrder,
    /// Arrays, one after the other, in the order of the shards.
    Concatenate,
    /// Each part is a page: how many elements were asked for, how many of these it used (all if it
    /// has more), the cursor to go on with after it, and an array. The pages are strung together as
    /// far as all fit into what was asked for, and the cursor is that of the last one.
    Pages,
    /// Each part is its number of keys and one of them, or null: one of these, by weight.
    RandomKey,
}

/// The replies of the shards that took part, and what it takes to make them one.
#[derive(Clone, Copy, Debug)]
pub struct Replies<'a> {
    /// What the client speaks, and the parts were written in.
    pub protocol: Protocol,
    /// One whole reply a part, in the order of their shards.
    pub parts: &'a [&'a [u8]],
    /// For each key, in the command's order, the index of the part that it went to; empty unless
    /// the command was split.
    pub order: &'a [u16],
    /// What a choice is made by, drawn anew for each command.
    pub random: u64,
}

impl Merge {
    /// Appends the merged reply to `out`. O(bytes of the replies).
    ///
    /// The parts were written by this server, and whole: anything else is a bug, answered with an
    /// empty part.
    pub fn merge(self, replies: &Replies<'_>, out: &mut Vec<u8>) {
        let Replies { protocol, parts, order, random } = *replies;
        let failed = parts.iter().find(|reply| matches!(reply.first(), Some(b'-' | b'!')));
        if let Some(error) = failed {
            out.extend_from_slice(error);
            return;
        }
        let mut writer = Writer::new(out, protocol);
        match self {
            Self::Sum => writer.integer(parts.iter().map(|reply| integer(reply)).sum()),
            Self::Ok => writer.raw(parts.first().copied().unwrap_or(b"+OK\r\n")),
            Self::InOrder => in_order(parts, order, &mut writer),
            Self::Concatenate => concatenate(parts, &mut writer),
            Self::Pages => pages(parts, &mut writer),
            Self::RandomKey => random_key(parts, random, &mut writer),
        }
    }
}

/// The number of an integer reply.
fn integer(reply: &[u8]) -> i64 {
    header(reply).map_or(0, |(number, _)| number)
}

/// The number in the first line of a reply, and what follows the line.
fn header(reply: &[u8]) -> Option<(i64, &[u8])> {
    let end = reply.windows(2).position(|pair| pair == b"\r\n")?;
    Some((number::parse_i64(reply.get(1..end)?)?, &reply[end + 2..]))
}

/// Splits the first whole reply off `rest`.
fn split_reply<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = ReplyReader::new().read(rest).ok().flatten()?;
    let (reply, tail) = rest.split_at(len);
    *rest = tail;
    Some(reply)
}

/// The elements of an array reply, as bytes, without its header.
fn elements<'a>(reply: &&'a [u8]) -> &'a [u8] {
    header(reply).map_or(&[], |(_, rest)| rest)
}

fn in_order(replies: &[&[u8]], order: &[u16], writer: &mut Writer<'_>) {
    let mut parts: Vec<&[u8]> = replies.iter().map(elements).collect();
    writer.array(order.len());
    for part in order {
        let element = parts.get_mut(usize::from(*part)).and_then(split_reply);
        debug_assert!(element.is_some(), "a part replies one element for each of its keys");
        match element {
            Some(element) => writer.raw(element),
            None => writer.null(),
        }
    }
}

fn concatenate(replies: &[&[u8]], writer: &mut Writer<'_>) {
    let count: i64 = replies.iter().map(|reply| integer(reply).max(0)).sum();
    writer.array(usize::try_from(count).unwrap_or(0));
    for part in replies.iter().map(elements) {
        writer.raw(part);
    }
}

/// A page of a walk, as its shard replied it.
struct Page<'a> {
    /// How many elements were asked for: the same for all.
    asked: u64,
    /// How many of these it used.
    used: u64,
    /// Where to go on after it.
    cursor: &'a [u8],
    /// An array.
    found: &'a [u8],
}

impl<'a> Page<'a> {
    fn parse(reply: &'a [u8]) -> Option<Self> {
        let (_, mut rest) = header(reply)?;
        let asked = integer(split_reply(&mut rest)?).max(0).unsigned_abs();
        let used = integer(split_reply(&mut rest)?).max(0).unsigned_abs();
        let cursor = split_reply(&mut rest)?;
        Some(Self { asked, used, cursor, found: split_reply(&mut rest)? })
    }
}

fn pages(replies: &[&[u8]], writer: &mut Writer<'_>) {
    let (mut taken, mut used) = (Vec::new(), 0_u64);
    let mut cursor: &[u8] = b"$1\r\n0\r\n";
    for page in replies.iter().filter_map(|reply| Page::parse(reply)) {
        // The first that uses anything fits: it may have gone a little beyond what was asked for.
        if used > 0 && used.saturating_add(page.used) > page.asked {
            break;
        }
        used += page.used;
        cursor = page.cursor;
        taken.push(page.found);
        if used >= page.asked {
            break;
        }
    }
    writer.array(2);
    writer.raw(cursor);
    concatenate(&taken, writer);
}

fn random_key(replies: &[&[u8]], random: u64, writer: &mut Writer<'_>) {
    // each part: its number of keys, and a key of its own or null
    let parts = replies.iter().filter_map(|reply| {
        let (_, mut rest) = header(reply)?;
        let weight = integer(split_reply(&mut rest)?).max(0).unsigned_abs();
        let key = split_reply(&mut rest)?;
        // only keys past their moment, not removed yet: nothing to choose
        let is_null = key == b"$-1\r\n" || key == b"_\r\n";
        (weight > 0 && !is_null).then_some((weight, key))
    });
    let parts: Vec<(u64, &[u8])> = parts.collect();
    let total: u64 = parts.iter().map(|(weight, _)| weight).sum();
    // the high half of a product: fair without a division
    let mut chosen = ((u128::from(random) * u128::from(total)) >> 64) as u64;
    for (weight, key) in parts {
        if chosen < weight {
            return writer.raw(key);
        }
        chosen -= weight;
    }
    writer.null();
}

#[cfg(test)]
mod tests {
    use super::{Merge, Replies};
    use resp::Protocol;

    fn merged(merge: Merge, replies: &[&str], order: &[u16], random: u64) -> String {
        let replies: Vec<&[u8]> = replies.iter().map(|reply| reply.as_bytes()).collect();
        let mut out = b"before".to_vec();
        let replies = Replies { protocol: Protocol::Resp2, parts: &replies, order, random };
        merge.merge(&replies, &mut out);
        String::from_utf8(out).expect("text").split_off("before".len())
    }

    #[test]
    fn sums_and_oks() {
        assert_eq!(merged(Merge::Sum, &[":2\r\n", ":0\r\n", ":11\r\n"], &[], 0), ":13\r\n");
        assert_eq!(merged(Merge::Ok, &["+OK\r\n", "+OK\r\n"], &[], 0), "+OK\r\n");
    }

    #[test]
    fn elements_go_back_into_the_order_of_the_keys() {
        let replies = ["*2\r\n$1\r\na\r\n$-1\r\n", "*3\r\n$4\r\nx\r\ny\r\n*0\r\n:7\r\n"];
        let order = [1, 0, 1, 1, 0];
        let whole = "*5\r\n$4\r\nx\r\ny\r\n$1\r\na\r\n*0\r\n:7\r\n$-1\r\n";
        assert_eq!(merged(Merge::InOrder, &replies, &order, 0), whole);
    }

    #[test]
    fn arrays_are_strung_together() {
        let replies = ["*1\r\n$1\r\na\r\n", "*0\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"];
        let whole = "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n";
        assert_eq!(merged(Merge::Concatenate, &replies, &[], 0), whole);
        assert_eq!(merged(Merge::Concatenate, &["*0\r\n"], &[], 0), "*0\r\n");
    }

    #[test]
    fn pages_are_strung_together_while_they_fit() {
        let page = |used: u64, cursor: u64, key: &str| {
            let found = if key.is_empty() { "*0\r\n".into() } else { format!("*1\r\n+{key}\r\n") };
            format!("*4\r\n:10\r\n:{used}\r\n$1\r\n{cursor}\r\n{found}")
        };
        let string = |pages: &[String]| {
            let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
            merged(Merge::Pages, &pages, &[], 0)
        };
        let whole = |cursor: u64, found: &str| format!("*2\r\n$1\r\n{cursor}\r\n{found}");
        let all = string(&[page(4, 1, "a"), page(3, 2, ""), page(0, 3, ""), page(3, 0, "b")]);
        assert_eq!(all, whole(0, "*2\r\n+a\r\n+b\r\n"));
        let full = string(&[page(4, 1, "a"), page(7, 2, "b"), page(0, 0, "")]);
        assert_eq!(full, whole(1, "*1\r\n+a\r\n"), "the second does not fit: it comes next");
        let beyond = string(&[page(0, 1, ""), page(14, 9, "b"), page(0, 0, "")]);
        assert_eq!(beyond, whole(9, "*1\r\n+b\r\n"), "there is more on the second shard");
        let filtered = string(&[page(10, 7, ""), page(1, 0, "b")]);
        assert_eq!(filtered, whole(7, "*0\r\n"), "what was looked at counts, not what was found");
    }

    #[test]
    fn an_error_of_a_part_is_the_reply() {
        let replies = [":1\r\n", "-OOM no\r\n", "-ERR second\r\n"];
        for merge in [Merge::Sum, Merge::Ok, Merge::InOrder, Merge::Concatenate] {
            assert_eq!(merged(merge, &replies, &[0, 1], 0), "-OOM no\r\n");
        }
    }

    #[test]
    fn a_random_key_is_chosen_by_weight() {
        let replies = [
            "*2\r\n:10\r\n$1\r\nx\r\n",
            "*2\r\n:0\r\n$-1\r\n",
            "*2\r\n:90\r\n$1\r\ny\r\n",
            "*2\r\n:500\r\n$-1\r\n",
        ];
        let pick = |random| merged(Merge::RandomKey, &replies, &[], random);
        assert_eq!(pick(0), "$1\r\nx\r\n");
        assert_eq!(pick(u64::MAX / 10 - 10), "$1\r\nx\r\n");
        assert_eq!(pick(u64::MAX / 10 + 10), "$1\r\ny\r\n");
        assert_eq!(pick(u64::MAX), "$1\r\ny\r\n");
        assert_eq!(merged(Merge::RandomKey, &["*2\r\n:0\r\n$-1\r\n"], &[], 5), "$-1\r\n");
        let resp3 = ["*2\r\n:3\r\n_\r\n".as_bytes()];
        let mut out = Vec::new();
        let replies = Replies { protocol: Protocol::Resp3, parts: &resp3, order: &[], random: 1 };
        Merge::RandomKey.merge(&replies, &mut out);
        assert_eq!(out, b"_\r\n");
    }
}
