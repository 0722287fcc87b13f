//! The types that a parameter may have, and the way from text to field and back for each.
//!
//! ```text
//! Flag     yes | no
//! Integer  bounds and a unit: plain, memory, memory or percent, octal
//! Word     one of a list, case does not matter
//! Text     one argument, with a check
//! List     several arguments, with a grammar of its own (save, bind, client-output-buffer-limit
//! ...)
//! ```
//!
//! Only `List` takes several arguments in a file (`save 3600 1`); CONFIG SET gives it one string
//! that is cut at blanks first.

use crate::config::Config;
use crate::number::{self, Unit};
use crate::reason::Reason;
use crate::split;
use crate::text::Text;

/// The type of a parameter, with its default and the way to its field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Flag(Flag),
    Integer(Integer),
    Word(Word),
    Text(TextField),
    List(List),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) of: fn(&Config) -> bool,
    pub(crate) put: fn(&mut Config, bool),
    pub(crate) default: bool,
    /// Says why `yes` cannot be had, where it cannot.
    pub(crate) check: fn(bool) -> Result<(), Reason>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Integer {
    pub(crate) of: fn(&Config) -> i128,
    pub(crate) put: fn(&mut Config, i128),
    pub(crate) default: i128,
    pub(crate) min: i128,
    pub(crate) max: i128,
    pub(crate) unit: Unit,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// All words accepted; the first of those that mean the same is the one shown.
    pub(crate) words: fn() -> Vec<&'static str>,
    pub(crate) of: fn(&Config) -> &'static str,
    /// `false`, and nothing changed, when the word is not among `words`.
    pub(crate) put: fn(&mut Config, &[u8]) -> bool,
    pub(crate) default: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TextField {
    pub(crate) of: fn(&Config) -> &Text,
    pub(crate) put: fn(&mut Config, Text),
    pub(crate) default: &'static str,
    pub(crate) check: fn(&[u8]) -> Result<(), Reason>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    /// Reads the arguments into the field; changes nothing when it fails.
    pub(crate) put: PutList,
    /// The value on one line, as CONFIG GET shows it; also one string that CONFIG SET takes.
    pub(crate) show: fn(&Config) -> Vec<u8>,
    /// The lines, without the name, that say the value in a file. Empty: nothing to say, and a line
    /// that the file has is dropped.
    pub(crate) lines: fn(&Config) -> Vec<Vec<u8>>,
    pub(crate) default: &'static str,
    /// For the documentation.
    pub(crate) grammar: &'static str,
}

/// How a list reads its arguments.
pub(crate) type PutList = fn(&mut Config, &[&[u8]], Occasion) -> Result<(), Reason>;

/// Where a value comes from: matters to lists whose lines in a file add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The first line of this name in this load: the default gives way.
    FirstLine,
    /// A further line of the same load.
    FurtherLine,
    /// CONFIG SET: the whole value.
    Set,
}

impl Kind {
    /// Reads `arguments` (without the name) into the field.
    pub(crate) fn put(
        &self,
        config: &mut Config,
        arguments: &[&[u8]],
        occasion: Occasion,
    ) -> Result<(), Reason> {
        if let Self::List(list) = self {
            return (list.put)(config, arguments, occasion);
        }
        let [value] = arguments else {
            return Err("wrong number of arguments".into());
        };
        match self {
            Self::Flag(flag) => {
                let yes = flag_value(value)?;
                (flag.check)(yes)?;
                (flag.put)(config, yes);
            }
            Self::Integer(integer) => {
                let value = number::parse(value, integer.unit, integer.min, integer.max)?;
                (integer.put)(config, value);
            }
            Self::Word(word) => {
                if !(word.put)(config, value) {
                    return Err(none_of(&(word.words)()));
                }
            }
            Self::Text(text) => {
                (text.check)(value)?;
                (text.put)(config, Text::from(*value));
            }
            Self::List(_) => unreachable!("lists returned above"),
        }
        Ok(())
    }

    /// Puts the declared default into the field.
    ///
    /// # Panics
    /// When the default is not a value that the declaration itself accepts; a test excludes that.
    pub(crate) fn put_default(&self, config: &mut Config) {
        match self {
            Self::Flag(flag) => (flag.put)(config, flag.default),
            Self::Integer(integer) => (integer.put)(config, integer.default),
            Self::Text(text) => (text.put)(config, Text::from(text.default)),
            Self::Word(word) => {
                assert!((word.put)(config, word.default.as_bytes()), "the default is a word");
            }
            Self::List(list) => {
                let arguments = cut_list(list.default.as_bytes());
                let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
                (list.put)(config, &arguments, Occasion::Set).expect("the default is accepted");
            }
        }
    }

    /// As CONFIG GET shows it.
    pub(crate) fn show(&self, config: &Config) -> Vec<u8> {
        match self {
            Self::Flag(flag) => yes_no((flag.of)(config)).into(),
            Self::Integer(integer) => number::show((integer.of)(config), integer.unit).into(),
            Self::Word(word) => (word.of)(config).into(),
            Self::Text(text) => (text.of)(config).to_vec(),
            Self::List(list) => (list.show)(config),
        }
    }

    /// The lines, without the name, that say the value in a file; empty when there is nothing to
    /// say.
    pub(crate) fn lines(&self, config: &Config) -> Vec<Vec<u8>> {
        match self {
            Self::Flag(_) | Self::Word(_) => vec![self.show(config)],
            Self::Integer(integer) => {
                vec![number::show_in_file((integer.of)(config), integer.unit).into()]
            }
            Self::Text(text) => {
                let value = (text.of)(config);
                let unset = value.is_empty() && text.default.is_empty();
                if unset { Vec::new() } else { vec![split::quote(value)] }
            }
            Self::List(list) => (list.lines)(config),
        }
    }

    /// Whether a single string stands for several arguments.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// One string as the arguments of a list: cut at single spaces; an empty one is no argument at all.
/// (In a file `save ""` is one empty argument; lists see the difference, as in Redis.)
pub(crate) fn cut_list(value: &[u8]) -> Vec<Vec<u8>> {
    if value.is_empty() {
        return Vec::new();
    }
    value.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect()
}

/// Redis' refusal of a word that is not among `words`.
pub(crate) fn none_of(words: &[&str]) -> Reason {
    format!("argument(s) must be one of the following: {}", words.join(", ")).into()
}

/// Whether a list is given as nothing: no argument, or a single empty one.
pub(crate) fn is_nothing(arguments: &[&[u8]]) -> bool {
    arguments.iter().all(|one| one.is_empty()) && arguments.len() <= 1
}

/// A check that finds nothing wrong.
pub(crate) fn any_text(_value: &[u8]) -> Result<(), Reason> {
    Ok(())
}

/// A check that finds nothing wrong.
pub(crate) fn any_flag(_value: bool) -> Result<(), Reason> {
    Ok(())
}

pub(crate) fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn flag_value(text: &[u8]) -> Result<bool, Reason> {
    if text.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if text.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err("argument must be 'yes' or 'no'".into())
    }
}
