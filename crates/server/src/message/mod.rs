//! What travels between core threads.
//!
//! - `contents`: a message and what is in it; `mail`: inbox, boxes, what is under way
//! - `runs`: what is in a bundle; `bundle`: how the tick's are filled and sent; `running`: on the
//!   shard that runs them, by means of `work`; `returned`: home again
//! - `gathering`: answers that all core threads contribute to

pub(crate) mod bundle;
mod contents;
pub(crate) mod gathering;
pub(crate) mod mail;
mod returned;
mod running;
mod runs;
pub(crate) mod work;

pub(crate) use contents::{Adopted, Client, Message, Origin, Purpose, Queued, Share, Work, writes};
