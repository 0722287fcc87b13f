//! `# Memory`, and what MEMORY STATS and MEMORY DOCTOR are made of.
//!
//! `used_memory` is what `maxmemory` bounds: what was allocated at the start, and what each core
//! thread has since for tables, records, values and buffers, exact at the moment of asking. What of
//! it is not data (`overhead`) is what was there at start and what connections and the log buffer.

use super::lines::{Human, Lines};
use super::part::Facts;
use crate::core::Core;
use crate::memory::gauge::{self, Reading};

/// What a core thread contributes.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryPart {
    /// Buffers of connections.
    clients: u64,
    connections: u64,
    /// Buffers of the log.
    log_buffers: u64,
    keys: u64,
    /// Bytes of each database's table with its records, by number.
    databases: Vec<(usize, u64)>,
}

/// The memory of the server, in bytes unless it says otherwise.
pub(crate) struct Memory {
    pub(crate) reading: Reading,
    pub(crate) startup: u64,
    /// Buffers of connections.
    pub(crate) clients: u64,
    /// Connections.
    pub(crate) connections: u64,
    /// Buffers of the log.
    pub(crate) log_buffers: u64,
    /// All that is used.
    pub(crate) used: u64,
    /// Keys.
    pub(crate) keys: u64,
    /// Tables with their records, by database.
    pub(crate) databases: Vec<(usize, u64)>,
}

/// What `core` uses.
pub(crate) fn gather_memory(core: &mut Core) -> MemoryPart {
    core.publish_memory();
    let mut part = MemoryPart {
        log_buffers: core.shard.log.segment().map_or(0, |segment| segment.heap_bytes() as u64),
        ..MemoryPart::default()
    };
    for connection in core.connections.iter() {
        part.clients += connection.memory_bytes() as u64;
        part.connections += 1;
    }
    for (db, stats) in core.shard.keyspace.database_stats() {
        part.keys += stats.keys;
        part.databases.push((db, stats.bytes));
    }
    part
}

impl MemoryPart {
    /// Adds another core thread's part to this one.
    pub(super) fn merge(&mut self, other: &Self) {
        self.clients += other.clients;
        self.connections += other.connections;
        self.log_buffers += other.log_buffers;
        self.keys += other.keys;
        for (db, bytes) in &other.databases {
            match self.databases.iter_mut().find(|(known, _)| known == db) {
                Some((_, mine)) => *mine += bytes,
                None => self.databases.push((*db, *bytes)),
            }
        }
        self.databases.sort_unstable();
    }
}

impl Memory {
    /// All parts together; `core` knows what is the process'.
    pub(crate) fn of(core: &Core, parts: &[MemoryPart]) -> Self {
        let mut all = MemoryPart::default();
        for part in parts {
            all.merge(part);
        }
        let gauge = &core.shared.memory_gauge;
        let MemoryPart { clients, connections, log_buffers, keys, databases } = all;
        let used = core.shared.memory_bytes();
        gauge.note(used);
        let (reading, startup) = (gauge.read(), gauge.startup());
        Self { reading, startup, clients, connections, log_buffers, used, keys, databases }
    }

    /// `used_memory`.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// What is not data.
    pub(crate) fn overhead(&self) -> u64 {
        (self.startup + self.clients + self.log_buffers).min(self.used())
    }

    /// What is data.
    pub(crate) fn dataset(&self) -> u64 {
        self.used() - self.overhead()
    }

    /// The data's share of what was allocated since the start.
    pub(crate) fn dataset_percent(&self) -> f64 {
        let grown = self.used().saturating_sub(self.startup);
        gauge::quotient(self.dataset(), grown) * 100.0
    }

    /// What is used now, as a share of the peak.
    pub(crate) fn peak_percent(&self) -> f64 {
        gauge::quotient(self.used(), self.reading.peak) * 100.0
    }

    /// What was allocated since the start, for each key.
    pub(crate) fn bytes_per_key(&self) -> u64 {
        self.used().saturating_sub(self.startup).checked_div(self.keys).unwrap_or(0)
    }
}

pub(super) fn write(facts: &Facts<'_>, lines: &mut Lines) {
    let memory = Memory::of(facts.core, std::slice::from_ref(&facts.all.memory));
    lines.heading("Memory");
    write_used(&memory, lines);
    write_scripts(lines);
    let limit = facts.config.memory.bytes_max;
    lines.bytes("maxmemory", limit);
    lines.field("maxmemory_policy", facts.config.memory.policy.as_str());
    write_ratios(&memory, lines);
    let not_counted = memory.log_buffers;
    lines.field("mem_not_counted_for_evict", not_counted);
    for name in ["mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"] {
        lines.field(name, 0);
    }
    lines.field("mem_clients_normal", memory.clients);
    lines.field("mem_cluster_links", 0);
    lines.field("mem_aof_buffer", memory.log_buffers);
    lines.field("mem_allocator", gauge::ALLOCATOR);
    lines.field("active_defrag_running", 0);
    lines.field("lazyfree_pending_objects", facts.all.lazy.pending);
    lines.field("lazyfreed_objects", facts.all.lazy.freed);
}

fn write_used(memory: &Memory, lines: &mut Lines) {
    let reading = &memory.reading;
    lines.bytes("used_memory", memory.used());
    lines.bytes("used_memory_rss", reading.process);
    lines.bytes("used_memory_peak", reading.peak);
    lines.field("used_memory_peak_perc", format_args!("{:.2}%", memory.peak_percent()));
    lines.field("used_memory_overhead", memory.overhead());
    lines.field("used_memory_startup", memory.startup);
    lines.field("used_memory_dataset", memory.dataset());
    lines.field("used_memory_dataset_perc", format_args!("{:.2}%", memory.dataset_percent()));
    lines.field("allocator_allocated", reading.allocated);
    lines.field("allocator_active", reading.active);
    lines.field("allocator_resident", reading.resident);
    lines.bytes("total_system_memory", gauge::system_bytes());
}

/// Memory of scripts and functions, of which there are none.
fn write_scripts(lines: &mut Lines) {
    lines.field("used_memory_lua", 0);
    lines.field("used_memory_vm_eval", 0);
    lines.field("used_memory_lua_human", Human(0));
    lines.field("used_memory_scripts_eval", 0);
    for name in ["number_of_cached_scripts", "number_of_functions", "number_of_libraries"] {
        lines.field(name, 0);
    }
    lines.field("used_memory_vm_functions", 0);
    lines.bytes("used_memory_vm_total", 0);
    lines.field("used_memory_functions", 0);
    lines.bytes("used_memory_scripts", 0);
}

fn write_ratios(memory: &Memory, lines: &mut Lines) {
    let Reading { allocated, active, resident, process, .. } = memory.reading;
    let mut pair = |ratio: &str, bytes: &str, more: u64, less: u64| {
        lines.ratio(ratio, gauge::quotient(more, less));
        lines.field(bytes, more.wrapping_sub(less) as i64);
    };
    pair("allocator_frag_ratio", "allocator_frag_bytes", active, allocated);
    pair("allocator_rss_ratio", "allocator_rss_bytes", resident, active);
    pair("rss_overhead_ratio", "rss_overhead_bytes", process, resident);
    pair("mem_fragmentation_ratio", "mem_fragmentation_bytes", process, memory.used());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn memory(allocated: u64, startup: u64, keys: u64) -> Memory {
        let reading = Reading { allocated, peak: 2 * allocated, ..Reading::default() };
        let (clients, log_buffers) = (100, 50);
        let databases = Vec::new();
        Memory {
            reading,
            startup,
            clients,
            connections: 1,
            log_buffers,
            used: allocated,
            keys,
            databases,
        }
    }

    #[test]
    fn the_peak_is_seen_though_nobody_asked() {
        const HUGE: usize = 64 << 20;
        let mut server = Fixture::new(2);
        let client = server.connect(1);
        server.ask_words(client, &["SET", "k", &"x".repeat(HUGE)]);
        // A reading is good for a tenth of a second.
        std::thread::sleep(std::time::Duration::from_millis(120));
        server.cores[0].begin_tick();
        server.cores[0].run_background();
        server.ask(client, "FLUSHALL SYNC");
        while server.cores.iter().any(|core| !core.shard.keyspace.doomed().is_empty()) {
            server.cores.iter_mut().for_each(|core| core.run_background());
        }
        let reply = server.ask(client, "INFO memory");
        let field = |name: &str| -> usize {
            let line = reply.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.parse().ok()).expect("a field of INFO is a number")
        };
        let (used, peak) = (field("used_memory"), field("used_memory_peak"));
        // Other tests use memory of this process meanwhile.
        assert!(peak >= HUGE && peak > used, "{peak}, {used}");
    }

    #[test]
    fn data_is_what_is_not_overhead() {
        let memory = memory(10_000, 2_000, 100);
        assert_eq!(memory.overhead(), 2_150);
        assert_eq!(memory.dataset(), 7_850);
        assert_eq!(memory.bytes_per_key(), 80);
        assert_eq!(memory.peak_percent(), 50.0);
        assert!((memory.dataset_percent() - 98.125).abs() < 1e-9);
    }

    #[test]
    fn nothing_goes_below_zero() {
        let memory = memory(10, 2_000, 0);
        assert_eq!(memory.dataset(), 0);
        assert_eq!(memory.bytes_per_key(), 0);
        assert_eq!(memory.dataset_percent(), 0.0);
    }

    #[test]
    fn parts_add_up_by_database() {
        let part = |db: usize, bytes: u64| MemoryPart {
            keys: 1,
            databases: vec![(db, bytes)],
            ..MemoryPart::default()
        };
        let mut all = part(3, 10);
        all.merge(&part(0, 5));
        all.merge(&part(3, 7));
        assert_eq!(all.databases, [(0, 5), (3, 17)]);
        assert_eq!(all.keys, 3);
    }
}
