//! `docs/configuration.md`, made from the declarations.

use std::fmt::Write;

use crate::config::{Config, SECTIONS};
use crate::kind::Kind;
use crate::number::{self, Unit};
use crate::parameter::{Act, Changeable, Parameter, Standing};

const HEAD: &str = "\
# Configuration

<!-- Made from the declarations in crates/config/src/sections.
`BLESS=1 cargo test -p config` writes it. -->

`bobbin [file] [--name value ...] [-]`, as redis-server: a configuration file of Redis 7.2 loads as
it is, options override it, `-` reads more of it from standard input.

- *Change*: `live` by CONFIG SET; `gated` by CONFIG SET where `enable-protected-configs` allows it;
  `start` only at start. CONFIG SET of `bind` and `port` takes only the value that they have.
- *Effect*: `works`, or since when the directive is accepted without effect, and why. Such a value
  is checked, shown by CONFIG GET and kept by CONFIG REWRITE.
- Sizes take `k`, `m`, `g` (powers of 1000) and `kb`, `mb`, `gb` (powers of 1024).
";

const TAIL: &str = "
## Directives that are not parameters

| directive | effect |
|---|---|
| `include <pattern>` | works: the files take effect where the line stands; 16 deep at most |
| `rename-command <from> <to>` | works: `<from>` is called `<to>` from then on, or not at all \
(`\"\"`); the log keeps the names that clients used, so a new name of a write must stay while \
there is a log |
| `user <name> <rules ...>` | refuses the start: no ACL users yet. `user default` with rules that \
give it what it has anyway (`on nopass ~* &* +@all`), as CONFIG REWRITE of Redis writes it, is \
taken: with `requirepass` the password counts all the same |
| `loadmodule <path> ...` | refuses the start: Bobbin loads no modules |
| `<module>.<name> <value>` | refuses the start, as where no module is loaded in Redis |

## What refuses the start

What guards access or data and is not there yet is never accepted without effect: the start is \
refused with the file, the line and what to do, and so is CONFIG SET. These are `user`, `aclfile`, \
`loadmodule`, `tls-port`, `replicaof`, `cluster-enabled`, `min-replicas-to-write`, and save \
points that were asked for beside `appendonly no`. All other directives without effect change \
speed, a format or what is reported, or bound what is not there; a warning at start names those \
that are set.
";

/// The text of `docs/configuration.md`.
pub fn document() -> String {
    let mut text = String::from(HEAD);
    let default = Config::default();
    for (title, parameters) in SECTIONS {
        push(&mut text, format_args!("\n## {title}\n\n"));
        text.push_str("| directive | values | default | change | meaning | effect |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        for parameter in *parameters {
            row(&mut text, parameter, &default);
        }
    }
    text.push_str(TAIL);
    text
}

fn row(text: &mut String, parameter: &Parameter, default: &Config) {
    let alias = parameter.alias.map(|alias| format!(", `{alias}`")).unwrap_or_default();
    let hidden = if parameter.hidden { " (hidden)" } else { "" };
    let shown = match parameter.kind.lines(default).join(&b' ') {
        shown if shown.is_empty() => "`\"\"`".to_owned(),
        shown => format!("`{}`", String::from_utf8_lossy(&shown)),
    };
    let change = match parameter.change {
        // Listeners are opened at start: see `Act::Listeners`.
        _ if parameter.act == Some(Act::Listeners) => "start",
        Changeable::Live => "live",
        Changeable::Protected => "gated",
        Changeable::AtStart => "start",
    };
    let effect = match parameter.standing {
        Standing::Works => "works".to_owned(),
        // What its other values ask for, the default leaves be.
        Standing::Inert { why, .. } if parameter.guard.is_some() => {
            format!("refuses the start unless it is the default: {why}")
        }
        Standing::Inert { since, why } => format!("none since {since}: {why}"),
    };
    let (name, values, doc) = (parameter.name, values(&parameter.kind), parameter.doc);
    push(
        text,
        format_args!(
            "| `{name}`{alias}{hidden} | {values} | {shown} | {change} | {doc} | {effect} |\n"
        ),
    );
}

fn values(kind: &Kind) -> String {
    match kind {
        Kind::Flag(_) => "yes, no".to_owned(),
        Kind::Word(word) => (word.words)().join(", "),
        Kind::Text(_) => "text".to_owned(),
        Kind::List(list) => list.grammar.to_owned(),
        Kind::Integer(integer) => {
            let (min, max, unit) = (integer.min, integer.max, integer.unit);
            match unit {
                Unit::Plain => format!("{min} to {max}"),
                Unit::Octal => {
                    format!("octal, {} to {}", number::show(min, unit), number::show(max, unit))
                }
                Unit::Memory => format!("size, {min} to {max}"),
                Unit::MemoryOrPercent => format!("size up to {max}, or up to {}%", -min),
            }
        }
    }
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("writing to a String cannot fail");
}
