//! Every small workspace from beginning to end: cold, from the cache, and in a
//! second checkout, with cargo as the referee and as the oracle.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout};

/// One workspace, what is built of it, and the programs that come of it.
struct Case {
    workspace: &'static str,
    /// Where cargo is started, below the copied folder.
    dir: &'static str,
    args: &'static [&'static str],
    programs: &'static [&'static str],
    /// Units that a clean build in the same place compiles again: those that a
    /// macro may have given inputs that nobody records, and what rests on them.
    again: usize,
}

impl Case {
    fn new(workspace: &'static str) -> Case {
        Case {
            workspace,
            dir: "",
            args: &[],
            programs: &["debug/app"],
            again: 0,
        }
    }

    /// Builds it cold, after `rm -rf target`, and in a second checkout. The
    /// oracle works in the same place each time: some programs print it.
    #[track_caller]
    fn holds(&self, layout: Layout) {
        let mut checkout = Checkout::of(self.workspace, layout).args(self.args);
        checkout.dir = checkout.path(self.dir);
        // The first one is a clean build of cargo's.
        let cold = checkout.build();
        let summary = cold.summary();
        assert_eq!(summary.compiled, summary.units, "{cold}");
        checkout.referee();
        let printed = self.run(&checkout);

        checkout.build_compiles_nothing();
        checkout.remove_target();
        let warm = checkout.build();
        assert_eq!(warm.summary().compiled, self.again, "{warm}");
        checkout.referee();
        assert_eq!(self.run(&checkout), printed);

        let second = checkout.second("second");
        second.build();
        second.referee();
        let printed = self.run(&second);
        assert_eq!(printed, second.in_a_clean_target(|| self.run(&second)));
        second.build_compiles_nothing();
        checkout.referee();
    }

    /// What all programs print.
    fn run(&self, checkout: &Checkout) -> Vec<String> {
        let run = |program: &&str| checkout.run_program(program);
        self.programs.iter().map(run).collect()
    }
}

fn a_chain_of_members(layout: Layout) {
    Case::new("members").holds(layout);
}

fn a_chain_of_members_in_release(layout: Layout) {
    Case {
        args: &["--release"],
        programs: &["release/app"],
        ..Case::new("members")
    }
    .holds(layout);
}

fn a_proc_macro_of_its_own(layout: Layout) {
    Case::new("proc-macro").holds(layout);
}

fn build_scripts_of_every_kind(layout: Layout) {
    Case::new("build-scripts").holds(layout);
}

fn libraries_of_every_crate_type(layout: Layout) {
    Case {
        programs: &[
            "debug/first",
            "debug/second",
            "debug/renamed-bin",
            "debug/dyn-user",
        ],
        ..Case::new("crate-types")
    }
    .holds(layout);
}

fn names_that_differ_from_each_other(layout: Layout) {
    Case::new("names").holds(layout);
}

fn features_that_are_asked_for(layout: Layout) {
    Case {
        args: &["--features", "extra"],
        ..Case::new("names")
    }
    .holds(layout);
}

fn every_kind_of_target(layout: Layout) {
    Case {
        args: &["--all-targets"],
        programs: &["debug/targets-cli", "debug/examples/hello"],
        ..Case::new("targets")
    }
    .holds(layout);
}

/// The test names the bin that it starts by its absolute path.
fn tests_of_a_second_checkout_start_its_own_programs(layout: Layout) {
    let first = Checkout::of("targets", layout).args(&["--all-targets"]);
    first.build();
    let second = first.second("second/targets");
    second.build();
    second.referee();
    std::fs::remove_dir_all(&first.copy).unwrap();
    let ran = second.cargo(&["test", "-v"]).successful();
    assert!(!ran.stderr.contains("Compiling"), "{ran}");
    assert!(
        ran.stdout
            .contains("the_bin_prints_the_constant_of_the_lib ... ok"),
        "{ran}"
    );
    let ran = second
        .cargo(&["bench", "-v", "--bench", "b", "--profile", "dev"])
        .successful();
    assert!(!ran.stderr.contains("Compiling"), "{ran}");
    assert!(
        ran.stdout
            .contains("target=bench\nlib.constant=1\nlib.test=false\n"),
        "{ran}"
    );
}

fn dependencies_beyond_the_workspace(layout: Layout) {
    Case {
        dir: "ws",
        ..Case::new("outside")
    }
    .holds(layout);
}

fn crates_that_keep_paths(layout: Layout) {
    // `baked` and `listed` use macros that read files; `app` rests on them.
    Case {
        again: 3,
        ..Case::new("paths")
    }
    .holds(layout);
}

fn crates_with_warnings(layout: Layout) {
    Case::new("warnings").holds(layout);
}

fn vendored_sources(layout: Layout) {
    Case::new("vendored").holds(layout);
}

fn a_profile_of_its_own(layout: Layout) {
    Case {
        args: &["--profile", "fast"],
        programs: &["fast/app"],
        ..Case::new("profiles")
    }
    .holds(layout);
}

in_both_layouts!(
    a_chain_of_members,
    a_chain_of_members_in_release,
    a_proc_macro_of_its_own,
    build_scripts_of_every_kind,
    libraries_of_every_crate_type,
    names_that_differ_from_each_other,
    features_that_are_asked_for,
    every_kind_of_target,
    tests_of_a_second_checkout_start_its_own_programs,
    dependencies_beyond_the_workspace,
    crates_that_keep_paths,
    crates_with_warnings,
    vendored_sources,
    a_profile_of_its_own,
);
