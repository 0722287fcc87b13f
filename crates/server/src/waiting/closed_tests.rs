//! A client that is closed by what waits in its home's inbox, while a command that may wait comes
//! in: nothing is taken for it.

use config::Config;
use net::{Clock, VirtualTime};

use crate::simulation::{Client, Options, Server, Step};

/// A server of two core threads, two clients of the first and one of the second, and a key on each
/// shard.
fn server() -> (Server, [Client; 3], [String; 2]) {
    static TIME: VirtualTime = VirtualTime::new(1_700_000_000_000_000);
    let clock = Clock::simulated(&TIME);
    let options = Options { shards: 2, seed: 1, short_writes: 0, clock };
    let mut server = Server::empty(Config::default(), options);
    let clients = [server.connect(0), server.connect(0), server.connect(1)];
    let on = |shard: usize| {
        (0..)
            .map(|n| format!("k{n}"))
            .find(|key| spec::shard_of_slot(spec::slot_of(key.as_bytes()), 2) == shard)
            .expect("both shards have keys")
    };
    (server, clients, [on(0), on(1)])
}

/// Sends a line, lets the server come to rest, and takes what was answered.
fn ask(server: &mut Server, client: Client, line: &str) -> String {
    server.give(client, format!("{line}\r\n").as_bytes());
    (0..20).for_each(|n| server.tick(n % 2));
    String::from_utf8(server.take(client)).expect("replies are text")
}

/// Core thread 0 gets on until the line that a client of it sends is what it looks at next.
fn until_it_comes(server: &mut Server, client: Client, line: &str) {
    server.give(client, format!("{line}\r\n").as_bytes());
    while server.next_step(0) != Step::Input {
        server.step(0);
    }
}

#[test]
fn who_is_being_killed_takes_nothing() {
    let (mut server, [client, other, killer], [here, _]) = server();
    assert_eq!(ask(&mut server, other, &format!("SET {here} v")), "+OK\r\n");
    until_it_comes(&mut server, client, &format!("BTAKE {here} 0"));
    server.give(killer, b"CLIENT KILL ID 1\r\n");
    server.tick(1);
    assert_eq!(ask(&mut server, killer, "PING"), ":1\r\n+PONG\r\n");
    assert!(!server.is_open(client));
    assert_eq!(ask(&mut server, other, &format!("GET {here}")), "$1\r\nv\r\n");
}

#[test]
fn who_is_sent_too_much_takes_nothing() {
    let (mut server, [client, other, _], [here, there]) = server();
    let value = "v".repeat(10_000);
    ask(&mut server, other, &format!("MSET {here} v {there} {value}"));
    let limit = "CONFIG SET client-output-buffer-limit \"normal 5000 0 0\"";
    assert_eq!(ask(&mut server, other, limit), "+OK\r\n");
    // The reply, more than may be, is on its way back when the next command comes.
    server.give(client, format!("GET {there}\r\n").repeat(1).as_bytes());
    server.tick(0);
    until_it_comes(&mut server, client, &format!("BTAKE {here} 0"));
    server.tick(1);
    assert_eq!(ask(&mut server, other, &format!("GET {here}")), "$1\r\nv\r\n");
    assert!(!server.is_open(client));
}
