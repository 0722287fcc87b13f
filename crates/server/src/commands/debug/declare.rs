//! What all subcommands of DEBUG declare alike.

use spec::{Arity, Flags, Group, Spec};

/// The container.
pub(in crate::commands) const CONTAINER: Spec =
    Spec::new("debug", Arity::at_least(2), Group::Server, "1.0.0")
        .flags(Flags::DEBUGS)
        .about("A container for debugging commands.", "Depends on subcommand.");

/// What all of them are.
pub(super) const FLAGS: Flags =
    Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE).with(Flags::DEBUGS);

/// The spec of one of them.
pub(super) const fn spec(name: &'static str, arity: Arity, summary: &'static str) -> Spec {
    Spec::new(name, arity, Group::Server, "1.0.0").flags(FLAGS).about(summary, "")
}
