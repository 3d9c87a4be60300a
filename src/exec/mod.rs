//! Acts on a plan: restores hits, lets cargo build the misses, captures what
//! it built.
//!
//! Only this room changes a target directory, and only while it holds cargo's
//! own locks. It must never inject anything that a later cargo could take for
//! a change, and never leave a unit half restored: the fingerprint goes first
//! when a unit is replaced and comes last when it is restored.

mod account;
pub mod audit;
mod bench;
pub mod capture;
mod compare;
mod control;
mod doubt;
pub mod executables;
#[cfg(test)]
mod fixtures;
mod judge;
mod leftovers;
pub mod macros;
mod notes;
mod origins;
pub mod outputs;
mod preview;
pub mod proof;
mod recall;
pub mod replay;
pub mod restore;
pub mod run;
pub mod scan;
mod scratch;
pub mod session;
pub mod sight;
mod start;
mod sums;
mod untested;
pub mod upkeep;
mod verify;
