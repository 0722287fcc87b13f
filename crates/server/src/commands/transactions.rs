//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: see `transaction/multi.rs`.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Flags, Group, KeyFlags, KeySpec, Reply, Spec};

use super::{Context, SessionCommand, Then};

pub(super) const COMMANDS: &[&SessionCommand] = &[&MULTI, &EXEC, &DISCARD, &WATCH, &UNWATCH];

const FLAGS: Flags = Flags::NOSCRIPT
    .with(Flags::LOADING)
    .with(Flags::STALE)
    .with(Flags::FAST)
    .with(Flags::ALLOW_BUSY);

/// What runs between MULTI and EXEC.
const AT_ONCE: Flags = FLAGS.with(Flags::RUNS_IN_MULTI);

/// `MULTI`: commands are queued from now on.
const MULTI: SessionCommand = SessionCommand {
    spec: Spec::new("multi", Arity::exactly(1), Group::Transactions, "1.2.0")
        .flags(AT_ONCE.with(Flags::OVERTAKES_NOTHING))
        .about("Begins a transaction.", "O(1)")
        .reply(Reply::SIMPLE),
    run: multi,
};

fn multi(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if context.session().multi.queued().is_some() {
        return Err(CommandError::MultiNested);
    }
    let queue = context.core.spare.take_queue();
    context.session().multi.begin(queue);
    reply.ok();
    Ok(Then::Done)
}

/// `EXEC`: runs what was queued as one step. Replies an array of the replies, or null if a watched
/// key was touched.
const EXEC: SessionCommand = SessionCommand {
    spec: Spec::new("exec", Arity::exactly(1), Group::Transactions, "1.2.0")
        .flags(
            Flags::NOSCRIPT
                .with(Flags::LOADING)
                .with(Flags::STALE)
                .with(Flags::SKIP_SLOWLOG)
                .with(Flags::RUNS_IN_MULTI)
                .with(Flags::RUNS_QUEUE)
                .with(Flags::OVERTAKES_NOTHING),
        )
        .about("Runs all commands of a transaction.", "Depends on the commands.")
        .reply(Reply::ARRAY.or(Reply::NULL)),
    run: exec,
};

fn exec(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    _: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    context.core.take_exec(context.key).map(Then::Exec)
}

/// `DISCARD`: forgets what was queued and what was watched.
const DISCARD: SessionCommand = SessionCommand {
    spec: Spec::new("discard", Arity::exactly(1), Group::Transactions, "2.0.0")
        .flags(AT_ONCE)
        .about("Gives a transaction up.", "O(N) where N is the number of queued commands.")
        .reply(Reply::SIMPLE),
    run: discard,
};

fn discard(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let watching = context.session().multi.discard()?;
    context.core.end_watching(watching);
    reply.ok();
    Ok(Then::Done)
}

/// `WATCH key [key ...]`: the next EXEC runs only if none of the keys was touched by then.
const WATCH: SessionCommand = SessionCommand {
    spec: Spec::new("watch", Arity::at_least(2), Group::Transactions, "2.2.0")
        .flags(AT_ONCE)
        .keys(&[KeySpec::rest(1, KeyFlags::RO)])
        .arguments(&[Argument::key("key").multiple()])
        .about("Makes the next EXEC depend on keys.", "O(1) for each key.")
        .reply(Reply::SIMPLE),
    run: watch,
};

fn watch(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    if context.session().multi.queued().is_some() {
        return Err(CommandError::WatchInsideMulti);
    }
    context.core.watch(context.key, arguments.from(1));
    reply.ok();
    Ok(Then::Done)
}

/// `UNWATCH`: forgets what was watched.
const UNWATCH: SessionCommand = SessionCommand {
    spec: Spec::new("unwatch", Arity::exactly(1), Group::Transactions, "2.2.0")
        .flags(FLAGS)
        .about("Forgets the watched keys.", "O(N) where N is the number of watched keys.")
        .reply(Reply::SIMPLE),
    run: unwatch,
};

fn unwatch(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let watching = context.session().multi.unwatch();
    context.core.end_watching(watching);
    reply.ok();
    Ok(Then::Done)
}

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;
