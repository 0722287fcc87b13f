//! A small server around the log, over a disk in memory: shards with inboxes, ticks, messages
//! about written parts, replies that wait. It keeps what the log promises to whom, so that after
//! a crash the recovered state can be compared with every state that is allowed.
//!
//! A key holds the list of the writes it got. The model of a shard is the list of its steps, each
//! with the position behind it: what recovery must give is exactly the steps before its cut.

mod command;

use std::collections::{BTreeMap, VecDeque};

use durability::{
    FsyncPolicy, Gate, Ledger, LogDirectory, LogNames, OpenMode, Part, Participants, Progress,
    Record, RecoveryError, RecoveryPlan, Replay, Scope, Segment, SlotTies, Storage, StorageError,
    Stray, Tail, TornTail, TransactionId, scan,
};
use testing::{MemoryFile, MemoryStorage};

pub(crate) use self::command::{Command, State, encode, shard_of};
use self::command::{SLOTS, shard_of_slot, slot_of};

/// What a client asked for: the commands of each shard that takes part.
#[derive(Debug, Clone)]
struct Request {
    commands: BTreeMap<u16, Vec<Command>>,
    /// The position behind it on each shard that has run it.
    ends: BTreeMap<u16, u64>,
    acknowledged: bool,
}

struct Shard {
    segment: Segment,
    gate: Gate,
    file: MemoryFile,
    path: String,
    inbox: VecDeque<usize>,
    /// Whether the ledger has something new for it.
    has_word: bool,
    /// Requests in the order this shard ran them.
    ran: Vec<usize>,
    counter: u64,
}

/// A server of some shards.
pub(crate) struct Rig {
    storage: MemoryStorage,
    shards: Vec<Shard>,
    ledger: Ledger,
    requests: Vec<Request>,
    /// The state when this server started.
    recovered: State,
    now_ms: u64,
    ids: BTreeMap<usize, TransactionId>,
    written_failures: u64,
    /// The shard whose disk refuses to sync.
    unsyncable: Option<u16>,
}

/// A generator (xorshift): the same seed, the same run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// What a start found.
pub(crate) struct Started {
    pub(crate) tails: Vec<Tail>,
    pub(crate) state: State,
    pub(crate) plan: RecoveryPlan,
    /// Where each path is to end, for those that are cut.
    pub(crate) cuts: BTreeMap<String, u64>,
    pub(crate) strays: Vec<Stray>,
}

/// Opens and recovers, as a server of `shards` shards does at start.
pub(crate) fn start<S: Storage>(storage: &S, shards: u16) -> Result<Started, RecoveryError> {
    start_with(storage, shards, TornTail::Cut)
}

pub(crate) fn start_with<S: Storage>(
    storage: &S,
    shards: u16,
    torn: TornTail,
) -> Result<Started, RecoveryError> {
    let mut directory = LogDirectory::open(storage, LogNames::default())?;
    let indexes = directory
        .segments()
        .iter()
        .map(|source| scan(storage, source))
        .collect::<Result<Vec<_>, _>>()?;
    let plan = directory.plan(indexes, shards, torn)?;
    let cuts = plan.cuts().iter().map(|cut| (cut.path.clone(), cut.offset)).collect();
    let tails = directory.resume(storage, &plan, shards)?;
    let mut state = State::new();
    for shard in 0..shards {
        state.extend(replay(storage, &plan, shard, shards)?);
    }
    let strays = directory.strays().to_vec();
    Ok(Started { tails, state, plan, cuts, strays })
}

/// One shard's share of the state.
pub(crate) fn replay<S: Storage>(
    storage: &S,
    plan: &RecoveryPlan,
    shard: u16,
    shards: u16,
) -> Result<State, RecoveryError> {
    let needed = collect_ties(storage, plan, shards)?
        .map_or_else(Vec::new, |mut ties| ties.needed(|slot| shard_of_slot(slot, shards) == shard));
    let alone = (0..SLOTS)
        .zip(&needed)
        .all(|(slot, &needed)| !needed || shard_of_slot(slot, shards) == shard);
    let mut replay = if alone { Replay::new(plan, shard, shards) } else { Replay::all(plan) };
    let mut state = State::new();
    let apply = |state: &mut State, record: Record<'_>| {
        let command = Command::parse(&record)?;
        let slots: Vec<u16> = command.keys().into_iter().map(slot_of).collect();
        match record.scope {
            Scope::Shared if slots.is_empty() => panic!("{command:?} concerns all keys"),
            Scope::Shared if !needed[usize::from(slots[0])] => {}
            Scope::Own if slots.iter().any(|&slot| shard_of_slot(slot, shards) != shard) => {
                return Err(format!("{command:?} is another shard's"));
            }
            _ => command.run(state),
        }
        Ok(())
    };
    while replay.step(storage, 64, |record| apply(&mut state, record))? == Progress::More {}
    assert_eq!(replay.bytes_done(), replay.bytes_total());
    state.retain(|(_, key), _| shard_of(key, shards) == shard);
    Ok(state)
}

/// The ties of the log; `None` if every shard has a chain of its own in every generation.
fn collect_ties<S: Storage>(
    storage: &S,
    plan: &RecoveryPlan,
    shards: u16,
) -> Result<Option<SlotTies>, RecoveryError> {
    if plan.is_own(shards) {
        return Ok(None);
    }
    let mut ties = SlotTies::new(SLOTS);
    let mut replay = Replay::all(plan);
    let mut collect = |record: Record<'_>| {
        if let Command::Copy { from, to, .. } = Command::parse(&record)? {
            ties.tie(slot_of(&from), slot_of(&to));
        }
        Ok(())
    };
    while replay.step(storage, 1 << 20, &mut collect)? == Progress::More {}
    Ok(Some(ties))
}

impl Rig {
    /// A server on what `started` found.
    pub(crate) fn new(storage: &MemoryStorage, started: &Started, policy: FsyncPolicy) -> Self {
        let shard = |(number, tail): (usize, &Tail)| Shard {
            segment: Segment::resume(tail.position, policy, 0),
            gate: Gate::new(number as u16),
            file: storage.open(&tail.path, OpenMode::Append).unwrap(),
            path: tail.path.clone(),
            inbox: VecDeque::new(),
            has_word: false,
            ran: Vec::new(),
            counter: tail.counter,
        };
        Self {
            storage: storage.clone(),
            shards: started.tails.iter().enumerate().map(shard).collect(),
            ledger: Ledger::new(started.tails.len()),
            requests: Vec::new(),
            recovered: started.state.clone(),
            now_ms: 0,
            ids: BTreeMap::new(),
            written_failures: 0,
            unsyncable: None,
        }
    }

    fn shard_count(&self) -> u16 {
        self.shards.len() as u16
    }

    /// A client asks for something random.
    pub(crate) fn request(&mut self, random: &mut Random, write: u64) {
        let shards = self.shard_count();
        let mut commands: BTreeMap<u16, Vec<Command>> = BTreeMap::new();
        let sweep = match random.below(40) {
            0 => Some(Command::FlushAll),
            1 => Some(Command::FlushDb(random.below(2) as u32)),
            2 => Some(Command::SwapDb(0, 1)),
            _ => None,
        };
        let keys = match random.below(3) {
            0 => 1 + random.below(4),
            _ => 1,
        };
        let push = |random: &mut Random, commands: &mut BTreeMap<u16, Vec<Command>>| {
            let key = format!("key{}", random.below(30));
            let db = u32::from(random.below(5) == 0);
            commands.entry(shard_of(&key, shards)).or_default().push(Command::Push {
                db,
                key,
                write,
            });
        };
        for _ in 0..keys {
            push(random, &mut commands);
        }
        let (from, to) = (format!("key{}", random.below(30)), format!("key{}", random.below(30)));
        if random.below(2) == 0 && shard_of(&from, shards) == shard_of(&to, shards) {
            let shard = shard_of(&from, shards);
            commands.entry(shard).or_default().push(Command::Copy { db: 0, from, to });
        }
        if let Some(sweep) = sweep {
            for shard in 0..shards {
                commands.entry(shard).or_default().push(sweep.clone());
            }
            push(random, &mut commands);
        }
        let number = self.requests.len();
        if commands.len() > 1 {
            let home = random.below(u64::from(shards)) as u16;
            let counter = &mut self.shards[usize::from(home)].counter;
            self.ids.insert(number, TransactionId::new(home, *counter));
            *counter += 1;
        }
        for &shard in commands.keys() {
            self.shards[usize::from(shard)].inbox.push_back(number);
        }
        self.requests.push(Request { commands, ends: BTreeMap::new(), acknowledged: false });
    }

    /// One tick of one shard: its inbox, its write, its replies.
    pub(crate) fn tick(&mut self, number: u16, random: &mut Random) -> Result<(), StorageError> {
        self.now_ms += random.below(300);
        let work = random.below(4);
        for _ in 0..work {
            let Some(request) = self.shards[usize::from(number)].inbox.pop_front() else { break };
            self.run(number, request);
        }
        let now_ms = self.now_ms;
        let shard = &mut self.shards[usize::from(number)];
        if std::mem::take(&mut shard.has_word) {
            shard.gate.listen(&self.ledger);
        }
        self.write(number, random)?;
        let shard = &mut self.shards[usize::from(number)];
        if let Some(position) = shard.segment.poll_sync(now_ms) {
            if self.unsyncable == Some(number) {
                shard.segment.handle_sync_error(&std::io::Error::from_raw_os_error(5));
                shard.gate.lose_from(shard.segment.acknowledged());
                self.announce(number);
                return Ok(());
            }
            match self.storage.sync(&shard.file) {
                Ok(()) => shard.segment.handle_synced(position),
                Err(error) if self.storage.is_frozen() => return Err(error),
                Err(error) => shard.segment.handle_sync_error(&error.source),
            }
        }
        self.announce(number);
        self.acknowledge();
        Ok(())
    }

    fn run(&mut self, number: u16, request: usize) {
        let shard = &mut self.shards[usize::from(number)];
        let commands = &self.requests[request].commands[&number];
        let id = self.ids.get(&request).copied();
        let participants: Participants = self.requests[request].commands.keys().copied().collect();
        let start = id.map(|id| shard.segment.begin_part(id, &participants));
        if commands.len() > 1 {
            shard.segment.begin_unit();
        }
        for command in commands {
            let (db, record) = command.record();
            shard.segment.record(db, &record);
        }
        if commands.len() > 1 {
            shard.segment.end_unit();
        }
        if let (Some(id), Some(start)) = (id, start) {
            let end = shard.segment.end_part();
            shard.gate.begin(Part { id, start, end, participants });
        }
        shard.ran.push(request);
        let end = shard.segment.appended();
        self.requests[request].ends.insert(number, end);
    }

    fn write(&mut self, number: u16, random: &mut Random) -> Result<(), StorageError> {
        let shard = &mut self.shards[usize::from(number)];
        if let Some(length) = shard.segment.poll_truncate() {
            let result = self.storage.truncate(&mut shard.file, length);
            if self.storage.is_frozen() {
                return result;
            }
            shard.segment.handle_truncated(&result.map_err(|error| error.source));
        }
        while let Some(bytes) = shard.segment.poll_write(self.now_ms) {
            // The system may take a piece only.
            let piece = 1 + random.below(bytes.len() as u64 * 2) as usize;
            let bytes = bytes[..piece.min(bytes.len())].to_vec();
            let before = self.storage.file_bytes(&shard.file)?;
            assert_eq!(before, shard.segment.write_position());
            let result = self.storage.append(&mut shard.file, &bytes);
            if self.storage.is_frozen() {
                return result;
            }
            let arrived = self.storage.file_bytes(&shard.file)? - before;
            if arrived > 0 {
                shard.segment.handle_written(arrived as usize);
            }
            if let Err(error) = result {
                shard.segment.handle_write_error(&error.source, self.now_ms);
                self.written_failures += 1;
                break;
            }
        }
        Ok(())
    }

    /// Tells the others of parts that are written here, or lost.
    fn announce(&mut self, number: u16) {
        let shard = &mut self.shards[usize::from(number)];
        let acknowledged = shard.segment.acknowledged();
        if shard.gate.has_news(acknowledged) {
            for other in shard.gate.tell(&mut self.ledger, acknowledged).iter() {
                self.shards[usize::from(other)].has_word = true;
            }
        }
    }

    /// From now on the syncs of one shard fail.
    pub(crate) fn fail_syncs_of(&mut self, shard: u16) {
        self.unsyncable = Some(shard);
    }

    /// Requests that wait for something: neither acknowledged nor lost on any of their shards.
    pub(crate) fn waiting(&self) -> usize {
        let waits = |request: &&Request| {
            let is_lost = |(shard, end): (&u16, &u64)| {
                *end > self.shards[usize::from(*shard)].gate.lost_position()
            };
            !request.acknowledged && !request.ends.iter().any(is_lost)
        };
        self.requests.iter().filter(waits).count()
    }

    /// Acknowledges every request whose shards all let its reply go.
    fn acknowledge(&mut self) {
        let released: Vec<u64> = self
            .shards
            .iter()
            .map(|shard| shard.gate.release_position(shard.segment.acknowledged()))
            .collect();
        for request in &mut self.requests {
            let ready = request.commands.keys().all(|shard| {
                request.ends.get(shard).is_some_and(|&end| end <= released[usize::from(*shard)])
            });
            request.acknowledged |= ready;
        }
    }

    pub(crate) fn refusing(&self) -> bool {
        self.shards.iter().any(|shard| shard.segment.refusal().is_some())
    }

    pub(crate) fn write_failures(&self) -> u64 {
        self.written_failures
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.requests.iter().filter(|request| !request.acknowledged).count()
    }

    /// Checks what a start after a crash found against what this server promised, and panics with
    /// the reason if it is not allowed.
    pub(crate) fn check(&self, after: &MemoryStorage, started: &Started) {
        let mut expected = State::new();
        for shard in self
            .shards
            .iter()
            .zip(0..)
            .map(|(shard, number)| self.check_shard(after, started, shard, number))
        {
            expected.extend(shard);
        }
        assert_eq!(started.state, expected, "the recovered state is not the cut's");
        for (number, request) in self.requests.iter().enumerate() {
            let kept: Vec<bool> = request
                .commands
                .keys()
                .map(|shard| self.is_kept(after, started, *shard, number))
                .collect();
            let all = kept.iter().all(|&kept| kept);
            let none = kept.iter().all(|&kept| !kept);
            assert!(all || none, "transaction {number} is half there: {kept:?}");
            assert!(all || !request.acknowledged, "acknowledged request {number} is lost");
        }
    }

    fn is_kept(
        &self,
        after: &MemoryStorage,
        started: &Started,
        shard: u16,
        request: usize,
    ) -> bool {
        let limit = self.limit(after, started, &self.shards[usize::from(shard)]);
        self.requests[request].ends.get(&shard).is_some_and(|&end| end <= limit)
    }

    /// Where the shard's segment ended for recovery.
    fn limit(&self, after: &MemoryStorage, started: &Started, shard: &Shard) -> u64 {
        let bytes = after.content(&shard.path).expect("a listed segment").len() as u64;
        started.cuts.get(&shard.path).copied().unwrap_or(bytes)
    }

    /// The state that the shard's part of the cut stands for.
    fn check_shard(
        &self,
        after: &MemoryStorage,
        started: &Started,
        shard: &Shard,
        number: u16,
    ) -> State {
        let shards = self.shard_count();
        let own = |((_, key), _): &(&(u32, String), &Vec<u64>)| shard_of(key, shards) == number;
        let recovered = self.recovered.iter().filter(own);
        let mut state: State = recovered.map(|(key, value)| (key.clone(), value.clone())).collect();
        let limit = self.limit(after, started, shard);
        for &request in &shard.ran {
            if self.requests[request].ends[&number] <= limit {
                for command in &self.requests[request].commands[&number] {
                    command.run(&mut state);
                }
            }
        }
        state
    }
}
