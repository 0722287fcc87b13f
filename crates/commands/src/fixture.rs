//! A shard for tests of commands: runs command lines on a keyspace of its own, under a clock that
//! the test moves.

use keyspace::{Effects, EventClass, Keyspace, Settings, Wanted};
use resp::{Arguments, CommandError, Protocol, Span, Writer};
use table::Hasher;

use crate::{CommandLimits, FAMILIES, Outcome, ShardCommand, ShardContext, ShardPlace};

/// A shard, a client's database and protocol, and a clock.
pub(crate) struct Fixture {
    pub(crate) keyspace: Keyspace,
    /// Of the last command.
    pub(crate) effects: Effects,
    pub(crate) db: usize,
    pub(crate) now_ms: i64,
    pub(crate) limits: CommandLimits,
    pub(crate) shard: ShardPlace,
    pub(crate) no_touch: bool,
    pub(crate) protocol: Protocol,
}

impl Fixture {
    /// An empty shard with 16 databases, all effects wanted, on 2020-09-13.
    pub(crate) fn new() -> Self {
        let keyspace = Keyspace::new(16, Hasher::new(1), Settings::default());
        let mut effects = Effects::new();
        let everything = EventClass::ALL.with(EventClass::NEW).with(EventClass::KEY_MISS);
        effects.want(Wanted { events: everything, modified: true, ..Wanted::default() });
        let mut fixture = Self {
            keyspace,
            effects,
            db: 0,
            now_ms: 1_600_000_000_000,
            limits: CommandLimits::default(),
            shard: ShardPlace { index: 0, count: 1 },
            no_touch: false,
            protocol: Protocol::Resp2,
        };
        fixture.advance(0);
        fixture
    }

    /// Moves the clock.
    pub(crate) fn advance(&mut self, ms: i64) {
        self.now_ms += ms;
        self.keyspace.tick(self.now_ms);
    }

    /// Runs a command made of `words`: the bytes of its reply, an error's included.
    pub(crate) fn run_words(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        if let Err(error) = self.try_run(words, &mut out) {
            out.clear();
            Writer::new(&mut out, self.protocol).error(&error);
        }
        out
    }

    /// Runs a line whose words are separated by single spaces (`""` is an empty word): the reply as
    /// text.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line
            .split(' ')
            .map(|word| if word == "\"\"" { &[] } else { word.as_bytes() })
            .collect();
        String::from_utf8_lossy(&self.run_words(&words)).into_owned()
    }

    /// Runs lines and expects a reply of each.
    pub(crate) fn expect(&mut self, pairs: &[(&str, &str)]) {
        for (line, reply) in pairs {
            assert_eq!(self.run(line), *reply, "{line}");
        }
    }

    /// What the last command logs, each command as its words with its database in front: what comes
    /// before it, and itself (`"0 *"` where it is logged as it came).
    pub(crate) fn logged(&self) -> Vec<String> {
        let text = |(db, bytes): (usize, &[u8])| {
            let words = String::from_utf8_lossy(bytes).into_owned();
            let words: Vec<&str> = words.split("\r\n").skip(2).step_by(2).collect();
            format!("{db} {}", words.join(" "))
        };
        let before = self.effects.before().iter().map(text);
        let itself = self.effects.logs_verbatim().then(|| format!("{} *", self.db));
        before.chain(itself).chain(self.effects.records().iter().map(text)).collect()
    }

    /// The events of the last command, `name key` each.
    pub(crate) fn events(&self) -> Vec<String> {
        let text =
            |it: keyspace::Event<'_>| format!("{} {}", it.name, String::from_utf8_lossy(it.of.key));
        self.effects.events().map(text).collect()
    }

    fn try_run(&mut self, words: &[&[u8]], out: &mut Vec<u8>) -> Result<Outcome, CommandError> {
        let bytes = words.concat();
        let mut spans = Vec::new();
        let mut start = 0;
        for word in words {
            let end = start + word.len();
            spans.push(Span { start: start as _, end: end as _ });
            start = end;
        }
        self.effects.clear();
        let command = command(words);
        let arity = command.spec.arity;
        if !arity.admits(words.len()) {
            return Err(CommandError::WrongArity(command.spec.name));
        }
        let mut context = ShardContext {
            keyspace: &mut self.keyspace,
            db: self.db,
            now_ms: self.now_ms,
            effects: &mut self.effects,
            limits: &self.limits,
            shard: self.shard,
            no_touch: self.no_touch,
        };
        let mut writer = Writer::new(out, self.protocol);
        command.run.call(&mut context, Arguments::new(&bytes, &spans), &mut writer)
    }
}

/// The command that `words` name.
pub(crate) fn command(words: &[&[u8]]) -> &'static ShardCommand {
    let is = |name: &str| match name.split_once('|') {
        Some((container, name)) => {
            words[0].eq_ignore_ascii_case(container.as_bytes())
                && words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        }
        None => words[0].eq_ignore_ascii_case(name.as_bytes()),
    };
    let debug = std::iter::once(&crate::DEBUG_COMMANDS);
    let all = FAMILIES.iter().chain(debug).flat_map(|family| family.iter());
    all.copied().find(|it| is(it.spec.name)).expect("a command of some family")
}
