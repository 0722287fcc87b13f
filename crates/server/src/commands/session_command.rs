//! A session command: its declaration, what it is given, and how it is run.
//!
//! The reply is written to a scratch buffer and joins the connection's pipeline afterwards, so a
//! command may change the connection (its protocol, its end) while it runs.

use resp::{Arguments, CommandError, Writer};
use spec::{Flags, Spec};
use telemetry::SlowWords;

use crate::clients::connection::Connection;
use crate::clients::connections::ConnectionKey;
use crate::clients::session::Session;
use crate::core::Core;
use crate::input::registry::{Action, Entry};
use crate::memory::kept::empty;
use crate::message::gathering::{Question, Target};
use crate::transaction::Piece;
use crate::transaction::multi::Exec;

/// A command that runs at its connection's home.
pub(crate) struct SessionCommand {
    pub(crate) spec: Spec,
    pub(crate) run: Run,
}

/// What runs.
pub(crate) type Run =
    fn(&mut Context<'_>, Arguments<'_>, &mut Writer<'_>) -> Result<Then, CommandError>;

/// What follows from a session command.
pub(crate) enum Then {
    /// The reply is written.
    Done,
    /// The answer is gathered from all core threads; nothing was written.
    Ask(Question),
    /// EXEC has begun: its replies take their place when they come.
    Exec(Exec),
}

/// Where a session command runs: a core thread, in the name of a connection.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) key: ConnectionKey,
    /// Arguments that hold secrets: see [`Context::hide`].
    hidden: Vec<usize>,
}

impl Context<'_> {
    /// Keeps argument `at` out of the slow log and from monitors. To be called before anything can
    /// be refused: a mistyped password is a secret too.
    pub(crate) fn hide(&mut self, at: usize) {
        self.hidden.push(at);
    }

    /// The connection. It exists while its command runs.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.core.connections.find(self.key).expect("a connection exists while its command runs")
    }

    /// Its session.
    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.connection().session
    }
}

/// Runs a session command and sees to its reply.
pub(crate) fn run(
    core: &mut Core,
    key: ConnectionKey,
    entry: &'static Entry,
    command: &'static SessionCommand,
    arguments: Arguments<'_>,
) {
    // As before a command of a shard: what INFO says is true after it.
    core.make_room();
    core.note_last_command(key, Some(entry));
    let mut reply = std::mem::take(&mut core.reply);
    let call = Call { entry, command, arguments };
    let exec = perform(core, key, &call, &mut reply, &mut |core, question| {
        core.ask(key, question);
    });
    if let Some(exec) = exec {
        core.begin_exec(key, exec);
        // Behind the commands that it runs.
        if core.shared.has_monitors() {
            core.show_to_monitors(key, entry.spec, &shown(arguments, &[]));
        }
    }
    if let Some(connection) = core.connections.find(key) {
        let silent = connection.session.replies.is_silent();
        connection.session.replies = connection.session.replies.after_command();
        if !silent {
            connection.reply_buffer().extend_from_slice(&reply);
        }
    }
    empty(&mut reply);
    core.reply = reply;
}

/// Runs a session command that EXEC has come to: where its reply comes from.
pub(crate) fn run_in_exec(
    core: &mut Core,
    key: ConnectionKey,
    entry: &'static Entry,
    arguments: Arguments<'_>,
    target: Target,
) -> Piece {
    let mut reply = Vec::new();
    let Action::Session(command) = entry.action else { return Piece::Ready(reply) };
    let Some(connection) = core.connections.find(key) else { return Piece::Ready(reply) };
    let protocol = connection.session.client.protocol;
    let call = Call { entry, command, arguments };
    let mut asked = None;
    perform(core, key, &call, &mut reply, &mut |core, question| {
        asked = Some(core.ask_for(target, protocol, question));
    });
    match asked {
        None => Piece::Ready(reply),
        Some(Some(answer)) => Piece::Ready(answer),
        Some(None) => Piece::Asked,
    }
}

/// A session command with its arguments.
struct Call<'a> {
    entry: &'static Entry,
    command: &'static SessionCommand,
    arguments: Arguments<'a>,
}

/// Runs a session command, asks what it asks, counts it, and shows it to who wants to see it. An
/// EXEC is to be begun by the caller.
fn perform(
    core: &mut Core,
    key: ConnectionKey,
    call: &Call<'_>,
    reply: &mut Vec<u8>,
    ask: &mut dyn FnMut(&mut Core, Question),
) -> Option<Exec> {
    let Call { entry, command, arguments } = *call;
    let connection = core.connections.find(key)?;
    connection.session.activity.commands += 1;
    let protocol = connection.session.client.protocol;
    let began_ns = core.time.now_ns();
    let mut context = Context { core, key, hidden: Vec::new() };
    let result = (command.run)(&mut context, arguments, &mut Writer::new(reply, protocol));
    let hidden = context.hidden;
    let failed = result.is_err();
    let mut exec = None;
    match result {
        Ok(Then::Done) => {}
        // Before it is counted: an answer does not tell of its own question.
        Ok(Then::Ask(question)) => ask(core, question),
        Ok(Then::Exec(begun)) => exec = Some(begun),
        Err(error) => {
            core.statistics.count_error(&error);
            reply.clear();
            Writer::new(reply, protocol).error(&error);
        }
    }
    let took_ns = core.time.now_ns() - began_ns;
    core.statistics.count_call(entry.number, took_ns, failed);
    if core.statistics.is_notable(took_ns) {
        core.note_latency(entry.spec, took_ns);
        if core.statistics.is_slow(took_ns)
            && !entry.spec.flags.has(Flags::SKIP_SLOWLOG)
            && let Some(connection) = core.connections.find(key)
        {
            let words = SlowWords::texts_of(shown(arguments, &hidden).into_iter());
            let unix_s = core.time.unix_us() / 1_000_000;
            core.statistics.log_slow(&connection.session, words, took_ns / 1000, unix_s);
        }
    }
    if exec.is_none() && core.shared.has_monitors() {
        core.show_to_monitors(key, entry.spec, &shown(arguments, &hidden));
    }
    exec
}

/// The arguments as others may see them: what is hidden is replaced, as in Redis.
fn shown<'a>(arguments: Arguments<'a>, hidden: &[usize]) -> Vec<&'a [u8]> {
    let words = arguments.iter().enumerate();
    words.map(|(at, word)| if hidden.contains(&at) { REDACTED } else { word }).collect()
}

/// What stands for a hidden argument.
const REDACTED: &[u8] = b"(redacted)";
