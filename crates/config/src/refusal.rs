//! What a server must not start with: settings that guard access or data, and are not there yet.
//!
//! Whoever writes such a line relies on it. A warning in a log is read when the data is gone or
//! when somebody was let in, so these refuse the start and CONFIG SET, with the line and what to do
//! instead. Single parameters say it themselves ([`Guard`](crate::parameter::Guard)); here is what
//! several lines say together, and what is said by lines that are not parameters.

use crate::config::{self, Config};
use crate::text::Text;

/// `user` that asks for anything but what everybody has here.
pub(crate) const USER: &str = "ACL users are not in this version, and without them the server \
    would be open to everyone: remove the line, and set requirepass to keep others out";

/// `loadmodule`.
pub(crate) const MODULE: &str = "Bobbin loads no modules: remove the line to run without this one";

/// Save points, and no log.
const SAVE: &str = "RDB files are not in this version, and with 'appendonly no' nothing would be \
    kept: set 'appendonly yes' to keep the data, or 'save \"\"' to keep none";

/// What the one user that there is can do. Redis resets the default user when it reads a line about
/// it, so a line that leaves one of these out locks somebody out. CONFIG REWRITE of Redis writes
/// them all.
const RULES_OF_ALL: [&[&[u8]]; 5] = [
    &[b"on"],
    &[b"nopass"],
    &[b"~*", b"allkeys"],
    &[b"&*", b"allchannels"],
    &[b"+@all", b"allcommands"],
];

/// Rules that guard nothing here.
const RULES_OF_NOTHING: &[&[u8]] = &[b"sanitize-payload", b"skip-sanitize-payload"];

/// Whether `user` with these arguments gives the one user that there is just what it has.
pub(crate) fn is_default_user(arguments: &[Text]) -> bool {
    let Some((name, rules)) = arguments.split_first() else { return false };
    let is_among =
        |rule: &Text, some: &[&[u8]]| some.iter().any(|one| rule.eq_ignore_ascii_case(one));
    let is_known = |rule: &Text| {
        is_among(rule, RULES_OF_NOTHING) || RULES_OF_ALL.iter().any(|some| is_among(rule, some))
    };
    let is_given = |some: &&[&[u8]]| rules.iter().any(|rule| is_among(rule, some));
    **name == *b"default" && rules.iter().all(is_known) && RULES_OF_ALL.iter().all(is_given)
}

/// Why a server with this configuration must not start: the parameter or directive whose line is
/// to blame, and what to do.
pub(crate) fn of(config: &Config) -> Option<(&'static str, &'static str)> {
    let single = |one: &&'static crate::Parameter| one.refusal(config).is_some();
    if let Some(parameter) = config::parameters().find(single) {
        return parameter.refusal(config).map(|advice| (parameter.name, advice));
    }
    loses_all(config).then_some(("save", SAVE))
}

/// Why CONFIG SET must not change `parameter`, whose value is in `next`.
pub(crate) fn of_change(parameter: &crate::Parameter, next: &Config) -> Option<&'static str> {
    parameter.refusal(next).or_else(|| match parameter.name {
        "save" | "appendonly" if loses_all(next) => Some(SAVE),
        _ => None,
    })
}

/// Snapshots are asked for, and there is no log. `appendonly no` beside the default save points is
/// that nothing be kept: these stand in every file that CONFIG REWRITE of Redis has written.
fn loses_all(config: &Config) -> bool {
    let snapshot = &config.snapshot;
    let is_wish = !snapshot.save.is_empty() && snapshot.save != Config::default().snapshot.save;
    !config.log.enabled && snapshot.save_is_asked && is_wish
}

#[cfg(test)]
mod tests {
    use super::is_default_user;
    use crate::text::Text;

    fn is_harmless(line: &str) -> bool {
        let words: Vec<Text> = line.split_whitespace().map(Text::from).collect();
        is_default_user(&words)
    }

    #[test]
    fn only_what_everybody_has_is_harmless() {
        assert!(is_harmless("default on nopass sanitize-payload ~* &* +@all"));
        assert!(is_harmless("default allcommands allchannels allkeys NOPASS on"));
        for line in [
            "default",
            "default on",
            "default on ~* &* +@all",
            "default nopass ~* &* +@all",
            "default on nopass",
            "default on nopass ~*",
            "default on nopass ~* &*",
            "default off",
            "default on #5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 ~* +@all",
            "default on >secret ~* &* +@all",
            "default on nopass ~cache:* &* +@all",
            "default on nopass ~* &* +@all -@dangerous",
            "default reset",
            "other on nopass ~* &* +@all",
            "Default on",
        ] {
            assert!(!is_harmless(line), "{line}");
        }
    }
}
