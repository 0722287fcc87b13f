//! What memory the keyspace and the process take, and how it is kept within `maxmemory`.

pub(crate) mod evictable;
pub(crate) mod eviction;
pub(crate) mod gauge;
pub(crate) mod heap;
pub(crate) mod kept;
#[cfg(test)]
mod tests;
