//! # cargo-zbuild
//!
//! A drop-in for `cargo build` that never compiles the same thing twice, and
//! that costs less than cargo itself when there is nothing to do. There is no
//! `RUSTC_WRAPPER` and no daemon. One process decides for every compilation
//! unit up front whether the cache has it, restores all hits in bulk so that
//! cargo sees them as fresh, and starts cargo only when something is missing.
//!
//! Three promises stand above speed, in this order:
//!
//! 1. **Never a wrong hit.** What is restored is what cargo would have built.
//!    In doubt it is a miss, with its reason.
//! 2. **Cargo stays the referee.** Afterwards plain `cargo build` finds
//!    everything fresh, and the other way round. Nothing is injected.
//! 3. **Never in the way.** Any failure of ours is one line on stderr and a
//!    plain cargo build, with cargo's exit code.
//!
//! ## How data flows
//!
//! ```text
//! arguments -> plan (units, keys, verdicts) -> restore -> cargo for the misses -> capture -> report
//! ```
//!
//! | room | what it is for |
//! | --- | --- |
//! | [`mod@unit`], [`event`] | the words that all others speak |
//! | [`fault`] | the steps at which a test can end us; nothing in a release build |
//! | [`cargo`] | all knowledge of cargo |
//! | [`cache`] | all knowledge of the store |
//! | [`plan`] | decides, and writes nothing |
//! | [`exec`] | acts: restores, lets cargo build, captures |
//! | [`report`] | shows it to people and tools |
//! | [`cli`] | arguments, settings, exit codes |
//!
//! Each room uses only those to its right:
//! `cli -> report -> exec -> plan -> {cargo | cache} -> event -> unit`, where
//! `report` uses `event` and `unit` only, and `cargo` and `cache` never meet.
//! `tests/arrows.rs` holds this.
#![forbid(unsafe_code)]

pub mod cache;
pub mod cargo;
pub mod cli;
pub mod event;
pub mod exec;
pub mod fault;
pub mod plan;
pub mod report;
pub mod unit;
