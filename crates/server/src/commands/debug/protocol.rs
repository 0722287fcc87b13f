//! DEBUG PROTOCOL: a value of each type that replies can have, for tests of clients.

use resp::{Arguments, CommandError, Protocol, Writer};
use spec::{Argument, Arity, Reply};

use super::spec;
use crate::commands::{Context, SessionCommand, Then};

/// `DEBUG PROTOCOL type`: a value of that type, always the same, as Redis has it.
pub(super) const PROTOCOL: SessionCommand = SessionCommand {
    spec: spec("debug|protocol", Arity::exactly(3), "Answers with a value of a type.")
        .arguments(&[Argument::string("type")])
        .reply(Reply::ANY),
    run: protocol,
};

/// The double: Redis' 3.141, which is not meant to be pi.
const DOUBLE: f64 = 3141.0 / 1000.0;

fn protocol(
    _: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    match arguments[2].to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(DOUBLE),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|value| reply.integer(value));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|value| reply.integer(value));
        }
        b"map" => {
            reply.map(3);
            for key in 0..3 {
                reply.integer(key);
                reply.boolean(key == 1);
            }
        }
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim(*b"txt", b"This is a verbatim\nstring"),
        // A push cannot be said to a client that speaks RESP2; an attribute is left out.
        b"push" if reply.protocol() == Protocol::Resp2 => {
            return Err(CommandError::DebugNotInResp2);
        }
        b"attrib" => {
            if reply.attribute(1) {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            // A push is no reply: this is the one that the client waits for.
            reply.bulk(b"Some real reply following the push reply");
        }
        _ => return Err(CommandError::DebugProtocolType),
    }
    Ok(Then::Done)
}
