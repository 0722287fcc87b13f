//! The server's life: its start (`boot`, `listeners`, `greeting`, `cpus`, `seed`), why it may
//! refuse to (`error`, `ring_refusal`), its end (`ending`).

pub(crate) mod boot;
pub(crate) mod cpus;
pub(crate) mod ending;
pub(crate) mod error;
pub(crate) mod greeting;
pub(crate) mod listeners;
pub(crate) mod ring_refusal;
pub(crate) mod seed;
