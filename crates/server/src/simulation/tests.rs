//! What takes a simulation to be seen, and is small enough to be told.

use config::Config;
use net::{Clock, VirtualTime};

use super::{Options, Server};

/// A server of one core thread without a log.
fn server() -> Server {
    static TIME: VirtualTime = VirtualTime::new(1_700_000_000_000_000);
    let clock = Clock::simulated(&TIME);
    Server::empty(Config::default(), Options { shards: 1, seed: 1, short_writes: 0, clock })
}

#[test]
fn what_a_client_sent_before_its_end_is_answered_whenever_the_end_comes() {
    // The commands behind EXEC wait for it, as it selects a database. The end must find the
    // connection busy also in the moment between EXEC's reply and their run.
    let text = b"MULTI\r\nSELECT 1\r\nRENAME a b\r\nEXEC\r\nSET c 1\r\nDBSIZE\r\n";
    for steps in 0..40 {
        let mut server = server();
        let client = server.connect(0);
        server.give(client, text);
        for _ in 0..steps {
            server.step(0);
        }
        server.finish_sending(client);
        (0..5).for_each(|_| server.tick(0));
        let replies = String::from_utf8(server.take(client)).expect("replies are text");
        assert!(replies.ends_with("+OK\r\n:1\r\n"), "{steps} steps: {replies:?}");
        assert!(!server.is_open(client), "{steps} steps");
    }
}
