//! A disk that has no room, for a while.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::{Client, Value, encode_line, key_on, new_folder, wait_until};
use crate::{check_with_redis, port, start};

/// A server that may be forbidden to write: a write beyond its file size limit fails, as on a full
/// disk, instead of killing it.
struct Limited {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Limited {
    fn start(folder: PathBuf) -> Self {
        let port = port();
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\" > log 2>&1"])
            .arg(env!("CARGO_BIN_EXE_bobbin"))
            .args(["--shards", "2", "--dir", ".", "--port", &port.to_string()])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("sh runs");
        let limited = Self { child, port, folder };
        wait_until("it is ready", || limited.log().contains("Ready to accept"));
        limited
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn client(&self) -> Client {
        Client::connect(("127.0.0.1", self.port)).expect("it listens")
    }

    /// Whether the limit could be set.
    fn limit(&self, bytes: &str) -> bool {
        let process = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        let status = Command::new("prlimit").args(["--pid", &process, &limit]).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let server = Limited::start(new_folder());
    let keys = [key_on(0, 2, "k"), key_on(1, 2, "k")];
    let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
    for key in &keys {
        assert_eq!(clients[0].ask(&format!("SET {key} before")), Value::ok());
    }
    if !server.limit("20000") {
        return println!("skipped: prlimit cannot set a limit here");
    }
    // Of this one a part arrives, and is cut off again.
    let mut bytes = Vec::new();
    encode_line(&format!("SET {} {}", keys[0], "x".repeat(50_000)), &mut bytes);
    let mut writer = server.client();
    writer.send_raw(&bytes).expect("it is sent");
    wait_until("the log fails", || server.log().contains("Writing the append-only segment failed"));
    for client in &mut clients {
        for key in &keys {
            let error = client.ask(&format!("SET {key} refused"));
            assert_eq!(error.error(), "MISCONF Errors writing to the AOF file: File too large");
        }
        assert_eq!(client.ask(&format!("GET {}", keys[1])).text(), "before");
        assert_eq!(client.ask(&format!("STRLEN {}", keys[0])).number(), 50_000);
        assert_eq!(client.ask("DBSIZE").number(), 2);
        assert_eq!(client.ask(&format!("MGET {} {}", keys[0], keys[1])).elements().len(), 2);
        let error = client.ask(&format!("MSET {} 1 {} 2", keys[0], keys[1]));
        assert!(error.error().starts_with("MISCONF"));
    }
    assert!(server.limit("unlimited"));
    assert_eq!(writer.receive().expect("it is answered"), Value::ok());
    for client in &mut clients {
        assert!(client.ask(&format!("APPEND {} y", keys[0])).number() > 50_000);
        assert_eq!(client.ask(&format!("SET {} after", keys[1])), Value::ok());
    }
    let folder = server.folder.clone();
    drop(server);
    let server = start(folder, "--shards 2");
    let mut client = server.client();
    assert_eq!(client.ask(&format!("STRLEN {}", keys[0])).number(), 50_004);
    assert_eq!(client.ask(&format!("GET {}", keys[1])).text(), "after");
    check_with_redis(&server.folder);
}
