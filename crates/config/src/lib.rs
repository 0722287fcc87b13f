//! Configuration: one parameter, one declaration.
//!
//! ```text
//! arguments -> Invocation --+
//! redis.conf, includes -----+--> load --> Config --> plan (CONFIG SET) --> the next Config
//! standard input -----------+               |------> matching (CONFIG GET)
//!                                           +------> rewrite (CONFIG REWRITE)
//! ```
//!
//! A [`Config`] holds typed values by section; a [`Parameter`] declares how one of them is called,
//! written, bounded and documented. The crate does no I/O: the caller reads and writes files, and
//! does what a change asks of the operating system ([`Act`]).

#![forbid(unsafe_code)]

mod arguments;
mod config;
mod declare;
mod document;
mod kind;
mod load;
mod number;
mod parameter;
mod reason;
mod refusal;
mod rewrite;
mod sections;
mod set;
mod split;
mod text;

pub use arguments::Invocation;
pub use config::{Config, is_sensitive, parameter, parameters};
pub use document::document;
pub use load::{LoadError, Origin, Read, Rename, Source, load};
pub use number::{Size, Unit};
pub use parameter::{Act, Changeable, Parameter, Standing};
pub use reason::Reason;
pub use rewrite::rewrite;
pub use sections::clients::{Clients, OutputLimit, OutputLimits};
pub use sections::cluster::{Announce, Cluster, ClusterReplicas, Endpoint};
pub use sections::encodings::Encodings;
pub use sections::keyspace::{Keyspace, Notify};
pub use sections::log::{Fsync, Log};
pub use sections::memory::{Defrag, LazyFree, Memory, Policy};
pub use sections::monitoring::{Facility, Level, Lines, Monitoring};
pub use sections::network::Network;
pub use sections::replication::{Diskless, DisklessLoad, Primary, Replica, Replication};
pub use sections::security::{Directives, Gate, PubsubDefault, Security};
pub use sections::server::{
    CpuLists, OomMode, OomScore, Process, PropagationError, Server, Shutdown, ShutdownOptions,
    Supervised,
};
pub use sections::snapshot::{Sanitize, SavePoint, Snapshot};
pub use sections::tls::{AuthClients, Tls, TlsFiles, TlsSessions};
pub use set::{Change, SetError};
pub use split::{quote, quote_always, split};
pub use text::Text;
