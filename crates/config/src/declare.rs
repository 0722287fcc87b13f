//! The macros with which the sections declare structs and parameters.
//!
//! `section!` makes a struct of settings with a *blank* value: all zero, all empty. Blanks exist
//! only inside `Config::default`, which fills in every declared default right away; they are not
//! `Default` so that nobody takes a section of zeros for Redis' defaults. A top-level section
//! (`section! { .. } in memory`) does get a `Default`: the one that `Config::default` has there.
//!
//! `words!` makes an enum out of the words that a file says.

use crate::number::Size;
use crate::text::Text;

/// The value before defaults are filled in.
pub(crate) trait Blank {
    fn blank() -> Self;
}

macro_rules! blank {
    ($($field:ty = $value:expr),+ $(,)?) => {$(
        impl Blank for $field {
            fn blank() -> Self {
                $value
            }
        }
    )+};
}

blank!(
    bool = false,
    u8 = 0,
    u16 = 0,
    u32 = 0,
    u64 = 0,
    i32 = 0,
    i64 = 0,
    Size = Self::Bytes(0),
    Text = Self::default(),
);

impl<T> Blank for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }
}

impl<T> Blank for Option<T> {
    fn blank() -> Self {
        None
    }
}

/// An enum that a file spells as one of a list of words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Every word with its meaning; the first of several with one meaning is the one shown.
    const WORDS: &'static [(&'static str, Self)];

    /// The word shown for this value.
    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, value)| *value == self);
        found.expect("every variant has a word: the macro makes both").0
    }

    /// The value that `text` says, in any case.
    fn of_word(text: &[u8]) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word.as_bytes()));
        found.map(|(_, value)| *value)
    }
}

/// `section! { /// doc pub struct Name { pub field: Type, ... } }`, and ` in path` for a top-level
/// one.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $kind:ty,)+ }
        $(in $home:ident)?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $kind,)+ }

        impl $crate::declare::Blank for $name {
            fn blank() -> Self {
                Self { $($field: $crate::declare::Blank::blank(),)+ }
            }
        }

        $(impl Default for $name {
            /// The defaults that the declarations name.
            fn default() -> Self {
                $crate::config::Config::default().$home
            }
        })?
    };
}

/// `words! { /// doc pub enum Name { /// doc Variant = "word" | "synonym", ... } }`, the first
/// blank.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $($word:literal)|+,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $crate::declare::Words for $name {
            const WORDS: &'static [(&'static str, Self)] =
                &[$($(($word, Self::$variant),)+)+];
        }

        impl $crate::declare::Blank for $name {
            fn blank() -> Self {
                <Self as $crate::declare::Words>::WORDS[0].1
            }
        }

        impl $name {
            /// The word that a file and CONFIG GET use.
            pub fn as_str(self) -> &'static str {
                $crate::declare::Words::word(self)
            }
        }
    };
}

/// `flag!(path.to.field, true)`; a third argument is a check.
macro_rules! flag {
    ($($path:ident).+, $default:expr) => {
        flag!($($path).+, $default, $crate::kind::any_flag)
    };
    ($($path:ident).+, $default:expr, $check:expr) => {
        $crate::kind::Kind::Flag($crate::kind::Flag {
            of: |config| config.$($path).+,
            put: |config, value| config.$($path).+ = value,
            default: $default,
            check: $check,
        })
    };
}

/// `integer!(path.to.field, default, min, max)`; a fifth argument is the unit.
macro_rules! integer {
    ($($path:ident).+, $default:expr, $min:expr, $max:expr) => {
        integer!($($path).+, $default, $min, $max, $crate::number::Unit::Plain)
    };
    ($($path:ident).+, $default:expr, $min:expr, $max:expr, $unit:expr) => {
        $crate::kind::Kind::Integer($crate::kind::Integer {
            of: |config| $crate::number::Number::widen(config.$($path).+),
            put: |config, value| {
                config.$($path).+ = $crate::number::Number::narrow(value);
            },
            default: $default as i128,
            min: $min as i128,
            max: $max as i128,
            unit: $unit,
        })
    };
}

/// `word!(path.to.field: Enum, "default")`.
macro_rules! word {
    ($($path:ident).+: $words:ty, $default:expr) => {
        $crate::kind::Kind::Word($crate::kind::Word {
            words: || {
                let words = <$words as $crate::declare::Words>::WORDS;
                words.iter().map(|(word, _)| *word).collect()
            },
            of: |config| config.$($path).+.as_str(),
            put: |config, text| match <$words as $crate::declare::Words>::of_word(text) {
                Some(value) => {
                    config.$($path).+ = value;
                    true
                }
                None => false,
            },
            default: $default,
        })
    };
}

/// `text!(path.to.field, "default")`; a third argument is a check.
macro_rules! text {
    ($($path:ident).+, $default:expr) => {
        text!($($path).+, $default, $crate::kind::any_text)
    };
    ($($path:ident).+, $default:expr, $check:expr) => {
        $crate::kind::Kind::Text($crate::kind::TextField {
            of: |config| &config.$($path).+,
            put: |config, value| config.$($path).+ = value,
            default: $default,
            check: $check,
        })
    };
}

pub(crate) use {flag, integer, section, text, word, words};
