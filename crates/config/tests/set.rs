//! CONFIG SET and CONFIG GET: values, refusals in Redis' words, all or nothing.
//!
//! The refusals were read off a redis 7.0.15 and a valkey 9 on 2026-11-21.

use config::{Act, Config, Fsync, Policy, SetError, Size};

fn set(name: &str, value: &str) -> Result<Config, String> {
    let plan = Config::default().plan(&[(name.as_bytes(), value.as_bytes())], false);
    plan.map(|change| change.next).map_err(|error| error.to_string())
}

fn get(config: &Config, name: &str) -> String {
    let answer = config.matching(&[name.as_bytes()], &|_, _| false);
    let [(_, value)] = answer.as_slice() else { panic!("{name}: {answer:?}") };
    String::from_utf8(value.clone()).expect("ASCII in these tests")
}

fn shown(name: &str, value: &str) -> String {
    get(&set(name, value).unwrap_or_else(|why| panic!("{name} {value}: {why}")), name)
}

fn refused(name: &str, value: &str) -> String {
    let error = set(name, value).expect_err(name);
    let prefix = format!("CONFIG SET failed (possibly related to argument '{name}') - ");
    error.strip_prefix(&prefix).unwrap_or(&error).to_owned()
}

#[test]
fn values_come_back_in_redis_form() {
    let cases = [
        ("maxmemory", "100mb", "104857600"),
        ("maxmemory", "18446744073709551615", "18446744073709551615"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-policy", "VOLATILE-LRU", "volatile-lru"),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("appendonly", "NO", "no"),
        ("oom-score-adj", "yes", "yes"),
        ("oom-score-adj", "relative", "yes"),
        ("oom-score-adj-values", "300 200 100", "300 200 100"),
        ("save", "10 20 30 40", "10 20 30 40"),
        ("save", "", ""),
        ("shutdown-on-sigint", "save now", "save now"),
        ("shutdown-on-sigterm", "default", "default"),
        ("notify-keyspace-events", "AKEmn", "AKEm"),
        ("notify-keyspace-events", "Elm", "lEm"),
        ("notify-keyspace-events", "KEg$lshzxetd", "AKE"),
        ("notify-keyspace-events", "", ""),
        ("latency-tracking-info-percentiles", "99.9 50.000 33.3333333", "99.9 50 33.333333"),
        ("latency-tracking-info-percentiles", "", ""),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("lua-time-limit", "7", "7"),
        ("slave-priority", "7", "7"),
        ("loglevel", "nothing", "nothing"),
        ("masterauth", "a b", "a b"),
    ];
    for (name, value, expected) in cases {
        assert_eq!(shown(name, value), expected, "{name} {value}");
    }
    let limits = "normal 1024 2 3 slave 5 6 7 pubsub 33554432 8388608 60";
    let given = "normal 1kb 2 3 REPLICA 5 6 7";
    assert_eq!(shown("client-output-buffer-limit", given), limits);
}

/// Name, value, reason.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("maxmemory", "foo", "argument must be a memory value"),
    ("maxmemory", "-1", "argument must be a memory value"),
    ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
    ("maxmemory-clients", "-5", "argument must be a memory or percent value"),
    ("hz", "abc", "argument couldn't be parsed into an integer"),
    ("tcp-keepalive", "1 2", "argument couldn't be parsed into an integer"),
    ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
    ("port", "70000", "argument must be between 0 and 65535 inclusive"),
    ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
    (
        "slowlog-log-slower-than",
        "-2",
        "argument must be between -1 and 9223372036854775807 inclusive",
    ),
    (
        "proto-max-bulk-len",
        "100",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    ),
    ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
    ("appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"),
    (
        "loglevel",
        "x",
        "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
    ),
    (
        "shutdown-on-sigint",
        "save nosave",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
    (
        "shutdown-on-sigint",
        "",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    ("notify-keyspace-events", "AKEQ", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
    ("notify-keyspace-events", "K E", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
    (
        "latency-tracking-info-percentiles",
        "50 101",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    (
        "latency-tracking-info-percentiles",
        "abc",
        "Invalid latency-tracking-info-percentiles parameters",
    ),
    (
        "client-output-buffer-limit",
        "normal 1 2",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "master 1 2 3",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "normal a 2 3",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    ("oom-score-adj-values", "1 2", "wrong number of arguments"),
    (
        "oom-score-adj-values",
        "1 2 3000",
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ),
    ("save", "1", "Invalid save parameters"),
    ("save", "0 1", "Invalid save parameters"),
    ("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
    ("proc-title-template", "{foo}", "template format is invalid or contains unknown variables"),
    (
        "cluster-announce-hostname",
        "a b",
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    ),
    ("daemonize", "yes", "can't set immutable config"),
    ("replicaof", "foo 1", "can't set immutable config"),
    ("dir", "/tmp", "can't set protected config"),
    ("nosuch", "1", "Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
];

#[test]
fn refusals_are_in_redis_words() {
    for (name, value, expected) in REFUSALS {
        assert_eq!(refused(name, value), *expected, "{name} {value}");
    }
    assert!(refused("activedefrag", "yes").starts_with("Active defragmentation cannot be enabled"));
}

#[test]
fn the_first_fault_is_the_one_reported_and_nothing_changes() {
    let config = Config::default();
    let refusal = |pairs: &[(&[u8], &[u8])]| config.plan(pairs, false).unwrap_err();
    let unknown = SetError::Unknown { name: "nosuch".into() };
    assert_eq!(refusal(&[(b"port", b"x"), (b"nosuch", b"1")]), unknown);
    let twice = refusal(&[(b"timeout", b"1"), (b"TIMEOUT", b"2")]).to_string();
    assert!(twice.ends_with("(possibly related to argument 'TIMEOUT') - duplicate parameter"));
    let second = refusal(&[(b"timeout", b"1"), (b"hz", b"x")]).to_string();
    assert!(second.contains("'hz'"));
    let change = config.plan(&[(b"slave-priority", b"1"), (b"replica-priority", b"2")], false);
    assert_eq!(change.unwrap().next.replication.replica.priority, 2);
    assert_eq!(config, Config::default());
}

#[test]
fn a_change_lists_what_differs_and_what_to_do() {
    let config = Config::default();
    let pairs: [(&[u8], &[u8]); 5] = [
        (b"port", b"7000"),
        (b"bind", b"127.0.0.1"),
        (b"maxmemory-policy", b"allkeys-lfu"),
        (b"appendfsync", b"everysec"),
        (b"maxmemory-clients", b"7%"),
    ];
    let change = config.plan(&pairs, false).unwrap();
    let changed: Vec<&str> = change.changed.iter().map(|one| one.name()).collect();
    assert_eq!(changed, ["port", "bind", "maxmemory-policy", "maxmemory-clients"]);
    let acts: Vec<(Act, &str)> =
        change.acts().iter().map(|(act, one)| (*act, one.name())).collect();
    assert_eq!(acts, [(Act::Listeners, "port"), (Act::Memory, "maxmemory-clients")]);
    assert!(change.changes("port") && !change.changes("appendfsync"));
    assert_eq!(change.next.memory.policy, Policy::AllKeysLfu);
    assert_eq!(change.next.clients.memory_max, Size::Percent(7));
    assert_eq!(change.next.log.fsync, Fsync::EverySecond);
    let failed = SetError::failed(change.acts()[0].1, "Unable to listen on this port");
    assert_eq!(
        failed.to_string(),
        "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port"
    );
}

#[test]
fn a_class_of_events_that_get_hides_still_counts_as_a_change() {
    let all = set("notify-keyspace-events", "AKE").unwrap();
    let change = all.plan(&[(b"notify-keyspace-events", b"AKEn")], false).unwrap();
    assert!(change.changes("notify-keyspace-events"));
    assert!(change.next.keyspace.notify.has(b'n') && !all.keyspace.notify.has(b'n'));
}

#[test]
fn protected_parameters_open_with_the_gate() {
    let change = Config::default().plan(&[(b"dir", b"/tmp")], true).unwrap();
    assert_eq!(change.acts()[0].0, Act::Directory);
    let refused = Config::default().plan(&[(b"dbfilename", b"a/b")], true).unwrap_err();
    assert!(refused.to_string().ends_with("dbfilename can't be a path, just a filename"));
}

#[test]
fn get_knows_patterns_names_aliases_and_what_is_hidden() {
    let config = Config::default();
    let names = |patterns: &[&[u8]]| {
        let matches = |pattern: &[u8], name: &[u8]| {
            name.starts_with(&pattern.to_ascii_lowercase()[..pattern.len() - 1])
        };
        let answer = config.matching(patterns, &matches);
        let mut names: Vec<String> =
            answer.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&[b"PORT"]), ["PORT"]);
    assert_eq!(names(&[b"PoRt*", b"port"]), ["port"]);
    assert_eq!(names(&[b"slave-p*", b"replica-p*"]), ["replica-priority", "slave-priority"]);
    assert_eq!(names(&[b"watchdog-p*"]), Vec::<String>::new());
    assert_eq!(names(&[b"watchdog-period"]), ["watchdog-period"]);
    assert_eq!(names(&[b"nosuch"]), Vec::<String>::new());
    assert!(config::is_sensitive(b"RequirePass") && !config::is_sensitive(b"port"));
}

#[test]
fn what_guards_access_or_data_and_is_not_there_is_refused() {
    let config = Config::default();
    let refused =
        |config: &Config, name: &[u8], value: &[u8]| match config.plan(&[(name, value)], true) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
    for (name, value) in
        [("tls-port", "6380"), ("min-replicas-to-write", "1"), ("min-slaves-to-write", "2")]
    {
        let error = refused(&config, name.as_bytes(), value.as_bytes());
        assert!(error.contains(&format!("'{name}') - ")), "{name}: {error}");
        assert_eq!(refused(&config, name.as_bytes(), b"0"), "");
    }
    assert_eq!(refused(&config, b"save", b"60 1"), "");
    let mut memory_only = config;
    memory_only.log.enabled = false;
    assert!(refused(&memory_only, b"save", b"60 1").contains("nothing would be kept"));
    assert_eq!(refused(&memory_only, b"save", b""), "");
    assert_eq!(refused(&memory_only, b"save", b"3600 1 300 100 60 10000"), "", "it is so already");
}

#[test]
fn the_log_stays_on_beside_save_points_that_were_asked_for() {
    let plan = |config: &Config, pairs: &[(&[u8], &[u8])]| config.plan(pairs, true);
    let silent = Config::default();
    assert!(plan(&silent, &[(b"appendonly", b"no")]).is_ok(), "the default ones are no wish");
    let asked = plan(&silent, &[(b"save", b"60 1")]).unwrap().next;
    let error = plan(&asked, &[(b"appendonly", b"no")]).unwrap_err().to_string();
    assert!(error.contains("'appendonly') - "), "{error}");
    assert!(error.contains("nothing would be kept: set 'appendonly yes'"), "{error}");
    assert!(plan(&asked, &[(b"hz", b"20")]).is_ok());
    let again = plan(&asked, &[(b"save", b"3600 1 300 100 60 10000")]).unwrap().next;
    // They stand in every file that CONFIG REWRITE of Redis has written: nobody's wish even then.
    assert!(plan(&again, &[(b"appendonly", b"no")]).is_ok());
    assert!(plan(&asked, &[(b"appendonly", b"no"), (b"save", b"")]).is_ok());
}
