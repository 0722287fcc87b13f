//! Texts as Redis 7 was seen to send them.

use super::CommandError;
use crate::arguments::{Arguments, Span};

fn unknown(arguments: &[&[u8]]) -> String {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for argument in arguments {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(argument);
        spans.push(Span { start, end: bytes.len() as u32 });
    }
    CommandError::unknown_command(Arguments::new(&bytes, &spans)).to_string()
}

#[test]
fn fixed_texts_are_one_line_with_a_prefix() {
    for error in CommandError::FIXED {
        let text = error.to_string();
        assert!(!text.contains(['\r', '\n']), "{text}");
        let (prefix, rest) = text.split_once(' ').expect("a prefix and a text");
        assert_eq!(error.prefix(), prefix);
        assert!(prefix.bytes().all(|byte| byte.is_ascii_uppercase()), "{text}");
        assert!(!rest.is_empty() && rest.trim() == rest, "{text}");
    }
}

#[test]
fn fixed_texts_exist_once() {
    let mut texts: Vec<String> = CommandError::FIXED.iter().map(ToString::to_string).collect();
    texts.sort();
    let count = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), count);
}

#[test]
fn an_error_is_small() {
    assert!(size_of::<CommandError>() <= 24);
    assert!(size_of::<Result<(), CommandError>>() <= 24);
}

#[test]
fn unknown_commands_are_quoted_up_to_128_bytes() {
    let start = "ERR unknown command 'foo', with args beginning with: ";
    assert_eq!(unknown(&[b"foo"]), start);
    assert_eq!(unknown(&[b"foo", b"", b"a\0b"]), format!("{start}'' 'a' "));
    assert_eq!(
        unknown(&[b"f\no", b"\r"]),
        "ERR unknown command 'f o', with args beginning with: ' ' "
    );
    let long = [b'x'; 200];
    assert_eq!(unknown(&[b"foo", &long, b"y"]), format!("{start}'{}' ", "x".repeat(128)));
    // 100 bytes and the quotes leave 25 for the next
    assert_eq!(
        unknown(&[b"foo", &long[..100], &long, b"y"]),
        format!("{start}'{}' '{}' ", "x".repeat(100), "x".repeat(25))
    );
    assert_eq!(
        unknown(&[&long]),
        format!("ERR unknown command '{}', with args beginning with: ", "x".repeat(128))
    );
    assert_eq!(unknown(&[]), "ERR unknown command '', with args beginning with: ");
}

#[test]
fn texts_with_fields() {
    for (error, text) in [
        (
            CommandError::WrongArity("client|id"),
            "ERR wrong number of arguments for 'client|id' command",
        ),
        (CommandError::InvalidExpire("set"), "ERR invalid expire time in 'set' command"),
        (
            CommandError::OutsideRange { least: i32::MIN.into(), most: i32::MAX.into() },
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ),
        (
            CommandError::unknown_subcommand(b"client", b"foo"),
            "ERR unknown subcommand 'foo'. Try CLIENT HELP.",
        ),
        (CommandError::unsupported_option(b"a\r\nb"), "ERR Unsupported option a  b"),
        (CommandError::hello_option(b"auth"), "ERR Syntax error in HELLO option 'auth'"),
        (
            CommandError::DEBUG_NOT_ENABLED,
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
             \"local\", you can run it from a local connection, otherwise you need to set this \
             option in the configuration file, and then restart the server.",
        ),
        (
            CommandError::exec_aborted(&CommandError::OutOfMemory),
            "EXECABORT Transaction discarded because of: OOM command not allowed when used memory \
             > 'maxmemory'.",
        ),
        (
            CommandError::config_failed(b"maxmemory", b"argument must be a memory value"),
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a \
             memory value",
        ),
        (
            CommandError::no_permission_command(b"u1", b"client|id"),
            "NOPERM User u1 has no permissions to run the 'client|id' command",
        ),
        (
            CommandError::MisconfLog("No space left on device".into()),
            "MISCONF Errors writing to the AOF file: No space left on device",
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.prefix(), text.split(' ').next().unwrap());
    }
}
