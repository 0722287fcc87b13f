//! Deliberate mistakes: a simulator that lives through one of them proves nothing.
//!
//! Each is one question at the place where the right thing is done. Without the feature
//! `simulation` the answer is a constant, and the compiler leaves nothing of it. docs/testing.md
//! says how they are let out.
#![allow(unreachable_pub, reason = "exported by the module `simulation`, which a feature brings")]
#![cfg_attr(
    not(any(test, feature = "simulation")),
    expect(dead_code, reason = "without the feature nobody lets them out")
)]

/// A mistake that the simulator must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Canary {
    /// A core thread takes its inbox by sender: each one's messages in order, but no order of all.
    Lanes = 1,
    /// The markers of a transaction enter the inboxes one by one.
    Unarmed,
    /// A local command runs without a look into the inbox.
    LocalOvertakesInbox,
    /// A local command runs before those that were gathered for another shard, which leave late.
    LocalOvertakesRun,
    /// Replies of local commands do not wait for earlier ones under way.
    ReplyOutOfOrder,
    /// Replies leave before their records are written.
    ReplyBeforeWrite,
    /// With `appendfsync always` replies leave when their records are written, not synced.
    ReplyBeforeSync,
    /// Replies do not wait for the parts of transactions on other shards.
    PartWithoutGate,
    /// Parts of transactions are logged as if they were commands of their own.
    UnmarkedParts,
    /// Nobody wakes who sleeps.
    LostWake,
    /// Nobody comes back to a line whose key was held when it should have been looked at.
    ForgottenLine,
    /// Who does not wait any more stays in the lines of several shards.
    LeftInLine,
    /// Keys that expire though nobody asks for them are not logged.
    UnloggedExpiry,
    /// SWAPDB touches who watches keys of the first database that it names, and nobody else.
    HalfSwap,
}

impl Canary {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Lanes,
        Self::Unarmed,
        Self::LocalOvertakesInbox,
        Self::LocalOvertakesRun,
        Self::ReplyOutOfOrder,
        Self::ReplyBeforeWrite,
        Self::ReplyBeforeSync,
        Self::PartWithoutGate,
        Self::UnmarkedParts,
        Self::LostWake,
        Self::ForgottenLine,
        Self::LeftInLine,
        Self::UnloggedExpiry,
        Self::HalfSwap,
    ];
}

#[cfg(any(test, feature = "simulation"))]
static OUT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Lets a canary out, or all in: for the whole process.
#[cfg(any(test, feature = "simulation"))]
pub fn let_out(canary: Option<Canary>) {
    OUT.store(canary.map_or(0, |it| it as u8), std::sync::atomic::Ordering::Relaxed);
}

/// Whether this mistake is to be made.
#[cfg(any(test, feature = "simulation"))]
pub(crate) fn is_out(canary: Canary) -> bool {
    OUT.load(std::sync::atomic::Ordering::Relaxed) == canary as u8
}

/// Whether this mistake is to be made: never.
#[cfg(not(any(test, feature = "simulation")))]
#[inline(always)]
pub(crate) const fn is_out(_: Canary) -> bool {
    false
}
