//! What a server finds again after an end of any kind: with the real binary and the real disk.
//!
//! Each test has a folder of its own. Ends are SIGTERM, SIGKILL under load, a cut or damaged segment,
//! a disk that is full; the next life may have another number of shards.

#[path = "recovery/full_disk.rs"]
mod full_disk;
mod support;
#[path = "recovery/switch.rs"]
mod switch;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use support::{Client, Server, Value, encode_line, key_on, new_folder, run_to_end, wait_until};

/// How long clients write before the server is killed.
const LOAD: Duration = Duration::from_millis(300);

/// A port of this test's own range.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    24_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 100
}

/// A server over `folder`.
fn start(folder: PathBuf, options: &str) -> Server {
    let port = port();
    let mut server = Server::start_in(folder, &format!("{options} --port {port}"));
    server.port = port;
    server
}

/// Ends it by SIGKILL; what is left is its folder.
fn kill(mut server: Server) -> PathBuf {
    server.signal("KILL");
    server.wait();
    std::mem::take(&mut server.folder)
}

/// Ends it by SIGTERM.
fn stop(mut server: Server) -> PathBuf {
    server.signal("TERM");
    let status = server.wait();
    assert!(status.success(), "it ended with {status}:\n{}", server.log());
    std::mem::take(&mut server.folder)
}

fn pipeline(client: &mut Client, lines: &[String]) -> Vec<Value> {
    let mut bytes = Vec::new();
    lines.iter().for_each(|line| encode_line(line, &mut bytes));
    client.pipeline(&bytes, lines.len()).expect("all are answered")
}

/// The segments in the folder, ascending.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("appendonlydir")).expect("there is a log");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "aof"))
        .collect();
    paths.sort();
    paths
}

fn log_bytes(folder: &Path) -> u64 {
    segments(folder).iter().map(|path| fs::metadata(path).expect("a file").len()).sum()
}

/// Has Redis' own tool look at every segment; none where it is not installed.
fn check_with_redis(folder: &Path) {
    for path in segments(folder) {
        match Command::new("redis-check-aof").arg(&path).output() {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{}: {text}", path.display());
            }
            Err(error) => return eprintln!("skipped: redis-check-aof cannot be run: {error}"),
        }
    }
}

/// Everything that the server holds: by database and key the value and the expiry.
fn contents(client: &mut Client) -> BTreeMap<(usize, String), (String, i64)> {
    let mut all = BTreeMap::new();
    for db in 0..3 {
        client.ask(&format!("SELECT {db}"));
        let keys = client.ask("KEYS *");
        for key in keys.elements().iter().map(Value::text) {
            let value = client.ask(&format!("GET {key}")).text();
            let expiry = client.ask(&format!("PEXPIRETIME {key}")).number();
            all.insert((db, key), (value, expiry));
        }
    }
    client.ask("SELECT 0");
    all
}

#[test]
fn a_killed_server_has_what_it_acknowledged() {
    for options in ["--shards 2", "--shards 3 --appendfsync always"] {
        let server = start(new_folder(), options);
        let address = server.address();
        let rounds: Arc<[AtomicU32; 3]> = Arc::default();
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let rounds = Arc::clone(&rounds);
                std::thread::spawn(move || {
                    let mut client = Client::connect(address).expect("it listens");
                    let mut acknowledged = 0;
                    for round in 1.. {
                        let lines = [
                            format!("SET w{writer}:{} {round}", round % 50),
                            format!("SET w{writer}:last {round}"),
                            format!("INCR w{writer}:count"),
                        ];
                        let mut bytes = Vec::new();
                        lines.iter().for_each(|line| encode_line(line, &mut bytes));
                        if client.pipeline(&bytes, lines.len()).is_err() {
                            break;
                        }
                        acknowledged = round;
                        rounds[writer].fetch_add(1, Ordering::Relaxed);
                    }
                    acknowledged
                })
            })
            .collect();
        std::thread::sleep(LOAD);
        wait_until("everybody has written", || {
            rounds.iter().all(|it| it.load(Ordering::Relaxed) > 10)
        });
        let folder = kill(server);
        let server = start(folder, options);
        let mut client = server.client();
        for (writer, thread) in writers.into_iter().enumerate() {
            let acknowledged: i64 = thread.join().expect("the writer ends");
            assert!(acknowledged > 10, "{acknowledged} rounds are too few");
            for name in ["last", "count"] {
                let found = client.ask(&format!("GET w{writer}:{name}")).text();
                let found: i64 = found.parse().expect("a number");
                // The round that was not acknowledged may be there, too.
                assert!(
                    (acknowledged..=acknowledged + 1).contains(&found),
                    "{options}: {name} is {found}, acknowledged was {acknowledged}"
                );
            }
        }
        check_with_redis(&server.folder);
    }
}

/// Two keys on two shards that one writer sets together, to ascending numbers, in one life of the
/// server after the other.
struct Pair {
    keys: [String; 2],
    /// The last number that was acknowledged, in whichever life.
    acknowledged: i64,
    /// The last number that was sent.
    sent: i64,
}

impl Pair {
    /// Sets both to the next number. False: the server is gone.
    fn write_next(&mut self, client: &mut Client) -> bool {
        self.sent += 1;
        let value = self.sent.to_string();
        let [left, right] = &self.keys;
        let Ok(reply) = client.call(&["MSET", left, &value, right, &value]) else { return false };
        assert_eq!(reply, Value::ok());
        self.acknowledged = self.sent;
        true
    }

    /// Both must hold the same number, one that was acknowledged last or that was sent after it.
    fn judge(&mut self, client: &mut Client, life: usize) {
        let Self { keys: [left, right], acknowledged, sent } = self;
        let values = client.ask(&format!("MGET {left} {right}"));
        let [first, second] = values.elements() else { panic!("two values: {values:?}") };
        let range = format!("life {life}: acknowledged was {acknowledged}, sent {sent}");
        assert_eq!(first, second, "half a transaction is there; {range}");
        let found: i64 =
            first.text().parse().unwrap_or_else(|_| panic!("LOST: {first:?}; {range}"));
        assert!(found >= *acknowledged, "LOST: {found} is there; {range}");
        assert!(found <= *sent, "{found} was never sent; {range}");
        // What came through the kill is there from now on.
        *acknowledged = found;
    }
}

#[test]
fn a_transaction_over_shards_is_whole_after_a_kill() {
    let shards = 3;
    let keys: Vec<String> = (0..shards).map(|shard| key_on(shard, shards, "k")).collect();
    // Each writer has pairs of shards of its own, so the transactions overlap.
    let pair = |writer: usize| {
        [&keys[writer], &keys[writer + 1]].map(|key| format!("{key}:{{{key}}}:{writer}"))
    };
    let mut pairs = [0, 1].map(|writer| Pair { keys: pair(writer), acknowledged: 0, sent: 0 });
    let mut folder = new_folder();
    for life in 0..4 {
        let server = start(folder, &format!("--shards {shards}"));
        let address = server.address();
        let rounds: Arc<[AtomicU32; 2]> = Arc::default();
        let writers: Vec<_> = pairs
            .into_iter()
            .enumerate()
            .map(|(writer, mut pair)| {
                let rounds = Arc::clone(&rounds);
                std::thread::spawn(move || {
                    let mut client = Client::connect(address).expect("it listens");
                    while pair.write_next(&mut client) {
                        rounds[writer].fetch_add(1, Ordering::Relaxed);
                    }
                    pair
                })
            })
            .collect();
        std::thread::sleep(LOAD);
        wait_until("both have written", || rounds.iter().all(|it| it.load(Ordering::Relaxed) > 2));
        folder = kill(server);
        let server = start(folder, &format!("--shards {shards}"));
        let mut client = server.client();
        let judged = writers.into_iter().map(|writer| {
            let mut pair = writer.join().expect("the writer ends");
            pair.judge(&mut client, life);
            pair
        });
        pairs = judged.collect::<Vec<_>>().try_into().ok().expect("both");
        folder = kill(server);
    }
    check_with_redis(&folder);
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn reads_log_nothing() {
    let server = start(new_folder(), "--shards 2");
    let mut client = server.client();
    client.ask("MSET a 1 b 2 c 3 d 4");
    let before = log_bytes(&server.folder);
    for line in ["MGET a b c d", "DBSIZE", "KEYS *", "EXISTS a b c", "RANDOMKEY", "TOUCH a b"] {
        client.ask(line);
    }
    assert_eq!(log_bytes(&server.folder), before);
    client.ask("DEL a b c d");
    assert!(log_bytes(&server.folder) > before);
}

#[test]
fn the_number_of_shards_may_change() {
    let mut server = start(new_folder(), "--shards 1");
    let mut client = server.client();
    // On one shard the keys of any command may be anywhere.
    for line in [
        "MSET one 1 two 2 three 3 four 4 five 5 six 6 seven 7",
        "RENAME one renamed",
        "COPY two copied",
        "APPEND copied x",
        "MSETNX nx1 a nx2 b nx3 c",
        "BITOP OR mixed three four five",
        "RENAME copied again",
        "SET expiring soon PX 100000000",
        "SELECT 1",
        "MSET only 1 here 2",
        "COPY only far DB 2",
        "MOVE here 2",
        "SWAPDB 1 2",
        "SET late 1",
    ] {
        let reply = client.ask(line);
        assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
    }
    let mut expected = contents(&mut client);
    assert!(expected.len() > 15, "{expected:?}");
    for (life, shards) in [2, 3, 5, 2, 1, 1].into_iter().enumerate() {
        let folder = if life % 2 == 0 { kill(server) } else { stop(server) };
        server = start(folder, &format!("--shards {shards}"));
        client = server.client();
        let found = contents(&mut client);
        assert_eq!(found, expected, "with {shards} shards");
        assert_eq!(client.ask("DBSIZE").number() as usize, {
            expected.keys().filter(|(db, _)| *db == 0).count()
        });
        let lines: Vec<String> = vec![
            format!("MSET m{life} 1 n{life} 2 o{life} 3"),
            format!("SET {{t}}{life} tagged"),
            format!("RENAME {{t}}{life} {{t}}was{life}"),
            "INCR renamed".to_owned(),
            "SELECT 2".to_owned(),
            "FLUSHDB".to_owned(),
            format!("MSET x{life} 1 y{life} 2"),
            "SWAPDB 1 2".to_owned(),
            "SELECT 0".to_owned(),
            "DEL two m0 n1".to_owned(),
        ];
        for (line, reply) in lines.iter().zip(pipeline(&mut client, &lines)) {
            assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
        }
        expected = contents(&mut client);
        check_with_redis(&server.folder);
    }
}

#[test]
fn keys_expire_as_the_log_says() {
    let server = start(new_folder(), "--shards 2");
    let mut client = server.client();
    client.ask("SET counter 5 PX 50");
    client.ask("SET stays 1 PX 100000000");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(client.ask("INCR counter").number(), 1);
    // Both in one tick, which has one moment, however long this test was kept from running.
    let lines = ["SET later x PX 400", "APPEND later y"].map(str::to_owned);
    assert_eq!(pipeline(&mut client, &lines)[1].number(), 2);
    let folder = kill(server);
    std::thread::sleep(Duration::from_millis(401));
    let server = start(folder, "--shards 2");
    let mut client = server.client();
    assert_eq!(client.ask("GET counter").text(), "1");
    assert_eq!(client.ask("PTTL counter").number(), -1);
    assert_eq!(client.ask("EXISTS later").number(), 0);
    assert!(client.ask("PTTL stays").number() > 1_000_000);
}

#[test]
fn a_torn_end_is_cut_or_refused() {
    let server = start(new_folder(), "--shards 2");
    let keys = [key_on(0, 2, "k"), key_on(1, 2, "k")];
    let mut client = server.client();
    for key in &keys {
        client.ask(&format!("SET {key} kept"));
    }
    let torn = key_on(0, 2, "torn");
    client.ask(&format!("SET {torn} lost"));
    let folder = stop(server);
    let path = segments(&folder)[0].clone();
    let whole = fs::read(&path).expect("a segment");
    fs::write(&path, &whole[..whole.len() - 3]).expect("it can be cut");
    let arguments =
        ["--dir", ".", "--port", "24099", "--shards", "2", "--aof-load-truncated", "no"];
    let output = run_to_end(&arguments, &folder);
    assert!(!output.status.success(), "a torn end is refused");
    assert_eq!(fs::read(&path).expect("a segment").len(), whole.len() - 3, "nothing was cut");
    let server = start(folder, "--shards 2");
    let mut client = server.client();
    assert!(server.log().contains("cutting"), "{}", server.log());
    for key in &keys {
        assert_eq!(client.ask(&format!("GET {key}")).text(), "kept");
    }
    assert_eq!(client.ask(&format!("EXISTS {torn}")).number(), 0);
    check_with_redis(&server.folder);
}

#[test]
fn a_damaged_segment_is_refused_and_left_alone() {
    let server = start(new_folder(), "--shards 2");
    let mut client = server.client();
    let lines: Vec<String> = (0..200).map(|number| format!("SET key:{number} value")).collect();
    pipeline(&mut client, &lines);
    let folder = stop(server);
    let path = segments(&folder)[1].clone();
    let mut bytes = fs::read(&path).expect("a segment");
    let middle = bytes.len() / 2;
    let at = middle + bytes[middle..].iter().position(|byte| *byte == b'$').expect("an argument");
    bytes[at] = b'!';
    fs::write(&path, &bytes).expect("it can be written");
    let arguments = ["--dir", ".", "--port", "24098", "--shards", "2"];
    let output = run_to_end(&arguments, &folder);
    assert_eq!(output.status.code(), Some(1));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let name = path.file_name().expect("a name").to_string_lossy();
    assert!(text.contains(&*name) && text.contains("byte"), "which file, and where: {text}");
    assert_eq!(fs::read(&path).expect("a segment"), bytes);
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn a_second_server_on_the_directory_is_refused() {
    for options in ["--shards 2", "--shards 2 --appendonly no"] {
        let server = start(new_folder(), options);
        server.client().ask("SET a 1");
        let folder = server.folder.display().to_string();
        let arguments = ["--dir", &folder, "--port", "24097", "--shards", "2"];
        let output = run_to_end(&arguments, &server.folder);
        assert_eq!(output.status.code(), Some(1));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("another server uses the data directory"), "{text}");
        assert_eq!(server.client().ask("GET a").text(), "1");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let folder = new_folder();
    // Not even root makes files there.
    let output = run_to_end(&["--dir", "/sys", "--port", "24096"], &folder);
    assert_eq!(output.status.code(), Some(1));
    let text = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&text).contains("cannot use the data directory /sys"));
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn an_orderly_end_loses_nothing() {
    for shards in [1, 2, 4] {
        let server = start(new_folder(), &format!("--shards {shards}"));
        let address = server.address();
        let writer = std::thread::spawn(move || {
            let mut client = Client::connect(address).expect("it listens");
            let mut acknowledged = 0;
            for round in 1.. {
                let line = format!("MSET a {round} b {round} c {round} d {round}");
                if client.call(&line.split(' ').collect::<Vec<_>>()).is_err() {
                    break;
                }
                acknowledged = round;
            }
            acknowledged
        });
        std::thread::sleep(LOAD);
        let folder = stop(server);
        let acknowledged: i64 = writer.join().expect("the writer ends");
        let server = start(folder, &format!("--shards {shards}"));
        let values = server.client().ask("MGET a b c d");
        for value in values.elements() {
            let found: i64 = value.text().parse().expect("a number");
            assert!((acknowledged..=acknowledged + 1).contains(&found), "{found}: {acknowledged}");
        }
        assert!(!server.log().contains("cutting"), "{}", server.log());
    }
}

#[test]
fn the_log_of_redis_is_taken_over() {
    let folder = new_folder();
    let log = folder.join("appendonlydir");
    fs::create_dir(&log).expect("a folder");
    let encode = |lines: &[&str]| {
        let mut bytes = Vec::new();
        lines.iter().for_each(|line| encode_line(line, &mut bytes));
        bytes
    };
    let base = encode(&["SELECT 0", "SET a 1", "SET b 2", "SELECT 3", "SET c 3"]);
    let mut increment = encode(&["SELECT 0", "MULTI", "INCR a", "DEL b", "EXEC"]);
    increment.extend_from_slice(b"#TS:1700000000\r\n");
    increment.extend(encode(&["SET d 4", "RENAME d e"]));
    fs::write(log.join("appendonly.aof.1.base.aof"), base).expect("a file");
    fs::write(log.join("appendonly.aof.1.incr.aof"), increment).expect("a file");
    let manifest = "file appendonly.aof.1.base.aof seq 1 type b\n\
                    file appendonly.aof.1.incr.aof seq 1 type i\n";
    fs::write(log.join("appendonly.aof.manifest"), manifest).expect("a file");
    let mut server = start(folder, "--shards 3");
    for _ in 0..2 {
        let mut client = server.client();
        assert_eq!(client.ask("GET a").text(), "2");
        assert_eq!(client.ask("GET e").text(), "4");
        assert_eq!(client.ask("EXISTS a b d e").number(), 2);
        client.ask("SELECT 3");
        assert_eq!(client.ask("GET c").text(), "3");
        let folder = kill(server);
        server = start(folder, "--shards 3");
    }
}
