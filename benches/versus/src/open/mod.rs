//! Requests that come at moments of their own: what people see who do not wait for each other.
//!
//! A closed loop sends a request when the last one is answered, so a server that makes everybody
//! wait is asked less, and looks as cheap as it is slow. Here requests come at the moments of a
//! Poisson process ([`schedule`]), whatever became of those before them, and latency counts from
//! the moment at which a request was *due*. What the generator itself is late by is therefore part
//! of every latency, the same for all contenders, and reported beside them as `late_*`.

mod generator;
mod scenarios;
mod schedule;

pub(crate) use scenarios::{one_shard, two_shards};
