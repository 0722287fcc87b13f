//! What memory the keyspace and the process take, and how it is kept within `maxmemory`.

pub(crate) mod eviction;
pub(crate) mod gauge;
pub(crate) mod heap;
pub(crate) mod kept;
