//! Other caches, set up as their own documentation says.
//!
//! To add one, add a line to the table.

/// How a peer is set up.
#[derive(Debug)]
pub struct Peer {
    /// Its name, which is that of its program.
    pub name: &'static str,
    /// Its arguments in place of `cargo build`; without them it is the
    /// `RUSTC_WRAPPER`.
    pub front: Option<&'static [&'static str]>,
    /// Its environment. `{home}` is a directory of its own, `{port}` a free port.
    pub env: &'static [(&'static str, &'static str)],
    /// Starts its daemon.
    pub start: &'static [&'static str],
    /// Stops its daemon.
    pub stop: &'static [&'static str],
    /// The names of its daemons' processes, for their CPU time.
    pub daemons: &'static [&'static str],
}

/// All that are known.
pub const PEERS: &[Peer] = &[
    // Its README: "Incrementally compiled crates cannot be cached."
    Peer {
        name: "sccache",
        front: None,
        env: &[
            ("CARGO_INCREMENTAL", "0"),
            ("SCCACHE_DIR", "{home}/cache"),
            ("SCCACHE_CONF", "{home}/config"),
            ("SCCACHE_SERVER_PORT", "{port}"),
            ("SCCACHE_IDLE_TIMEOUT", "0"),
        ],
        start: &["--start-server"],
        stop: &["--stop-server"],
        daemons: &["sccache"],
    },
    Peer {
        name: "zccache",
        front: None,
        env: &[("ZCCACHE_CACHE_DIR", "{home}/cache")],
        start: &["start"],
        stop: &["stop"],
        daemons: &["zccache", "zccache-daemon"],
    },
    // By itself it takes another linker, which it downloads, and leaves out debug
    // information: it is to build what cargo builds.
    Peer {
        name: "soldr",
        front: Some(&["cargo", "build"]),
        env: &[
            ("SOLDR_CACHE_DIR", "{home}/cache"),
            ("SOLDR_LINKER", "default"),
            ("SOLDR_USE_SYSTEM_CMAKE", "1"),
            ("CARGO_PROFILE_DEV_DEBUG", "2"),
        ],
        start: &[],
        stop: &["daemon", "stop"],
        daemons: &["soldr", "soldr-daemon"],
    },
    // It strips the incremental directory by itself.
    Peer {
        name: "kache",
        front: None,
        env: &[
            ("KACHE_CACHE_DIR", "{home}/cache"),
            ("KACHE_CONFIG", "{home}/config"),
            ("KACHE_HOST_CONFIG", ""),
            // For its log.
            ("XDG_CACHE_HOME", "{home}"),
        ],
        start: &["daemon", "start"],
        stop: &["daemon", "stop"],
        daemons: &["kache", "kache-engine"],
    },
    // It has no daemon.
    Peer {
        name: "mbx",
        front: Some(&["build"]),
        env: &[("MBX_CACHE_DIR", "{home}/cache")],
        start: &[],
        stop: &[],
        daemons: &[],
    },
];
