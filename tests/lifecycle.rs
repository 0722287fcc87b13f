//! Start and end: configuration, refusals, signals under load, what a process leaves behind.

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::{
    Server, Value, encode_line, free_port, new_folder, read_value, run_to_end, wait_until,
};

/// Runs the binary with a configuration file of these lines; it must refuse with exit code 1. What it
/// says.
fn refused_configuration(lines: &str) -> String {
    let folder = new_folder();
    let file = folder.join("bobbin.conf");
    fs::write(&file, lines).expect("a new folder can be written");
    let output = run_to_end(&[&file.display().to_string()], &folder);
    fs::remove_dir_all(&folder).expect("it was made here");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    for (lines, number, reason) in [
        ("port 6379\n\nappendfsync sometimes\n", 3, "argument(s) must be one of the following"),
        ("# a comment\nmaxclients lots\n", 2, "argument couldn't be parsed into an integer"),
        ("port 70000\n", 1, "argument must be between 0 and 65535"),
        ("databases 16\nno-such-directive 1\n", 2, "Bad directive or wrong number of arguments"),
        ("appendonly perhaps\n", 1, "argument must be 'yes' or 'no'"),
        ("save 60\n", 1, ""),
        ("port 0\nrename-command NOSUCH x\n", 2, "No such command in rename-command"),
        ("rename-command GET set\n", 1, "Target command name already exists"),
        ("bind \"127.0.0.1\n", 1, "Unbalanced quotes in configuration line"),
    ] {
        let said = refused_configuration(lines);
        let line = lines.lines().nth(number - 1).unwrap();
        assert!(said.contains("*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***"), "{said}");
        assert!(said.contains(&format!("at line {number}")), "{lines}{said}");
        assert!(said.contains(&format!(">>> '{line}'")), "{lines}{said}");
        assert!(said.contains(reason), "{lines}{said}");
    }
}

#[test]
fn a_missing_configuration_is_refused() {
    let folder = new_folder();
    let output = run_to_end(&["/nowhere/bobbin.conf"], &folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/bobbin.conf"), "{said}");
    let output = run_to_end(&["--no-such-directive", "1"], &folder);
    assert_eq!(output.status.code(), Some(1));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn daemonize_is_refused_with_a_hint() {
    let said = refused_configuration("daemonize yes\n");
    assert!(said.contains("daemonize") && said.contains("systemd"), "{said}");
}

#[test]
fn what_guards_access_or_data_and_is_not_there_refuses_the_start() {
    for line in [
        "user default off",
        "user default on #5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 ~* +@all",
        "aclfile /etc/users.acl",
        "tls-port 6380",
        "replicaof 127.0.0.1 6379",
        "cluster-enabled yes",
        "loadmodule /x.so",
        "min-replicas-to-write 1",
    ] {
        let said = refused_configuration(&format!("port 0\n{line}\n"));
        assert!(said.contains(&format!(">>> '{line}'")) && said.contains("line 2"), "{said}");
        assert!(said.contains("bobbin.conf"), "{said}");
    }
    let said = refused_configuration("port 0\n");
    assert!(said.contains("listen nowhere"), "{said}");
}

#[test]
fn a_snapshot_that_is_not_loaded_is_said_and_left_as_it_is() {
    let folder = new_folder();
    fs::write(folder.join("dump.rdb"), b"REDIS0011").expect("a new folder can be written");
    let server = Server::start_in(folder, "--shards 1");
    assert!(server.log().contains("dump.rdb IS NOT LOADED"), "{}", server.log());
    assert_eq!(server.client().ask("SET k v"), Value::ok());
    assert_eq!(fs::read(server.folder.join("dump.rdb")).unwrap(), b"REDIS0011");
    server.stop();
}

#[test]
fn without_a_log_it_starts_where_nothing_can_be_written() {
    // Nobody makes files there, not even who may do everything.
    let server = Server::start("--shards 2 --appendonly no --dir /sys");
    assert_eq!(server.client().ask("SET k v"), Value::ok());
    assert!(server.log().contains("NOTHING WILL BE KEPT"), "{}", server.log());
    server.stop();
}

#[test]
fn a_log_where_nothing_can_be_written_refuses_the_start() {
    let folder = new_folder();
    let port = free_port().to_string();
    let output = run_to_end(&["--port", &port, "--dir", "/sys", "--appendonly", "yes"], &folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("data directory /sys"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_hangup_is_passed_over() {
    let mut server = Server::with_shards(2);
    for signal in ["HUP", "XFSZ", "PIPE"] {
        server.signal(signal);
        assert_eq!(server.client().ask("PING"), Value::Simple("PONG".into()), "{signal}");
    }
    server.signal("TERM");
    assert!(server.wait().success(), "{}", server.log());
}

#[test]
fn commands_go_by_the_names_that_the_configuration_gives() {
    let options = "--rename-command SET put --rename-command CONFIG settings";
    let server = Server::start(options);
    let mut client = server.client();
    assert_eq!(client.ask("put k v"), Value::ok());
    assert_eq!(client.ask("SETTINGS GET port").elements().len(), 2);
    for line in ["SET k w", "CONFIG GET port"] {
        let reply = client.ask(line);
        assert!(reply.error().starts_with("ERR unknown command"), "{line}: {reply:?}");
    }
    drop(client);
    let server = server.restart(options);
    assert_eq!(server.client().ask("GET k"), Value::bulk("v"));
    server.stop();
}

#[test]
fn it_says_what_it_is() {
    let folder = new_folder();
    for (argument, word) in
        [("--help", "--appendfsync"), ("--version", "bobbin "), ("--check-system", "io_uring")]
    {
        let output = run_to_end(&[argument], &folder);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(word), "{argument}: {output:?}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "answering leaves no files");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_port_in_use_is_named() {
    let server = Server::with_shards(1);
    let folder = new_folder();
    let port = server.port.to_string();
    let output = run_to_end(&["--port", &port, "--dir", "."], &folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
    assert_eq!(server.client().ask("PING"), Value::Simple("PONG".into()));
    fs::remove_dir_all(&folder).unwrap();
    server.stop();
}

#[test]
fn a_data_directory_has_one_server() {
    let server = Server::with_shards(2);
    assert_eq!(server.client().ask("SET k v"), Value::ok());
    let directory = server.folder.display().to_string();
    let port = free_port().to_string();
    let output = run_to_end(&["--port", &port, "--dir", &directory], &server.folder);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another server uses the data directory"), "{said}");
    assert_eq!(server.client().ask("GET k"), Value::bulk("v"));
    server.restart("--shards 2").stop();
}

#[test]
fn the_pid_file_lives_as_long_as_the_server() {
    let mut server = Server::start("--shards 1 --pidfile bobbin.pid");
    let path = server.folder.join("bobbin.pid");
    let written = || fs::read_to_string(&path).unwrap_or_default();
    wait_until("the pid file is written", || written().trim() == server.process().to_string());
    server.signal("INT");
    assert!(server.wait().success(), "{}", server.log());
    assert!(!path.exists());
}

#[test]
fn signals_under_load_lose_nothing_that_was_acknowledged() {
    for (signal, shards) in [("TERM", 2), ("INT", 5)] {
        let mut server = Server::with_shards(shards);
        let counts: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (writer, acknowledged) in counts.iter().enumerate() {
                let mut client = server.client();
                let over = &over;
                scope.spawn(move || {
                    let mut number = 0;
                    while !over.load(Ordering::Relaxed) {
                        let mut bytes = Vec::new();
                        for step in 0..20 {
                            encode_line(&format!("SET w{writer}:{} x", number + step), &mut bytes);
                        }
                        if client.send_raw(&bytes).is_err() {
                            break;
                        }
                        for _ in 0..20 {
                            match client.receive() {
                                Ok(reply) => assert_eq!(reply, Value::ok()),
                                // What came at the end is whole replies.
                                Err(_) => return,
                            }
                            number += 1;
                            acknowledged.store(number, Ordering::Relaxed);
                        }
                    }
                });
            }
            // A reader of larger replies: the end may not tear one.
            let mut reader = server.client();
            reader.ask(&format!("SET value {}", "v".repeat(1000)));
            scope.spawn(move || {
                loop {
                    if reader.send_raw(&b"GET value\r\n".repeat(10)).is_err() {
                        break;
                    }
                    if (0..10).any(|_| reader.receive().is_err()) {
                        let rest = reader.receive_to_end().unwrap_or_default();
                        let torn = read_value(&rest).is_ok_and(|read| read.is_none());
                        assert!(rest.is_empty() || !torn, "torn: {} bytes", rest.len());
                        break;
                    }
                }
            });
            let busy = || counts.iter().all(|count| count.load(Ordering::Relaxed) > 200);
            wait_until("all writers are under way", busy);
            server.signal(signal);
            let status = server.wait();
            over.store(true, Ordering::Relaxed);
            assert!(status.success(), "{signal}: {status}\n{}", server.log());
        });
        // Another life of the same data, with another number of shards.
        let mut folder = PathBuf::new();
        std::mem::swap(&mut folder, &mut server.folder);
        let server = Server::start_in(folder, "--shards 3");
        let mut client = server.client();
        for (writer, acknowledged) in counts.iter().enumerate() {
            let acknowledged = acknowledged.load(Ordering::Relaxed);
            let keys: Vec<String> =
                (0..acknowledged).map(|number| format!("w{writer}:{number}")).collect();
            let there = client.ask(&format!("EXISTS {}", keys.join(" ")));
            assert_eq!(there, Value::Integer(acknowledged as i64), "{signal}, writer {writer}");
        }
        server.stop();
    }
}

#[test]
fn it_ends_though_clients_do_not_read() {
    let mut server = Server::with_shards(2);
    let mut client = server.client();
    client.ask(&format!("SET value {}", "v".repeat(100_000)));
    client.send_raw(&b"GET value\r\n".repeat(500)).unwrap();
    assert_eq!(server.client().ask("PING"), Value::Simple("PONG".into()));
    let began = std::time::Instant::now();
    server.signal("TERM");
    assert!(server.wait().success(), "{}", server.log());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn shutdown_is_an_end_in_order() {
    for line in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE NOW"] {
        let mut server = Server::with_shards(2);
        let mut client = server.client();
        assert_eq!(client.ask("SET k v"), Value::ok());
        client.send_raw(format!("{line}\r\n").as_bytes()).unwrap();
        assert_eq!(client.receive_to_end().unwrap(), b"", "{line}");
        assert!(server.wait().success(), "{}", server.log());
    }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let mut server = Server::with_shards(2);
    let mut client = server.client();
    let mut bytes = Vec::new();
    (0..1000).for_each(|number| encode_line(&format!("SET r:{number} {number}"), &mut bytes));
    client.pipeline(&bytes, 1000).unwrap();
    client.ask("DEL r:0 r:1 r:2");
    client.ask("EXPIRE r:3 10000");
    for shards in [5, 1, 2] {
        server = server.restart(&format!("--shards {shards}"));
        let mut client = server.client();
        assert_eq!(client.ask("DBSIZE"), Value::Integer(997));
        assert_eq!(client.ask("MGET r:3 r:999"), {
            Value::Array(vec![Value::bulk("3"), Value::bulk("999")])
        });
        assert!(client.ask("TTL r:3").number() > 9000);
    }
    server.stop();
}

#[test]
fn upstart_is_told_by_a_stop_and_the_score_is_set_at_start() {
    let folder = new_folder();
    let options = ["--supervised", "auto", "--oom-score-adj", "yes"];
    let values = ["--oom-score-adj-values", "7 200 800", "--appendonly", "no"];
    let port = free_port().to_string();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_bobbin"))
        .args(["--port", &port, "--dir"])
        .arg(&folder)
        .args(options.iter().chain(&values))
        .env("UPSTART_JOB", "bobbin")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    let read = |name: &str| {
        let path = format!("/proc/{}/{name}", child.id());
        fs::read_to_string(path).unwrap_or_default()
    };
    let number = |text: &str| text.trim().parse::<i32>().expect("a number");
    let own = number(&fs::read_to_string("/proc/self/oom_score_adj").expect("Linux has it"));
    wait_until("it stops", || read("status").contains("State:\tT"));
    assert_eq!(number(&read("oom_score_adj")), (own + 7).min(1000));
    let signal = |name: &str| {
        let process = child.id().to_string();
        std::process::Command::new("kill").args([name, &process]).status().expect("kill runs")
    };
    assert!(signal("-CONT").success() && signal("-TERM").success());
    assert!(child.wait().expect("it ends").success());
    fs::remove_dir_all(&folder).expect("it was made here");
}
