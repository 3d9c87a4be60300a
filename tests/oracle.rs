//! The oracle: whatever happens to a workspace, the program that zbuild makes
//! is the one that plain cargo makes in an empty target directory.
//!
//! Random sequences of steps - edits with all kinds of times, touches,
//! branches, settings, toolchains, removed directories, moved and second
//! checkouts, cargo in between, killed builds - are applied to a generated
//! workspace whose program prints everything that went into it. A sequence that
//! fails is made as short as possible. `cargo test` runs a few steps; for more:
//!
//! ```sh
//! ZBUILD_ORACLE_STEPS=5000 cargo test --test oracle -- --nocapture
//! ```
//!
//! `ZBUILD_ORACLE_SEED` chooses other sequences (a number, or `random`).
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;
#[path = "oracle/step.rs"]
mod step;
#[path = "oracle/workspace.rs"]
mod workspace;
#[path = "oracle/world.rs"]
mod world;

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::OnceLock;

use common::Layout;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use world::{Counts, World};

/// Steps in each layout when nothing else is asked for.
const STEPS: usize = 24;

/// Steps in one sequence.
const LENGTH: std::ops::Range<usize> = 4..24;

/// Whether rustup has a nightly toolchain to switch to.
pub fn has_nightly() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| common::has_toolchain("nightly"))
}

fn the_program_is_always_that_of_a_clean_build(layout: Layout) {
    let steps = std::env::var("ZBUILD_ORACLE_STEPS").ok();
    // Half of them in each layout.
    let steps = steps.map_or(STEPS, |steps| steps.parse::<usize>().unwrap().div_ceil(2));
    let seed = std::env::var("ZBUILD_ORACLE_SEED").unwrap_or_default();
    let seed: u64 = match seed.as_str() {
        "random" => std::collections::hash_map::RandomState::new().hash_one(0),
        "" => 3,
        number => number.parse().unwrap(),
    };
    println!("{layout:?}: seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = layout as u8;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        cases: u32::MAX,
        failure_persistence: None,
        max_shrink_iters: 100,
        max_shrink_time: 600_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let counts = RefCell::new(Counts::default());
    // The sequences shrink, the workspace that they begin with does not.
    World::new(layout).check(true, &mut counts.borrow_mut());
    while counts.borrow().steps < steps {
        let left = steps - counts.borrow().steps;
        let length = LENGTH.start.min(left)..LENGTH.end.min(left + 1);
        let tree = step::steps(length).new_tree(&mut runner).unwrap();
        println!("{layout:?}: {:?}", tree.current());
        let result = runner.run_one(tree, |steps| {
            let mut world = World::new(layout);
            for step in &steps {
                world.step(step, &mut counts.borrow_mut());
            }
            Ok(())
        });
        println!("{layout:?}: {:?}", counts.borrow());
        if let Err(TestError::Fail(why, steps)) = result {
            panic!("{why}\nafter {steps:#?}");
        }
    }
}

in_both_layouts!(the_program_is_always_that_of_a_clean_build);
