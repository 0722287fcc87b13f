//! Values that travel: a command that needs keys of several shards in one place runs at home, on
//! what the shards lend it.
//!
//! What is only read, a shard lends as a copy, or itself where a copy would take long
//! (`Keyspace::lend_to_read`); what may change it lends itself: renaming a huge value moves a
//! pointer. Home puts all of it into a keyspace for *guests*, runs the command there as any shard
//! would, and sends back what was not a copy. What the command did to a key (records, events, that
//! it was modified) goes to the key's owner with it: `keyspace::Effects` has the contract. So the
//! owner logs `LPOP a`, and not what is left of a list.

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
    /// Whether it is only read.
    pub(crate) reads: bool,
}

/// A value that is wanted, or was lent.
pub(crate) struct Lent {
    pub(crate) loan: Loan,
    /// `None`: there is no such key, or it was not lent yet.
    pub(crate) value: Option<Taken<Object>>,
    /// Whether the owner has the value, too: then it need not come back.
    pub(crate) is_copy: bool,
    /// Whether the owner logs what happens to it.
    pub(crate) logged: bool,
}

impl Lent {
    /// What is to be lent.
    pub(crate) fn wanted(loan: Loan) -> Self {
        Self { loan, value: None, is_copy: false, logged: false }
    }
}

/// Memory that the keyspace for guests keeps for the next ones: four slabs of records. Mapping it
/// anew would take longer than most commands on guests.
const GUESTS_KEPT_BYTES_MAX: usize = 256 << 10;

/// Where guests are put up. Empty but while a command runs on them.
#[derive(Default)]
pub(crate) struct Guests {
    keyspace: Option<Box<Keyspace>>,
    /// What the command did to them, until it was handed out to their owners.
    pub(super) effects: Effects,
}

impl Core {
    /// Lends the value of a key that the borrower holds. `touch`: reading it is an access.
    pub(crate) fn lend(
        &mut self,
        lent: &mut Lent,
        (now_ms, touch): (i64, bool),
        logged: &mut LoggedCommands,
    ) {
        let Lent { loan, value, is_copy, .. } = lent;
        let shard = &mut self.shard;
        let mut step = Step { db: loan.db as usize, now_ms, effects: &mut shard.effects };
        if loan.reads {
            let read = shard.keyspace.lend_to_read(&mut step, &loan.key, touch);
            // What is not there need not come back either.
            *is_copy = read.as_ref().is_none_or(|(_, is_copy)| *is_copy);
            *value = read.map(|(value, _)| value);
        } else {
            *value = shard.keyspace.lend_to_write(&mut step, &loan.key);
        }
        lent.logged = shard.log.is_on();
        shard.keep_background(logged, now_ms);
    }

    /// Takes a value back, or the new one instead.
    pub(crate) fn take_back(&mut self, lent: Lent, now_ms: i64) {
        let Lent { loan, value, .. } = lent;
        let Some(value) = value else { return };
        let shard = &mut self.shard;
        let mut step = Step { db: loan.db as usize, now_ms, effects: &mut shard.effects };
        shard.keyspace.put(&mut step, &loan.key, value);
        // Who changed it has said so.
        shard.effects.clear();
    }

    /// Runs a command on what was lent for it. Its reply is appended to `out`; what has to go back
    /// is left in `lent`, what it did to whose keys in the effects of the guests. `may_wait`: as
    /// [`ShardRequest::may_wait`].
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
        let events = self.shard.effects.wanted().events;
        let records = lent.iter().any(|lent| lent.logged);
        effects.want(Wanted { events, modified: true, records });
        move_in(&mut keyspace, lent, now_ms, effects);
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
        debug_assert!(
            !(records && effects.logs_verbatim()),
            "'{}' has keys of several slots, and leaves its log to the request",
            command.command.spec.name
        );
        move_out(&mut keyspace, lent, now_ms, &mut self.shard.effects);
        self.shard.effects.clear();
        // Huge values that nobody wants any more are freed in slices, in the background.
        self.shard.keyspace.doomed_mut().take_over(keyspace.doomed_mut());
        self.shard.keyspace.take_stats_over(&mut keyspace);
        guests.keyspace = Some(keyspace);
        self.guests = guests;
        if self.statistics.is_notable(took_ns) {
            let (home, connection) = (self.mail.shard, sender.key);
            let (spec, arguments) = (&command.command.spec, command.arguments());
            self.note_long(Ran { home, connection, spec, arguments, took_ns });
        }
    }

    fn new_guest_keyspace(&mut self) -> Box<Keyspace> {
        let own = &mut self.shard.keyspace;
        let hasher = own.hasher();
        let mut keyspace = Keyspace::new(own.database_count(), hasher, *own.settings());
        // Chance on guests is no more the same everywhere than that of shards is.
        keyspace.seed(own.random());
        Box::new(keyspace)
    }
}

/// Puts guests up. Leaves nothing in `effects`.
fn move_in(keyspace: &mut Keyspace, lent: &mut [Lent], now_ms: i64, effects: &mut Effects) {
    for Lent { loan, value, .. } in lent {
        if let Some(value) = value.take() {
            let mut step = Step { db: loan.db as usize, now_ms, effects: &mut *effects };
            keyspace.put(&mut step, &loan.key, value);
        }
    }
    effects.clear();
}

/// Leaves in `lent` what has to go back, and nothing in the keyspace. What that leaves in `effects`
/// says nothing.
fn move_out(keyspace: &mut Keyspace, lent: &mut Vec<Lent>, now_ms: i64, effects: &mut Effects) {
    // What a pause hides goes back as it came.
    keyspace.set_expiry(ExpiryMode::Ignore);
    lent.retain_mut(|Lent { loan, value, is_copy, .. }| {
        let mut step = Step { db: loan.db as usize, now_ms, effects: &mut *effects };
        if *is_copy {
            keyspace.remove(&mut step, &loan.key);
        } else {
            *value = keyspace.take(&mut step, &loan.key);
        }
        !*is_copy
    });
    let is_large = keyspace.bytes_reserved() > GUESTS_KEPT_BYTES_MAX;
    for db in 0..keyspace.database_count() {
        if is_large || keyspace.key_count(db) > 0 {
            keyspace.flush(db, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use keyspace::{EventClass, Wanted};

    use crate::fixture::Fixture;
    use crate::shard::{TOLD, Told};

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
        // The value itself was lent, and has gone back: no copy but the one that was asked for.
        assert_eq!(server.ask(client, &format!("COPY {one} {other}")), ":1\r\n");
        assert_eq!(pending(&server), 0);
        assert_eq!(server.ask(client, &format!("STRLEN {one}")), format!(":{HUGE}\r\n"));
        // The value that was renamed over.
        assert_eq!(server.ask(client, &format!("RENAME {one} {other}")), "+OK\r\n");
        assert_eq!(pending(&server), 1);
        let strlen = server.ask(client, &format!("STRLEN {other}"));
        assert_eq!(strlen, format!(":{HUGE}\r\n"));
        assert_eq!(server.ask(client, &format!("EXISTS {one}")), ":0\r\n");
    }

    /// What a shard has told of since it was asked last.
    fn told(shard: usize) -> Vec<String> {
        let of_shard = |it: &mut Told| it.shard == shard;
        let told = TOLD.with_borrow_mut(|told| told.extract_if(.., of_shard).collect::<Vec<_>>());
        told.into_iter().map(|it| it.text).collect()
    }

    /// How these events of a key of database 0 are told of.
    fn of(names: &[&str], key: &str) -> Vec<String> {
        names.iter().map(|name| format!("0 {name} {key}")).collect()
    }

    #[test]
    fn events_of_lent_sets_arrive_where_their_keys_live() {
        let (mut server, client, one, other) = server();
        let events = EventClass::ALL.with(EventClass::NEW).with(EventClass::KEY_MISS);
        for core in &mut server.cores {
            core.shard.effects.want(Wanted { events, ..core.shard.effects.wanted() });
        }
        server.ask(client, &format!("SADD {one} x"));
        assert_eq!(server.ask(client, &format!("SMOVE {one} {other} x")), ":1\r\n");
        assert_eq!(told(0), of(&["new", "sadd", "srem", "del"], one));
        assert_eq!(told(1), of(&["new", "sadd"], other));
        server.ask(client, &format!("SADD {one} x y"));
        assert_eq!(server.ask(client, &format!("SDIFFSTORE {other} {one} {other}")), ":1\r\n");
        assert_eq!(told(0), of(&["new", "sadd"], one));
        assert_eq!(told(1), of(&["sdiffstore"], other));
        assert_eq!(server.ask(client, &format!("SINTERSTORE {one} {one} {{{one}}}none")), ":0\r\n");
        assert_eq!(server.ask(client, &format!("SUNION {one} {other}")), "*1\r\n$1\r\ny\r\n");
        assert_eq!(server.ask(client, &format!("EXISTS {one}")), ":0\r\n");
    }

    /// What is drawn by chance on guests is not the same on all homes.
    #[test]
    fn houses_of_guests_have_chances_of_their_own() {
        let (mut server, client, one, other) = server();
        let second = server.connect(1);
        for client in [client, second] {
            server.ask(client, &format!("SUNION {one} {other}"));
        }
        let guests = server.cores.iter_mut().filter_map(|core| core.guests.keyspace.as_mut());
        let drawn: Vec<u64> = guests.map(|keyspace| keyspace.random()).collect();
        assert!(drawn.len() == 2 && drawn[0] != drawn[1], "{drawn:?}");
    }

    #[test]
    fn events_of_lent_values_arrive_where_their_keys_live_and_in_order() {
        let (mut server, client, one, other) = server();
        let events = EventClass::ALL.with(EventClass::NEW).with(EventClass::KEY_MISS);
        for core in &mut server.cores {
            core.shard.effects.want(Wanted { events, ..core.shard.effects.wanted() });
        }
        server.ask(client, &format!("SET {one} v"));
        server.ask(client, &format!("RENAME {one} {other}"));
        assert_eq!(told(0), of(&["new", "set", "rename_from"], one));
        assert_eq!(told(1), of(&["new", "rename_to"], other));
        server.ask(client, "MULTI");
        for line in [
            format!("COPY {other} {one}"),
            format!("APPEND {one} x"),
            format!("BITOP OR {other} {one} {{{one}}}none"),
            format!("RENAME {one} {other}"),
        ] {
            server.ask(client, &line);
        }
        server.ask(client, "EXEC");
        let mut of_one = of(&["new", "copy_to", "append"], one);
        of_one.push(format!("0 keymiss {{{one}}}none"));
        of_one.extend(of(&["rename_from"], one));
        assert_eq!(told(0), of_one);
        assert_eq!(told(1), of(&["set", "rename_to"], other));
    }

    #[test]
    fn reads_of_what_was_lent_count_and_are_accesses_where_it_lives() {
        let (mut server, client, one, other) = server();
        server.ask(client, "CONFIG SET maxmemory-policy allkeys-lfu");
        server.ask(client, "CONFIG SET lfu-log-factor 0");
        server.ask(client, &format!("SET {other} v"));
        let counted = |server: &Fixture| {
            let stats = server.cores.iter().map(|core| *core.shard.keyspace.stats());
            stats.fold((0, 0), |sum, it| (sum.0 + it.hits, sum.1 + it.misses))
        };
        let before = counted(&server);
        assert_eq!(server.ask(client, &format!("COPY {other} {one}")), ":1\r\n");
        assert_eq!(server.ask(client, &format!("COPY {other}none {one}")), ":0\r\n");
        let (hits, misses) = counted(&server);
        assert_eq!((hits - before.0, misses - before.1), (1, 1));
        // A new key has 5.
        assert_eq!(server.ask(client, &format!("OBJECT FREQ {other}")), ":6\r\n");
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
