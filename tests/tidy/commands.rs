//! Commands: each `const NAME: ShardCommand` (or `SessionCommand`) stands in its family's
//! `COMMANDS` slice and is played by a conformance text.

use crate::has_word;
use crate::source::{Source, all_files};

/// Where commands are declared, and what their type is called there.
const PLACES: &[(&str, &str)] =
    &[("crates/commands/src/", "ShardCommand"), ("crates/server/src/commands/", "SessionCommand")];

/// Commands that a text cannot play on a server that others share: name and what tests them
/// instead.
const UNPLAYED: &[(&str, &str)] = &[];

struct Declared {
    path: String,
    line: usize,
    constant: String,
    /// `get`, or `client|id`.
    name: Option<String>,
}

/// Constants outside their slice, and commands that no text plays.
pub(crate) fn findings() -> Vec<String> {
    let sources = Source::all();
    let played = played();
    let mut findings = Vec::new();
    for (place, kind) in PLACES {
        let family: Vec<&Source> =
            sources.iter().filter(|source| source.path.starts_with(place)).collect();
        for declared in family.iter().flat_map(|source| declarations(source, kind)) {
            let Declared { path, line, constant, name } = declared;
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let is_listed = family.iter().any(|source| {
                let is_near = source.path == path || source.path == format!("{folder}/mod.rs");
                is_near && slices(source).iter().any(|slice| has_word(slice, &constant))
            });
            if !is_listed {
                findings.push(format!(
                    "{path}:{line}: {constant} is in no COMMANDS slice of its family"
                ));
            }
            match name {
                None => {
                    findings.push(format!("{path}:{line}: {constant} names no command in its spec"))
                }
                Some(name) => {
                    let is_excused = UNPLAYED.iter().any(|(one, _)| *one == name);
                    if !is_excused && !played.contains(&name) {
                        findings.push(format!(
                            "{path}:{line}: no text in tests/conformance plays {name}"
                        ));
                    }
                }
            }
        }
    }
    findings
}

/// The constants of type `kind` in a file.
fn declarations(source: &Source, kind: &str) -> Vec<Declared> {
    let lines: Vec<(usize, &str)> = source.code().collect();
    let mut found = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        let Some(constant) = constant_of(line, kind) else { continue };
        let end = lines[at + 1..]
            .iter()
            .find(|(_, line)| constant_of(line, kind).is_some())
            .map_or(usize::MAX, |(number, _)| *number);
        // The first literal of a declaration is the name.
        let name = source
            .literals
            .iter()
            .find(|(line, _)| line >= number)
            .filter(|(line, _)| *line < end)
            .map(|(_, name)| name.to_ascii_lowercase());
        found.push(Declared { path: source.path.clone(), line: *number, constant, name });
    }
    found
}

/// `GET` in `pub(super) const GET: ShardCommand = ...`.
fn constant_of(line: &str, kind: &str) -> Option<String> {
    let (before, after) = line.split_once(": ")?;
    let name = before.trim().rsplit_once("const ")?.1;
    let is_kind = after.strip_prefix(kind).is_some_and(|rest| rest.trim_start().starts_with('='));
    is_kind.then(|| name.to_owned())
}

/// The text of each slice whose name holds COMMANDS.
fn slices(source: &Source) -> Vec<String> {
    let mask = &source.mask;
    mask.match_indices("COMMANDS: &[")
        .map(|(at, _)| mask[at..].split(';').next().unwrap_or_default().to_owned())
        .collect()
}

/// Names of commands, and `container|name`, that the conformance texts send.
fn played() -> Vec<String> {
    let mut names = Vec::new();
    for file in all_files() {
        if !file.path.starts_with("tests/conformance/") || !file.path.ends_with(".txt") {
            continue;
        }
        for line in
            file.text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("=="))
        {
            let mut words = line
                .split_ascii_whitespace()
                .skip_while(|word| word.starts_with('@') || word.starts_with('~'))
                .map(str::to_ascii_lowercase);
            let Some(first) = words.next() else { continue };
            if let Some(second) = words.next() {
                names.push(format!("{first}|{second}"));
            }
            names.push(first);
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}
