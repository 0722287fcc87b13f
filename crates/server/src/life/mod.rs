//! The server's life: its start (`boot`, `greeting`, `cpus`, `seed`), why it may refuse to
//! (`error`), its end (`ending`).

pub(crate) mod boot;
pub(crate) mod cpus;
pub(crate) mod ending;
pub(crate) mod error;
pub(crate) mod greeting;
pub(crate) mod seed;
