//! The parameters, a file a section: the struct that holds the values, and its declarations.

pub(crate) mod clients;
pub(crate) mod cluster;
pub(crate) mod encodings;
pub(crate) mod keyspace;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod monitoring;
pub(crate) mod network;
pub(crate) mod replication;
pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod tls;

/// Reasons that several sections give for a parameter without effect.
pub(crate) mod why {
    /// Nothing forks here, so nothing has to be arranged around a child process.
    pub(crate) const NO_FORK: &str =
        "Bobbin never forks; there is no child process it could concern";
    /// PSYNC is a later step.
    pub(crate) const REPLICATION: &str = "replication is not in this version";
    /// The cluster bus is a later step.
    pub(crate) const CLUSTER: &str = "cluster mode is not in this version";
    /// TLS is a later step.
    pub(crate) const TLS: &str = "TLS is not in this version";
    /// RDB files are a later step.
    pub(crate) const RDB: &str = "RDB files are not in this version";
    /// ACL rules are a later step.
    pub(crate) const ACL: &str = "ACL users are not in this version; requirepass works";
    /// The data type that it concerns is a later step.
    pub(crate) const DATA_TYPE: &str = "the data type is not in this version";
    /// Lists are chunks that are never compressed.
    pub(crate) const UNCOMPRESSED: &str = "lists are not compressed";
}
