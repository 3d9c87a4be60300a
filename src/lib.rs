//! cargo-zbuild.
#![forbid(unsafe_code)]
pub mod cache;
pub mod cargo;
pub mod event;
pub mod unit;
pub mod plan;
