//! Where the server listens, whom it lets in, and how it spreads its clients.

mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use support::{Client, Server, Value, free_port, new_folder, run_to_end};

/// An address of this machine that is not loopback, if it has one. Nothing is sent: connecting a
/// datagram socket only asks for the route.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Why a test did nothing: to be seen with `--nocapture`.
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn pong() -> Value {
    Value::Simple("PONG".into())
}

#[test]
fn connections_spread_evenly() {
    let server = Server::with_shards(2);
    let mut clients: Vec<Client> = (0..50).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.ask("PING"), pong()));
    // No reply tells a connection's home. What can be seen from outside is that both core threads
    // do as much for local commands: their CPU time.
    let before = thread_ticks(&server);
    let began = std::time::Instant::now();
    while began.elapsed().as_millis() < 600 {
        for client in &mut clients {
            client.send_raw(b"PING\r\nPING\r\nPING\r\nPING\r\n").unwrap();
        }
        for client in &mut clients {
            (0..4).for_each(|_| assert_eq!(client.receive().unwrap(), pong()));
        }
    }
    let after = thread_ticks(&server);
    let sum = |ticks: &BTreeMap<String, u64>, name: &str| -> u64 {
        ticks.iter().filter(|(thread, _)| thread.starts_with(name)).map(|(_, used)| used).sum()
    };
    let used = |name: &str| sum(&after, name) - sum(&before, name);
    let (first, second) = (used("core-0"), used("core-1"));
    assert!(first + second > 0, "somebody has worked");
    let gap = first.abs_diff(second);
    assert!(gap <= 4 + (first + second) / 3, "one does the other's work: {first}, {second}");
    server.stop();
}

/// CPU time of each core thread, by name, in clock ticks.
fn thread_ticks(server: &Server) -> BTreeMap<String, u64> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.process()))
        .expect("the process is there");
    let mut ticks = BTreeMap::new();
    for task in tasks.flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((head, fields)) = stat.rsplit_once(')') else { continue };
        let name = head.split_once('(').map(|(_, name)| name.to_owned()).unwrap_or_default();
        let field = |at: usize| -> u64 {
            fields.split_whitespace().nth(at).and_then(|it| it.parse().ok()).unwrap_or_default()
        };
        *ticks.entry(name).or_default() += field(11) + field(12);
    }
    ticks
}

#[test]
fn a_unix_socket_with_permissions() {
    for mode in [0o700, 0o777, 0o660] {
        let server = Server::start(&format!(
            "--shards 2 --unixsocket bobbin.sock --unixsocketperm {mode:o}"
        ));
        let path = server.folder.join("bobbin.sock");
        let permissions = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(permissions & 0o777, mode);
        let mut client = Client::connect_unix(&path).unwrap();
        assert_eq!(client.ask("PING"), pong());
        assert_eq!(client.ask("SET k v"), Value::ok());
        assert_eq!(server.client().ask("GET k"), Value::bulk("v"));
        server.stop();
    }
}

#[test]
fn only_a_unix_socket() {
    let server = Server::start("--port 0 --shards 2 --unixsocket only.sock");
    let mut client = Client::connect_unix(server.folder.join("only.sock")).unwrap();
    assert_eq!(client.ask("PING"), pong());
    assert!(Client::connect(server.address()).is_err());
    // A stale socket of a killed server is no obstacle.
    server.signal("KILL");
    let mut server = server;
    server.wait();
    let folder = std::mem::take(&mut server.folder);
    let server = Server::start_in(folder, "--port 0 --shards 2 --unixsocket only.sock");
    let mut client = Client::connect_unix(server.folder.join("only.sock")).unwrap();
    assert_eq!(client.ask("PING"), pong());
    server.stop();
}

#[test]
fn a_unix_socket_is_taken_from_the_dead_only_and_goes_with_the_server() {
    let server = Server::start("--port 0 --shards 1 --unixsocket bobbin.sock");
    let path = server.folder.join("bobbin.sock");
    let folder = new_folder();
    let other = path.display().to_string();
    let output = run_to_end(&["--port", "0", "--unixsocket", &other, "--dir", "."], &folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another server listens on it"), "{said}");
    assert_eq!(Client::connect_unix(&path).unwrap().ask("PING"), pong());
    let mut server = server;
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(!path.exists(), "the socket goes with the server");
    std::fs::write(folder.join("notes"), "mine").unwrap();
    let output = run_to_end(&["--port", "0", "--unixsocket", "notes", "--dir", "."], &folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(std::fs::read(folder.join("notes")).unwrap(), b"mine");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn several_addresses() {
    let server = Server::start("--shards 2 --bind 127.0.0.1 127.0.0.2 -192.0.2.77");
    for host in ["127.0.0.1", "127.0.0.2"] {
        assert_eq!(Client::connect((host, server.port)).unwrap().ask("PING"), pong());
    }
    assert!(Client::connect(("127.0.0.3", server.port)).is_err());
    server.stop();

    let folder = new_folder();
    let port = free_port().to_string();
    let output = run_to_end(&["--port", &port, "--bind", "192.0.2.77"], &folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("192.0.2.77"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn both_families() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("this machine has no IPv6");
    }
    let server = Server::start("--shards 2 --bind 127.0.0.1 ::1");
    let six = SocketAddr::new("::1".parse().unwrap(), server.port);
    assert_eq!(Client::connect(six).unwrap().ask("PING"), pong());
    assert_eq!(server.client().ask("PING"), pong());
    let list = Client::connect(six).unwrap().ask("CLIENT INFO").text();
    assert!(list.contains("addr=[::1]:"), "{list}");
    server.stop();
}

#[test]
fn protected_mode_keeps_others_out() {
    let Some(address) = outer_address() else {
        return skip("this machine has no address but loopback");
    };
    let server = Server::start("--shards 2 --bind *");
    let mut client = Client::connect((address, server.port)).unwrap();
    let error = client.receive().unwrap();
    assert!(error.error().starts_with("DENIED Redis is running in protected mode"), "{error:?}");
    assert!(client.receive_to_end().unwrap().is_empty());
    assert_eq!(server.client().ask("PING"), pong());
    server.stop();
    for options in ["--protected-mode no", "--requirepass secret"] {
        let server = Server::start(&format!("--shards 2 --bind * {options}"));
        let mut client = Client::connect((address, server.port)).unwrap();
        let reply = client.ask("PING");
        assert!(reply == pong() || reply.error().starts_with("NOAUTH"), "{options}: {reply:?}");
        server.stop();
    }
}
