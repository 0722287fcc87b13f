//! Which clients CLIENT LIST and CLIENT KILL mean: the types, and KILL's filters.

use resp::{Arguments, CommandError};

use crate::clients::connection::Connection;
use crate::clients::describe::{self, DEFAULT_USER};

/// What a client is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    /// It sends commands; a monitor is one of these, too.
    Normal,
    /// It receives the log.
    Replica,
    /// It listens to channels.
    PubSub,
    /// We receive its log.
    Master,
}

impl ClientType {
    /// The type that a client's word names.
    pub(super) fn parse(name: &[u8]) -> Result<Self, CommandError> {
        let names = [
            (&b"normal"[..], Self::Normal),
            (b"slave", Self::Replica),
            (b"replica", Self::Replica),
            (b"pubsub", Self::PubSub),
            (b"master", Self::Master),
        ];
        let found = names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        found.map(|(_, it)| *it).ok_or_else(|| CommandError::unknown_client_type(name))
    }

    /// The type of a connection: there are no links to replicas, to a primary or to channels yet.
    pub(super) const fn of(_: &Connection) -> Self {
        Self::Normal
    }
}

/// Which clients CLIENT KILL ends: those that pass every filter.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    id: Option<u64>,
    kind: Option<ClientType>,
    address: Option<Vec<u8>>,
    local_address: Option<Vec<u8>>,
    /// Connected for at least so long.
    age_s: Option<i64>,
    /// Whether the client that asks may be among them.
    pub(super) oneself: bool,
}

impl Filter {
    /// `CLIENT KILL address`, the old form: it may be one's own.
    pub(super) fn of_address(address: &[u8]) -> Self {
        Self { address: Some(address.to_vec()), oneself: true, ..Self::default() }
    }

    /// `CLIENT KILL option value ...`.
    pub(super) fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let mut filter = Self::default();
        let mut at = 2;
        while let Some(option) = arguments.get(at) {
            let value = arguments.get(at + 1).ok_or(CommandError::Syntax)?;
            filter.add(option, value)?;
            at += 2;
        }
        Ok(filter)
    }

    fn add(&mut self, option: &[u8], value: &[u8]) -> Result<(), CommandError> {
        if option.eq_ignore_ascii_case(b"ID") {
            let id = resp::number::parse_i64(value).filter(|id| *id > 0);
            self.id = Some(id.ok_or(CommandError::ClientIdNotPositive)?.unsigned_abs());
        } else if option.eq_ignore_ascii_case(b"TYPE") {
            self.kind = Some(ClientType::parse(value)?);
        } else if option.eq_ignore_ascii_case(b"ADDR") {
            self.address = Some(value.to_vec());
        } else if option.eq_ignore_ascii_case(b"LADDR") {
            self.local_address = Some(value.to_vec());
        } else if option.eq_ignore_ascii_case(b"USER") {
            // Every client is the one user that exists, so the filter lets all pass.
            if value != DEFAULT_USER {
                return Err(CommandError::no_such_user(value));
            }
        } else if option.eq_ignore_ascii_case(b"SKIPME") {
            self.oneself = !is_yes(value)?;
        } else if option.eq_ignore_ascii_case(b"MAXAGE") {
            let age_s = resp::number::parse_i64(value).ok_or(CommandError::NotInteger)?;
            self.age_s = Some(age_s).filter(|age| *age > 0);
            self.age_s.ok_or(CommandError::NotPositive)?;
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(())
    }

    /// Whether a client passes, but for SKIPME.
    pub(super) fn admits(&self, connection: &Connection, now_ms: i64) -> bool {
        let session = &connection.session;
        let age_s = (now_ms - session.activity.connected_ms) / 1000;
        self.id.is_none_or(|id| id == session.id)
            && self.kind.is_none_or(|kind| kind == ClientType::of(connection))
            && self.age_s.is_none_or(|least_s| age_s >= least_s)
            && self.address.as_ref().is_none_or(|address| {
                describe::address(&session.peer).as_bytes() == address.as_slice()
            })
            && self.local_address.as_ref().is_none_or(|address| {
                describe::local_address(&session.peer).as_bytes() == address.as_slice()
            })
    }
}

fn is_yes(word: &[u8]) -> Result<bool, CommandError> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}
