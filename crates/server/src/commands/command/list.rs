//! COMMAND LIST: names.

use datatypes::{Case, glob_matches};
use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Categories, Group, Reply, Spec};

use super::info::{self, FLAGS, UNORDERED};
use super::{Context, SessionCommand, Then};
use crate::input::registry::Entry;

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`: the names of all
/// commands and subcommands, or of those that the filter lets pass. No command is a module's; no
/// command is in a category that does not exist.
pub(super) const LIST: SessionCommand = SessionCommand {
    spec: Spec::new("command|list", Arity::at_least(2), Group::Server, "7.0.0")
        .flags(FLAGS)
        .categories(Categories::CONNECTION)
        .about("Names all commands.", "O(N) where N is the total number of commands")
        .arguments(&[Argument::one_of(
            "filterby",
            &[
                Argument::string("module-name").token("MODULE"),
                Argument::string("category").token("ACLCAT"),
                Argument::pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()])
        .tips(UNORDERED)
        .reply(Reply::ARRAY),
    run: list,
};

/// Which commands are named.
enum Filter<'a> {
    All,
    None,
    InCategory(Categories),
    Pattern(&'a [u8]),
}

fn list(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    reply: &mut Writer<'_>,
) -> Result<Then, CommandError> {
    let filter = Filter::parse(arguments)?;
    let mut names = Vec::new();
    for entry in context.core.registry.entries() {
        for entry in std::iter::once(entry).chain(&entry.subcommands) {
            if filter.admits(entry) {
                names.push(entry.spec.name);
            }
        }
    }
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(Then::Done)
}

impl<'a> Filter<'a> {
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        if arguments.len() == 2 {
            return Ok(Self::All);
        }
        if arguments.len() != 5 || !arguments[2].eq_ignore_ascii_case(b"FILTERBY") {
            return Err(CommandError::Syntax);
        }
        let (kind, value) = (&arguments[3], arguments.get(4).unwrap_or_default());
        if kind.eq_ignore_ascii_case(b"MODULE") {
            Ok(Self::None)
        } else if kind.eq_ignore_ascii_case(b"ACLCAT") {
            let category = std::str::from_utf8(value).ok().and_then(Categories::named);
            Ok(category.map_or(Self::None, Self::InCategory))
        } else if kind.eq_ignore_ascii_case(b"PATTERN") {
            Ok(Self::Pattern(value))
        } else {
            Err(CommandError::Syntax)
        }
    }

    fn admits(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::InCategory(category) => info::categories(entry).has(*category),
            Self::Pattern(pattern) => {
                glob_matches(pattern, entry.spec.name.as_bytes(), Case::Ignored)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn filters() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        let mut names = |line: &str| {
            let reply = server.ask(client, line);
            let names = reply.lines().skip(2).step_by(2).map(str::to_owned);
            let mut names: Vec<String> = names.collect();
            names.sort_unstable();
            names.join(" ")
        };
        let all = names("COMMAND LIST");
        assert!(all.contains("client client|getname ") && all.contains(" get "), "{all}");
        assert_eq!(names("COMMAND LIST FILTERBY PATTERN CLIENT|i*"), "client|id client|info");
        assert_eq!(names("COMMAND LIST FILTERBY module x"), "");
        assert_eq!(names("COMMAND LIST FILTERBY ACLCAT nosuch"), "");
        let bitmap = "bitcount bitfield bitfield_ro bitop bitpos getbit setbit";
        assert_eq!(names("COMMAND LIST filterby aclcat BITMAP"), bitmap);
    }

    #[test]
    fn half_filters_are_refused() {
        let mut server = Fixture::new(1);
        let client = server.connect(0);
        for rest in ["FILTERBY", "FILTERBY PATTERN", "x", "FILTERBY PATTERN a b", "FILTERBY x b"] {
            let reply = server.ask(client, &format!("COMMAND LIST {rest}"));
            assert_eq!(reply, "-ERR syntax error\r\n", "{rest}");
        }
    }
}
