//! Up to which size a collection is packed. OBJECT ENCODING and DUMP depend on these.

use crate::declare::{integer, section};
use crate::number::Unit;
use crate::parameter::Parameter;
use crate::sections::why;

section! {
    /// Thresholds of the packed encodings. Beyond one of them a value is converted, for good.
    pub struct Encodings {
        /// Fields of a packed hash.
        pub hash_listpack_entries_max: u64,
        /// Longest field or value of a packed hash.
        pub hash_listpack_value_bytes_max: u64,
        /// Elements of a listpack node, or, when negative, its bytes: -1 4 KiB .. -5 64 KiB.
        pub list_listpack_size_max: i32,
        /// Nodes at each end of a list that are never compressed; 0: none ever is.
        pub list_compress_depth: u32,
        /// Members of a set of integers that is kept as a sorted array.
        pub set_intset_entries_max: u64,
        /// Members of a packed set.
        pub set_listpack_entries_max: u64,
        /// Longest member of a packed set.
        pub set_listpack_value_bytes_max: u64,
        /// Members of a packed sorted set.
        pub zset_listpack_entries_max: u64,
        /// Longest member of a packed sorted set.
        pub zset_listpack_value_bytes_max: u64,
        /// Bytes of a sparse HyperLogLog.
        pub hll_sparse_bytes_max: u64,
        /// Bytes of a stream node; 0: no limit.
        pub stream_node_bytes_max: u64,
        /// Entries of a stream node; 0: no limit.
        pub stream_node_entries_max: u64,
    }
    in encodings
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "hash-max-listpack-entries",
        integer!(encodings.hash_listpack_entries_max, 512, 0, i64::MAX),
        "Fields of a packed hash.",
    )
    .alias("hash-max-ziplist-entries")
    .inert(why::DATA_TYPE),
    Parameter::new(
        "hash-max-listpack-value",
        integer!(encodings.hash_listpack_value_bytes_max, 64, 0, i64::MAX, Unit::Memory),
        "Longest field or value of a packed hash.",
    )
    .alias("hash-max-ziplist-value")
    .inert(why::DATA_TYPE),
    Parameter::new(
        "list-max-listpack-size",
        integer!(encodings.list_listpack_size_max, -2, i32::MIN, i32::MAX),
        "Elements of a list node, or a size class of its bytes: -1 (4 KiB) to -5 (64 KiB).",
    )
    .alias("list-max-ziplist-size"),
    Parameter::new(
        "list-compress-depth",
        integer!(encodings.list_compress_depth, 0, 0, i32::MAX),
        "Nodes at each end of a list that stay uncompressed; 0: all.",
    )
    .inert(why::UNCOMPRESSED),
    Parameter::new(
        "set-max-intset-entries",
        integer!(encodings.set_intset_entries_max, 512, 0, i64::MAX),
        "Members of a set of integers kept as a sorted array.",
    ),
    Parameter::new(
        "set-max-listpack-entries",
        integer!(encodings.set_listpack_entries_max, 128, 0, i64::MAX),
        "Members of a packed set.",
    ),
    Parameter::new(
        "set-max-listpack-value",
        integer!(encodings.set_listpack_value_bytes_max, 64, 0, i64::MAX),
        "Longest member of a packed set.",
    ),
    Parameter::new(
        "zset-max-listpack-entries",
        integer!(encodings.zset_listpack_entries_max, 128, 0, i64::MAX),
        "Members of a packed sorted set.",
    )
    .alias("zset-max-ziplist-entries")
    .inert(why::DATA_TYPE),
    Parameter::new(
        "zset-max-listpack-value",
        integer!(encodings.zset_listpack_value_bytes_max, 64, 0, i64::MAX, Unit::Memory),
        "Longest member of a packed sorted set.",
    )
    .alias("zset-max-ziplist-value")
    .inert(why::DATA_TYPE),
    Parameter::new(
        "hll-sparse-max-bytes",
        integer!(encodings.hll_sparse_bytes_max, 3000, 0, i64::MAX, Unit::Memory),
        "Bytes of a sparse HyperLogLog.",
    )
    .inert(why::DATA_TYPE),
    Parameter::new(
        "stream-node-max-bytes",
        integer!(encodings.stream_node_bytes_max, 4096, 0, i64::MAX, Unit::Memory),
        "Bytes of a stream node; 0: no limit.",
    )
    .inert(why::DATA_TYPE),
    Parameter::new(
        "stream-node-max-entries",
        integer!(encodings.stream_node_entries_max, 100, 0, i64::MAX),
        "Entries of a stream node; 0: no limit.",
    )
    .inert(why::DATA_TYPE),
];
