//! Patterns, as KEYS, SCAN, CONFIG GET and PSUBSCRIBE take them.
//!
//! ```text
//! *        any bytes, also none          [abc]    one of these bytes
//! ?        one byte                      [^a-c]   none of these; a range may be written either way
//! \x       the byte x itself             [\]a]    x escaped inside brackets
//! ```
//!
//! Every part of a pattern but `*` takes exactly one byte of the text. Where a part does not fit,
//! it is enough to go back to the *last* `*` and let it take one byte more: whatever an earlier `*`
//! took, the last one can make good. So there is no recursion, and the time is at most O(pattern *
//! text) whatever the pattern, where a recursive matcher is exponential in the number of stars.
//!
//! What Redis does with odd patterns is kept:
//! - a bracket that is not closed reaches to the end of the pattern; `[]` fits no byte, `[^]` any;
//! - `[a-]` is a range from `a` to `]`, of a bracket that is not closed;
//! - in any case (`Case::Ignored`), ranges and plain bytes ignore it, an escaped byte in brackets
//!   does not;
//! - a backslash at the end is itself;
//! - an empty text fits the empty pattern only, not `*` (KEYS and SCAN do not look at `*` at all).

/// Whether `A` and `a` are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are two letters.
    Matters,
    /// They are one (ASCII only).
    Ignored,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Matters => byte,
            Self::Ignored => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether the whole of `text` fits `pattern`. O(pattern * text) at worst, no allocation.
#[must_use]
pub fn glob_matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut rest, mut at) = (pattern, 0);
    // The pattern after the last star, and where in the text that star's bytes end so far.
    let mut star: Option<(&[u8], usize)> = None;
    while at < text.len() {
        if rest.first() == Some(&b'*') {
            rest = after_stars(rest);
            if rest.is_empty() {
                return true;
            }
            star = Some((rest, at));
        } else if let Some(next) = part_after_match(rest, text[at], case) {
            rest = next;
            at += 1;
        } else if let Some((after_star, taken)) = &mut star {
            *taken += 1;
            (rest, at) = (*after_star, *taken);
        } else {
            return false;
        }
    }
    after_stars(rest).is_empty()
}

fn after_stars(pattern: &[u8]) -> &[u8] {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    &pattern[stars..]
}

/// What follows the first part of `pattern` (which is not a star), if that part fits `byte`.
fn part_after_match(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => bracket_after_match(rest, byte, case),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            (case.fold(*literal) == case.fold(byte)).then_some(rest)
        }
    }
}

/// What follows a bracket, whose opening is already passed, if the bracket fits `byte`.
fn bracket_after_match(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (mut rest, negated) = match pattern {
        [b'^', rest @ ..] => (rest, true),
        _ => (pattern, false),
    };
    let folded = case.fold(byte);
    let mut found = false;
    loop {
        match rest {
            [] => break,
            [b'\\', escaped, after @ ..] => {
                found |= *escaped == byte;
                rest = after;
            }
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [first, b'-', last, after @ ..] => {
                let (first, last) = (case.fold(*first), case.fold(*last));
                found |= (first.min(last)..=first.max(last)).contains(&folded);
                rest = after;
            }
            [literal, after @ ..] => {
                found |= case.fold(*literal) == folded;
                rest = after;
            }
        }
    }
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests;
