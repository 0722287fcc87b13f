//! Tests of DEBUG as a whole: who may use it, and the small ones.

use config::{Config, Gate};

use crate::fixture::Fixture;

/// A server on which anybody may use DEBUG.
pub(super) fn debuggable(shards: usize) -> Fixture {
    let mut config = Config::default();
    config.security.debug_command = Gate::Yes;
    Fixture::with_config(shards, config)
}

#[test]
fn the_directive_decides_who_may() {
    let refused = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \
                   \"local\", you can run it from a local connection, otherwise you need to set \
                   this option in the configuration file, and then restart the server.\r\n";
    let mut server = Fixture::new(2);
    let client = server.connect(1);
    assert_eq!(server.ask(client, "DEBUG HELP"), refused);
    assert_eq!(server.ask(client, "DEBUG OBJECT a"), refused);
    let mut config = Config::default();
    config.security.debug_command = Gate::Local;
    let mut server = Fixture::with_config(2, config);
    let client = server.connect(0);
    assert!(server.ask(client, "DEBUG HELP").contains("DEBUG <subcommand>"), "it is local");
}

#[test]
fn small_ones() {
    let mut server = debuggable(2);
    let client = server.connect(0);
    let mut ask = |line: &str| server.ask(client, line);
    assert_eq!(ask("DEBUG SLEEP 0"), "+OK\r\n");
    assert_eq!(ask("DEBUG ERROR WHY"), "-WHY\r\n");
    assert_eq!(ask("DEBUG LOG line"), "+OK\r\n");
    assert_eq!(ask("DEBUG STRINGMATCH-LEN hello h*o"), ":1\r\n");
    assert_eq!(ask("DEBUG STRINGMATCH-LEN hello H*o"), ":0\r\n");
    assert_eq!(ask("DEBUG QUICKLIST-PACKED-THRESHOLD 1b"), "+OK\r\n");
    assert_eq!(
        ask("DEBUG RELOAD"),
        "-ERR Error trying to load the AOF files, check server logs.\r\n",
        "the fixture logs nothing"
    );
    assert_eq!(ask("MULTI"), "+OK\r\n");
    assert_eq!(ask("DEBUG RELOAD"), "-ERR Command not allowed inside a transaction\r\n");
    assert_eq!(ask("DISCARD"), "+OK\r\n");
    for (line, word) in [("DEBUG SLEEP", "SLEEP"), ("DEBUG NONSENSE 1", "NONSENSE")] {
        let error = format!(
            "-ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP.\r\n"
        );
        assert_eq!(ask(line), error);
    }
}

#[test]
fn the_replication_id_changes() {
    let mut server = debuggable(2);
    let client = server.connect(1);
    let before = server.ask(client, "INFO replication");
    assert_eq!(server.ask(client, "DEBUG CHANGE-REPL-ID"), "+OK\r\n");
    assert_ne!(server.ask(client, "INFO replication"), before);
}

#[test]
fn active_expiry_is_switched_everywhere() {
    let mut server = debuggable(3);
    let client = server.connect(0);
    assert_eq!(server.ask(client, "DEBUG SET-ACTIVE-EXPIRE 0"), "+OK\r\n");
    assert!(server.cores.iter().all(|it| !it.shard.keyspace.settings().active_expire));
    server.ask(client, "CONFIG SET hz 20");
    assert!(server.cores.iter().all(|it| !it.shard.keyspace.settings().active_expire));
    assert_eq!(server.ask(client, "DEBUG SET-ACTIVE-EXPIRE 1"), "+OK\r\n");
    assert!(server.cores.iter().all(|it| it.shard.keyspace.settings().active_expire));
}

#[test]
fn values_of_every_type() {
    let mut server = debuggable(1);
    let client = server.connect(0);
    let mut ask = |kind: &str| server.ask(client, &format!("DEBUG PROTOCOL {kind}"));
    assert_eq!(ask("string"), "$11\r\nHello World\r\n");
    assert_eq!(ask("DOUBLE"), "$5\r\n3.141\r\n");
    assert_eq!(ask("map"), "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n");
    assert_eq!(ask("push"), "-ERR RESP2 is not supported by this command\r\n");
    assert!(ask("other").starts_with("-ERR Wrong protocol type name. Please use one of"));
    server.ask(client, "HELLO 3");
    let mut ask = |kind: &str| server.ask(client, &format!("DEBUG PROTOCOL {kind}"));
    assert_eq!(ask("null"), "_\r\n");
    assert_eq!(ask("set"), "~3\r\n:0\r\n:1\r\n:2\r\n");
    assert_eq!(ask("true"), "#t\r\n");
    assert_eq!(ask("bignum"), "(1234567999999999999999999999999999999\r\n");
    assert!(ask("verbatim").starts_with("=29\r\ntxt:This is a verbatim\n"));
    assert!(ask("attrib").starts_with("|1\r\n$14\r\nkey-popularity\r\n*2\r\n"));
    assert!(ask("push").starts_with(">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\n"));
}
