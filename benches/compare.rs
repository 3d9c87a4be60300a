//! # How fast is it, beside plain cargo and other caches?
//!
//! ```text
//! cargo bench --bench compare -- [OPTIONS]
//!
//!   --workspace DIR    the workspace to build (default: tests/workspaces/large)
//!   --package NAME     the package to build, one with a program (default: fbuild-cli)
//!   --leaf FILE        the file to edit, relative to the workspace
//!                      (default: crates/fb-core-types/src/lib.rs)
//!   --constant NAME    the constant to edit in it (default: its first one with a literal)
//!   --repeat N         rounds of each case but the cold build (default: 5)
//!   --cold N           rounds of the cold build (default: 1); peers do it once
//!   --limit SECONDS    no further round of a case after this long in one tool (default: 120)
//!   --cases a,b,c      some of cold, noop, touch, newline, flip, edit, rm-target, second
//!   --peers a,b,c      some of sccache, zccache, soldr, kache, mbx; or none
//!                      (default: all that are on PATH)
//!   --out DIR          where the report goes (default: target/compare)
//!   --scratch DIR      where to build (default: $ZBUILD_BENCH_DIR, else the
//!                      temporary directory); the large workspace needs 15 GB there
//!   --toolchain T      a toolchain of rustup (default: what the workspace asks for)
//!   --keep             leave the built directories and the logs behind
//! ```
//!
//! The large workspace takes half an hour on two CPUs, and twice that with all
//! peers. A small one, in a minute:
//!
//! ```text
//! cargo bench --bench compare -- --workspace tests/workspaces/members \
//!     --package app --leaf leaf/src/lib.rs --repeat 3
//! ```
//!
//! `benches/on-ext4.sh [OPTIONS]` does it on an ext4 that is as mkfs makes it,
//! whatever the machine's own file system is.
//!
//! ## What is done
//!
//! Every tool has a copy of the workspace, a target directory and a cache of
//! its own, all below one directory, thus on one file system. Plain cargo and
//! cargo-zbuild go through a case in turn, in rounds; who is first alternates.
//! What a case is compared with (cargo's no-op, `cp -a`) is measured in the same
//! rounds. The peers come afterwards, one by one, so that no daemon of theirs is
//! around while others are measured.
//!
//! | case | what is timed | its goal: cargo-zbuild is at most |
//! | --- | --- | --- |
//! | `cold` | a build with an empty cache | 1.03 x cargo, wall and CPU |
//! | `noop` | a build after a build | 0.2 x cargo |
//! | `touch` | a build after `touch` of the leaf | 0.25 x cargo's no-op |
//! | `newline` | the builds after a newline is appended to the leaf, and after the leaf is as before; both were built before | 0.25 x cargo's no-op, slowest 2 x fastest |
//! | `flip` | builds after a change of the leaf that changes the program, there and back; both were built before | 1 x cargo's no-op |
//! | `edit` | a build after a change of the leaf that nobody has seen | 1.03 x cargo, or 50 ms more if that takes less than 2 s |
//! | `rm-target` | a build after `rm -rf target` | 1 x `cp -a`, 3 x `cp -al` of the target directory it made; 1/8 of the fastest peer |
//! | `second` | a build of a new checkout at another path | 2 x `rm-target` |
//!
//! After each build the program must print what it prints when plain cargo
//! builds the same sources; anything else ends the run. No time ever does.
//!
//! - Wall time is that of the whole command; CPU time that of its processes and
//!   of the tool's daemons, from `/proc` (elsewhere: not available).
//! - Before `cold`, sources and toolchain are read once, so that who is first
//!   does not pay for the disk. Before `cold`, `rm-target`, `second` and the
//!   copies, `sync` is run, so that nobody pays for what another one wrote.
//! - `cp -al` is done in the copy that `cp -a` made: a link to a file of the
//!   target directory would change its inode under cargo-zbuild's eyes.
//! - Plain cargo and, if they are slow, peers do `rm-target` and `second` less
//!   often than asked for (`--limit`): `n` says how often.
//! - A peer is to build what cargo builds; how each is set up stands in
//!   `compare/peers.rs`. One that fails is noted and left. `soldr` leaves a broker
//!   of its own behind, in `~/.soldr`.
//! - Variables that could change a build (`CARGO_*`, `RUST*`, the peers' own) are
//!   not passed on, apart from `CARGO_HOME`, `RUSTUP_HOME` and the like.
//!
//! The report is printed and written to `compare.md`, `compare.json` and
//! `compare.svg`.
#![forbid(unsafe_code)]

#[path = "compare/cases.rs"]
mod cases;
#[path = "compare/checkout.rs"]
mod checkout;
#[path = "compare/goals.rs"]
mod goals;
#[path = "compare/host.rs"]
mod host;
#[path = "compare/markdown.rs"]
mod markdown;
#[path = "compare/measure.rs"]
mod measure;
#[path = "compare/options.rs"]
mod options;
#[path = "compare/peers.rs"]
mod peers;
#[path = "compare/report.rs"]
mod report;
#[path = "compare/subject.rs"]
mod subject;
#[path = "compare/svg.rs"]
mod svg;
#[path = "compare/tools.rs"]
mod tools;

use clap::Parser;

use crate::cases::Bench;
use crate::options::Options;

/// What can go wrong is told to whoever runs the benchmark, and handled nowhere.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() {
    // `cargo test --benches` runs this too, to see that it compiles.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let options = Options::parse();
    if let Err(error) = run(&options) {
        panic!("{error}");
    }
}

fn run(options: &Options) -> Result<()> {
    let scratch = options.scratch()?;
    let mut bench = Bench::prepare(options, scratch.path())?;
    bench.cargo_and_zbuild()?;
    bench.report().write(&options.out)?;
    for peer in bench.peers() {
        bench.peer(peer);
        bench.report().write(&options.out)?;
    }
    print!("{}", bench.report().markdown());
    eprintln!("written to {}", options.out.display());
    Ok(())
}
