//! Files, standard input, options and includes; what is wrong with them and where.

use config::{Config, Gate, Invocation, LoadError, Origin, Reason, SavePoint, Source, Text, load};

/// Loads `main` (empty: no file) with options; `files` are what includes find.
fn try_load(main: &str, options: &[&str], files: &[(&str, &str)]) -> Result<Config, LoadError> {
    let mut arguments: Vec<Vec<u8>> = Vec::new();
    if !main.is_empty() {
        arguments.push(b"main.conf".to_vec());
    }
    arguments.extend(options.iter().map(|one| one.as_bytes().to_vec()));
    let mut read = |pattern: &[u8]| {
        let name = String::from_utf8_lossy(pattern).into_owned();
        let main = [("main.conf", main)];
        let all = files.iter().chain(&main);
        let found: Vec<Source> = all
            .filter(|(file, _)| *file == name)
            .map(|(file, text)| Source {
                origin: Origin::File(Text::from(*file)),
                bytes: text.as_bytes().to_vec(),
            })
            .collect();
        if found.is_empty() { Err(Reason::from("No such file or directory")) } else { Ok(found) }
    };
    load(&Invocation::parse(&arguments), None, &mut read, &mut any_name)
}

fn any_name(_: &[u8], _: &[u8]) -> Result<(), Reason> {
    Ok(())
}

fn loaded(main: &str, options: &[&str]) -> Config {
    try_load(main, options, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn reason(main: &str) -> String {
    match try_load(main, &[], &[]) {
        Err(LoadError::Line { reason, .. } | LoadError::Conflict(reason)) => reason.to_string(),
        other => panic!("{main}: {other:?}"),
    }
}

fn save_points(points: &[(u64, u32)]) -> Vec<SavePoint> {
    points
        .iter()
        .map(|(seconds, changes)| SavePoint { seconds: *seconds, changes: *changes })
        .collect()
}

#[test]
fn a_file_that_uses_every_directive_loads() {
    let text = include_str!("full.conf");
    // Those that guard access or data are checked as all are, and then refused.
    let is_guard = |line: &&str| GUARDS.contains(&line.split(' ').next().unwrap_or_default());
    for line in text.lines().filter(is_guard) {
        assert!(reason(line).contains("not in this version"), "{line}");
    }
    let rest: Vec<&str> = text.lines().filter(|line| !is_guard(line)).collect();
    // Its `appendonly no` goes with no save points only.
    let config = loaded(&rest.join("\n"), &["--save", ""]);
    for name in include_str!("names.txt").lines() {
        let said = text.lines().any(|line| line.split(' ').next() == Some(name));
        assert!(said, "full.conf does not use {name}");
    }
    let default = Config::default();
    let left: Vec<&str> = config::parameters()
        .filter(|one| one.show(&config) == one.show(&default))
        .map(|one| one.name())
        .collect();
    // activedefrag has one value that is accepted, and cluster-enabled excludes replicaof.
    let mut expected = [&["activedefrag", "cluster-enabled"][..], GUARDS].concat();
    expected.retain(|name| left.contains(name));
    assert_eq!(left.len(), expected.len(), "{left:?}");
}

/// Directives that refuse the start unless they are as by default.
const GUARDS: &[&str] =
    &["aclfile", "replicaof", "min-replicas-to-write", "tls-port", "user", "loadmodule"];

#[test]
fn what_guards_access_or_data_and_is_not_there_is_refused_with_its_line() {
    for (line, word) in [
        ("user default off", "requirepass"),
        ("user default on #5e884898da28047151d0e56f8dc6292773603d0d ~* &* +@all", "requirepass"),
        ("user alice on >secret ~* +@all", "requirepass"),
        ("aclfile /etc/users.acl", "requirepass"),
        ("tls-port 6380", "TLS"),
        ("replicaof 10.0.0.1 6379", "replication"),
        ("slaveof 10.0.0.1 6379", "replication"),
        ("cluster-enabled yes", "cluster"),
        ("loadmodule /x.so a b", "modules"),
        ("min-replicas-to-write 1", "replica"),
        ("min-slaves-to-write 1", "replica"),
    ] {
        for (text, options) in [
            (format!("port 0\n# {line}\n{line}\nhz 20\n"), vec![]),
            ("port 0\n".to_owned(), vec![format!("--{line}")]),
        ] {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let error = try_load(&text, &options, &[]).expect_err(line).to_string();
            let place =
                if options.is_empty() { "main.conf, line 3" } else { "command line, line 1" };
            assert!(
                error.contains(&format!(">>> '{}", line.split(' ').next().unwrap()))
                    && error.contains(place),
                "{error}"
            );
            assert!(error.contains(word), "{error}");
        }
        let files = [("more.conf", line)];
        let error = try_load("include more.conf", &[], &files).unwrap_err().to_string();
        assert!(error.contains("(file more.conf, line 1)"), "{error}");
    }
}

#[test]
fn what_is_taken_back_or_changes_nothing_is_no_reason_to_refuse() {
    for text in [
        "replicaof 10.0.0.1 6379\nreplicaof no one",
        "tls-port 6380\ntls-port 0",
        "cluster-enabled no",
        "aclfile \"\"",
        "user default on nopass sanitize-payload ~* &* +@all",
        "masterauth secret",
        "save 60 1\nsave \"\"\nappendonly no",
        "appendonly no",
        "save 60 1\nappendonly yes",
    ] {
        assert!(try_load(text, &[], &[]).is_ok(), "{text}");
    }
    assert!(loaded("tls-port 6380", &["--tls-port", "0"]).tls.port == 0);
}

#[test]
fn what_several_lines_ask_for_together_is_refused_too() {
    let error = try_load("appendonly no\nsave 60 1\n", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("at line 2\n>>> 'save 60 1'\n"), "{error}");
    assert!(error.contains("'appendonly no' nothing would be kept"), "{error}");
}

/// Debian's own file, where `scripts/oracle` brought the package.
#[test]
fn debians_file_loads() {
    let home = std::env::var("HOME").unwrap_or_default();
    let path = format!("{home}/.cache/bobbin-peers/redis-7/etc/redis/redis.conf");
    let Ok(text) = std::fs::read_to_string(path) else {
        return;
    };
    let config = loaded(&text, &[]);
    assert_eq!(config.network.bind, [Text::from("127.0.0.1"), Text::from("-::1")]);
    assert!(!config.log.enabled);
}

#[test]
fn options_override_the_file() {
    let config = loaded("port 1\nhz 20\n", &["--port", "2", "--shards", "3"]);
    assert_eq!((config.network.port, config.keyspace.hz, config.server.shards), (2, 20, 3));
    let config = loaded("", &["--enable-debug-command", "local"]);
    assert_eq!(config.security.debug_command, Gate::Local);
    assert!(
        config.security.debug_command.admits(true) && !config.security.debug_command.admits(false)
    );
}

#[test]
fn lines_of_save_add_up_after_the_default_gave_way() {
    let saves = |main, options: &[&str]| loaded(main, options).snapshot.save;
    assert_eq!(saves("save 60 1\nsave 30 2\n", &[]), save_points(&[(60, 1), (30, 2)]));
    assert_eq!(saves("save 60 1\nsave \"\"\n", &[]), []);
    assert_eq!(saves("save \"\"\nsave 60 1\n", &[]), save_points(&[(60, 1)]));
    assert_eq!(saves("save 60 1\n", &["--save", "20", "3"]), save_points(&[(60, 1), (20, 3)]));
    assert_eq!(saves("", &["--save", "60 1 30 2"]), save_points(&[(60, 1), (30, 2)]));
    assert_eq!(saves("save 60 1\n", &["--save"]), []);
    assert_eq!(saves("save\n", &[]), []);
}

#[test]
fn what_is_wrong_is_said_in_redis_words() {
    let cases = [
        ("timeout 1 2", "wrong number of arguments"),
        ("timeout", "wrong number of arguments"),
        ("maxmemory \"", "Unbalanced quotes in configuration line"),
        ("notify-keyspace-events K E", "wrong number of arguments"),
        ("replicaof", "wrong number of arguments"),
        ("replicaof a 99999", "Invalid master port"),
        ("include a b", "Bad directive or wrong number of arguments"),
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        (
            "client-output-buffer-limit \"\"",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        ("save \"60 1\" 2", "Invalid save parameters"),
        ("sentinel monitor x", "sentinel directive while not in sentinel mode"),
        ("appendfilename a/b", "appendfilename can't be a path, just a filename"),
        ("appenddirname \"\"", "appenddirname can't be empty"),
        ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
        ("cluster-enabled yes\nreplicaof a 1", "replicaof directive not allowed in cluster mode"),
    ];
    for (text, expected) in cases {
        assert_eq!(reason(text), expected, "{text}");
    }
    assert!(reason("foo.bar 1").starts_with("Module Configuration detected"));
}

#[test]
fn an_error_names_line_text_and_file() {
    let files = [("more.conf", "# fine\n\n  TimeOut   abc  \n")];
    let error = try_load("port 1\ninclude more.conf\n", &[], &files).unwrap_err();
    assert_eq!(
        error.to_string(),
        "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n\
         Reading the configuration file, at line 3\n\
         >>> 'TimeOut   abc'\n\
         argument couldn't be parsed into an integer\n\
         (file more.conf, line 3)"
    );
    let error = try_load("", &["--hz", "5", "--port", "x y"], &[]).unwrap_err().to_string();
    assert!(error.contains("at line 2\n>>> 'port \"x y\"'\n"), "{error}");
    assert!(error.ends_with("(options of the command line, line 2)"), "{error}");
    let error = try_load("include gone.conf", &[], &[]).unwrap_err().to_string();
    assert_eq!(error, "Fatal error, can't open config file 'gone.conf': No such file or directory");
}

#[test]
fn includes_take_effect_where_they_stand_and_cycles_end() {
    let files = [("a", "hz 30\nport 2\n")];
    let config = try_load("hz 20\ninclude a\nport 3\n", &[], &files).unwrap();
    assert_eq!((config.keyspace.hz, config.network.port), (30, 3));
    let cycle = [("a", "include b\ninclude b\n"), ("b", "include a\ninclude a\n")];
    let error = try_load("include a\n", &[], &cycle).unwrap_err().to_string();
    assert!(error.contains("include directives are nested too deeply"), "{error}");
    let wide = "include a\n".repeat(2000);
    assert!(try_load(&wide, &[], &[("a", "hz 9\n")]).is_err(), "the number of files is bounded");
}

#[test]
fn standard_input_comes_between_file_and_options() {
    let invocation = Invocation::parse(&[b"-".to_vec(), b"--hz".to_vec(), b"7".to_vec()]);
    assert!(invocation.stdin);
    let mut no_file = |_: &[u8]| Err(Reason::from("none"));
    let config = load(&invocation, Some(b"hz 6\nport 5\n"), &mut no_file, &mut any_name).unwrap();
    assert_eq!((config.keyspace.hz, config.network.port), (7, 5));
    let error =
        load(&invocation, Some(b"x\n"), &mut no_file, &mut any_name).unwrap_err().to_string();
    assert!(error.ends_with("(standard input, line 1)"));
}

#[test]
fn directives_that_are_not_parameters_are_kept_in_order() {
    let text = "user default on nopass ~* &* +@all\nrename-command CONFIG \"\"\n\
                USER default allkeys on nopass &* +@all\n";
    let directives = loaded(text, &[]).security.directives;
    assert_eq!(directives.users.len(), 2);
    assert_eq!(directives.users[1][..2], [Text::from("default"), Text::from("allkeys")]);
    assert_eq!(directives.renamed_commands, [[Text::from("CONFIG"), Text::default()]]);
}

#[test]
fn a_renaming_that_the_caller_refuses_is_an_error_with_its_line() {
    let invocation = Invocation { stdin: true, ..Invocation::default() };
    let mut no_file = |_: &[u8]| Err(Reason::from("none"));
    let mut seen = Vec::new();
    let mut rename = |from: &[u8], to: &[u8]| {
        seen.push((from.to_vec(), to.to_vec()));
        if from == b"NOSUCH" { Err(Reason::from("No such command")) } else { Ok(()) }
    };
    let text = b"rename-command GET fetch\n\nrename-command NOSUCH \"\"\nrename-command SET x\n";
    let error = load(&invocation, Some(text), &mut no_file, &mut rename).unwrap_err().to_string();
    assert!(
        error.contains("at line 3\n>>> 'rename-command NOSUCH \"\"'\nNo such command"),
        "{error}"
    );
    assert_eq!(seen[0], (b"GET".to_vec(), b"fetch".to_vec()));
    assert_eq!(seen.len(), 2, "what comes behind the fault is not looked at");
}
