//! CONFIG over several core threads.

use config::{Config, Gate};

use crate::fixture::Fixture;

#[test]
fn set_reaches_every_core_thread_before_it_is_answered() {
    let mut server = Fixture::new(3);
    let client = server.connect(1);
    let line = b"CONFIG SET slowlog-max-len 7 maxmemory 100mb\r\nPING\r\n";
    assert_eq!(server.send(client, line), "+OK\r\n+PONG\r\n");
    for core in &server.cores {
        assert_eq!(core.settings.telemetry.slow_log.entries_max, 7);
        assert_eq!(core.settings.limits.memory_bytes_max, 100 << 20);
    }
    let reply = server.ask(client, "CONFIG GET MaxMemory slowlog-max*");
    assert_eq!(
        reply,
        "*4\r\n$9\r\nMaxMemory\r\n$9\r\n104857600\r\n$15\r\nslowlog-max-len\r\n$1\r\n7\r\n"
    );
}

#[test]
fn a_fault_leaves_everything_as_it_was() {
    let mut server = Fixture::new(2);
    let client = server.connect(0);
    let mut ask = |line: &str| server.ask(client, line);
    let failed = "-ERR CONFIG SET failed (possibly related to argument";
    assert_eq!(
        ask("CONFIG SET maxmemory 10000001 maxmemory-clients 200%"),
        format!(
            "{failed} 'maxmemory-clients') - percentage argument must be less or equal to 100\r\n"
        )
    );
    assert_eq!(
        ask("CONFIG SET databases 3"),
        format!("{failed} 'databases') - can't set immutable config\r\n")
    );
    assert_eq!(ask("CONFIG SET hz 10 hz 20"), format!("{failed} 'hz') - duplicate parameter\r\n"));
    assert_eq!(
        ask("CONFIG SET hz 10 nonsense 20"),
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'\r\n"
    );
    let odd = "-ERR wrong number of arguments for 'config|set' command\r\n";
    assert_eq!(ask("CONFIG SET hz 10 port"), "-ERR syntax error\r\n");
    assert_eq!(ask("CONFIG SET hz"), odd);
    assert_eq!(
        ask("CONFIG SET dir /nonexistent"),
        format!("{failed} 'dir') - can't set protected config\r\n")
    );
    assert_eq!(
        ask("CONFIG SET maxmemory 10000001 port 1"),
        format!("{failed} 'port') - Unable to listen on this port. Check server logs.\r\n")
    );
    assert_eq!(
        ask("CONFIG SET maxclients 4294967295"),
        ask("CONFIG SET maxclients 4294967294"),
        "both are refused with what would do"
    );
    assert_eq!(ask("CONFIG GET maxmemory"), "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
    assert_eq!(ask("CONFIG GET hz"), "*2\r\n$2\r\nhz\r\n$2\r\n10\r\n");
}

#[test]
fn protected_parameters_are_open_to_those_who_may() {
    let mut config = Config::default();
    config.security.protected_configs = Gate::Local;
    let mut server = Fixture::with_config(2, config);
    let client = server.connect(1);
    assert_eq!(
        server.ask(client, "CONFIG SET dir /nonexistent"),
        "-ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or \
         directory\r\n"
    );
    assert_eq!(server.ask(client, "CONFIG GET dir"), "*2\r\n$3\r\ndir\r\n$1\r\n.\r\n");
}

#[test]
fn without_a_file_there_is_nothing_to_rewrite() {
    let mut server = Fixture::new(1);
    let client = server.connect(0);
    let error = "-ERR The server is running without a config file\r\n";
    assert_eq!(server.ask(client, "CONFIG REWRITE"), error);
}

#[test]
fn a_rewritten_file_says_what_is_in_force() {
    let directory = std::env::temp_dir().join(format!("bobbin-rewrite-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("bobbin.conf");
    std::fs::write(&path, "# mine\nhz 10\n").unwrap();
    let mut config = Config::default();
    config.keyspace.hz = 50;
    super::rewrite_file(&path, &config).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# mine\nhz 50\n"), "{text}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "nothing is left behind");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn resetstat_begins_anew_everywhere() {
    let mut server = Fixture::new(3);
    let client = server.connect(2);
    server.send(client, b"SET a 1\r\nSET b 2\r\nSET c 3\r\nGET none\r\nNOSUCH\r\n");
    let stats = server.ask(client, "INFO stats commandstats errorstats");
    assert!(stats.contains("cmdstat_set:calls=3,"), "{stats}");
    assert!(stats.contains("errorstat_ERR:count=1\r\n"), "{stats}");
    assert!(stats.contains("keyspace_misses:1\r\n"), "{stats}");
    assert_eq!(server.ask(client, "CONFIG RESETSTAT"), "+OK\r\n");
    let stats = server.ask(client, "INFO stats commandstats errorstats");
    assert!(!stats.contains("cmdstat_set") && !stats.contains("errorstat_"), "{stats}");
    assert!(stats.contains("cmdstat_config|resetstat:calls=1,"), "{stats}");
    assert!(stats.contains("keyspace_misses:0\r\n"), "{stats}");
    assert!(stats.contains("total_error_replies:0\r\n"), "{stats}");
}

#[test]
fn a_new_password_is_asked_of_new_clients_only_and_never_shown() {
    let mut server = Fixture::new(2);
    let (old, monitor) = (server.connect(0), server.connect(1));
    server.ask(old, "CONFIG SET slowlog-log-slower-than 0");
    server.ask(monitor, "MONITOR");
    assert_eq!(server.ask(old, "CONFIG SET requirepass hush"), "+OK\r\n");
    assert_eq!(server.ask(old, "PING"), "+PONG\r\n");
    let new = server.connect(1);
    assert_eq!(server.ask(new, "PING"), "-NOAUTH Authentication required.\r\n");
    assert!(!server.ask(old, "SLOWLOG GET").contains("hush"));
    assert!(!server.take(monitor).contains("hush"));
    assert_eq!(server.ask_words(old, &["CONFIG", "SET", "requirepass", ""]), "+OK\r\n");
    assert_eq!(server.ask(new, "PING"), "+PONG\r\n", "nobody needs one any more");
}
