//! Traps in the sources: each edit is one by which an earlier tool was
//! deceived into a wrong hit or a stale output.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::time::Duration;

use common::files::modified;
use common::{Checkout, Layout, there_and_back};
use filetime::FileTime;

const APP: &str =
    "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";

/// One package `app` with these sources.
fn app(layout: Layout, sources: &[(&str, &str)]) -> Checkout {
    let checkout = Checkout::with_files(layout, sources);
    checkout.write("Cargo.toml", APP);
    checkout
}

/// `app` with one source file.
fn app_with_main(layout: Layout, main: &str) -> Checkout {
    app(layout, &[("src/main.rs", main)])
}

fn a_variable_read_by_option_env_comes_and_goes(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let there = |checkout: &mut Checkout| checkout.set_env("ZB_SAMPLE", "one");
    let back = |checkout: &mut Checkout| checkout.unset_env("ZB_SAMPLE");
    let ran = there_and_back(&mut checkout, there, back);
    ran.assert_crates(&["app"]);
    checkout.set_env("ZB_SAMPLE", "");
    checkout.build().assert_crates(&["app"]);
    assert!(checkout.is_right().ends_with("app.sample=\n"));
}

fn a_variable_read_by_env_changes(layout: Layout) {
    let main = r#"fn main() { println!("{}", env!("ZB_NEEDED")) }"#;
    let mut checkout = app_with_main(layout, main);
    checkout.set_env("ZB_NEEDED", "one");
    let there = |checkout: &mut Checkout| checkout.set_env("ZB_NEEDED", "two");
    let back = |checkout: &mut Checkout| checkout.set_env("ZB_NEEDED", "one");
    there_and_back(&mut checkout, there, back);
}

fn a_file_included_as_a_string_changes(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let there = |checkout: &mut Checkout| checkout.write("mid/src/data.txt", "data two\n");
    let back = |checkout: &mut Checkout| checkout.write("mid/src/data.txt", "data one\n");
    let ran = there_and_back(&mut checkout, there, back);
    ran.assert_crates(&["mid", "app"]);
}

fn a_file_included_as_bytes_from_above_the_sources_changes(layout: Layout) {
    let main = r#"fn main() { println!("{:?}", include_bytes!("../data/blob.bin")) }"#;
    let mut checkout = app(layout, &[("src/main.rs", main), ("data/blob.bin", "one")]);
    let there = |checkout: &mut Checkout| checkout.write("data/blob.bin", "two");
    let back = |checkout: &mut Checkout| checkout.write("data/blob.bin", "one");
    there_and_back(&mut checkout, there, back);
}

fn a_module_moves_into_a_directory(layout: Layout) {
    let main = "mod a;\nfn main() { println!(\"{}\", a::A) }\n";
    let one = "pub const A: &str = file!();\n";
    let mut checkout = app(layout, &[("src/main.rs", main), ("src/a.rs", one)]);
    let there = |checkout: &mut Checkout| checkout.rename("src/a.rs", "src/a/mod.rs");
    let back = |checkout: &mut Checkout| checkout.rename("src/a/mod.rs", "src/a.rs");
    there_and_back(&mut checkout, there, back);
}

fn a_module_behind_a_path_attribute_changes(layout: Layout) {
    let main = "#[path = \"../odd/place.rs\"]\nmod a;\nfn main() { println!(\"{}\", a::A) }\n";
    let one = "pub const A: u32 = 1;\n";
    let mut checkout = app(layout, &[("src/main.rs", main), ("odd/place.rs", one)]);
    let there = |checkout: &mut Checkout| checkout.replace("odd/place.rs", "= 1", "= 2");
    let back = |checkout: &mut Checkout| checkout.replace("odd/place.rs", "= 2", "= 1");
    there_and_back(&mut checkout, there, back);
}

/// `git checkout`, `cp -p`, `tar`: plain cargo would not notice.
fn an_older_file_of_the_same_length_is_put_back_with_its_old_time(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let path = checkout.path("leaf/src/lib.rs");
    let old = FileTime::from_unix_time(1_600_000_000, 0);
    filetime::set_file_mtime(&path, old).unwrap();
    let there = |checkout: &mut Checkout| checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let back = |checkout: &mut Checkout| {
        checkout.replace("leaf/src/lib.rs", "= 2", "= 1");
        checkout.set_time("leaf/src/lib.rs", old);
    };
    there_and_back(&mut checkout, there, back).assert_crates(&["leaf", "mid", "app"]);
}

/// The same with a content that was never compiled: cargo, which is started
/// for it, has to be made to compile it.
fn an_older_file_that_was_never_compiled_is_put_in_place(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let old = FileTime::from_unix_time(1_600_000_000, 0);
    checkout.replace("leaf/src/lib.rs", "= 1", "= 7");
    checkout.set_time("leaf/src/lib.rs", old);
    checkout.build().assert_crates(&["leaf", "mid", "app"]);
    assert!(
        checkout
            .is_right()
            .starts_with("leaf.constant=7\nmid.result=72\n")
    );
    checkout.write("mid/src/data.txt", "data old\n");
    checkout.set_time("mid/src/data.txt", old);
    checkout.build().assert_crates(&["mid", "app"]);
    assert!(checkout.is_right().contains("mid.data=data old\n"));
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// As `cargo chef` does: dummies are built first, and the real files, put in
/// their places afterwards, are older.
fn dummy_sources_are_replaced_by_older_real_ones(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let real = checkout.second("real");
    let old = FileTime::from_unix_time(1_600_000_000, 0);
    let sources = ["leaf/src/lib.rs", "mid/src/lib.rs", "util/src/lib.rs"];
    for source in sources {
        checkout.write(source, "");
    }
    checkout.write("app/src/main.rs", "fn main() {}\n");
    checkout.build();
    assert_eq!(checkout.is_right(), "");
    for source in sources.iter().chain(&["app/src/main.rs"]) {
        checkout.write(source, &real.read(source));
        checkout.set_time(source, old);
    }
    checkout.build();
    assert!(checkout.is_right().starts_with("leaf.constant=1\n"));
}

fn an_edit_of_the_same_length_leaves_no_trace_but_in_the_content(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    // What a file system with full seconds would show.
    let second = FileTime::from_unix_time(FileTime::now().unix_seconds() - 5, 0);
    checkout.set_time("leaf/src/lib.rs", second);
    let edit = |old: &str, new: &str| {
        let (old, new) = (old.to_owned(), new.to_owned());
        move |checkout: &mut Checkout| {
            checkout.replace_keeping_time("leaf/src/lib.rs", &old, &new);
        }
    };
    there_and_back(&mut checkout, edit("= 1", "= 2"), edit("= 2", "= 1"));
}

/// As fast as a script can: build, edit, build.
fn edits_in_quick_succession_are_all_seen(layout: Layout) {
    let checkout = app_with_main(layout, "fn main() { println!(\"0\") }\n");
    for round in 0..6 {
        let number = [0, 1, 2, 1, 0, 2][round];
        checkout.write(
            "src/main.rs",
            &format!("fn main() {{ println!(\"{number}\") }}\n"),
        );
        let ran = checkout.build();
        assert_eq!(
            checkout.run(),
            format!("{number}\n"),
            "round {round}:\n{ran}"
        );
        assert_eq!(
            ran.compiled(),
            usize::from(round < 3),
            "round {round}:\n{ran}"
        );
    }
    checkout.is_right();
}

/// A time in the future, as an unpacked archive may have it: cargo compiles
/// such a file again and again.
fn a_source_from_the_future_is_compiled_right(layout: Layout) {
    let checkout = app_with_main(layout, "fn main() { println!(\"1\") }\n");
    let future = FileTime::from_unix_time(FileTime::now().unix_seconds() + 3600, 0);
    checkout.set_time("src/main.rs", future);
    checkout.build();
    assert_eq!(checkout.run(), "1\n");
    checkout.replace_keeping_time("src/main.rs", "1", "2");
    checkout.build();
    assert_eq!(checkout.run(), "2\n");
    checkout.touch("src/main.rs");
    checkout.build();
    assert_eq!(checkout.is_right(), "2\n");
}

fn a_file_is_removed_that_was_an_input(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let before = modified(&checkout.path("mid/src/data.txt"));
    checkout.remove("mid/src/data.txt");
    let ran = checkout.zbuild(&["-v"]);
    assert_eq!(ran.status.code(), Some(101), "{ran}");
    assert!(ran.stderr.contains("data.txt"), "{ran}");
    checkout.write("mid/src/data.txt", "data one\n");
    checkout.set_time("mid/src/data.txt", before);
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// A target that cargo discovers by itself appears and goes.
fn a_new_file_becomes_a_new_program(layout: Layout) {
    let mut checkout = app_with_main(layout, "fn main() { println!(\"app\") }\n");
    checkout.build();
    let other = "fn main() { println!(\"other\") }\n";
    checkout.write("src/bin/other.rs", other);
    checkout.build().assert_crates(&["other"]);
    checkout.referee();
    checkout.program = "debug/other".to_owned();
    assert_eq!(checkout.is_right(), "other\n");
    checkout.remove("src/bin/other.rs");
    checkout.write("src/bin/other/main.rs", &other.replace("other\"", "dir\""));
    checkout.build().assert_crates(&["other"]);
    assert_eq!(checkout.is_right(), "dir\n");
    checkout.remove("src/bin/other/main.rs");
    checkout.write("src/bin/other.rs", other);
    checkout.build_compiles_nothing();
    assert_eq!(checkout.is_right(), "other\n");
}

fn a_new_member_of_the_workspace_is_built(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.write(
        "extra/Cargo.toml",
        "[package]\nname = \"extra\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
         [dependencies]\nleaf = { path = \"../leaf\" }\n",
    );
    checkout.write(
        "extra/src/main.rs",
        "fn main() { println!(\"{}\", leaf::CONSTANT) }\n",
    );
    checkout.replace("Cargo.toml", "\"util\"", "\"util\", \"extra\"");
    checkout.build().assert_crates(&["extra"]);
    checkout.program = "debug/extra".to_owned();
    assert_eq!(checkout.is_right(), "1\n");
}

/// A macro of the package's own reaches crates whose sources did not change.
fn a_proc_macro_changes_what_it_emits(layout: Layout) {
    let mut checkout = Checkout::of("proc-macro", layout);
    let there = |checkout: &mut Checkout| checkout.replace("macros/src/lib.rs", "\"v1\"", "\"v2\"");
    let back = |checkout: &mut Checkout| checkout.replace("macros/src/lib.rs", "\"v2\"", "\"v1\"");
    let ran = there_and_back(&mut checkout, there, back);
    ran.assert_crates(&["macros", "shapes", "app"]);
}

/// Nobody records what a proc macro reads, and plain cargo does not see a new
/// file either; but a clean build does, and so does a build from the cache.
fn a_new_file_in_a_directory_that_a_proc_macro_lists(layout: Layout) {
    let checkout = Checkout::of("paths", layout);
    checkout.build();
    checkout.write("listed/templates/c.txt", "gamma\n");
    checkout.remove_target();
    checkout.build();
    checkout.referee();
    assert!(
        checkout
            .run()
            .contains("listed.templates=a.txt:alpha,b.txt:beta,c.txt:gamma\n")
    );
    checkout.write("listed/templates/a.txt", "omega\n");
    checkout.remove_target();
    checkout.build();
    checkout.referee();
    assert!(
        checkout
            .run()
            .contains("listed.templates=a.txt:omega,b.txt:beta,c.txt:gamma\n")
    );
}

fn a_variable_that_a_proc_macro_reads_changes(layout: Layout) {
    let mut checkout = Checkout::of("proc-macro", layout);
    checkout.replace(
        "macros/src/lib.rs",
        "shouted by {VERSION}\", input.to_string().to_uppercase()",
        "shouted by {}\", input.to_string().to_uppercase(), std::env::var(\"ZB_READ\").unwrap()",
    );
    for value in ["one", "two", "one"] {
        checkout.set_env("ZB_READ", value);
        if checkout.target().exists() {
            checkout.remove_target();
        }
        checkout.build();
        checkout.referee();
        let printed = checkout.run();
        assert!(
            printed.contains(&format!("HELLO shouted by {value}\n")),
            "{printed}"
        );
    }
}

/// The compiler has read a source when it is edited: the output is that of the
/// old content, and must never be taken for that of the new one.
fn an_input_modified_while_the_compiler_runs(layout: Layout) {
    let mut checkout = Checkout::of("proc-macro", layout);
    let (started, go_on) = (
        checkout.base().join("started"),
        checkout.base().join("go-on"),
    );
    let waiting = format!(
        "pub fn derive_describe(item: TokenStream) -> TokenStream {{\n\
             std::fs::write({started:?}, \"\").unwrap();\n\
             while !std::path::Path::new({go_on:?}).exists() {{\n\
                 std::thread::sleep(std::time::Duration::from_millis(5));\n\
             }}\n"
    );
    let head = "pub fn derive_describe(item: TokenStream) -> TokenStream {\n";
    checkout.replace("macros/src/lib.rs", head, &waiting);
    checkout.replace("shapes/src/lib.rs", "Circle", "Square");
    checkout.replace("app/src/main.rs", "Circle", "Square");
    checkout.set_args(&["-j1"]);
    std::thread::scope(|scope| {
        let build = scope.spawn(|| checkout.zbuild(&["-v", "-j1"]).successful());
        while !started.exists() {
            assert!(!build.is_finished(), "the macro waits");
            std::thread::sleep(Duration::from_millis(5));
        }
        checkout.append("shapes/src/lib.rs", "pub const LATE: u32 = 1;\n");
        std::fs::write(&go_on, "").unwrap();
        build.join().unwrap();
    });
    // Needs what came late, and fails with a library that does not have it.
    checkout.append("app/src/main.rs", "const _: u32 = shapes::LATE;\n");
    checkout.build();
    checkout.is_right();
    checkout.remove_target();
    checkout.build();
    checkout.is_right();
}

/// The script that both profiles have in common is dated anew in a build of one
/// of them; what the other one made of it is older then, to cargo.
fn a_script_is_touched_while_another_profile_is_built(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    checkout.build();
    let manifest = checkout.read("Cargo.toml");
    checkout.append("Cargo.toml", "\n[profile.dev]\npanic = \"abort\"\n");
    checkout.build();
    checkout.touch("gen/template.txt");
    checkout.build_compiles_nothing();
    checkout.referee();
    checkout.write("Cargo.toml", &manifest);
    checkout.build_compiles_nothing();
    checkout.referee();
    checkout.build_compiles_nothing();
}

in_both_layouts!(
    a_variable_read_by_option_env_comes_and_goes,
    a_variable_read_by_env_changes,
    a_file_included_as_a_string_changes,
    a_file_included_as_bytes_from_above_the_sources_changes,
    a_module_moves_into_a_directory,
    a_module_behind_a_path_attribute_changes,
    an_older_file_of_the_same_length_is_put_back_with_its_old_time,
    an_older_file_that_was_never_compiled_is_put_in_place,
    dummy_sources_are_replaced_by_older_real_ones,
    an_edit_of_the_same_length_leaves_no_trace_but_in_the_content,
    edits_in_quick_succession_are_all_seen,
    a_source_from_the_future_is_compiled_right,
    a_file_is_removed_that_was_an_input,
    a_new_file_becomes_a_new_program,
    a_new_member_of_the_workspace_is_built,
    a_proc_macro_changes_what_it_emits,
    a_new_file_in_a_directory_that_a_proc_macro_lists,
    a_variable_that_a_proc_macro_reads_changes,
    an_input_modified_while_the_compiler_runs,
    a_script_is_touched_while_another_profile_is_built,
);
