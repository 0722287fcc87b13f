//! The declarations against what they must be: Redis' names, Redis' defaults, their own bounds, and
//! the page that is made from them.
//!
//! `names.txt` lists the directives of Redis 7.2. `redis-defaults.txt` is what a redis 7.0.15
//! without a file answers to `CONFIG GET *` (name, blank, value), without `port`, `dir` and `save`,
//! which its command line had set.

use std::collections::HashMap;

use config::{Act, Config, Standing, document, parameter, parameters};

const NAMES: &str = include_str!("names.txt");
const REDIS_DEFAULTS: &str = include_str!("redis-defaults.txt");

/// Where Bobbin's default is another one, and why.
const OTHER_DEFAULTS: &[(&str, &str)] = &[("appendonly", "yes")];

fn everything(config: &Config) -> HashMap<String, String> {
    let answer = config.matching(&[b"*"], &|_, _| true);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("defaults are ASCII");
    answer.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn every_directive_of_redis_is_declared() {
    let missing: Vec<&str> =
        NAMES.lines().filter(|name| parameter(name.as_bytes()).is_none()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(NAMES.lines().count() > 180, "the list is whole");
}

#[test]
fn names_are_lower_case_and_unique() {
    let mut seen = HashMap::new();
    for one in parameters() {
        let name = one.name();
        assert_eq!(name, name.to_ascii_lowercase());
        assert_eq!(seen.insert(name, ()), None, "{name} is declared twice");
        let found = parameter(name.to_uppercase().as_bytes()).expect("found by its name");
        assert_eq!(found.name(), name);
    }
}

#[test]
fn defaults_are_those_of_redis() {
    let ours = everything(&Config::default());
    for line in REDIS_DEFAULTS.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let other = OTHER_DEFAULTS.iter().find(|(one, _)| *one == name);
        let expected = other.map_or(value, |(_, value)| *value);
        assert_eq!(ours.get(name).map(String::as_str), Some(expected), "{name}");
    }
    assert_eq!(ours["save"], "3600 1 300 100 60 10000");
    assert_eq!(ours["port"], "6379");
    assert_eq!(ours["dir"], ".");
}

#[test]
fn a_section_default_is_the_declared_one() {
    assert_eq!(config::Encodings::default().hash_listpack_entries_max, 512);
    assert_eq!(config::Memory::default(), Config::default().memory);
    assert_eq!(config::Log::default().fsync, config::Fsync::EverySecond);
}

#[test]
fn what_has_no_effect_says_why() {
    for one in parameters() {
        if let Standing::Inert { since, why } = one.standing() {
            assert!(!since.is_empty() && why.len() > 10, "{}", one.name());
        }
    }
    assert_eq!(Config::default().inert().len(), 0);
    let change = Config::default().plan(&[(b"hz", b"20"), (b"repl-timeout", b"9")], false);
    let inert = change.expect("both are live").next.inert();
    assert_eq!(inert.iter().map(|one| one.name()).collect::<Vec<_>>(), ["repl-timeout"]);
}

#[test]
fn what_the_system_must_agree_to_asks_for_an_act() {
    let acts = [
        ("port", Act::Listeners),
        ("bind", Act::Listeners),
        ("maxclients", Act::ClientsMax),
        ("dir", Act::Directory),
        ("appendonly", Act::Log),
        ("maxmemory", Act::Memory),
        ("loglevel", Act::LogLines),
        ("oom-score-adj", Act::OomScore),
    ];
    for (name, act) in acts {
        let found = parameter(name.as_bytes()).expect("declared");
        assert_eq!(found.act_on_change(), Some(act), "{name}");
    }
}

/// `BLESS=1` writes the page instead.
#[test]
fn the_page_is_made_from_the_declarations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, document()).expect("docs/ can be written");
    }
    let page = std::fs::read_to_string(path).expect("docs/configuration.md is there");
    assert_eq!(page, document(), "run BLESS=1 cargo test -p config");
    for name in NAMES.lines() {
        assert!(page.contains(&format!("| `{name}`")), "{name} is not on the page");
    }
}
