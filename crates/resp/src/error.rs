//! Every error reply of the server, each text once.
//!
//! A text is Redis 7.2's, byte for byte: clients match on the prefix (the first word, counted by
//! INFO errorstats) and some on the words. Nowhere else in the workspace does a text of an error
//! reply exist. A fixed text is one line of the table below; what carries something (a command's
//! name, what a client sent) is a variant with fields, written by `write_variable`.
//!
//! A [`CommandError`] is 24 bytes and mostly free to make: names are `&'static str` out of the
//! command declarations, and only errors that quote what a client sent allocate.
//!
//! On the wire an error is one line: CR and LF in quoted bytes become spaces (as in Redis), by
//! [`CommandError::write_line`].

mod quoting;

use crate::number::push_i64;
use crate::parse::ProtocolError;

pub use self::quoting::Quoting;

/// Makes the enum of all errors: the fixed ones of the table, and the variable ones.
macro_rules! errors {
    (
        fixed { $($(#[$meta:meta])* $name:ident => $text:expr,)* }
        variable { $($(#[$variable_meta:meta])* $variable:ident $fields:tt,)* }
    ) => {
        /// Why a command was refused. `to_string` and [`CommandError::write_line`] give the reply.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum CommandError {
            $(#[doc = concat!("`", $text, "`")] $(#[$meta])* $name,)*
            $($(#[$variable_meta])* $variable $fields,)*
        }

        impl CommandError {
            /// The whole text of an error that carries nothing.
            fn fixed_text(&self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }

            /// All errors that carry nothing.
            #[cfg(test)]
            const FIXED: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

errors! {
    fixed {
        // --- any command ---
        WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
        Syntax => "ERR syntax error",
        NotInteger => "ERR value is not an integer or out of range",
        NotFloat => "ERR value is not a valid float",
        ValueOutOfRange => "ERR value is out of range",
        NotPositive => "ERR value is out of range, must be positive",
        NoSuchKey => "ERR no such key",
        SameObject => "ERR source and destination objects are the same",
        IndexOutOfRange => "ERR index out of range",
        DbOutOfRange => "ERR DB index is out of range",
        InvalidFirstDb => "ERR invalid first DB index",
        InvalidSecondDb => "ERR invalid second DB index",
        InvalidCursor => "ERR invalid cursor",
        TimeoutNotInteger => "ERR timeout is not an integer or out of range",
        TimeoutNotFloat => "ERR timeout is not a float or out of range",
        TimeoutNegative => "ERR timeout is negative",
        TimeoutOutOfRange => "ERR timeout is out of range",
        LimitNegative => "ERR LIMIT can't be negative",
        NumkeysNotPositive => "ERR numkeys should be greater than 0",
        // --- admission ---
        NoAuth => "NOAUTH Authentication required.",
        Loading => "LOADING Redis is loading the dataset in memory",
        OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
        /// A snapshot failed and `stop-writes-on-bgsave-error` is set.
        MisconfRdb =>
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
             persist to disk. Commands that may modify the data set are disabled, because this \
             instance is configured to report errors during writes if RDB snapshotting fails \
             (stop-writes-on-bgsave-error option). Please check the Redis logs for details about \
             the RDB error.",
        BusyScript =>
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN \
             NOSAVE.",
        BusyFunction =>
            "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN \
             NOSAVE.",
        ReadOnly => "READONLY You can't write against a read only replica.",
        MasterDown =>
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        NoReplicas => "NOREPLICAS Not enough good replicas to write.",
        NoPermissionKey => "NOPERM No permissions to access a key",
        NoPermissionChannel => "NOPERM No permissions to access a channel",
        MaxClients => "ERR max number of clients reached",
        MaxClientsCluster => "ERR max number of clients + cluster connections reached",
        /// A connection from outside while no password is set and no address bound.
        ProtectedMode =>
            "DENIED Redis is running in protected mode because protected mode is enabled and no \
             password is set for the default user. In this mode connections are only accepted from \
             the loopback interface. If you want to connect from external computers to Redis you \
             may adopt one of the following solutions: 1) Just disable protected mode sending the \
             command 'CONFIG SET protected-mode no' from the loopback interface by connecting to \
             Redis from the same host the server is running, however MAKE SURE Redis is not \
             publicly accessible from internet if you do so. Use CONFIG REWRITE to make this \
             change permanent. 2) Alternatively you can just disable the protected mode by editing \
             the Redis configuration file, and setting the protected mode option to 'no', and then \
             restarting the server. 3) If you started the server manually just for testing, \
             restart it with the '--protected-mode no' option. 4) Set up an authentication \
             password for the default user. NOTE: You only need to do one of the above things in \
             order for the server to start accepting connections from the outside.",
        // --- strings ---
        StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        IncrementOverflow => "ERR increment or decrement would overflow",
        DecrementOverflow => "ERR decrement would overflow",
        IncrementNotFinite => "ERR increment would produce NaN or Infinity",
        OffsetOutOfRange => "ERR offset is out of range",
        LcsNotStrings => "ERR The specified keys must contain string values",
        LcsLengthAndIndexes => "ERR If you want both the length and indexes, please just use IDX.",
        LcsStringTooLong => "ERR String too long for LCS",
        LcsTooMuchMemory =>
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        LcsAllocationFailed =>
            "ERR Insufficient memory, failed allocating transient memory for LCS",
        // --- lists ---
        CountNotPositive => "ERR count should be greater than 0",
        CountNegative => "ERR COUNT can't be negative",
        MaxlenNegative => "ERR MAXLEN can't be negative",
        RankZero =>
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or \
             use negative to start from the end of the list",
        // --- bitmaps ---
        BitOffset => "ERR bit offset is not an integer or out of range",
        BitValue => "ERR bit is not an integer or out of range",
        BitArgument => "ERR The bit argument must be 1 or 0.",
        BitopNotOneSource => "ERR BITOP NOT must be called with a single source key.",
        BitfieldType =>
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported \
             but i64 is.",
        BitfieldOverflow => "ERR Invalid OVERFLOW type specified",
        BitfieldReadOnly => "ERR BITFIELD_RO only supports the GET subcommand",
        // --- generic ---
        ExpireNxWithOthers => "ERR NX and XX, GT or LT options at the same time are not compatible",
        ExpireGtWithLt => "ERR GT and LT options at the same time are not compatible",
        FrequencyNotTracked =>
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        IdleTimeNotTracked =>
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        BusyKey => "BUSYKEY Target key name already exists.",
        BadDump => "ERR Bad data format",
        DumpVersionOrChecksum => "ERR DUMP payload version or checksum are wrong",
        InvalidTtl => "ERR Invalid TTL value, must be >= 0",
        InvalidIdleTime => "ERR Invalid IDLETIME value, must be >= 0",
        InvalidFrequency => "ERR Invalid FREQ value, must be >= 0 and <= 255",
        // --- connection ---
        WrongPass => "WRONGPASS invalid username-password pair or user is disabled.",
        AuthWithoutPassword =>
            "ERR AUTH <password> called without any password configured for the default user. Are \
             you sure your configuration is correct?",
        NoProto => "NOPROTO unsupported protocol version",
        ProtocolVersion => "ERR Protocol version is not an integer or out of range",
        HelloNoAuth =>
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ClientName => "ERR Client names cannot contain spaces, newlines or special characters.",
        NoSuchClient => "ERR No such client",
        ClientIdNotPositive => "ERR client-id should be greater than 0",
        InvalidClientId => "ERR Invalid client ID",
        ClientPauseMode => "ERR CLIENT PAUSE mode must be WRITE or ALL",
        ClientUnblockReason => "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
        ClientUnblocked => "UNBLOCKED client unblocked via CLIENT UNBLOCK",
        UnblockedByRoleChange =>
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> \
             replica?)",
        TrackingRedirectMissing => "ERR The client ID you want redirect to does not exist",
        TrackingPrefixWithoutBcast => "ERR PREFIX option requires BCAST mode to be enabled",
        TrackingOptWithBcast => "ERR OPTIN and OPTOUT are not compatible with BCAST",
        TrackingOptBoth => "ERR You can't specify both OPTIN mode and OPTOUT mode",
        TrackingSwitchBcast =>
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        TrackingSwitchOpt =>
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        CachingNotTracking =>
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN \
             or OPTOUT mode enabled",
        CachingYesNotOptin =>
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        CachingNoNotOptout =>
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        // --- transactions and scripts ---
        MultiNested => "ERR MULTI calls can not be nested",
        ExecWithoutMulti => "ERR EXEC without MULTI",
        DiscardWithoutMulti => "ERR DISCARD without MULTI",
        WatchInsideMulti => "ERR WATCH inside MULTI is not allowed",
        NotInsideTransaction => "ERR Command not allowed inside a transaction",
        ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
        NoScript => "NOSCRIPT No matching script. Please use EVAL.",
        NotBusy => "NOTBUSY No scripts in execution right now.",
        Unkillable =>
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You \
             can either wait the script termination or kill the server in a hard way using the \
             SHUTDOWN NOSAVE command.",
        NotFromScript => "ERR This Redis command is not allowed from script",
        KeysNegative => "ERR Number of keys can't be negative",
        KeysExceedArguments => "ERR Number of keys can't be greater than number of args",
        // --- server ---
        NoConfigFile => "ERR The server is running without a config file",
        SaveInProgress => "ERR Background save already in progress",
        AppendRewriteBlocksSave =>
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
             SCHEDULE in order to schedule a BGSAVE whenever possible.",
        AppendRewriteInProgress => "ERR Background append only file rewriting already in progress",
        AppendRewriteFailed =>
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more \
             information.",
        ShutdownFailed => "ERR Errors trying to SHUTDOWN. Check logs.",
        NoShutdown => "ERR No shutdown in progress.",
        SlowlogCount => "ERR count should be greater than or equal to -1",
        CommandInvalid => "ERR Invalid command specified",
        CommandWithoutKeys => "ERR The command has no key arguments",
        CommandArity => "ERR Invalid number of arguments specified for command",
        CommandArguments => "ERR Invalid arguments specified for command",
        ClusterDisabled => "ERR This instance has cluster support disabled",
        DebugProtocolType =>
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        /// A push, asked for by a client that speaks RESP2.
        DebugNotInResp2 => "ERR RESP2 is not supported by this command",
        DebugReloadOption =>
            "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
        DebugLoadFailed => "ERR Error trying to load the AOF files, check server logs.",
        ModuleNotLoaded => "ERR Error loading the extension. Please check the server logs.",
        NoSuchModule => "ERR Error unloading module: no such module with that name",
        InvalidMasterPort => "ERR Invalid master port",
        NoFailover => "ERR No failover in progress.",
    }
    variable {
        /// `ERR wrong number of arguments for 'x' command`; a subcommand is `client|id`.
        WrongArity(&'static str),
        /// `ERR Command 'x' not allowed inside a transaction`, as Valkey says it.
        NotInside(&'static str),
        /// `ERR invalid expire time in 'x' command`.
        InvalidExpire(&'static str),
        /// `ERR value is out of range, value must between a and b`.
        OutsideRange {
            /// The smallest value allowed.
            least: i64,
            /// The largest value allowed.
            most: i64,
        },
        /// The bytes of the connection are no requests; the connection closes after this reply.
        Protocol(ProtocolError),
        /// `ERR DEBUG command not allowed. ...`: the command's name in capitals and its directive.
        NotEnabled(&'static NotEnabled),
        /// `ERR x is not allowed in cluster mode`.
        NotInCluster(&'static str),
        /// `ERR Can't execute 'x': only (P|S)SUBSCRIBE / ... are allowed in this context`.
        SubscribedOnly(&'static str),
        /// `MISCONF Errors writing to the AOF file: x`.
        MisconfLog(Box<str>),
        /// An error that quotes what a client sent, made by one of the constructors.
        Quoting(Quoting),
        /// A whole reply made elsewhere (a script's own error, `DEBUG ERROR`), its prefix included.
        Verbatim(Box<[u8]>),
    }
}

/// A command that a directive of the configuration has to enable.
#[derive(Debug, PartialEq, Eq)]
pub struct NotEnabled {
    /// The command in capitals.
    pub command: &'static str,
    /// The directive that enables it.
    pub directive: &'static str,
}

impl CommandError {
    /// `DEBUG` without `enable-debug-command`.
    pub const DEBUG_NOT_ENABLED: Self =
        Self::NotEnabled(&NotEnabled { command: "DEBUG", directive: "enable-debug-command" });
    /// `MODULE` without `enable-module-command`.
    pub const MODULE_NOT_ENABLED: Self =
        Self::NotEnabled(&NotEnabled { command: "MODULE", directive: "enable-module-command" });

    /// The first word of the reply, by which clients and INFO errorstats tell errors apart.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let text = match self {
            Self::Quoting(quoting) => quoting.text(),
            Self::Verbatim(text) => text,
            Self::MisconfLog(_) => return "MISCONF",
            fixed => fixed.fixed_text().unwrap_or("ERR").as_bytes(),
        };
        let word = text.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        std::str::from_utf8(word).unwrap_or("ERR")
    }

    /// Appends the reply to `out`, without the leading `-` and the line end, as one line: every CR
    /// and LF in it becomes a space.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        if let Some(text) = self.fixed_text() {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let start = out.len();
        self.write_variable(out);
        for byte in &mut out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }

    /// Appends the text of an error that carries something.
    fn write_variable(&self, out: &mut Vec<u8>) {
        let mut put = |parts: &[&str]| {
            parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        };
        match self {
            Self::WrongArity(name) => {
                put(&["ERR wrong number of arguments for '", name, "' command"]);
            }
            Self::NotInside(name) => {
                put(&["ERR Command '", name, "' not allowed inside a transaction"]);
            }
            Self::InvalidExpire(name) => put(&["ERR invalid expire time in '", name, "' command"]),
            Self::OutsideRange { least, most } => {
                put(&["ERR value is out of range, value must between "]);
                push_i64(out, *least);
                out.extend_from_slice(b" and ");
                push_i64(out, *most);
            }
            Self::Protocol(error) => {
                put(&["ERR Protocol error: "]);
                error.write_text(out);
            }
            Self::NotEnabled(gate) => put(&[
                "ERR ",
                gate.command,
                " command not allowed. If the ",
                gate.directive,
                " option is set to \"local\", you can run it from a local connection, otherwise \
                 you need to set this option in the configuration file, and then restart the \
                 server.",
            ]),
            Self::NotInCluster(name) => put(&["ERR ", name, " is not allowed in cluster mode"]),
            Self::SubscribedOnly(name) => put(&[
                "ERR Can't execute '",
                name,
                "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context",
            ]),
            Self::MisconfLog(reason) => {
                put(&["MISCONF Errors writing to the AOF file: ", reason]);
            }
            Self::Quoting(quoting) => out.extend_from_slice(quoting.text()),
            Self::Verbatim(text) => out.extend_from_slice(text),
            _ => unreachable!("fixed_text answers for every variant without fields"),
        }
    }
}

impl From<ProtocolError> for CommandError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut line = Vec::new();
        self.write_line(&mut line);
        formatter.write_str(&String::from_utf8_lossy(&line))
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests;
