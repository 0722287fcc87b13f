//! COMMAND, COMMAND INFO, COMMAND COUNT.
//!
//! A command is an array of ten: name, arity, flags, first key, last key, step, ACL categories,
//! tips, key specs, subcommands. In RESP3 flags, categories, tips and key specs are sets, and each
//! part of a key spec is a map; subcommands are an array, but an empty set where there are none (as
//! in Redis 7.2).

use resp::{Arguments, CommandError, Writer};
use spec::{
    Argument, Arity, BeginSearch, Categories, FindKeys, Flags, Group, KeySpec, Reply, Spec,
};

use super::legacy_range::LegacyRange;
use super::{Context, SessionCommand, Then};
use crate::input::registry::{Action, Entry};

/// What COMMAND and its subcommands are allowed.
pub(super) const FLAGS: Flags = Flags::LOADING.with(Flags::STALE);

/// Replies come in the order of the registry, which is not promised.
pub(super) const UNORDERED: &[&str] = &["nondeterministic_output_order"];

/// `COMMAND`: every command.
pub(super) const COMMAND: SessionCommand = SessionCommand {
    spec: Spec::new("command", Arity::at_least(1), Group::Server, "2.8.13")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about("Describes all commands.", "O(N) where N is the total number of commands")
        .tips(UNORDERED)
        .reply(Reply::ARRAY),
    run: all,
};

fn all(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    write_all(context.core.registry.entries(), reply);
    Ok(Then::Done)
}

/// `COMMAND COUNT`: how many commands there are, subcommands not counted.
pub(super) const COUNT: SessionCommand = SessionCommand {
    spec: Spec::new("command|count", Arity::exactly(2), Group::Server, "2.8.13")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about("Counts the commands.", "O(1)")
        .reply(Reply::INTEGER),
    run: count,
};

fn count(
    context: &mut Context<'_>,
    _: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    reply.count(context.core.registry.entries().len());
    Ok(Then::Done)
}

/// `COMMAND INFO [name ...]`: the named commands (`container|name` for a subcommand), null for a
/// name that is none; without names every command.
pub(super) const INFO: SessionCommand = SessionCommand {
    spec: Spec::new("command|info", Arity::at_least(2), Group::Server, "2.8.13")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about(
            "Describes the named commands, or all.",
            "O(N) where N is the number of commands to look up",
        )
        .history(&[("7.0.0", "Names may be left out: all commands.")])
        .arguments(&[Argument::string("command-name").optional().multiple()])
        .tips(UNORDERED)
        .reply(Reply::ARRAY),
    run: info,
};

fn info(
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
    reply.array(names.len());
    for name in names {
        match registry.find_full(name) {
            Some(entry) => write_entry(entry, reply),
            None => reply.null(),
        }
    }
    Ok(Then::Done)
}

fn write_all(entries: &[Entry], reply: &mut Writer<'_>) {
    reply.array(entries.len());
    entries.iter().for_each(|entry| write_entry(entry, reply));
}

fn write_entry(entry: &Entry, reply: &mut Writer<'_>) {
    let spec = entry.spec;
    let (range, flags) = LegacyRange::of(spec);
    reply.array(10);
    reply.bulk(spec.name.as_bytes());
    reply.integer(i64::from(spec.arity.number()));
    reply.set(flags.names().count());
    flags.names().for_each(|name| reply.simple(name));
    reply.integer(range.first);
    reply.integer(range.last);
    reply.integer(range.step);
    let categories = categories(entry);
    reply.set(categories.names().count());
    categories.names().for_each(|name| reply.simple(&format!("@{name}")));
    reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|key| write_key_spec(key, reply));
    if entry.subcommands.is_empty() {
        reply.set(0);
    } else {
        write_all(&entry.subcommands, reply);
    }
}

/// The ACL categories that are shown. A command that is nothing but its subcommands is in none but
/// what its flags imply: its group is its subcommands' affair.
pub(super) fn categories(entry: &Entry) -> Categories {
    match entry.action {
        Action::Container => Categories::implied_by(entry.spec.flags, entry.spec.about.categories),
        Action::Shard(_) | Action::Session(_) => entry.spec.categories_all(),
    }
}

fn write_key_spec(key: &KeySpec, reply: &mut Writer<'_>) {
    reply.map(3 + usize::from(key.notes.is_some()));
    if let Some(notes) = key.notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    reply.set(key.flags.names().count());
    key.flags.names().for_each(|name| reply.simple(name));
    reply.bulk(b"begin_search");
    write_begin(key.begin, reply);
    reply.bulk(b"find_keys");
    write_find(key.find, reply);
}

fn write_begin(begin: BeginSearch, reply: &mut Writer<'_>) {
    match begin {
        BeginSearch::Index(index) => {
            write_type("index", 1, reply);
            write_number("index", i64::from(index), reply);
        }
        BeginSearch::Keyword { word, from } => {
            write_type("keyword", 2, reply);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            write_number("startfrom", i64::from(from), reply);
        }
        BeginSearch::Unknown => write_type("unknown", 0, reply),
    }
}

fn write_find(find: FindKeys, reply: &mut Writer<'_>) {
    match find {
        FindKeys::Range { last, step, limit } => {
            write_type("range", 3, reply);
            write_number("lastkey", i64::from(last), reply);
            write_number("keystep", i64::from(step), reply);
            write_number("limit", i64::from(limit), reply);
        }
        FindKeys::Count { number, first, step } => {
            write_type("keynum", 3, reply);
            write_number("keynumidx", i64::from(number), reply);
            write_number("firstkey", i64::from(first), reply);
            write_number("keystep", i64::from(step), reply);
        }
        FindKeys::Unknown => write_type("unknown", 0, reply),
    }
}

/// Begins `{type: name, spec: {...}}`: the `count` pairs of the inner map follow.
fn write_type(name: &str, count: usize, reply: &mut Writer<'_>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(name.as_bytes());
    reply.bulk(b"spec");
    reply.map(count);
}

fn write_number(name: &str, value: i64, reply: &mut Writer<'_>) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn get_is_described_as_redis_describes_it() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        server.ask(client, "HELLO 3");
        let reply = server.ask(client, "COMMAND INFO get");
        let redis = "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
                     ~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n\
                     +RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n\
                     $4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n\
                     $4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n\
                     $7\r\nkeystep\r\n:1\r\n\
                     $5\r\nlimit\r\n:0\r\n~0\r\n";
        assert_eq!(reply, redis);
    }

    #[test]
    fn names_are_full_names_in_any_case() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let id = "*10\r\n$9\r\nclient|id\r\n:2\r\n*3\r\n+noscript\r\n+loading\r\n+stale\r\n\
                  :0\r\n:0\r\n:0\r\n*2\r\n+@slow\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n";
        let line = "COMMAND INFO nosuch CLIENT|ID client|nosuch client| get|x a|b|c";
        let reply = server.ask(client, line);
        assert_eq!(reply, format!("*6\r\n$-1\r\n{id}$-1\r\n$-1\r\n$-1\r\n$-1\r\n"));
    }

    #[test]
    fn a_container_lists_its_subcommands_and_is_in_no_group() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let reply = server.ask(client, "COMMAND INFO client");
        let start = "*1\r\n*10\r\n$6\r\nclient\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*1\r\n+@slow\r\n\
                     *0\r\n*0\r\n*16\r\n*10\r\n$14\r\nclient|getname\r\n";
        assert!(reply.starts_with(start), "{reply}");
        let reply = server.ask(client, "COMMAND INFO command");
        assert!(reply.contains("*2\r\n+@slow\r\n+@connection\r\n"), "{reply}");
    }

    #[test]
    fn all_are_as_many_as_counted() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let count = server.ask(client, "COMMAND COUNT").replace(':', "*");
        assert!(server.ask(client, "COMMAND").starts_with(&count));
        assert!(server.ask(client, "COMMAND INFO").starts_with(&count));
        let reply = server.ask(client, "COMMAND nosuch");
        assert_eq!(reply, "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.\r\n");
    }
}
