//! The connections of a core thread, by token.

use crate::clients::connection::Connection;

/// Names a connection of a core thread: a slot, and which of its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionKey {
    /// The slot: the token in the ring.
    pub(crate) token: u32,
    /// Which user of the slot.
    pub(crate) generation: u32,
}

/// A slab of connections.
#[derive(Default)]
pub(crate) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Connections {
    /// Takes a connection in.
    pub(crate) fn insert(&mut self, connection: Connection) -> ConnectionKey {
        let token = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, connection: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[token as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let mut connection = Box::new(connection);
        connection.generation = slot.generation;
        slot.connection = Some(connection);
        ConnectionKey { token, generation: slot.generation }
    }

    /// Lets a connection go.
    pub(crate) fn remove(&mut self, token: u32) -> Option<Box<Connection>> {
        let connection = self.slots.get_mut(token as usize)?.connection.take()?;
        self.free.push(token);
        Some(connection)
    }

    /// The connection in slot `token`.
    #[inline]
    pub(crate) fn at(&mut self, token: u32) -> Option<&mut Connection> {
        self.slots.get_mut(token as usize)?.connection.as_deref_mut()
    }

    /// The connection that `key` names, if it is still there.
    #[inline]
    pub(crate) fn find(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        self.at(key.token).filter(|connection| connection.generation == key.generation)
    }

    /// Every connection, with its token.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Connection)> {
        self.slots.iter_mut().enumerate().filter_map(|(token, slot)| {
            slot.connection.as_deref_mut().map(|connection| (token as u32, connection))
        })
    }

    /// Every connection.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().filter_map(|slot| slot.connection.as_deref())
    }
}
