//! CLUSTER, READONLY, READWRITE, ASKING on a server that is no node of a cluster: declared as Redis
//! declares them, and refused in its words. Cluster mode is not in this version, and a
//! configuration that asks for it is refused.

use resp::{Arguments, CommandError, Writer};
use spec::{Argument, Arity, Categories, Flags, Group, Spec};

use super::{Context, SessionCommand, Then};

/// `CLUSTER`: nothing but its subcommands.
pub(super) const CONTAINER: Spec =
    Spec::new("cluster", Arity::at_least(2), Group::Cluster, "3.0.0")
        .about("Commands about the cluster.", "Depends on subcommand.");

pub(super) const COMMANDS: &[&SessionCommand] = &[
    &ADDSLOTS,
    &ADDSLOTSRANGE,
    &ASKING,
    &BUMPEPOCH,
    &COUNTKEYSINSLOT,
    &COUNT_FAILURE_REPORTS,
    &DELSLOTS,
    &DELSLOTSRANGE,
    &FAILOVER,
    &FLUSHSLOTS,
    &FORGET,
    &GETKEYSINSLOT,
    &HELP,
    &INFO,
    &KEYSLOT,
    &LINKS,
    &MEET,
    &MYID,
    &MYSHARDID,
    &NODES,
    &READONLY,
    &READWRITE,
    &REPLICAS,
    &REPLICATE,
    &RESET,
    &SAVECONFIG,
    &SETSLOT,
    &SET_CONFIG_EPOCH,
    &SHARDS,
    &SLAVES,
    &SLOTS,
];

/// There is no cluster, whatever was asked of it.
fn refuse(_: &mut Context<'_>, _: Arguments<'_>, _: &mut Writer<'_>) -> Result<Then, CommandError> {
    Err(CommandError::ClusterDisabled)
}

const fn spec(name: &'static str, arity: Arity, since: &'static str, about: &'static str) -> Spec {
    Spec::new(name, arity, Group::Cluster, since).about(about, "O(1)")
}

/// One that anybody may ask for what it shows.
const fn shows(name: &'static str, arity: Arity, since: &'static str, about: &'static str) -> Spec {
    spec(name, arity, since, about).flags(Flags::STALE)
}

/// One that shows operators what differs from node to node.
const fn asks(name: &'static str, arity: Arity, since: &'static str, about: &'static str) -> Spec {
    spec(name, arity, since, about).flags(Flags::ADMIN.with(Flags::STALE)).tips(VARIES)
}

/// One that changes the cluster.
const fn changes(
    name: &'static str,
    arity: Arity,
    since: &'static str,
    about: &'static str,
) -> Spec {
    let flags = Flags::ADMIN.with(Flags::STALE).with(Flags::NO_ASYNC_LOADING);
    spec(name, arity, since, about).flags(flags)
}

/// One of these words, or none.
const fn either(name: &'static str, words: &'static [Argument]) -> Argument {
    Argument::one_of(name, words).optional()
}

const TWO: Arity = Arity::exactly(2);
const THREE: Arity = Arity::exactly(3);
const VARIES: &[&str] = &["nondeterministic_output"];
const NODE: &[Argument] = &[Argument::string("node-id")];
const SLOTS_GIVEN: &[Argument] = &[Argument::integer("slot").multiple()];
const RANGE: &[Argument] = &[Argument::integer("start-slot"), Argument::integer("end-slot")];
const RANGES: &[Argument] = &[Argument::block("range", RANGE).multiple()];
const BUS_PORT: Argument = Argument::integer("cluster-bus-port").optional().since("4.0.0");
const HOW_TO_FAIL_OVER: &[Argument] =
    &[Argument::word("force", "FORCE"), Argument::word("takeover", "TAKEOVER")];
const HOW_TO_RESET: &[Argument] = &[Argument::word("hard", "HARD"), Argument::word("soft", "SOFT")];
const HOW_TO_SET: &[Argument] = &[
    Argument::string("importing").token("IMPORTING"),
    Argument::string("migrating").token("MIGRATING"),
    Argument::string("node").token("NODE"),
    Argument::word("stable", "STABLE"),
];

/// `CLUSTER ADDSLOTS`.
const ADDSLOTS: SessionCommand = SessionCommand {
    spec: changes("cluster|addslots", Arity::at_least(3), "3.0.0", "Gives the node slots.")
        .arguments(SLOTS_GIVEN),
    run: refuse,
};

/// `CLUSTER ADDSLOTSRANGE`.
const ADDSLOTSRANGE: SessionCommand = SessionCommand {
    spec: changes(
        "cluster|addslotsrange",
        Arity::at_least(4),
        "7.0.0",
        "Gives the node ranges of slots.",
    )
    .arguments(RANGES),
    run: refuse,
};

/// `CLUSTER BUMPEPOCH`.
const BUMPEPOCH: SessionCommand = SessionCommand {
    spec: changes("cluster|bumpepoch", TWO, "3.0.0", "Moves the configuration epoch on.")
        .tips(VARIES),
    run: refuse,
};

/// `CLUSTER COUNT-FAILURE-REPORTS`.
const COUNT_FAILURE_REPORTS: SessionCommand = SessionCommand {
    spec: asks(
        "cluster|count-failure-reports",
        THREE,
        "3.0.0",
        "How many nodes call a node failing.",
    )
    .arguments(NODE),
    run: refuse,
};

/// `CLUSTER COUNTKEYSINSLOT`.
const COUNTKEYSINSLOT: SessionCommand = SessionCommand {
    spec: shows("cluster|countkeysinslot", THREE, "3.0.0", "How many keys a slot has.")
        .arguments(&[Argument::integer("slot")]),
    run: refuse,
};

/// `CLUSTER DELSLOTS`.
const DELSLOTS: SessionCommand = SessionCommand {
    spec: changes("cluster|delslots", Arity::at_least(3), "3.0.0", "Takes slots from the node.")
        .arguments(SLOTS_GIVEN),
    run: refuse,
};

/// `CLUSTER DELSLOTSRANGE`.
const DELSLOTSRANGE: SessionCommand = SessionCommand {
    spec: changes(
        "cluster|delslotsrange",
        Arity::at_least(4),
        "7.0.0",
        "Takes ranges of slots from the node.",
    )
    .arguments(RANGES),
    run: refuse,
};

/// `CLUSTER FAILOVER`.
const FAILOVER: SessionCommand = SessionCommand {
    spec: changes("cluster|failover", Arity::at_least(2), "3.0.0", "Makes a replica the primary.")
        .arguments(&[either("options", HOW_TO_FAIL_OVER)]),
    run: refuse,
};

/// `CLUSTER FLUSHSLOTS`.
const FLUSHSLOTS: SessionCommand = SessionCommand {
    spec: changes("cluster|flushslots", TWO, "3.0.0", "Takes all slots from the node."),
    run: refuse,
};

/// `CLUSTER FORGET`.
const FORGET: SessionCommand = SessionCommand {
    spec: changes("cluster|forget", THREE, "3.0.0", "Removes a node from the table.")
        .arguments(NODE),
    run: refuse,
};

/// `CLUSTER GETKEYSINSLOT`.
const GETKEYSINSLOT: SessionCommand = SessionCommand {
    spec: shows("cluster|getkeysinslot", Arity::exactly(4), "3.0.0", "Names of keys in a slot.")
        .arguments(&[Argument::integer("slot"), Argument::integer("count")])
        .tips(VARIES),
    run: refuse,
};

/// `CLUSTER HELP`.
const HELP: SessionCommand = SessionCommand {
    spec: shows("cluster|help", TWO, "5.0.0", "Shows the subcommands of CLUSTER.")
        .flags(Flags::LOADING.with(Flags::STALE)),
    run: refuse,
};

/// `CLUSTER INFO`.
const INFO: SessionCommand = SessionCommand {
    spec: shows("cluster|info", TWO, "3.0.0", "The state of the cluster.").tips(VARIES),
    run: refuse,
};

/// `CLUSTER KEYSLOT`.
const KEYSLOT: SessionCommand = SessionCommand {
    spec: shows("cluster|keyslot", THREE, "3.0.0", "The slot of a key.")
        .arguments(&[Argument::string("key")]),
    run: refuse,
};

/// `CLUSTER LINKS`.
const LINKS: SessionCommand = SessionCommand {
    spec: shows("cluster|links", TWO, "7.0.0", "The links to other nodes.").tips(VARIES),
    run: refuse,
};

/// `CLUSTER MEET`.
const MEET: SessionCommand = SessionCommand {
    spec: changes("cluster|meet", Arity::at_least(4), "3.0.0", "Brings two nodes together.")
        .history(&[("4.0.0", "The port of the bus can be given.")])
        .arguments(&[Argument::string("ip"), Argument::integer("port"), BUS_PORT]),
    run: refuse,
};

/// `CLUSTER MYID`.
const MYID: SessionCommand =
    SessionCommand { spec: shows("cluster|myid", TWO, "3.0.0", "The node's id."), run: refuse };

/// `CLUSTER MYSHARDID`.
const MYSHARDID: SessionCommand = SessionCommand {
    spec: shows("cluster|myshardid", TWO, "7.2.0", "The id of the node's shard.").tips(VARIES),
    run: refuse,
};

/// `CLUSTER NODES`.
const NODES: SessionCommand = SessionCommand {
    spec: shows("cluster|nodes", TWO, "3.0.0", "All nodes that are known.").tips(VARIES),
    run: refuse,
};

/// `CLUSTER REPLICAS`.
const REPLICAS: SessionCommand = SessionCommand {
    spec: asks("cluster|replicas", THREE, "5.0.0", "The replicas of a node.").arguments(NODE),
    run: refuse,
};

/// `CLUSTER REPLICATE`.
const REPLICATE: SessionCommand = SessionCommand {
    spec: changes("cluster|replicate", THREE, "3.0.0", "Makes the node a replica.").arguments(NODE),
    run: refuse,
};

/// `CLUSTER RESET`.
const RESET: SessionCommand = SessionCommand {
    spec: shows("cluster|reset", Arity::at_least(2), "3.0.0", "Forgets the cluster.")
        .flags(Flags::ADMIN.with(Flags::STALE).with(Flags::NOSCRIPT))
        .arguments(&[either("reset-type", HOW_TO_RESET)]),
    run: refuse,
};

/// `CLUSTER SAVECONFIG`.
const SAVECONFIG: SessionCommand = SessionCommand {
    spec: changes("cluster|saveconfig", TWO, "3.0.0", "Writes the node's file."),
    run: refuse,
};

/// `CLUSTER SET-CONFIG-EPOCH`.
const SET_CONFIG_EPOCH: SessionCommand = SessionCommand {
    spec: changes("cluster|set-config-epoch", THREE, "3.0.0", "Sets a new node's epoch.")
        .arguments(&[Argument::integer("config-epoch")]),
    run: refuse,
};

/// `CLUSTER SETSLOT`.
const SETSLOT: SessionCommand = SessionCommand {
    spec: changes("cluster|setslot", Arity::at_least(4), "3.0.0", "Binds a slot to a node.")
        .arguments(&[Argument::integer("slot"), Argument::one_of("subcommand", HOW_TO_SET)]),
    run: refuse,
};

/// `CLUSTER SHARDS`.
const SHARDS: SessionCommand = SessionCommand {
    spec: shows("cluster|shards", TWO, "7.0.0", "The slots of each shard, and its nodes.")
        .flags(Flags::LOADING.with(Flags::STALE))
        .tips(VARIES),
    run: refuse,
};

/// `CLUSTER SLAVES`.
const SLAVES: SessionCommand = SessionCommand {
    spec: asks("cluster|slaves", THREE, "3.0.0", "The replicas of a node.")
        .arguments(NODE)
        .deprecated("5.0.0", "`CLUSTER REPLICAS`"),
    run: refuse,
};

/// `CLUSTER SLOTS`.
const SLOTS: SessionCommand = SessionCommand {
    spec: shows("cluster|slots", TWO, "3.0.0", "The nodes of each range of slots.")
        .flags(Flags::LOADING.with(Flags::STALE))
        .history(&[("4.0.0", "Ids of nodes are shown."), ("7.0.0", "More about nodes is shown.")])
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .tips(VARIES),
    run: refuse,
};

const CONNECTION: Flags = Flags::FAST.with(Flags::LOADING).with(Flags::STALE);

/// `ASKING`.
const ASKING: SessionCommand = SessionCommand {
    spec: spec(
        "asking",
        Arity::exactly(1),
        "3.0.0",
        "Lets the next command through to a slot on its way.",
    )
    .flags(Flags::FAST)
    .categories(Categories::CONNECTION),
    run: refuse,
};

/// `READONLY`.
const READONLY: SessionCommand = SessionCommand {
    spec: spec("readonly", Arity::exactly(1), "3.0.0", "Lets the connection read from a replica.")
        .flags(CONNECTION)
        .categories(Categories::CONNECTION),
    run: refuse,
};

/// `READWRITE`.
const READWRITE: SessionCommand = SessionCommand {
    spec: spec("readwrite", Arity::exactly(1), "3.0.0", "Takes READONLY back.")
        .flags(CONNECTION)
        .categories(Categories::CONNECTION),
    run: refuse,
};
