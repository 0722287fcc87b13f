//! The house rules, checked: what clippy and rustfmt cannot know about this project.
//!
//! Each rule is a test that lists all its findings as `path:line: what, and what to do instead`.
//! Exceptions stand in this file, each with its reason. The rules come from `docs/architecture.md`
//! (ranks, words, what may do I/O); the bounds of sizes and shapes stand here.

#[path = "tidy/commands.rs"]
mod commands;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/ranks.rs"]
mod ranks;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, all_files};

/// A longer file is refused, whatever its lines are.
const FILE_LINES_MAX: usize = 500;
const LIB_LINES_MAX: usize = 150;
const COLUMNS_MAX: usize = 100;
const STRUCT_FIELDS_MAX: usize = 12;

/// Files that may be longer than `FILE_LINES_MAX`: path and reason.
const LONG_FILES: &[(&str, &str)] = &[];
/// Structs that may have more fields than `STRUCT_FIELDS_MAX`: name and reason.
const WIDE_STRUCTS: &[(&str, &str)] = &[
    ("Core", "the components of a core thread, each in its own file: nothing but their list"),
    ("Counters", "one counter a field of INFO"),
];
/// Crates that may use `unsafe`; all others forbid it in their first lines.
const UNSAFE_CRATES: &[&str] = &["table", "datatypes", "net"];
/// Who may suspend, touch sockets, files, clocks and threads.
const WORLDLY: &[&str] = &["net", "server", "src", "testing", "benches", "tests"];
/// Files of other crates that may, too: path and reason.
const WORLDLY_FILES: &[(&str, &str)] = &[
    ("crates/durability/src/file_storage.rs", "the real file system behind the storage trait"),
    ("crates/telemetry/src/log.rs", "opens the log file for each line"),
    ("crates/telemetry/src/log_line.rs", "the time of day in front of a line"),
];

/// What code below `server` must not say, and what to do instead.
const WORLDLY_WORDS: &[(&str, &str)] = &[
    ("async ", "a state machine that the server drives"),
    (".await", "a state machine that the server drives"),
    ("std::net", "bytes in, bytes out: sockets are `net`'s"),
    ("std::fs", "the storage trait of `durability`"),
    ("std::thread", "nothing: threads are the server's"),
    ("thread_local!", "state that is passed in"),
    ("Instant::now", "`now` as an argument"),
    ("SystemTime::now", "`now` as an argument"),
    ("thread_rng", "a seed as an argument"),
];

/// Words of this project have one name each (docs/architecture.md); these are not it.
const SYNONYMS: &[(&str, &str)] = &[
    ("mailbox", "inbox"),
    ("reactor", "core thread"),
    ("worker thread", "core thread"),
    ("event loop", "tick"),
    ("coordinator", "home"),
    ("hash slot", "slot"),
    ("wal file", "segment"),
];
const TYPE_ENDINGS: &[&str] = &["Manager", "Helper", "Handler", "Data", "Info", "Util", "Utils"];
const DRAWERS: &[&str] =
    &["util", "utils", "common", "helpers", "helper", "misc", "types", "stuff"];

/// What a committed file must not know about the machine it was written on.
const MACHINE_PATHS: &[&str] = &["/root/", "/home/", "/work/main", "/work/shared", "/tmp/target"];

fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n{}\n{} findings", findings.join("\n"), findings.len());
}

/// Rust files of the workspace's own code: crates, the binary, benches.
fn house() -> Vec<Source> {
    Source::all().into_iter().filter(|source| !source.path.starts_with("tests/")).collect()
}

/// One finding for each line of code for which `wrong` answers what is wrong.
fn lines(
    sources: &[Source],
    mut wrong: impl FnMut(&Source, &str) -> Option<String>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (number, line) in source.code() {
            if let Some(text) = wrong(source, line) {
                findings.push(format!("{}:{number}: {text}", source.path));
            }
        }
    }
    findings
}

/// Does `text` hold `word` with no letter, digit or underscore around it?
fn has_word(text: &str, word: &str) -> bool {
    let is_inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_inside) && !after.is_some_and(is_inside)
    })
}

#[test]
fn crates_import_lower_ranks_only() {
    assert_none("ranks", &ranks::findings());
}

#[test]
fn files_are_not_too_long() {
    let mut findings = Vec::new();
    for source in Source::all() {
        let count = source.text.lines().count();
        let is_excepted = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if count > FILE_LINES_MAX && !is_excepted {
            findings.push(format!("{}: {count} lines: split it by thing", source.path));
        }
    }
    assert_none("file sizes", &findings);
}

#[test]
fn lines_are_not_too_wide() {
    let mut findings = Vec::new();
    for source in house() {
        for (at, line) in source.text.lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX && !line.contains("http") {
                findings.push(format!("{}:{}: over {COLUMNS_MAX} columns", source.path, at + 1));
            }
        }
    }
    assert_none("columns", &findings);
}

#[test]
fn structs_are_not_too_wide() {
    let mut findings = Vec::new();
    for source in house() {
        let code: Vec<(usize, &str)> = source.code().collect();
        for (at, (number, line)) in code.iter().enumerate() {
            let Some(name) = struct_with_fields(line) else { continue };
            let indent = line.len() - line.trim_start().len();
            let fields = code[at + 1..]
                .iter()
                .map(|(_, line)| *line)
                .take_while(|line| {
                    line.trim() != "}" || line.len() - line.trim_start().len() != indent
                })
                .filter(|line| is_field(line, indent + 4))
                .count();
            if fields > STRUCT_FIELDS_MAX && !WIDE_STRUCTS.iter().any(|(wide, _)| *wide == name) {
                findings.push(format!(
                    "{}:{number}: {name} has {fields} fields: group them",
                    source.path
                ));
            }
        }
    }
    assert_none("struct sizes", &findings);
}

/// The name in `pub struct Name<T> {`.
fn struct_with_fields(line: &str) -> Option<&str> {
    let words = line.trim();
    let at = words.find("struct ").filter(|_| words.ends_with('{') && has_word(words, "struct"))?;
    words[at + 7..].split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()
}

fn is_field(line: &str, indent: usize) -> bool {
    let is_indented = line.len() - line.trim_start().len() == indent;
    is_indented && line.contains(": ") && !line.trim().starts_with('#')
}

#[test]
fn clippys_limits_are_not_lifted() {
    let findings = lines(&house(), |_, line| {
        let lifts =
            line.contains("clippy::too_many_lines") || line.contains("clippy::too_many_arguments");
        lifts.then(|| "split it or group its parameters instead of allowing it".to_owned())
    });
    assert_none("limits", &findings);
}

#[test]
fn what_is_below_the_server_touches_nothing() {
    let below: Vec<Source> = house()
        .into_iter()
        .filter(|source| !WORLDLY.contains(&source.owner()))
        .filter(|source| !WORLDLY_FILES.iter().any(|(path, _)| *path == source.path))
        .filter(|source| !source.path.ends_with("build.rs"))
        .collect();
    let findings = lines(&below, |_, line| {
        let (word, instead) = WORLDLY_WORDS.iter().find(|(word, _)| line.contains(word))?;
        Some(format!("`{}` is not for this crate; use {instead}", word.trim()))
    });
    assert_none("I/O, time, threads", &findings);
}

#[test]
fn nothing_is_imported_by_star() {
    let findings = lines(&house(), |_, line| {
        let line = line.trim();
        let is_import =
            line.starts_with("use ") || line.starts_with("pub use ") || line.starts_with("pub(");
        (is_import && line.contains("::*")).then(|| "name what is imported".to_owned())
    });
    assert_none("glob imports", &findings);
}

#[test]
fn reply_texts_are_in_one_file() {
    let owns_texts = |path: &str| {
        ["crates/resp/src/error", "crates/config/", "crates/testing/", "benches/"]
            .iter()
            .any(|start| path.starts_with(start))
    };
    let mut findings = Vec::new();
    for source in house().iter().filter(|source| !owns_texts(&source.path)) {
        for (number, literal) in source.code_literals() {
            let text = literal.trim_start_matches('-');
            if text.starts_with("ERR ") || text.starts_with("WRONGTYPE") {
                findings
                    .push(format!("{}:{number}: a reply text: CommandError has it", source.path));
            }
        }
    }
    assert_none("reply texts", &findings);
}

#[test]
fn lib_and_mod_files_hold_no_logic() {
    let mut findings = Vec::new();
    for source in house() {
        if !source.path.ends_with("/lib.rs") && !source.path.ends_with("/mod.rs") {
            continue;
        }
        let count = source.code().filter(|(_, line)| !line.trim().is_empty()).count();
        if count > LIB_LINES_MAX {
            findings.push(format!("{}: {count} lines: only mods and re-exports", source.path));
        }
        if let Some((number, _)) =
            source.code().find(|(_, line)| has_word(line, "fn") && line.contains('{'))
        {
            findings
                .push(format!("{}:{number}: a function: give it a file of its own", source.path));
        }
    }
    assert_none("lib.rs and mod.rs", &findings);
}

#[test]
fn names_follow_the_house() {
    let mut findings = lines(&house(), |source, line| name_finding(source, line.trim()));
    for file in all_files() {
        let name = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let folder = file.path.split('/').rev().nth(1).unwrap_or_default();
        if DRAWERS.contains(&name) || DRAWERS.contains(&folder) {
            findings.push(format!("{}: a name without meaning collects everything", file.path));
        }
    }
    assert_none("names", &findings);
}

fn name_finding(source: &Source, line: &str) -> Option<String> {
    let identifier = |after: &str| {
        let at = line.find(after).filter(|_| has_word(line, after.trim()))?;
        line[at + after.len()..]
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .next()
    };
    let is_trait_function = source.path.starts_with("crates/testing/");
    if identifier("fn ").is_some_and(|name| name.starts_with("get_")) && !is_trait_function {
        return Some("no `get_` before a getter's name".to_owned());
    }
    let declared =
        ["struct ", "enum ", "trait ", "type "].iter().find_map(|word| identifier(word))?;
    let ending = TYPE_ENDINGS.iter().find(|ending| declared.ends_with(*ending))?;
    Some(format!("{declared}: a type that ends in {ending} says nothing; name the thing it is"))
}

#[test]
fn words_have_no_synonyms() {
    let mut findings = Vec::new();
    for file in all_files() {
        let is_ours = ["crates/", "src/", "docs/", "README.md"]
            .iter()
            .any(|start| file.path.starts_with(start));
        if !is_ours || !(file.path.ends_with(".rs") || file.path.ends_with(".md")) {
            continue;
        }
        for (at, line) in file.text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            for (synonym, word) in SYNONYMS {
                if has_word(&lower, synonym) {
                    findings.push(format!(
                        "{}:{}: \"{synonym}\" is called {word} here",
                        file.path,
                        at + 1
                    ));
                }
            }
        }
    }
    assert_none("synonyms", &findings);
}

/// What a command is stands in its declaration: whoever asks for its name instead has to be found
/// again with each new command.
#[test]
fn nothing_matches_on_commands_names() {
    const OF_NAMES: &[&str] = &["spec.name == \"", "spec.name != \"", "spec.name.starts_with("];
    let findings = lines(&house(), |_, line| {
        let is_constant = |at: usize| line[at..].starts_with(|it: char| it.is_ascii_uppercase());
        let compares_constant = ["spec.name == ", "spec.name != "]
            .iter()
            .any(|words| line.match_indices(words).any(|(at, _)| is_constant(at + words.len())));
        let compares = OF_NAMES.iter().any(|words| line.contains(words)) || compares_constant;
        let looks_up = line.contains("contains(&") && line.contains("spec.name");
        (compares || looks_up).then(|| "ask a flag or a field of its declaration".to_owned())
    });
    assert_none("names of commands", &findings);
}

#[test]
fn unsafe_is_where_it_may_be() {
    let findings = lines(&house(), |source, line| {
        let is_allowed = UNSAFE_CRATES.contains(&source.owner());
        (has_word(line, "unsafe") && !is_allowed)
            .then(|| "unsafe lives in table, datatypes and net".to_owned())
    });
    assert_none("unsafe", &findings);
    let mut findings = Vec::new();
    for source in house() {
        let is_root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("src/main.rs");
        if is_root
            && !UNSAFE_CRATES.contains(&source.owner())
            && !source.mask.contains("#![forbid(unsafe_code)]")
        {
            findings.push(format!("{}: lacks #![forbid(unsafe_code)]", source.path));
        }
    }
    assert_none("forbid(unsafe_code)", &findings);
}

#[test]
fn files_are_ascii_and_know_no_machine() {
    let mut findings = Vec::new();
    for file in all_files() {
        for (at, line) in file.text.lines().enumerate() {
            if !line.is_ascii() {
                findings.push(format!("{}:{}: not ASCII", file.path, at + 1));
            }
            // this file has to name what it bans
            let path = MACHINE_PATHS.iter().find(|path| line.contains(*path));
            if let Some(path) = path.filter(|_| file.path != "tests/tidy.rs") {
                findings.push(format!("{}:{}: {path} is a path of one machine", file.path, at + 1));
            }
            if line.contains("source = \"")
                && !line.contains("registry+https://github.com/rust-lang/crates.io-index")
            {
                let is_lock = file.path.ends_with("Cargo.lock");
                findings
                    .extend(is_lock.then(|| format!("{}:{}: another registry", file.path, at + 1)));
            }
        }
    }
    assert_none("ASCII, machine paths", &findings);
}

#[test]
fn commands_are_declared_in_one_place() {
    assert_none("commands", &commands::findings());
}

#[test]
fn docs_lead_somewhere() {
    assert_none("docs", &links::findings());
}
