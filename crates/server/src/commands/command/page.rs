//! `docs/commands.md`: the commands for people, from the same declarations as everything else.
//!
//! A test compares the file with what is generated; with `BLESS=1` in the environment it is
//! rewritten.

use std::fmt::Write;

use spec::{Argument, ArgumentKind, Group, Spec};

use crate::input::registry::{Action, Registry};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");

/// Groups in the order of the page, with their headings.
const GROUPS: &[(Group, &str)] = &[
    (Group::String, "Strings"),
    (Group::Bitmap, "Bits of strings"),
    (Group::List, "Lists"),
    (Group::Hash, "Hashes"),
    (Group::Set, "Sets"),
    (Group::SortedSet, "Sorted sets"),
    (Group::HyperLogLog, "HyperLogLogs"),
    (Group::Geo, "Geo indexes"),
    (Group::Stream, "Streams"),
    (Group::Generic, "Keys of any type"),
    (Group::PubSub, "Channels"),
    (Group::Transactions, "Transactions"),
    (Group::Scripting, "Scripts"),
    (Group::Connection, "The connection"),
    (Group::Server, "The server"),
    (Group::Cluster, "Cluster"),
];

const HEAD: &str = "# Commands

What this server answers, in the words of its own declarations: `COMMAND DOCS` says the same to
programs. Replies and errors are Redis 7.2's. \"Since\" is the version of Redis that brought it.

This page is generated: `BLESS=1 cargo test -p server commands_page` rewrites it.
";

fn page(registry: &Registry) -> String {
    let mut specs: Vec<&Spec> = Vec::new();
    for entry in registry.entries() {
        if !matches!(entry.action, Action::Container) {
            specs.push(entry.spec);
        }
        specs.extend(entry.subcommands.iter().map(|entry| entry.spec));
    }
    specs.sort_unstable_by_key(|spec| spec.name);
    let mut page = String::from(HEAD);
    for (group, heading) in GROUPS {
        let members = specs.iter().filter(|spec| spec.about.group == *group);
        if members.clone().count() == 0 {
            continue;
        }
        write!(page, "\n## {heading}\n\n| command | what it does | cost | since |\n").unwrap();
        page.push_str("| --- | --- | --- | --- |\n");
        for spec in members {
            page.push_str(&row(spec));
        }
    }
    page
}

fn row(spec: &Spec) -> String {
    let about = &spec.about;
    let mut syntax = spec.name.replace('|', " ").to_uppercase();
    if !spec.arguments.is_empty() {
        syntax.push(' ');
        syntax.push_str(&sequence(spec.arguments, " "));
    }
    let replacement = about.deprecated.map_or_else(String::new, |(since, replaced_by)| {
        format!(" Deprecated since {since}: {replaced_by} instead.")
    });
    let row =
        format!("{}{replacement} | {} | {} |\n", about.summary, about.complexity, about.since);
    // A bar inside a cell would end it, in code as well.
    format!("| `{}` | {row}", syntax.replace('|', "\\|"))
}

fn sequence(arguments: &[Argument], between: &str) -> String {
    arguments.iter().map(syntax).collect::<Vec<_>>().join(between)
}

/// `[EX seconds | PX milliseconds]`, `key [key ...]`.
fn syntax(argument: &Argument) -> String {
    let value = match argument.kind {
        ArgumentKind::PureToken => String::new(),
        ArgumentKind::OneOf(choices) => sequence(choices, " | "),
        ArgumentKind::Block(parts) => sequence(parts, " "),
        _ => argument.name.to_owned(),
    };
    let flags = argument.flags;
    let is_choice = matches!(argument.kind, ArgumentKind::OneOf(_));
    let with_token = |value: &str| match argument.token {
        Some(token) if value.is_empty() => token.to_owned(),
        Some(token) if is_choice => format!("{token} <{value}>"),
        Some(token) => format!("{token} {value}"),
        None => value.to_owned(),
    };
    let mut text = with_token(&value);
    if flags.multiple && is_choice {
        text = format!("<{text}> ...");
    } else if flags.multiple {
        let again = if flags.multiple_token { text.clone() } else { value };
        text = format!("{text} [{again} ...]");
    }
    if flags.optional {
        format!("[{text}]")
    } else if is_choice && !flags.multiple && argument.token.is_none() {
        format!("<{text}>")
    } else {
        text
    }
}

#[test]
fn commands_page() {
    let generated = page(&Registry::new());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PAGE, &generated).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    let differs = written.lines().zip(generated.lines()).find(|(left, right)| left != right);
    let hint = "docs/commands.md is not what the registry says: BLESS=1 rewrites it";
    assert_eq!(differs, None, "{hint}");
    assert!(written == generated, "{hint}");
}

#[test]
fn every_command_says_what_it_does() {
    let registry = Registry::new();
    for entry in registry.entries().iter().flat_map(|it| std::iter::once(it).chain(&it.subcommands))
    {
        assert!(!entry.spec.about.summary.is_empty(), "{} has no summary", entry.spec.name);
        assert!(!entry.spec.about.summary.contains('|'), "{}", entry.spec.name);
    }
}

#[test]
fn grammars_read_like_manuals() {
    const CHOICES: &[Argument] = &[Argument::word("nx", "NX"), Argument::word("xx", "XX")];
    let either = Argument::one_of("x", CHOICES);
    let ttl = Argument::integer("seconds").token("EX");
    assert_eq!(syntax(&either.optional()), "[NX | XX]");
    assert_eq!(syntax(&either), "<NX | XX>");
    assert_eq!(syntax(&either.token("MODE").optional()), "[MODE <NX | XX>]");
    assert_eq!(syntax(&either.multiple()), "<NX | XX> ...");
    assert_eq!(syntax(&either.multiple().optional()), "[<NX | XX> ...]");
    assert_eq!(syntax(&ttl.optional()), "[EX seconds]");
    assert_eq!(syntax(&Argument::key("key").multiple()), "key [key ...]");
    assert_eq!(syntax(&ttl.multiple_token()), "EX seconds [EX seconds ...]");
    assert_eq!(syntax(&ttl.multiple()), "EX seconds [seconds ...]");
}
