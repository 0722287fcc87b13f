//! Command descriptions as plain data.
//!
//! A [`Spec`] says all that there is to say of a command without running it: its name, arity,
//! flags, where its keys are, what its arguments look like and what it replies. Every part of
//! Bobbin that needs to speak *of* commands (routing, arity errors, `COMMAND`, `COMMAND DOCS`, ACL
//! categories, the log's flags, `docs/commands.md`) reads it from here; nothing here runs anything.
//!
//! A spec is a `const`, built where the command's function is, by the `const fn`s of [`Spec`].

#![forbid(unsafe_code)]

mod argument;
mod category;
mod command;
mod flags;
mod keys;
mod slot;

pub use argument::{Argument, ArgumentFlags, ArgumentKind};
pub use category::{Categories, Group};
pub use command::{About, Arity, Reply, Spec, Subject, Version};
pub use flags::Flags;
pub use keys::{
    ArgumentAt, BeginSearch, FindKeys, KeyError, KeyFinder, KeyFlags, KeyFlagsRule, KeyPositions,
    KeySpec,
};
pub use slot::{SLOTS, hashed_part, shard_of_slot, slot_of};
