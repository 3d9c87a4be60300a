//! Traps in build scripts: when they are run again, what they hand on, and
//! what they leave behind.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;

use common::{Checkout, Layout, app_with_script, there_and_back};

/// A change, the packages whose scripts have to run for it, and the line of the
/// output that tells of it.
struct Change {
    make: fn(&mut Checkout),
    undo: fn(&mut Checkout),
    scripts: &'static [&'static str],
    shows: &'static str,
}

const CHANGES: &[Change] = &[
    Change {
        make: |checkout| checkout.set_env("ZB_ENVY", "green"),
        undo: |checkout| checkout.unset_env("ZB_ENVY"),
        scripts: &["envy"],
        shows: "envy.envy=green\n",
    },
    Change {
        make: |checkout| checkout.write("gen/template.txt", "template two\n"),
        undo: |checkout| checkout.write("gen/template.txt", "template one\n"),
        scripts: &["gen"],
        shows: "gen.template=template two\n",
    },
    Change {
        make: |checkout| checkout.write("cfgs/flavour.txt", "sour\n"),
        undo: |checkout| checkout.write("cfgs/flavour.txt", "sweet\n"),
        scripts: &["cfgs"],
        shows: "cfgs.flavour=sour\n",
    },
    // A file appears in a directory that is watched.
    Change {
        make: |checkout| checkout.write("watchdir/assets/c.txt", "gamma\n"),
        undo: |checkout| checkout.remove("watchdir/assets/c.txt"),
        scripts: &["watchdir"],
        shows: "watchdir.assets=a.txt:alpha,b.txt:beta,c.txt:gamma\n",
    },
    Change {
        make: |checkout| checkout.rename("watchdir/assets/a.txt", "watchdir/assets/z.txt"),
        undo: |checkout| checkout.rename("watchdir/assets/z.txt", "watchdir/assets/a.txt"),
        scripts: &["watchdir"],
        shows: "watchdir.assets=b.txt:beta,c.txt:gamma,z.txt:alpha\n",
    },
    // A static library changes under the same name.
    Change {
        make: |checkout| checkout.replace("native-sys/csrc/zbnative.c", "return 7", "return 8"),
        undo: |checkout| checkout.replace("native-sys/csrc/zbnative.c", "return 8", "return 7"),
        scripts: &["native", "native-sys"],
        shows: "native.c=8\n",
    },
    // What a script says to those that depend on it.
    Change {
        make: |checkout| checkout.replace("native-sys/build.rs", "=42", "=43"),
        undo: |checkout| checkout.replace("native-sys/build.rs", "=43", "=42"),
        scripts: &["native", "native-sys"],
        shows: "native.metadata=43\n",
    },
    // Nothing is named in this one, so that any file of the package counts.
    Change {
        make: |checkout| checkout.write("plain/data.txt", "plain two\n"),
        undo: |checkout| checkout.write("plain/data.txt", "plain one\n"),
        scripts: &["plain"],
        shows: "plain.data=plain two\n",
    },
];

fn each_script_runs_again_for_its_own_changes_and_no_others(layout: Layout) {
    let mut checkout = Checkout::of("build-scripts", layout);
    checkout.build();
    let before = checkout.run();
    for change in CHANGES {
        (change.make)(&mut checkout);
        let ran = checkout.build();
        assert_eq!(ran.scripts(), change.scripts, "{ran}");
        let printed = checkout.run();
        assert!(
            printed.contains(change.shows),
            "not {}in {printed}",
            change.shows
        );
    }
    let after = checkout.is_right();
    for change in CHANGES.iter().rev() {
        (change.undo)(&mut checkout);
        let ran = checkout.build();
        // cargo keeps the times of the files of `plain`, so it runs again.
        assert!(
            ran.scripts().is_empty() || change.scripts == ["plain"],
            "{ran}"
        );
        checkout.referee();
        assert!(!checkout.run().contains(change.shows));
    }
    assert_eq!(checkout.run(), before);
    for change in CHANGES {
        (change.make)(&mut checkout);
    }
    checkout.remove_target();
    let ran = checkout.build();
    assert!(
        ran.scripts().is_empty() || ran.scripts() == ["plain"],
        "{ran}"
    );
    checkout.referee();
    assert_eq!(checkout.run(), after);
}

fn touching_what_scripts_watch_runs_none(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    checkout.build();
    let warning = "warning: warns@0.1.0: this warning of a build script is the story";
    let files = [
        "gen/template.txt",
        "watchdir/assets/a.txt",
        "native-sys/csrc/zbnative.c",
        "gen/build.rs",
    ];
    for file in files {
        checkout.touch(file);
    }
    let count = |stderr: &str| stderr.lines().filter(|line| *line == warning).count();
    let ran = checkout.build_compiles_nothing();
    assert_eq!(count(&ran.stderr), 1, "a warning is repeated: {ran}");
    checkout.referee();
    checkout.remove_target();
    let ran = checkout.build_compiles_nothing();
    assert_eq!(count(&ran.stderr), 1, "restored: {ran}");
    checkout.append("app/src/main.rs", "// A comment.\n");
    let ran = checkout.build();
    ran.assert_crates(&["app"]);
    assert_eq!(count(&ran.stderr), 1, "beside something compiled: {ran}");
    checkout.referee();
}

/// Then every file of the package counts, those included that nothing reads.
fn a_script_names_nothing_that_it_watches(layout: Layout) {
    let body = "let data = std::fs::read_to_string(\"data.txt\").unwrap();\n\
                println!(\"cargo::rustc-env=MADE={data}\");";
    let checkout = app_with_script(layout, body);
    checkout.write("data.txt", "one");
    checkout.write("notes.txt", "Nothing reads this.");
    checkout.build();
    assert_eq!(checkout.run(), "one\n");
    checkout.write("data.txt", "two");
    let ran = checkout.build();
    assert_eq!(ran.scripts(), ["app"], "{ran}");
    assert_eq!(checkout.is_right(), "two\n");
    let others: [fn(&Checkout); 3] = [
        |checkout| checkout.append("notes.txt", "More."),
        |checkout| checkout.touch("notes.txt"),
        |checkout| checkout.write("new.txt", "new"),
    ];
    for change in others {
        change(&checkout);
        checkout.build();
        checkout.referee();
        assert_eq!(checkout.run(), "two\n");
    }
    checkout.write("data.txt", "one");
    checkout.remove_target();
    checkout.build();
    assert_eq!(checkout.is_right(), "one\n");
    checkout.remove_target();
    checkout.build_compiles_nothing();
    assert_eq!(checkout.is_right(), "one\n");
}

fn a_script_is_edited(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                println!(\"cargo::rustc-env=MADE=one\");";
    let mut checkout = app_with_script(layout, body);
    let there = |checkout: &mut Checkout| checkout.replace("build.rs", "MADE=one", "MADE=two");
    let back = |checkout: &mut Checkout| checkout.replace("build.rs", "MADE=two", "MADE=one");
    there_and_back(&mut checkout, there, back).assert_crates(&["build_script_build", "app"]);
}

fn a_library_that_a_script_is_built_with_is_edited(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                println!(\"cargo::rustc-env=MADE={}\", helper::HELP);";
    let mut checkout = app_with_script(layout, body);
    checkout.append(
        "Cargo.toml",
        "[build-dependencies]\nhelper = { path = \"helper\" }\n",
    );
    checkout.write(
        "helper/Cargo.toml",
        "[package]\nname = \"helper\"\nversion = \"0.1.0\"\n",
    );
    checkout.write("helper/src/lib.rs", "pub const HELP: u32 = 1;\n");
    let there = |checkout: &mut Checkout| checkout.replace("helper/src/lib.rs", "= 1", "= 2");
    let back = |checkout: &mut Checkout| checkout.replace("helper/src/lib.rs", "= 2", "= 1");
    there_and_back(&mut checkout, there, back);
}

/// cargo does not watch a library that a script only names; a clean build
/// links what is there. `deep` links it by way of two more crates.
#[cfg(unix)]
fn a_static_library_that_cargo_does_not_watch_changes(layout: Layout) {
    let package = |name: &str, deps: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n{deps}"
        )
    };
    let checkout = Checkout::with_files(
        layout,
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"app\"]\nresolver = \"2\"\n",
            ),
            (
                "app/Cargo.toml",
                &package("app", "mid = { path = \"../mid\" }\n"),
            ),
            (
                "app/src/main.rs",
                "fn main() { println!(\"{}\", mid::number()) }\n",
            ),
            (
                "mid/Cargo.toml",
                &package("mid", "sys = { path = \"../sys\" }\n"),
            ),
            (
                "mid/src/lib.rs",
                "pub fn number() -> i32 { unsafe { sys::zb_number() } }\n",
            ),
            (
                "sys/Cargo.toml",
                &package("sys", "").replace("edition", "links = \"zbnumber\"\nedition"),
            ),
            (
                "sys/src/lib.rs",
                "extern \"C\" { pub fn zb_number() -> i32; }\n",
            ),
            (
                "sys/build.rs",
                "fn main() {\n    let dir = std::env::current_dir().unwrap().join(\"lib\");\n    \
                 println!(\"cargo::rerun-if-changed=build.rs\");\n    \
                 println!(\"cargo::rustc-link-search=native={}\", dir.display());\n    \
                 println!(\"cargo::rustc-link-lib=static=zbnumber\");\n}\n",
            ),
        ],
    );
    let compile = |number: u32| {
        let code = format!("int zb_number(void) {{ return {number}; }}\n");
        checkout.write("number.c", &code);
        fs::create_dir_all(checkout.path("sys/lib")).unwrap();
        let mut cc = checkout.command("cc");
        cc.args(["-c", "number.c", "-o", "number.o"]);
        common::Ran::of(cc).successful();
        let mut ar = checkout.command("ar");
        ar.args(["rcs", "sys/lib/libzbnumber.a", "number.o"]);
        common::Ran::of(ar).successful();
    };
    for (round, number) in [1, 2, 1].into_iter().enumerate() {
        compile(number);
        if round > 0 {
            checkout.remove_target();
        }
        checkout.build();
        checkout.referee();
        assert_eq!(checkout.run(), format!("{number}\n"), "in round {round}");
    }
    // The same without removing anything: content decides.
    compile(2);
    checkout.build();
    checkout.referee();
    assert_eq!(checkout.run(), "2\n", "changed in place");
}

/// cargo runs such a script every time.
fn a_script_watches_a_file_that_does_not_exist(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=missing.txt\");\n\
                let text = std::fs::read_to_string(\"missing.txt\");\n\
                println!(\"cargo::rustc-env=MADE={}\", text.unwrap_or_default());";
    let checkout = app_with_script(layout, body);
    checkout.build();
    assert_eq!(checkout.run(), "\n");
    checkout.build();
    assert_eq!(checkout.run(), "\n");
    checkout.write("missing.txt", "found");
    checkout.build();
    assert_eq!(checkout.is_right(), "found\n");
    checkout.build_compiles_nothing();
    checkout.remove("missing.txt");
    checkout.build();
    assert_eq!(checkout.run(), "\n");
    checkout.write("missing.txt", "again");
    checkout.build();
    assert_eq!(checkout.is_right(), "again\n");
}

fn a_script_watches_an_absolute_path(layout: Layout) {
    let checkout = app_with_script(layout, "");
    let outside = checkout.base().join("outside.txt");
    let body = format!(
        "fn main() {{\n    println!(\"cargo::rerun-if-changed={path}\");\n    \
         println!(\"cargo::rustc-env=MADE={{}}\", std::fs::read_to_string({path:?}).unwrap());\n}}\n",
        path = outside.display().to_string(),
    );
    checkout.write("build.rs", &body);
    for (text, compiled) in [("one", 3), ("two", 2), ("one", 0), ("two", 0)] {
        fs::write(&outside, text).unwrap();
        let ran = checkout.build();
        assert_eq!(ran.compiled(), compiled, "{text}: {ran}");
        assert_eq!(checkout.is_right(), format!("{text}\n"));
    }
}

fn several_outputs_and_a_directory_tree_in_out_dir(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=input.txt\");\n\
                let out = std::path::PathBuf::from(std::env::var(\"OUT_DIR\").unwrap());\n\
                let input = std::fs::read_to_string(\"input.txt\").unwrap();\n\
                std::fs::create_dir_all(out.join(\"a/b\")).unwrap();\n\
                std::fs::create_dir_all(out.join(\"empty\")).unwrap();\n\
                std::fs::write(out.join(\"a/b/deep.txt\"), &input).unwrap();\n\
                std::fs::write(out.join(format!(\"{}.name\", input)), \"\").unwrap();\n\
                println!(\"cargo::rustc-env=MADE={}\", input.len());";
    let mut checkout = app_with_script(layout, body);
    checkout.write("input.txt", "one");
    checkout.write(
        "src/main.rs",
        "const DEEP: &str = include_str!(concat!(env!(\"OUT_DIR\"), \"/a/b/deep.txt\"));\n\
         fn main() { println!(\"{}{}\", DEEP, env!(\"MADE\")) }\n",
    );
    let there = |checkout: &mut Checkout| checkout.write("input.txt", "three");
    let back = |checkout: &mut Checkout| checkout.write("input.txt", "one");
    there_and_back(&mut checkout, there, back);
    let out = checkout.target_file(&["three.name"]);
    let out = out.parent().unwrap();
    assert!(out.join("a/b/deep.txt").is_file() && out.join("empty").is_dir());
}

/// A program that a script makes, and a link to it: what comes back has to be
/// of use to the next one who runs it.
#[cfg(unix)]
fn a_script_makes_a_program_and_a_link(layout: Layout) {
    use std::os::unix::fs::PermissionsExt;
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                use std::os::unix::fs::{PermissionsExt, symlink};\n\
                let out = std::path::PathBuf::from(std::env::var(\"OUT_DIR\").unwrap());\n\
                let tool = out.join(\"tool.sh\");\n\
                std::fs::write(&tool, \"#!/bin/sh\\n\").unwrap();\n\
                std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();\n\
                let _ = std::fs::remove_file(out.join(\"link.sh\"));\n\
                symlink(\"tool.sh\", out.join(\"link.sh\")).unwrap();\n\
                println!(\"cargo::rustc-env=MADE=1\");";
    let checkout = app_with_script(layout, body);
    checkout.build();
    for _ in 0..2 {
        checkout.remove_target();
        checkout.build();
        checkout.is_right();
        let tool = checkout.target_file(&["tool.sh"]);
        assert_eq!(
            fs::metadata(&tool).unwrap().permissions().mode() & 0o777,
            0o755
        );
        let link = tool.with_file_name("link.sh");
        assert_eq!(fs::read_link(link).unwrap().to_str(), Some("tool.sh"));
    }
}

/// Against the rules, and done all the same: a script that writes among the
/// sources. A fresh checkout does not have that file.
fn a_script_writes_outside_of_its_output_directory(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                std::fs::write(\"src/generated.rs\", \"pub const G: u32 = 5;\\n\").unwrap();\n\
                std::thread::sleep(std::time::Duration::from_millis(50));\n\
                println!(\"cargo::rustc-env=MADE=1\");";
    // Written in the tick in which rustc is started, it may have been written
    // after that, and what was built would not be recorded: hence the sleep.
    let checkout = app_with_script(layout, body);
    let main = "mod generated;\nfn main() { println!(\"{}{}\", env!(\"MADE\"), generated::G) }\n";
    checkout.write("src/main.rs", main);
    let clean = checkout.second("clean/ws");
    checkout.build();
    assert_eq!(checkout.is_right(), "15\n");
    checkout.build_compiles_nothing();
    // As it was checked out first.
    clean.build();
    assert_eq!(clean.is_right(), "15\n");
    checkout.remove("src/generated.rs");
    checkout.remove_target();
    checkout.build();
    assert_eq!(checkout.is_right(), "15\n");
}

fn a_script_that_fails_fails_the_build_each_time(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=state.txt\");\n\
                println!(\"cargo::rustc-env=MADE=1\");\n\
                match std::fs::read_to_string(\"state.txt\").unwrap().as_str() {\n\
                    \"fail\" => panic!(\"as asked\"),\n\
                    \"error\" => println!(\"cargo::error=as asked\"),\n\
                    _ => {}\n\
                }";
    let checkout = app_with_script(layout, body);
    for state in ["good", "fail", "error", "fail", "good"] {
        checkout.write("state.txt", state);
        for _ in 0..2 {
            let ran = checkout.zbuild(&["-v"]);
            let expected = if state == "good" { 0 } else { 101 };
            assert_eq!(ran.status.code(), Some(expected), "{ran}");
            assert_eq!(ran.stderr.contains("as asked"), state != "good", "{ran}");
        }
    }
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// Called by another tool, or from within a build: neither waits for the other
/// one, nor does it call itself for ever.
fn a_script_calls_zbuild_for_another_workspace(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                let status = std::process::Command::new(\"cargo-zbuild\")\n\
                    .args([\"zbuild\", \"--manifest-path\", \"../inner/Cargo.toml\", \"-p\", \"leaf\"])\n\
                    .env_remove(\"CARGO_TARGET_DIR\").env_remove(\"CARGO_BUILD_BUILD_DIR\").status().unwrap();\n\
                assert!(status.success());\n\
                println!(\"cargo::rustc-env=MADE=1\");";
    let checkout = app_with_script(layout, body);
    let inner = Checkout::of("members", layout);
    common::files::copy_tree(&inner.copy, &checkout.path("../inner"));
    checkout.build();
    checkout.is_right();
    assert!(
        checkout
            .path("../inner/target/debug/libleaf.rlib")
            .is_file()
    );
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// anyhow's and thiserror's scripts of some years try what rustc can do, and
/// leave dep-info in `OUT_DIR`: it names the directory, and nobody reads it.
/// Who does, or is told where it is, is built again in another checkout.
fn dep_info_that_a_script_leaves_behind(layout: Layout) {
    const PLAIN: &str = "fn main() { println!(\"{}\", env!(\"MADE\")) }\n";
    const READS: &str = "fn main() { println!(\"{}\", env!(\"MADE\")) }\n\
        const TEXT: &str = include_str!(concat!(env!(\"OUT_DIR\"), \"/probe.d\"));\n\
        #[used] static LEN: [u8; TEXT.len() % 50 + 1] = [0; TEXT.len() % 50 + 1];\n";
    let tells = "println!(\"cargo::rustc-link-search={}\", out.display());";
    for (main, more, file, compiled) in [
        (PLAIN, "", "probe.d", 0),
        (PLAIN, "", "probe.txt", 2),
        (READS, "", "probe.d", 1),
        (PLAIN, tells, "probe.d", 2),
    ] {
        let body = format!(
            "println!(\"cargo::rerun-if-changed=build.rs\");\n\
             let out = std::path::PathBuf::from(std::env::var(\"OUT_DIR\").unwrap());\n\
             let text = format!(\"{{0}}/libprobe.rmeta: probe.rs\\n\\nprobe.rs:\\n\", out.display());\n\
             std::fs::write(out.join(\"{file}\"), text).unwrap();\n\
             println!(\"cargo::rustc-env=MADE=1\");\n{more}"
        );
        let checkout = app_with_script(layout, &body);
        checkout.write("src/main.rs", main);
        checkout.build();
        let second = checkout.second("a second one, at another place");
        let ran = second.build();
        assert_eq!(ran.compiled(), compiled, "{file} {more} {main}: {ran}");
        second.is_right();
        second.referee();
        let left = second.target_file(&[file]);
        let text = fs::read_to_string(&left).unwrap();
        let named = format!("{}/libprobe.rmeta: ", left.parent().unwrap().display());
        assert!(text.starts_with(&named), "{text}");
        second.remove_target();
        second.build_compiles_nothing();
        second.is_right();
        assert_eq!(fs::read_to_string(&left).unwrap(), text);
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
}

/// The other script is built from what differs, and prints nothing that names a
/// directory.
fn another_script_is_told_of_dep_info(layout: Layout) {
    let head = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{more}")
    };
    let sys = head("sys", "links = \"sys\"\n");
    let app = head(
        "app",
        "[dependencies]\nsys = { path = \"sys\" }\n[workspace]\n",
    );
    let tells = "fn main() {\n\
        let out = std::env::var(\"OUT_DIR\").unwrap();\n\
        std::fs::write(format!(\"{out}/probe.d\"), format!(\"{out}/a.rmeta: a.rs\\n\")).unwrap();\n\
        println!(\"cargo::rerun-if-changed=build.rs\\ncargo::metadata=dir={out}\");\n}\n";
    let reads = "fn main() {\n\
        let dir = std::env::var(\"DEP_SYS_DIR\").unwrap();\n\
        let text = std::fs::read_to_string(format!(\"{dir}/probe.d\")).unwrap();\n\
        println!(\"cargo::rerun-if-changed=build.rs\");\n\
        println!(\"cargo::rustc-env=MADE={}\", text.len());\n}\n";
    let files = [
        ("Cargo.toml", app.as_str()),
        ("build.rs", reads),
        (
            "src/main.rs",
            "fn main() { println!(\"{}\", env!(\"MADE\")) }\n",
        ),
        ("sys/Cargo.toml", sys.as_str()),
        ("sys/build.rs", tells),
        ("sys/src/lib.rs", ""),
    ];
    let checkout = Checkout::with_files(layout, &files);
    checkout.build();
    let right = checkout.oracle_in_place();
    let second = checkout.second("a place with another, longer name");
    // What rests on it is asked for once the script's record is there.
    second.zbuild(&["-v", "-p", "sys"]).healthy();
    second.build();
    let other = second.oracle_in_place();
    assert_ne!(right, other);
    // Each finds the records of both.
    for (checkout, right) in [(&second, &other), (&checkout, &right), (&second, &other)] {
        checkout.is_still(right);
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_still(right);
    }
}

in_both_layouts!(
    another_script_is_told_of_dep_info,
    dep_info_that_a_script_leaves_behind,
    each_script_runs_again_for_its_own_changes_and_no_others,
    touching_what_scripts_watch_runs_none,
    a_script_names_nothing_that_it_watches,
    a_script_is_edited,
    a_library_that_a_script_is_built_with_is_edited,
    a_script_watches_a_file_that_does_not_exist,
    a_script_watches_an_absolute_path,
    several_outputs_and_a_directory_tree_in_out_dir,
    a_script_writes_outside_of_its_output_directory,
    a_script_that_fails_fails_the_build_each_time,
    a_script_calls_zbuild_for_another_workspace,
);

#[cfg(unix)]
in_both_layouts!(
    a_static_library_that_cargo_does_not_watch_changes,
    a_script_makes_a_program_and_a_link,
);
