//! Sets: distinct members, in no order that clients may rely on.
//!
//! | `OBJECT ENCODING` | what it is | for |
//! | --- | --- | --- |
//! | `intset` | `Intset`: sorted integers in one allocation | integers only, few |
//! | `listpack` | `Listpack`: members one after the other | few and short ones |
//! | `hashtable` | `Members`: chunks in hash order | all others |
//!
//! When an encoding changes, and into which, is Redis' (`t_set.c` of 7.2):
//! `set-max-intset-entries`,
//! `set-max-listpack-entries`, `set-max-listpack-value`, as they are at that moment ([`Limits`]).
//! There is no way back: only a set that is made anew, as the STORE forms do, chooses anew. A
//! change copies no more members than the limits let into the small form.

mod choose;
mod draw;
#[cfg(test)]
mod tests;
mod value;

pub use choose::Limits;
pub use value::Set;
