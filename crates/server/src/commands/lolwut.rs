//! LOLWUT: a picture. Ours is cloth: threads over and under each other, by a rule that each call
//! draws anew.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, Reply, Spec};

use super::{Context, SessionCommand, Then};
use crate::info::REDIS_VERSION;

pub(super) const COMMANDS: &[&SessionCommand] = &[&LOLWUT];

/// `LOLWUT [VERSION version] [columns [rows]]`: a picture, and the version of Redis in its last
/// line. There is one picture, whatever the version; it is at most 160 by 60, at least 1 by 1.
const LOLWUT: SessionCommand = SessionCommand {
    spec: Spec::new("lolwut", Arity::at_least(1), Group::Server, "5.0.0")
        .flags(Flags::READONLY.with(Flags::FAST))
        .about("Draws a picture and tells the version of Redis.", "O(1)")
        .arguments(&[Argument::integer("version").token("VERSION").optional()])
        .reply(Reply::VERBATIM),
    run: lolwut,
};

/// Columns and rows of a picture: what is drawn without arguments, and at most.
const SIZE_DEFAULT: (usize, usize) = (66, 16);
const SIZE_MAX: (usize, usize) = (160, 60);

fn lolwut(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let number = |text: &[u8]| resp::number::parse_i64(text).ok_or(CommandError::NotInteger);
    let mut sizes = arguments.from(1);
    if sizes.len() >= 2 && sizes[0].eq_ignore_ascii_case(b"version") {
        number(&sizes[1])?;
        sizes = sizes.from(2);
    }
    let size = |index: usize, default: usize, most: usize| match sizes.get(index) {
        None => Ok(default),
        Some(text) => number(text).map(|size| size.clamp(1, most as i64) as usize),
    };
    let columns = size(0, SIZE_DEFAULT.0, SIZE_MAX.0)?;
    let rows = size(1, SIZE_DEFAULT.1, SIZE_MAX.1)?;
    let mut picture = weave(context.core.shared.random(), columns, rows);
    picture.push_str(&format!("\nRedis ver. {REDIS_VERSION}\n"));
    reply.verbatim(*b"txt", picture.as_bytes());
    Ok(Then::Done)
}

/// Cloth of `columns` by `rows`. Whether the thread that runs down is on top is decided by a table
/// of 8 by 8 crossings, repeated: `pattern` holds a quarter of it, and mirrors give the rest.
fn weave(pattern: u64, columns: usize, rows: usize) -> String {
    let mirrored = |at: usize| if at % 8 < 4 { at % 4 } else { 3 - at % 4 };
    let mut cloth = String::with_capacity((columns + 1) * rows);
    for row in 0..rows {
        for column in 0..columns {
            let crossing = mirrored(row) * 4 + mirrored(column);
            // Plain weave is the ground; the pattern turns crossings over.
            let down = (row + column).is_multiple_of(2) ^ (pattern >> crossing & 1 == 1);
            cloth.push(if down { '|' } else { '-' });
        }
        cloth.push('\n');
    }
    cloth
}

#[cfg(test)]
mod tests {
    use super::weave;

    #[test]
    fn plain_weave_alternates() {
        assert_eq!(weave(0, 4, 2), "|-|-\n-|-|\n");
    }

    #[test]
    fn a_pattern_repeats_and_is_its_own_mirror() {
        let cloth = weave(0x5A17, 16, 16);
        let rows: Vec<&str> = cloth.lines().collect();
        assert_eq!(rows.len(), 16);
        assert!(rows.iter().all(|row| row.len() == 16 && row[..8] == row[8..]));
        assert_eq!(rows[..8], rows[8..]);
    }
}
