//! Errors that quote what a client sent, or what the system said: made here, whole.

use super::CommandError;
use crate::arguments::Arguments;

/// Whole texts that quote a client's bytes; see the constructors of [`CommandError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoting(Box<[u8]>);

impl Quoting {
    /// The whole text, line breaks and all.
    pub(super) fn text(&self) -> &[u8] {
        &self.0
    }
}

impl CommandError {
    /// No command has the name `command[0]`. Quotes the name up to 128 bytes, and arguments until
    /// 128 bytes of them are reached; a NUL ends each (Redis prints C strings).
    #[must_use]
    pub fn unknown_command(command: Arguments<'_>) -> Self {
        let name = command.get(0).unwrap_or_default();
        let mut arguments = Vec::new();
        for argument in command.from(1) {
            if arguments.len() >= QUOTED_BYTES_MAX {
                break;
            }
            let room = QUOTED_BYTES_MAX - arguments.len();
            arguments.push(b'\'');
            arguments.extend_from_slice(c_string(argument, room));
            arguments.extend_from_slice(b"' ");
        }
        Self::quoting(&[
            b"ERR unknown command '",
            c_string(name, QUOTED_BYTES_MAX),
            b"', with args beginning with: ",
            &arguments,
        ])
    }

    /// The command `container` (as sent) has no subcommand `subcommand`.
    #[must_use]
    pub fn unknown_subcommand(container: &[u8], subcommand: &[u8]) -> Self {
        Self::quoting(&[
            b"ERR unknown subcommand '",
            c_string(subcommand, QUOTED_BYTES_MAX),
            b"'. Try ",
            &container.to_ascii_uppercase(),
            b" HELP.",
        ])
    }

    /// A container command has the subcommand, but not with these arguments.
    #[must_use]
    pub fn subcommand_syntax(container: &[u8], subcommand: &[u8]) -> Self {
        Self::quoting(&[
            b"ERR unknown subcommand or wrong number of arguments for '",
            c_string(subcommand, QUOTED_BYTES_MAX),
            b"'. Try ",
            &container.to_ascii_uppercase(),
            b" HELP.",
        ])
    }

    /// EXPIRE and its kin do not know the option.
    #[must_use]
    pub fn unsupported_option(option: &[u8]) -> Self {
        Self::quoting(&[b"ERR Unsupported option ", option])
    }

    /// CLIENT SETINFO does not know the attribute.
    #[must_use]
    pub fn unrecognized_option(option: &[u8]) -> Self {
        Self::quoting(&[b"ERR Unrecognized option '", option, b"'"])
    }

    /// CLIENT SETINFO: no value of the attribute, which is quoted as it was sent.
    #[must_use]
    pub fn special_characters(attribute: &[u8]) -> Self {
        let text = b" cannot contain spaces, newlines or special characters.";
        Self::quoting(&[b"ERR ", attribute, text])
    }

    /// HELLO does not know the option, or it lacks its arguments.
    #[must_use]
    pub fn hello_option(option: &[u8]) -> Self {
        Self::quoting(&[b"ERR Syntax error in HELLO option '", option, b"'"])
    }

    /// CLIENT LIST or KILL: no such type of client.
    #[must_use]
    pub fn unknown_client_type(name: &[u8]) -> Self {
        Self::quoting(&[b"ERR Unknown client type '", name, b"'"])
    }

    /// No user has the name.
    #[must_use]
    pub fn no_such_user(name: &[u8]) -> Self {
        Self::quoting(&[b"ERR No such user '", name, b"'"])
    }

    /// The user may not run the command; a subcommand is `client|id`.
    #[must_use]
    pub fn no_permission_command(user: &[u8], command: &[u8]) -> Self {
        Self::quoting(&[
            b"NOPERM User ",
            user,
            b" has no permissions to run the '",
            command,
            b"' command",
        ])
    }

    /// CONFIG SET does not know the parameter, or it lacks its value.
    #[must_use]
    pub fn config_unknown(parameter: &[u8]) -> Self {
        Self::quoting(&[
            b"ERR Unknown option or number of arguments for CONFIG SET - '",
            parameter,
            b"'",
        ])
    }

    /// CONFIG SET could not set the parameter, for the reason.
    #[must_use]
    pub fn config_failed(parameter: &[u8], reason: &[u8]) -> Self {
        Self::quoting(&[
            b"ERR CONFIG SET failed (possibly related to argument '",
            parameter,
            b"') - ",
            reason,
        ])
    }

    /// CONFIG REWRITE could not write the file.
    #[must_use]
    pub fn config_rewrite(reason: &[u8]) -> Self {
        Self::quoting(&[b"ERR Rewriting config file: ", reason])
    }

    /// LATENCY GRAPH: no such event.
    #[must_use]
    pub fn no_latency_samples(event: &[u8]) -> Self {
        Self::quoting(&[b"ERR No samples available for event '", event, b"'"])
    }

    /// EXEC of commands that may not run now, for a reason that is quoted with its prefix, unless
    /// that is ERR.
    #[must_use]
    pub fn exec_aborted(reason: &Self) -> Self {
        let mut text = Vec::new();
        reason.write_line(&mut text);
        let text = text.strip_prefix(b"ERR ").unwrap_or(&text);
        Self::quoting(&[b"EXECABORT Transaction discarded because of: ", text])
    }

    /// The error of all `parts` in a row.
    fn quoting(parts: &[&[u8]]) -> Self {
        Self::Quoting(Quoting(parts.concat().into_boxed_slice()))
    }
}

/// How much of a name, and of all arguments together, an error quotes (Redis: server.c).
const QUOTED_BYTES_MAX: usize = 128;

/// `text` up to its first NUL, and no longer than `bytes_max`.
fn c_string(text: &[u8], bytes_max: usize) -> &[u8] {
    let text = &text[..text.len().min(bytes_max)];
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}
