//! May this command run? One named check after another, in Redis' order.

use net::{Peer, Stream};
use resp::{Arguments, CommandError, Protocol, Writer};
use spec::Flags;

use crate::clients::connection::Held;
use crate::clients::connections::ConnectionKey;
use crate::core::Core;
use crate::input::registry::{Action, Entry, Unknown};

/// Why a command does not run.
pub(crate) enum Refusal {
    /// It is answered with this.
    Error(CommandError),
    /// It has to wait.
    Later,
    /// It is not answered, and the connection is closed.
    Close,
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

/// Checks a command of a connection; `entry` is what its first words named.
pub(crate) fn admit(
    core: &mut Core,
    key: ConnectionKey,
    entry: Option<&'static Entry>,
    arguments: &Arguments<'_>,
) -> Result<&'static Entry, Refusal> {
    no_browser(core, key, entry, arguments)?;
    let entry = exists(core, entry, arguments)?;
    arity(entry, arguments)?;
    enabled(core, key, entry)?;
    authenticated(core, key, entry)?;
    let flags = flags_of(core, key, entry)?;
    not_paused(core, key, flags)?;
    if flags.has(Flags::WRITE) {
        log_takes_writes(core)?;
    }
    Ok(entry)
}

/// The line is none of an HTTP request that a browser was made to send here by somebody else's
/// page: what its body says must not be run.
fn no_browser(
    core: &mut Core,
    key: ConnectionKey,
    entry: Option<&'static Entry>,
    arguments: &Arguments<'_>,
) -> Result<(), Refusal> {
    let name = &arguments[0];
    let is_http = name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:");
    if entry.is_some() || !is_http {
        return Ok(());
    }
    if let Some(connection) = core.connections.find(key) {
        tracing::warn!(
            "Possible SECURITY ATTACK detected: POST or Host: was sent as a command, as a browser \
             does that is misused to reach this server. Connection from {} aborted.",
            crate::clients::describe::address(&connection.session.peer)
        );
    }
    Err(Refusal::Close)
}

/// The name, and the subcommand's where there are such, are known.
fn exists(
    core: &Core,
    entry: Option<&'static Entry>,
    arguments: &Arguments<'_>,
) -> Result<&'static Entry, CommandError> {
    if let Some(entry) = entry {
        return Ok(entry);
    }
    let second = arguments.get(1);
    match core.registry.resolve(&arguments[0], second) {
        Ok(entry) => Ok(entry),
        Err(Unknown::Command) => Err(CommandError::unknown_command(*arguments)),
        // DEBUG looks at its own words in Redis, and says it its own way.
        Err(Unknown::Subcommand(spec)) if spec.flags.has(Flags::DEBUGS) => {
            Err(CommandError::subcommand_syntax(&arguments[0], second.unwrap_or_default()))
        }
        Err(Unknown::Subcommand(_)) => {
            Err(CommandError::unknown_subcommand(&arguments[0], second.unwrap_or_default()))
        }
    }
}

/// The number of arguments is right.
fn arity(entry: &Entry, arguments: &Arguments<'_>) -> Result<(), CommandError> {
    let container = matches!(entry.action, Action::Container);
    if entry.spec.arity.admits(arguments.len()) && !container {
        return Ok(());
    }
    if entry.spec.flags.has(Flags::DEBUGS) && !container {
        return Err(CommandError::subcommand_syntax(&arguments[0], &arguments[1]));
    }
    Err(CommandError::WrongArity(entry.spec.name))
}

/// Commands that a directive has to allow, one word to look at for all others.
const GATED: Flags = Flags::DEBUGS.with(Flags::CHANGES_MODULES);

/// It is not DEBUG and changes no modules, or `enable-debug-command` or `enable-module-command`
/// allows it.
fn enabled(core: &mut Core, key: ConnectionKey, entry: &Entry) -> Result<(), CommandError> {
    if !entry.spec.flags.has_any(GATED) {
        return Ok(());
    }
    let (gate, refusal) = if entry.spec.flags.has(Flags::DEBUGS) {
        (core.settings.debug_command, CommandError::DEBUG_NOT_ENABLED)
    } else {
        (core.settings.module_command, CommandError::MODULE_NOT_ENABLED)
    };
    let local = core.connections.find(key).is_some_and(|it| it.session.peer.is_local());
    if gate.admits(local) { Ok(()) } else { Err(refusal) }
}

/// The client has passed AUTH, or needs not for this command.
fn authenticated(core: &mut Core, key: ConnectionKey, entry: &Entry) -> Result<(), CommandError> {
    let authenticated =
        core.connections.find(key).is_some_and(|connection| connection.session.authenticated);
    let is_free = entry.spec.flags.has(Flags::NO_AUTH) || !core.settings.password_required();
    if authenticated || is_free {
        return Ok(());
    }
    Err(CommandError::NoAuth)
}

/// The command's flags; EXEC has those of all that it runs.
///
/// # Errors
/// The client is between MULTI and EXEC, where the command is not allowed.
#[inline]
fn flags_of(
    core: &mut Core,
    key: ConnectionKey,
    entry: &'static Entry,
) -> Result<Flags, CommandError> {
    let flags = entry.spec.flags;
    if matches!(entry.action, Action::Shard(_)) {
        return Ok(flags);
    }
    let Some(connection) = core.connections.find(key) else { return Ok(flags) };
    let multi = &connection.session.multi;
    if multi.queued().is_some() && flags.has(Flags::NO_MULTI) {
        // Redis queues what Valkey refuses, so the text is Valkey's.
        let redis_queues = flags.has(Flags::SWITCHES_REPLIES);
        return Err(match redis_queues {
            true => CommandError::NotInside(entry.spec.name),
            false => CommandError::NotInsideTransaction,
        });
    }
    let queued = if flags.has(Flags::RUNS_QUEUE) { multi.flags() } else { Flags::NONE };
    Ok(flags.with(queued))
}

/// CLIENT PAUSE does not hold it back.
fn not_paused(core: &mut Core, key: ConnectionKey, flags: Flags) -> Result<(), Refusal> {
    if !core.pause.holds(core.time.unix_ms(), flags) {
        return Ok(());
    }
    if let Some(connection) = core.connections.find(key) {
        connection.input.held = Held::Paused;
        core.pause.waiting.push(key);
    }
    Err(Refusal::Later)
}

/// No shard's log refuses writes: the disk is full or failed.
pub(crate) fn log_takes_writes(core: &Core) -> Result<(), CommandError> {
    if !core.shared.some_log_refuses() {
        return Ok(());
    }
    Err(CommandError::MisconfLog(core.shared.log_refusal().into_boxed_str()))
}

/// A new connection: refused with a reply when there are too many, or in protected mode.
pub(crate) fn welcome(core: &mut Core, stream: Stream, peer: Peer) {
    let keep_alive = core.settings.limits.keep_alive;
    let home = core.mail.shard;
    let refusal = if !core.shared.admit_client(core.settings.limits.clients_max) {
        core.shared.connection_refused(home);
        Some(CommandError::MaxClients)
    } else if core.settings.is_protected() && !peer.is_local() {
        core.shared.client_gone(home);
        Some(CommandError::ProtectedMode)
    } else {
        None
    };
    if let Some(error) = refusal {
        let mut reply = Vec::new();
        Writer::new(&mut reply, Protocol::Resp2).error(&error);
        // The peer may be gone already: there is nobody to tell then.
        let _ = stream.send_now(&reply);
        core.statistics.counters.clients.rejected += 1;
        return;
    }
    if matches!(peer, Peer::Tcp { .. })
        && let Err(error) = stream.tune(keep_alive)
    {
        tracing::debug!("Setting socket options: {error}");
    }
    core.handle_accepted(Some(stream), peer);
}
