//! Commands that wait for keys: BLPOP and its kind.
//!
//! A command that finds nothing says so (`commands::Outcome::Wait`), and its client waits: the
//! connection's further commands are held back until it is answered. It waits in the *line* of each
//! key, in order of arrival. When a unit has ended (a command, an EXEC, a settled transaction) the
//! lines of the keys that it touched are looked at, before anything else runs on the shard: the
//! first in line who awaits what the key holds then (`commands::Awaited`) runs its command again,
//! as a command of its own, and so on until the key is gone or the line is at its end. What that
//! changes may be what others wait for: their lines come next.
//!
//! ```text
//! BLPOP k 0      ->  nothing there: parked            line of k:  1
//! BLPOP k 0      ->  nothing there: parked            line of k:  1 2
//! RPUSH k a      ->  :1, then 1 runs again: k a       line of k:  2        log: RPUSH k a; LPOP k
//! ```
//!
//! - `lines`: who waits for what on a shard, as plain data
//! - `serve`: first attempts, parking, and serving who waits
//! - `apart`: waiting for keys of several shards
//! - `ends`: all other ends of a wait: its time, CLIENT UNBLOCK, a client that is gone
//! - `blocked`: what the home knows of its connection that waits
//! - `trial`: two commands that wait, for tests and the simulator
//!
//! # Who decides
//!
//! Where all keys of the command live on one shard the command itself, in its message, is *parked*
//! there, and that shard decides between being served and any other end of the wait. Where they
//! live on several, the home does.
//!
//! Keys that a transaction holds are left alone: their lines are looked at when it lets go, in
//! their turn among all that waits for these keys.

mod apart;
mod blocked;
#[cfg(test)]
mod closed_tests;
mod ends;
mod lines;
#[cfg(test)]
mod list_tests;
mod serve;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "simulation"))]
pub(crate) mod trial;

pub(crate) use apart::Lining;
pub(crate) use blocked::Blocked;
pub(crate) use ends::End;
pub(crate) use lines::Lines;
