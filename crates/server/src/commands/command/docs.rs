//! COMMAND DOCS.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, ArgumentKind, Arity, Categories, Group, Reply, Spec};

use super::info::{FLAGS, UNORDERED};
use super::{Context, SessionCommand, Then};
use crate::input::registry::Entry;

/// `COMMAND DOCS [name ...]`: a map from names to what is documented; unknown names are left out,
/// and without names it is every command.
pub(super) const DOCS: SessionCommand = SessionCommand {
    spec: Spec::new("command|docs", Arity::at_least(2), Group::Server, "7.0.0")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about(
            "Documents the named commands, or all.",
            "O(N) where N is the number of commands to look up",
        )
        .arguments(&[Argument::string("command-name").optional().multiple()])
        .tips(UNORDERED)
        .reply(Reply::MAP),
    run: docs,
};

fn docs(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let registry = context.core.registry;
    let names = arguments.from(2);
    if names.is_empty() {
        write_all(registry.entries(), reply);
        return Ok(Then::Done);
    }
    let found: Vec<&Entry> = names.iter().filter_map(|name| registry.find_full(name)).collect();
    reply.map(found.len());
    found.into_iter().for_each(|entry| write_entry(entry, reply));
    Ok(Then::Done)
}

fn write_all(entries: &[Entry], reply: &mut Writer<'_>) {
    reply.map(entries.len());
    entries.iter().for_each(|entry| write_entry(entry, reply));
}

/// A pair of the map: the name, and a map of what there is to say.
fn write_entry(entry: &Entry, reply: &mut Writer<'_>) {
    let spec = entry.spec;
    let about = &spec.about;
    reply.bulk(spec.name.as_bytes());
    let deferred = reply.deferred();
    let mut pairs = 4;
    write_text("summary", about.summary, reply);
    write_text("since", about.since, reply);
    write_text("group", about.group.name(), reply);
    write_text("complexity", about.complexity, reply);
    if let Some((since, replaced_by)) = about.deprecated {
        reply.bulk(b"doc_flags");
        reply.set(1);
        reply.simple("deprecated");
        write_text("deprecated_since", since, reply);
        write_text("replaced_by", replaced_by, reply);
        pairs += 3;
    }
    if !about.history.is_empty() {
        reply.bulk(b"history");
        reply.set(about.history.len());
        for (version, change) in about.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
        pairs += 1;
    }
    if !spec.arguments.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(spec.arguments, reply);
        pairs += 1;
    }
    if !entry.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        write_all(&entry.subcommands, reply);
        pairs += 1;
    }
    reply.end_map(deferred, pairs);
}

fn write_arguments(arguments: &[Argument], reply: &mut Writer<'_>) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| write_argument(argument, reply));
}

fn write_argument(argument: &Argument, reply: &mut Writer<'_>) {
    let deferred = reply.deferred();
    let mut pairs = 2;
    write_text("name", argument.name, reply);
    write_text("type", argument.kind.name(), reply);
    let parts = match argument.kind {
        ArgumentKind::OneOf(parts) | ArgumentKind::Block(parts) => Some(parts),
        _ => {
            write_text("display_text", argument.name, reply);
            pairs += 1;
            None
        }
    };
    if let ArgumentKind::Key(index) = argument.kind {
        reply.bulk(b"key_spec_index");
        reply.integer(i64::from(index));
        pairs += 1;
    }
    let texts = [
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
    ];
    for (name, text) in texts.iter().filter_map(|(name, text)| text.map(|text| (name, text))) {
        write_text(name, text, reply);
        pairs += 1;
    }
    let flags = [
        (argument.flags.optional, "optional"),
        (argument.flags.multiple, "multiple"),
        (argument.flags.multiple_token, "multiple_token"),
    ];
    let set = flags.iter().filter(|(is_set, _)| *is_set);
    if set.clone().count() > 0 {
        reply.bulk(b"flags");
        reply.set(set.clone().count());
        set.for_each(|(_, name)| reply.simple(name));
        pairs += 1;
    }
    if let Some(parts) = parts {
        reply.bulk(b"arguments");
        write_arguments(parts, reply);
        pairs += 1;
    }
    reply.end_map(deferred, pairs);
}

fn write_text(name: &str, text: &str, reply: &mut Writer<'_>) {
    reply.bulk(name.as_bytes());
    reply.bulk(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use resp::{ReplyReader, Value};

    use crate::fixture::Fixture;

    #[test]
    fn a_grammar_is_told_whole() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        server.ask(client, "HELLO 3");
        let reply = server.ask(client, "COMMAND DOCS nosuch auth");
        assert!(reply.starts_with("%1\r\n$4\r\nauth\r\n%6\r\n$7\r\nsummary\r\n"), "{reply}");
        let arguments = "$9\r\narguments\r\n*2\r\n%5\r\n$4\r\nname\r\n$8\r\nusername\r\n\
                         $4\r\ntype\r\n$6\r\nstring\r\n$12\r\ndisplay_text\r\n$8\r\nusername\r\n\
                         $5\r\nsince\r\n$5\r\n6.0.0\r\n$5\r\nflags\r\n~1\r\n\
                         +optional\r\n%3\r\n$4\r\nname\r\n";
        assert!(reply.contains(arguments), "{reply}");
        assert!(reply.contains("$7\r\nhistory\r\n~1\r\n*2\r\n$5\r\n6.0.0\r\n"), "{reply}");
    }

    #[test]
    fn quit_is_deprecated() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let reply = server.ask(client, "COMMAND DOCS quit");
        let flags =
            "$9\r\ndoc_flags\r\n*1\r\n+deprecated\r\n$16\r\ndeprecated_since\r\n$5\r\n7.2.0\r\n";
        assert!(reply.contains(flags), "{reply}");
    }

    #[test]
    fn all_docs_are_one_whole_reply_in_both_protocols() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        for hello in ["HELLO 2", "HELLO 3"] {
            server.ask(client, hello);
            for line in ["COMMAND", "COMMAND DOCS", "COMMAND LIST"] {
                let reply = server.ask(client, line);
                let length = ReplyReader::new().read(reply.as_bytes());
                assert_eq!(length, Ok(Some(reply.len())), "{line} after {hello}");
            }
        }
        let reply = server.ask(client, "COMMAND DOCS client");
        let value = Value::parse(reply.as_bytes());
        assert!(value.is_ok(), "{reply}");
        assert!(
            reply.contains("$11\r\nsubcommands\r\n%16\r\n$14\r\nclient|getname\r\n"),
            "{reply}"
        );
    }
}
