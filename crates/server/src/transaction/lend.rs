//! Values that travel: a command that needs keys of several shards in one place runs at home, on
//! what the shards lend it.
//!
//! A shard lends a copy of what is only read, and the value itself of what may change: renaming a
//! huge value moves a pointer. Home puts all of it into a keyspace for *guests*, runs the command
//! there as any shard would, and sends back what was not a copy. The owner logs the outcome, as
//! commands that make the value or delete the key.

use datatypes::Object;
use keyspace::{Effects, ExpiryMode, Keyspace, LoggedCommands, Step, Wanted};
use table::Taken;

use super::Sender;
use super::held_plan::Owned;
use crate::core::Core;
use crate::shard::{ShardRequest, Sink};
use crate::statistics::notable::Ran;

/// A key whose value is wanted.
pub(crate) struct Loan {
    pub(crate) db: u32,
    pub(crate) key: Box<[u8]>,
    /// The shard that has it.
    pub(crate) owner: u16,
    /// Whether a copy is enough.
    pub(crate) copy: bool,
}

/// A value that is wanted, or was lent.
pub(crate) struct Lent {
    pub(crate) loan: Loan,
    /// `None`: there is no such key, or it was not lent yet.
    pub(crate) value: Option<Taken<Object>>,
    /// Whether the borrower changed it.
    pub(crate) changed: bool,
}

impl Lent {
    /// What is to be lent.
    pub(crate) fn wanted(loan: Loan) -> Self {
        Self { loan, value: None, changed: false }
    }
}

/// Memory that the keyspace for guests keeps for the next ones: four slabs of records. Mapping it
/// anew would take longer than most commands on guests.
const GUESTS_KEPT_BYTES_MAX: usize = 256 << 10;

/// Where guests are put up. Empty but while a command runs on them.
#[derive(Default)]
pub(crate) struct Guests {
    keyspace: Option<Box<Keyspace>>,
    effects: Effects,
}

impl Core {
    /// Lends the value of a key that the borrower holds.
    pub(crate) fn lend(&mut self, lent: &mut Lent, now_ms: i64, logged: &mut LoggedCommands) {
        let Lent { loan, value, .. } = lent;
        let db = loan.db as usize;
        let shard = &mut self.shard;
        let mut step = Step { db, now_ms, effects: &mut shard.effects };
        *value = match loan.copy {
            true => shard.keyspace.copy(&mut step, &loan.key),
            false => shard.keyspace.take(&mut step, &loan.key),
        };
        shard.keep_background(logged, now_ms);
    }

    /// Takes a value back, or the new one instead.
    pub(crate) fn take_back(&mut self, lent: Lent, now_ms: i64, logged: &mut LoggedCommands) {
        let Lent { loan, value, changed } = lent;
        let db = loan.db as usize;
        let shard = &mut self.shard;
        let exists = value.is_some();
        if let Some(value) = value {
            let mut step = Step { db, now_ms, effects: &mut shard.effects };
            shard.keyspace.put(&mut step, &loan.key, value);
            shard.effects.clear();
        }
        if !changed {
            return;
        }
        if exists {
            shard.keyspace.log_record(db, &loan.key, logged);
        } else {
            logged.push(db, &[b"DEL", &loan.key]);
        }
        shard.effects.modified(db, &loan.key);
        shard.keep_background(logged, now_ms);
    }

    /// Runs a command on what was lent for it. Its reply is appended to `out`; what has to go back
    /// is left in `lent`. `may_wait`: as [`ShardRequest::may_wait`].
    pub(crate) fn run_on_lent(
        &mut self,
        (command, sender, now_ms): (&Owned, &Sender, i64),
        may_wait: bool,
        lent: &mut Vec<Lent>,
        out: &mut Vec<u8>,
    ) {
        let mut guests = std::mem::take(&mut self.guests);
        let mut keyspace = guests.keyspace.take().unwrap_or_else(|| self.new_guest_keyspace());
        keyspace.configure(*self.shard.keyspace.settings());
        keyspace.tick(now_ms);
        let effects = &mut guests.effects;
        effects.want(Wanted { modified: true, ..Wanted::default() });
        for Lent { loan, value, .. } in lent.iter_mut() {
            if let Some(value) = value.take() {
                let mut step = Step { db: loan.db as usize, now_ms, effects: &mut *effects };
                keyspace.put(&mut step, &loan.key, value);
            }
        }
        effects.clear();
        std::mem::swap(&mut self.shard.keyspace, &mut keyspace);
        std::mem::swap(&mut self.shard.effects, effects);
        let request = ShardRequest {
            command: command.command,
            number: command.number,
            arguments: command.arguments(),
            client: sender.client,
            now_ms,
            counted: true,
            may_wait,
        };
        let meters = (&mut self.statistics, &self.time);
        let took_ns = self.shard.run_to(&mut Sink::Nothing, &request, meters, out);
        std::mem::swap(&mut self.shard.keyspace, &mut keyspace);
        std::mem::swap(&mut self.shard.effects, effects);
        // What a pause hides goes back as it came.
        keyspace.set_expiry(ExpiryMode::Ignore);
        note_changed(lent, effects);
        lent.retain_mut(|Lent { loan, value, .. }| {
            let mut step = Step { db: loan.db as usize, now_ms, effects: &mut *effects };
            if loan.copy {
                keyspace.remove(&mut step, &loan.key);
            } else {
                *value = keyspace.take(&mut step, &loan.key);
            }
            !loan.copy
        });
        let is_large = keyspace.bytes_reserved() > GUESTS_KEPT_BYTES_MAX;
        for db in 0..keyspace.database_count() {
            if is_large || keyspace.key_count(db) > 0 {
                keyspace.flush(db, effects);
            }
        }
        effects.clear();
        // Huge values that nobody wants any more are freed in slices, in the background.
        self.shard.keyspace.doomed_mut().take_over(keyspace.doomed_mut());
        guests.keyspace = Some(keyspace);
        self.guests = guests;
        if self.statistics.is_notable(took_ns) {
            let (home, connection) = (self.mail.shard, sender.key);
            let (spec, arguments) = (&command.command.spec, command.arguments());
            self.note_long(Ran { home, connection, spec, arguments, took_ns });
        }
    }

    fn new_guest_keyspace(&self) -> Box<Keyspace> {
        let own = &self.shard.keyspace;
        let hasher = table::Hasher::new(self.shared.hash_seed);
        Box::new(Keyspace::new(own.database_count(), hasher, *own.settings()))
    }
}

/// Notes which of these were changed.
fn note_changed(lent: &mut [Lent], effects: &Effects) {
    let modified = || effects.modified_keys().map(|of| (of.db, of.key));
    let few = lent.len() <= FEW;
    let mut sorted: Vec<_> = if few { Vec::new() } else { modified().collect() };
    sorted.sort_unstable();
    for Lent { loan, changed, .. } in lent {
        let own = (loan.db as usize, &*loan.key);
        *changed = match few {
            true => modified().any(|it| it == own),
            false => sorted.binary_search(&own).is_ok(),
        };
    }
}

/// Of so many keys each is compared with all that were modified: sorting would take longer.
const FEW: usize = 4;

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    const HUGE: usize = 3 << 20;

    /// Two keys on different shards, and a server of which the first one's shard is home.
    fn server() -> (Fixture, crate::fixture::FixtureClient, &'static str, &'static str) {
        let mut server = Fixture::new(2);
        let names = ["a", "b", "c", "d", "e", "f"];
        let shard = |name: &&&str| spec::shard_of_slot(spec::slot_of(name.as_bytes()), 2);
        let one = names.iter().find(|name| shard(name) == 0).expect("six keys on two shards");
        let other = names.iter().find(|name| shard(name) == 1).expect("six keys on two shards");
        let client = server.connect(0);
        (server, client, one, other)
    }

    fn pending(server: &Fixture) -> u64 {
        server.cores.iter().map(|core| core.shard.keyspace.doomed().pending()).sum()
    }

    #[test]
    fn huge_guests_are_freed_in_slices() {
        let (mut server, client, one, other) = server();
        let huge = "x".repeat(HUGE);
        server.ask_words(client, &["SET", one, &huge]);
        // The copy that was lent goes when the command has made its own.
        assert_eq!(server.ask(client, &format!("COPY {one} {other}")), ":1\r\n");
        assert_eq!(pending(&server), 1);
        // The value that was renamed over.
        assert_eq!(server.ask(client, &format!("RENAME {one} {other}")), "+OK\r\n");
        assert_eq!(pending(&server), 2);
        let strlen = server.ask(client, &format!("STRLEN {other}"));
        assert_eq!(strlen, format!(":{HUGE}\r\n"));
        assert_eq!(server.ask(client, &format!("EXISTS {one}")), ":0\r\n");
    }

    #[test]
    fn the_house_of_guests_is_kept_but_not_what_is_in_it() {
        let (mut server, client, one, other) = server();
        server.ask(client, &format!("SET {one} v"));
        for (from, to) in [(one, other), (other, one), (one, other)] {
            assert_eq!(server.ask(client, &format!("RENAME {from} {to}")), "+OK\r\n");
            for guests in server.cores.iter().filter_map(|core| core.guests.keyspace.as_ref()) {
                assert!((0..guests.database_count()).all(|db| guests.key_count(db) == 0));
                assert!(guests.bytes_reserved() > 0 && guests.doomed().is_empty());
            }
        }
        assert_eq!(server.ask(client, &format!("GET {other}")), "$1\r\nv\r\n");
    }
}
