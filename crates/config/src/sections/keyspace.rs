//! Databases, expiry, notifications.

use crate::declare::{Blank, flag, integer, section};
use crate::kind::{Kind, List, Occasion};
use crate::parameter::{Act, Parameter};
use crate::reason::Reason;
use crate::split;

section! {
    /// Databases and the background work on them.
    pub struct Keyspace {
        /// Databases, numbered from 0; at least 1.
        pub databases: u32,
        /// How hard expired keys are looked for, 1 to 10.
        pub expire_effort: u32,
        /// Which events are published.
        pub notify: Notify,
        /// Times a second that background work runs, 1 to 500.
        pub hz: u32,
        /// Run it more often with many clients.
        pub dynamic_hz: bool,
        /// Spend time on resizing the table while idle.
        pub active_rehashing: bool,
    }
    in keyspace
}

/// `notify-keyspace-events`: a set of classes, each a letter. Nothing is published unless `K` or
/// `E` and at least one class are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notify(u16);

/// Letters in the order in which CONFIG GET shows them; the bit is the index.
const LETTERS: &[u8] = b"g$lshzxetdnKEm";
/// `A` stands for all classes of the first eleven letters but `n`, which is off unless asked for.
const ALL: u16 = (1 << 10) - 1;
/// `n` is not shown beside `A`, as in Redis.
const NEW_BIT: u16 = 1 << 10;

impl Notify {
    /// Whether events of the class `letter` (one of ``g$lshzxetdnm``, `K` or `E`) are on.
    pub fn has(self, letter: u8) -> bool {
        LETTERS.iter().position(|one| *one == letter).is_some_and(|index| self.0 >> index & 1 == 1)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut bits = 0;
        for letter in text {
            bits |= match letter {
                b'A' => ALL,
                _ => 1 << LETTERS.iter().position(|one| one == letter)?,
            };
        }
        Some(Self(bits))
    }

    /// As CONFIG GET shows it: `A` for all classes, then K, E, m.
    fn show(self) -> Vec<u8> {
        let all = self.0 & ALL == ALL;
        let covered = if all { ALL | NEW_BIT } else { 0 };
        let shown = self.0 & !covered;
        let letters = LETTERS.iter().enumerate().filter(|(index, _)| shown >> index & 1 == 1);
        let prefix = if all { &b"A"[..] } else { b"" };
        prefix.iter().copied().chain(letters.map(|(_, letter)| *letter)).collect()
    }

    /// As a file says it: what `show` leaves out must survive a restart.
    fn show_in_file(self) -> Vec<u8> {
        let mut text = self.show();
        if self.has(b'n') && !text.contains(&b'n') {
            text.push(b'n');
        }
        text
    }
}

impl Blank for Notify {
    fn blank() -> Self {
        Self::default()
    }
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new("databases", integer!(keyspace.databases, 16, 1, i32::MAX), "Databases.")
        .at_start(),
    Parameter::new(
        "active-expire-effort",
        integer!(keyspace.expire_effort, 1, 1, 10),
        "How hard expired keys are looked for.",
    ),
    Parameter::new(
        "notify-keyspace-events",
        NOTIFY,
        "Events published to subscribers: K and E for the channel, a letter for each class.",
    )
    .inert("pub/sub is not in this version"),
    Parameter::new(
        "hz",
        Kind::Integer(crate::kind::Integer {
            of: |config| i128::from(config.keyspace.hz),
            // Redis takes any value and brings it into 1 to 500 (server.h: CONFIG_MIN_HZ, _MAX_HZ).
            put: |config, hz| {
                config.keyspace.hz = u32::try_from(hz.clamp(1, 500)).expect("500 fits u32");
            },
            default: 10,
            min: 0,
            max: i32::MAX as i128,
            unit: crate::number::Unit::Plain,
        }),
        "Times a second that background work runs, brought into 1 to 500.",
    )
    .act(Act::Rhythm),
    Parameter::new(
        "dynamic-hz",
        flag!(keyspace.dynamic_hz, true),
        "Run background work more often with many clients.",
    )
    .inert("background work is paced by what there is to do"),
    Parameter::new(
        "activerehashing",
        flag!(keyspace.active_rehashing, true),
        "Spend idle time on resizing the tables.",
    )
    .inert("the table grows and shrinks a piece at a time, with the commands that need it"),
];

const NOTIFY: Kind = Kind::List(List {
    put: |config, arguments, occasion| {
        let refused = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        let text = match (arguments, occasion) {
            ([text], _) => text,
            ([], Occasion::Set) => &b""[..],
            // One string with blanks in it.
            (_, Occasion::Set) => return Err(refused.into()),
            _ => return Err(Reason::from("wrong number of arguments")),
        };
        config.keyspace.notify = Notify::parse(text).ok_or(refused)?;
        Ok(())
    },
    show: |config| config.keyspace.notify.show(),
    lines: |config| vec![split::quote(&config.keyspace.notify.show_in_file())],
    default: "",
    grammar: "letters of `Ag$lshzxeKEtmdn`",
});
