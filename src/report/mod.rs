//! Shows a build to people and tools.
//!
//! Takes events and summaries and knows nothing of how they came about. All
//! of it goes to stderr, but for the JSON messages that stand in for cargo's
//! own on stdout.

pub mod audit;
pub mod forecast;
pub mod human;
pub mod progress;
pub mod record;
pub mod simulate;
pub mod stats;
pub mod tally;
pub mod timings;
