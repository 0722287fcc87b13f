//! A plan: all that is decided before a simulation begins, as plain data, so that it can be shrunk.
//!
//! What is left to the schedule (which core thread gets on, when bytes arrive) follows from
//! [`Plan::schedule`] while the simulation runs.

use testing::Random;

use crate::mix::{Mix, Writer};
use crate::model::{KEYS_MAX, SESSIONS_MAX};
use crate::operation::{Database, Operation};

/// A simulation to be run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What everything that is not planned follows from.
    pub(crate) schedule: u64,
    pub(crate) keys: Vec<String>,
    /// The lives of the server, one after another on one disk.
    pub(crate) eras: Vec<Era>,
}

/// A life of the server, from its start to its crash.
#[derive(Clone, Debug)]
pub(crate) struct Era {
    pub(crate) shards: usize,
    pub(crate) sync: Sync,
    /// Whether fsyncs take long.
    pub(crate) slow_syncs: bool,
    /// Whether some writes to the log are short.
    pub(crate) short_writes: bool,
    /// Whether core threads take turns between the steps of a tick, or whole ticks.
    pub(crate) fine: bool,
    pub(crate) sessions: Vec<Session>,
    pub(crate) fault: Fault,
    pub(crate) end: End,
}

/// `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    Always,
    EverySecond,
    No,
}

/// What is wrong with the disk in an era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// From one step to another only so many bytes more fit: on the disk, or (counted from the first
    /// again where there are fewer) of one shard's log.
    Full {
        from: u64,
        until: u64,
        bytes: u64,
        shard: Option<usize>,
    },
    /// From a step on every fsync fails.
    Syncs {
        from: u64,
    },
}

/// How an era ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It does not: the last one.
    Rest,
    /// Kill -9 at this step, or when all is done.
    Kill(u64),
    /// Kill -9 at this operation that changes the disk, from the start of the era on.
    KillAtDisk(u64),
    /// The machine loses power at this step, or when all is done.
    PowerLoss(u64),
}

/// A connection.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) home: usize,
    /// What it sends; one pipeline after the other.
    pub(crate) pipelines: Vec<Vec<Operation>>,
    /// How many operations may be under way when it sends the next pipeline.
    pub(crate) window: usize,
    pub(crate) pieces: Pieces,
    pub(crate) leaves: Leaves,
    /// Whether it begins when all others are done.
    pub(crate) is_last: bool,
}

/// How a pipeline's bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pieces {
    Whole,
    Commands,
    Anywhere,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// It does not.
    Stays,
    /// It stops sending after all was sent, and reads the rest.
    Finishes,
    /// It breaks any time after so many pipelines.
    Breaks(usize),
}

/// What may be wrong, and how large plans are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) shards_max: usize,
    pub(crate) mix: Mix,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64, scope: &Scope) -> Self {
        let mut random = Random::new(seed);
        let key_count = random.between(2, KEYS_MAX - 2);
        let keys = random.sample(key_count, 40).iter().map(|it| format!("k{it}")).collect();
        let mut drawing = Drawing {
            writer: Writer::new(scope.mix, key_count),
            scope,
            shards: shards(&mut random, scope.shards_max),
            keys: key_count,
            sessions: 1,
        };
        let lives = *random.pick(&[1, 1, 2, 2, 3, 4]);
        let mut eras: Vec<Era> = (0..lives).map(|_| drawing.era(&mut random, lives)).collect();
        eras.push(drawing.last_era(&mut random));
        Self { schedule: random.bits(), keys, eras }
    }

    /// How many operations there are.
    pub(crate) fn operations(&self) -> usize {
        let sessions = self.eras.iter().flat_map(|era| &era.sessions);
        sessions.flat_map(|session| &session.pipelines).map(Vec::len).sum()
    }
}

/// 1 to `most`, the small ones more often.
fn shards(random: &mut Random, most: usize) -> usize {
    random.pick(&[1, 2, 2, 2, 3, 3, 4, 5, 8, 16]).min(&most).to_owned()
}

struct Drawing<'a> {
    writer: Writer,
    scope: &'a Scope,
    shards: usize,
    keys: usize,
    /// Connections so far, with the one that looks at what is left in the end.
    sessions: usize,
}

impl Drawing<'_> {
    fn era(&mut self, random: &mut Random, lives: usize) -> Era {
        // Another number of shards now and then: recovery deals the keys out anew.
        if random.one_in(4) {
            self.shards = shards(random, self.scope.shards_max);
        }
        let clients = random.between(2, 5).min(SESSIONS_MAX - 1 - self.sessions);
        let commands_max = 36 / lives;
        let sessions = (0..clients).map(|_| self.session(random, commands_max / clients + 2));
        let mut sessions: Vec<Session> = sessions.collect();
        if self.sessions > 1 && !random.one_in(4) {
            // What is left of the last life.
            let pipelines = vec![look(0, self.keys), look(1, self.keys)];
            sessions.push(Session { pipelines, ..self.reader() });
        }
        self.sessions += sessions.len();
        let sync = *random.pick(&[Sync::Always, Sync::EverySecond, Sync::EverySecond, Sync::No]);
        // Most lives take 50 to 300 steps.
        let steps_max = *random.pick(&[80, 200, 400, 600]);
        let steps = random.between(1, steps_max) as u64;
        Era {
            shards: self.shards,
            sync,
            slow_syncs: random.one_in(2),
            short_writes: random.one_in(3),
            fine: !random.one_in(3),
            sessions,
            fault: Self::fault(sync, random),
            end: match random.below(6) {
                0..=3 if sync == Sync::Always => End::PowerLoss(steps),
                0 | 1 => End::KillAtDisk(random.between(1, 80) as u64),
                _ => End::Kill(steps),
            },
        }
    }

    fn fault(sync: Sync, random: &mut Random) -> Fault {
        let from = random.below(250) as u64;
        match random.below(12) {
            0 | 1 => {
                let (until, bytes) = (from + random.below(300) as u64, random.below(300) as u64);
                let shard = random.one_in(2).then(|| random.below(16));
                Fault::Full { from, until, bytes, shard }
            }
            2 if sync != Sync::No => Fault::Syncs { from },
            _ => Fault::None,
        }
    }

    fn session(&mut self, random: &mut Random, commands_max: usize) -> Session {
        let mut pipelines = Vec::new();
        self.writer.begin_session();
        let mut left = random.between(1, commands_max.max(1));
        while left > 0 {
            let count = *random.pick(&[1, 1, 2, 3, 5, 8]).min(&left);
            pipelines.push((0..count).map(|_| self.writer.draw(random)).collect());
            left -= count;
        }
        let leaves = match random.below(8) {
            0 => Leaves::Breaks(random.between(1, pipelines.len())),
            1 => Leaves::Finishes,
            _ => Leaves::Stays,
        };
        Session {
            home: random.below(self.shards),
            pipelines,
            window: *random.pick(&[0, 0, 2, 8]),
            pieces: *random.pick(&[Pieces::Whole, Pieces::Commands, Pieces::Anywhere]),
            leaves,
            is_last: false,
        }
    }

    /// What is left in the end: every key is read.
    fn last_era(&mut self, random: &mut Random) -> Era {
        let mut all = Vec::new();
        for database in 0..2 {
            all.extend(look(database, self.keys));
            all.extend((0..self.keys).map(Operation::Get));
            all.push(Operation::Count);
        }
        let session = Session { pipelines: vec![all], is_last: true, ..self.reader() };
        Era {
            shards: if random.one_in(3) {
                shards(random, self.scope.shards_max)
            } else {
                self.shards
            },
            sync: Sync::EverySecond,
            slow_syncs: false,
            short_writes: false,
            fine: false,
            sessions: vec![session],
            fault: Fault::None,
            end: End::Rest,
        }
    }

    fn reader(&self) -> Session {
        Session {
            home: self.shards - 1,
            pipelines: Vec::new(),
            window: 0,
            pieces: Pieces::Whole,
            leaves: Leaves::Stays,
            is_last: false,
        }
    }
}

/// A pipeline that reads a database.
fn look(database: Database, keys: usize) -> Vec<Operation> {
    vec![Operation::Select(database), Operation::GetMany((0..keys).collect())]
}
