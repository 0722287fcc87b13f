//! Random commands of which one client can tell what they answer, wherever the keys live.

use testing::Random;

/// What a client sends.
pub(super) struct Script {
    /// Commands, as words without quotes.
    pub(super) lines: Vec<String>,
    /// Whether they are sent as lines: those are not run in rounds, as arrays are.
    inline: bool,
}

/// Commands on keys. `K` is a key, `V` a value that no other command has, `N` a number, `L` a long
/// text, `D` a database.
const COMMANDS: &[&str] = &[
    "SET K V",
    "SET K V",
    "SET K V",
    "SET K N",
    "GET K",
    "GET K",
    "GET K",
    "GETDEL K",
    "GETSET K V",
    "SETNX K V",
    "SET K V GET",
    "SETEX K 100 V",
    "APPEND K L",
    "APPEND K V",
    "SETRANGE K 5 V",
    "GETRANGE K 1 20",
    "STRLEN K",
    "INCR K",
    "INCRBY K N",
    "INCRBYFLOAT K 0.5",
    "SETBIT K 9 1",
    "BITCOUNT K",
    "BITFIELD K INCRBY u8 0 3",
    "BITOP OR K K K",
    "BITOP NOT K K",
    "LCS K K",
    "SADD K V N",
    "SADD K N N N",
    "SADD K x y z",
    "SADD K x y L",
    "SREM K x N",
    "SISMEMBER K x",
    "SMISMEMBER K x y N",
    "SCARD K",
    "SMEMBERS K",
    "SMOVE K K x",
    "SMOVE K K y",
    "SINTER K K",
    "SINTERCARD 2 K K",
    "SDIFF K K K",
    "SUNION K K",
    "SINTERSTORE K K K",
    "SUNIONSTORE K K K",
    "SDIFFSTORE K K K",
    "SSCAN K 0",
    "SPOP K 1000",
    "MGET K K K",
    "MGET K K K",
    "MSET K V K V K V",
    "MSET K V K V",
    "MSETNX K V K V",
    "DEL K K",
    "DEL K",
    "UNLINK K K K",
    "EXISTS K K K",
    "TOUCH K K",
    "TYPE K",
    "OBJECT ENCODING K",
    "PEXPIRE K 5000",
    "PEXPIRE K 0",
    "PTTL K",
    "PERSIST K",
    "RENAME K K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K",
    "COPY K K REPLACE",
    "COPY K K DB D",
    "MOVE K D",
    "SELECT D",
    "SELECT D",
    "SELECT D",
    "RPUSH K V N",
    "LPUSH K V",
    "LPOP K",
    "RPOP K 2",
    "LRANGE K 0 -1",
    "LMOVE K K LEFT RIGHT",
    "RPOPLPUSH K K",
    "LMPOP 3 K K K LEFT COUNT 2",
    "DBSIZE",
    "PING",
    "ECHO V",
    // Refused: when it is sent, or when it runs.
    "INCR K K",
    "MSET K V K",
    "NOSUCH K",
    "EXPIRE K soon",
];

/// Commands on all keys or on the session, once in a while.
const RARE: &[&str] = &[
    "FLUSHDB",
    "FLUSHALL",
    "SWAPDB 0 1",
    "SWAPDB 0 1",
    "HELLO 2",
    "HELLO 3",
    "RESET",
    "CLIENT ID",
    "CLIENT SETNAME V",
    "CLIENT GETNAME",
    "UNWATCH",
    "EXEC",
    "DISCARD",
];

/// Commands on one key, `KEY`: an EXEC of these runs on one shard.
const ON_ONE_KEY: &[&str] = &[
    "GET KEY",
    "SET KEY V",
    "SET KEY N",
    "INCR KEY",
    "APPEND KEY L",
    "GETDEL KEY",
    "SADD KEY V x",
    "SREM KEY x",
    "SMEMBERS KEY",
];

/// Commands that wait unless `KEY` is there.
const WAITING: &[&str] = &["BTAKE K KEY K 0", "BTAKE KEY 0", "BMOVE KEY K 0"];

/// The commands of a run.
pub(super) fn of(random: &mut Random) -> Script {
    let inline = random.one_in(4);
    let length = random.between(5, 60);
    let mut lines = Lines { random, lines: Vec::new() };
    while lines.lines.len() < length {
        lines.add_some();
    }
    Script { lines: lines.lines, inline }
}

impl Script {
    /// The first `count` commands, as they are sent.
    pub(super) fn bytes(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in &self.lines[..count] {
            if self.inline {
                bytes.extend_from_slice(line.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            } else {
                testing::encode(&line.split(' ').collect::<Vec<_>>(), &mut bytes);
            }
        }
        bytes
    }
}

/// Commands that are being thought up.
struct Lines<'a> {
    random: &'a mut Random,
    lines: Vec<String>,
}

impl Lines<'_> {
    /// A command, or some that belong together.
    fn add_some(&mut self) {
        match self.random.below(40) {
            0..=7 => self.add_transaction(),
            8 => self.add("CLIENT REPLY SKIP"),
            9 if self.random.one_in(3) => self.add_unanswered(),
            10 => self.add_waiting(),
            11 => self.add("WATCH K K"),
            12 => self.add_one_of(RARE),
            _ => self.add_one_of(COMMANDS),
        }
    }

    fn add_transaction(&mut self) {
        if self.random.one_in(3) {
            self.add("WATCH K K");
            if self.random.one_in(3) {
                self.add_one_of(COMMANDS);
            }
        }
        self.add("MULTI");
        // Some have more commands than what is sent together.
        let count = if self.random.one_in(20) { 80 } else { self.random.below(8) };
        let one = self.random.one_in(3).then(|| self.key());
        for _ in 0..count {
            match &one {
                Some(key) => {
                    let command = self.random.pick(ON_ONE_KEY).replace("KEY", key);
                    self.add(&command);
                }
                None if self.random.one_in(20) => self.add_waiting(),
                None if self.random.one_in(20) => self.add_one_of(RARE),
                None => self.add_one_of(COMMANDS),
            }
        }
        let end = if self.random.one_in(12) { "DISCARD" } else { "EXEC" };
        self.add(end);
    }

    /// Commands whose replies are not sent.
    fn add_unanswered(&mut self) {
        self.add("CLIENT REPLY OFF");
        for _ in 0..self.random.below(8) {
            self.add_one_of(COMMANDS);
        }
        if self.random.one_in(2) {
            self.add_transaction();
        }
        self.add("CLIENT REPLY ON");
    }

    /// Commands that wait for keys, of which one is there.
    fn add_waiting(&mut self) {
        let key = self.key();
        self.add(&format!("SET {key} V"));
        let command = self.random.pick(WAITING).replace("KEY", &key);
        self.add(&command);
    }

    fn add_one_of(&mut self, commands: &[&str]) {
        let command = *self.random.pick(commands);
        self.add(command);
    }

    /// Adds a command, with something for each word of one letter.
    fn add(&mut self, command: &str) {
        let number = self.lines.len();
        let words: Vec<String> = command
            .split(' ')
            .enumerate()
            .map(|(at, word)| match word {
                "K" => self.key(),
                "V" => format!("v{number}.{at}"),
                "N" => number.to_string(),
                "L" => "long".repeat(self.random.between(1, 60)),
                "D" => self.random.below(2).to_string(),
                word => word.to_owned(),
            })
            .collect();
        self.lines.push(words.join(" "));
    }

    /// One of a few keys; some share a shard by their hash tag.
    fn key(&mut self) -> String {
        match self.random.one_in(10) {
            true => format!("{{t}}{}", self.random.below(2)),
            false => format!("k{}", self.random.below(7)),
        }
    }
}
