//! What can happen between two builds, and how likely each of it is.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::workspace::{KNOBS, SWITCHES};

/// How a file gets its new content.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// As an editor saves it: with the present time.
    Saved,
    /// Within the second and of the same length: it keeps the old time.
    SameTime,
    /// As it was long ago, with the time that it had then (`cp -p`, `tar`).
    PutBack,
    /// In place of the old one, by a rename.
    Renamed,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// A file gets the content with this digit.
    Turn(usize, u8, How),
    /// `touch`
    Touch(usize),
    /// `touch` on everything.
    TouchAll,
    /// A setting in a file becomes the other one.
    Switch(usize),
    /// `part.rs` becomes `part/mod.rs`, or the reverse.
    MoveModule,
    /// A module is added, or deleted.
    AddModule,
    /// A file in the listed directory comes or goes.
    Listed(u8),
    /// A variable gets a value, or is removed.
    Variable(&'static str, Option<&'static str>),
    /// `--features loud`, or not.
    Feature(bool),
    /// `--release`, or not.
    Release(bool),
    /// `--target <host>`, or not.
    Target(bool),
    /// Another directory as the target directory, or not.
    TargetDir(bool),
    /// nightly, or stable.
    Nightly(bool),
    /// Everything is committed, and this branch checked out.
    Branch(u8),
    /// `cargo build`
    Cargo,
    /// `cargo zbuild check`
    Check,
    /// `cargo check`
    CargoCheck,
    /// `rm -rf target`
    RemoveTarget,
    /// A directory of the profile directory is removed.
    RemovePart(&'static str),
    /// Some file below the target directory is removed.
    RemoveFile(Index),
    /// The checkout is moved, with its target directory.
    Move,
    /// The other checkout is used from now on.
    OtherCheckout,
    /// The build that would come now is killed after so many milliseconds.
    Kill(u64),
}

impl Action {
    /// Whether it needs a build to go before it: cargo itself does not notice
    /// what else was done to files that it has not seen (older times), or to a
    /// workspace that is moved right afterwards.
    pub fn after_a_build(&self) -> bool {
        matches!(self, Action::Move | Action::OtherCheckout)
    }
}

/// What happens between two builds, and whether cargo is asked afterwards if
/// everything is fresh.
#[derive(Clone, Debug)]
pub struct Step {
    /// In this order.
    pub actions: Vec<Action>,
    /// Whether plain cargo looks at it after the build.
    pub referee: bool,
}

/// Variables that change a build, with values.
const VARIABLES: &[(&str, &[Option<&str>])] = &[
    ("ZB_OPTION", &[None, Some("one"), Some("")]),
    ("ZB_NATIVE", &[None, Some("one"), Some("two")]),
    ("RUSTFLAGS", &[None, Some("--cfg zb_flag")]),
    ("CARGO_PROFILE_DEV_OPT_LEVEL", &[None, Some("2")]),
    ("CARGO_INCREMENTAL", &[None, Some("0")]),
];

fn turn() -> impl Strategy<Value = Action> {
    let how = prop_oneof![
        4 => Just(How::Saved),
        1 => Just(How::SameTime),
        2 => Just(How::PutBack),
        1 => Just(How::Renamed),
    ];
    (0..KNOBS.len(), 0..3u8, how).prop_map(|(knob, digit, how)| Action::Turn(knob, digit, how))
}

fn variable() -> impl Strategy<Value = Action> {
    select(VARIABLES)
        .prop_flat_map(|(name, values)| (Just(name), select(values)))
        .prop_map(|(name, value)| Action::Variable(name, value))
}

fn action() -> impl Strategy<Value = Action> {
    const PARTS: &[&str] = &[
        "deps",
        "build",
        ".fingerprint",
        "incremental",
        "app",
        "app.d",
    ];
    prop_oneof![
        24 => turn(),
        3 => (0..KNOBS.len()).prop_map(Action::Touch),
        1 => Just(Action::TouchAll),
        8 => (0..SWITCHES.len()).prop_map(Action::Switch),
        2 => Just(Action::MoveModule),
        2 => Just(Action::AddModule),
        3 => (0..3u8).prop_map(Action::Listed),
        5 => variable(),
        2 => any::<bool>().prop_map(Action::Feature),
        1 => any::<bool>().prop_map(Action::Release),
        1 => any::<bool>().prop_map(Action::Target),
        1 => any::<bool>().prop_map(Action::TargetDir),
        1 => prop_oneof![1 => Just(true), 2 => Just(false)].prop_map(Action::Nightly),
        4 => (0..3u8).prop_map(Action::Branch),
        4 => Just(Action::Cargo),
        1 => Just(Action::Check),
        1 => Just(Action::CargoCheck),
        3 => Just(Action::RemoveTarget),
        2 => select(PARTS).prop_map(Action::RemovePart),
        2 => any::<Index>().prop_map(Action::RemoveFile),
        2 => Just(Action::Move),
        4 => Just(Action::OtherCheckout),
        3 => (50..1500u64).prop_map(Action::Kill),
    ]
}

/// One step.
pub fn step() -> impl Strategy<Value = Step> {
    let count = prop_oneof![4 => Just(1usize), 2 => Just(2), 1 => Just(3)];
    let actions = count.prop_flat_map(|count| prop::collection::vec(action(), count));
    let referee = prop_oneof![3 => Just(true), 1 => Just(false)];
    (actions, referee).prop_map(|(actions, referee)| Step { actions, referee })
}

/// A sequence of so many steps.
pub fn steps(count: Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), count)
}
