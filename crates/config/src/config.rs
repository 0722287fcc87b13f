//! The configuration in force: typed values by section, and the table of all declarations.
//!
//! A `Config` is a plain value. The loader makes one, CONFIG SET makes the next one from it
//! ([`Config::plan`]), and the server hands it to its core threads however it likes; a copy costs a
//! few microseconds and nothing on the hot path reads more than a field.

use crate::declare::Blank;
use crate::parameter::{Parameter, Standing};
use crate::sections::{
    clients, cluster, encodings, keyspace, log, memory, monitoring, network, replication, security,
    server, snapshot, tls,
};

crate::declare::section! {
    /// All settings. `Config::default()` is what an empty file gives.
    pub struct Config {
        /// Where the server listens.
        pub network: network::Network,
        /// Limits of connections.
        pub clients: clients::Clients,
        /// The memory limit and eviction.
        pub memory: memory::Memory,
        /// Databases and background work.
        pub keyspace: keyspace::Keyspace,
        /// Thresholds of packed collections.
        pub encodings: encodings::Encodings,
        /// The append-only log.
        pub log: log::Log,
        /// The RDB file.
        pub snapshot: snapshot::Snapshot,
        /// The process.
        pub server: server::Server,
        /// Passwords and gates.
        pub security: security::Security,
        /// Primary and replicas.
        pub replication: replication::Replication,
        /// Cluster mode.
        pub cluster: cluster::Cluster,
        /// TLS.
        pub tls: tls::Tls,
    }
}

/// The sections with their declarations, in the order of `docs/configuration.md`.
pub(crate) const SECTIONS: &[(&str, &[Parameter])] = &[
    ("Network", network::PARAMETERS),
    ("Clients", clients::PARAMETERS),
    ("Memory", memory::PARAMETERS),
    ("Keyspace", keyspace::PARAMETERS),
    ("Log", log::PARAMETERS),
    ("Snapshots", snapshot::PARAMETERS),
    ("Server", server::PARAMETERS),
    ("Monitoring", monitoring::PARAMETERS),
    ("Security", security::PARAMETERS),
    ("Encodings", encodings::PARAMETERS),
    ("Replication", replication::PARAMETERS),
    ("Cluster", cluster::PARAMETERS),
    ("TLS", tls::PARAMETERS),
];

impl Default for Config {
    fn default() -> Self {
        let mut config = Self::blank();
        for parameter in parameters() {
            parameter.kind.put_default(&mut config);
        }
        config
    }
}

impl Config {
    /// Parameters that are not at their default and have no effect: for a warning at start.
    pub fn inert(&self) -> Vec<&'static Parameter> {
        let default = Self::default();
        let is_inert = |p: &&Parameter| matches!(p.standing, Standing::Inert { .. });
        parameters().filter(is_inert).filter(|p| p.show(self) != p.show(&default)).collect()
    }
}

/// All declarations.
pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
    SECTIONS.iter().flat_map(|(_, parameters)| parameters.iter())
}

/// The parameter called `name`, or whose alias it is; case does not matter.
///
/// Walks all names (about 200 comparisons): for start, CONFIG and the slow log's redaction only.
pub fn parameter(name: &[u8]) -> Option<&'static Parameter> {
    parameters().find(|p| p.names().any(|one| name.eq_ignore_ascii_case(one.as_bytes())))
}

/// Whether the value of the parameter `name` must be kept out of the slow log and MONITOR.
pub fn is_sensitive(name: &[u8]) -> bool {
    parameter(name).is_some_and(|parameter| parameter.sensitive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn declared_bounds_fit_their_fields() {
        let mut config = Config::default();
        for parameter in parameters() {
            let Kind::Integer(integer) = parameter.kind else {
                continue;
            };
            assert!(integer.min <= integer.default && integer.default <= integer.max);
            for bound in [integer.min, integer.max] {
                (integer.put)(&mut config, bound);
                // hz is brought into 1 to 500: all others keep what they are given.
                let kept = (integer.of)(&config) == bound;
                assert!(kept || parameter.name == "hz", "{} at {bound}", parameter.name);
            }
        }
    }

    #[test]
    fn every_parameter_has_a_field_of_its_own() {
        let default = Config::default();
        for parameter in parameters() {
            let mut config = default.clone();
            match parameter.kind {
                Kind::Flag(flag) => (flag.put)(&mut config, !flag.default),
                Kind::Integer(one) => {
                    let other = if one.default == one.max { one.min } else { one.max };
                    (one.put)(&mut config, other);
                }
                Kind::Text(text) => (text.put)(&mut config, "other".into()),
                Kind::Word(word) => {
                    let words = (word.words)();
                    let other = words.iter().rfind(|one| **one != word.default);
                    let put = (word.put)(&mut config, other.expect("two words").as_bytes());
                    assert!(put, "{}", parameter.name);
                }
                // Their tests are in tests/set.rs.
                Kind::List(_) => continue,
            }
            let differ: Vec<&str> = parameters()
                .filter(|one| one.show(&config) != one.show(&default))
                .map(|one| one.name)
                .collect();
            assert_eq!(differ, [parameter.name]);
        }
    }
}
