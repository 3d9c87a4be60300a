//! What goes wrong on our side never stands in the way: at most one line tells
//! of it, cargo builds, and what stands in the target directory is right.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::files::files_below;
use common::{Checkout, Layout, Ran};

/// Builds in the face of a fault, and checks what became of it.
#[track_caller]
fn builds_all_the_same(checkout: &Checkout) -> Ran {
    let ran = checkout.zbuild(&[]).successful();
    assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
    checkout.referee();
    assert!(checkout.run().starts_with("leaf.constant=1\n"), "{ran}");
    ran
}

fn the_cache_directory_is_a_file(layout: Layout) {
    let checkout = Checkout::of("members", layout).forget_everything();
    fs::write(&checkout.cache, "not a directory").unwrap();
    for round in 0..3 {
        if round == 2 {
            checkout.remove_target();
        }
        let ran = builds_all_the_same(&checkout);
        assert_eq!(ran.troubles().len(), 1, "it is told: {ran}");
    }
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let ran = checkout.zbuild(&[]).successful();
    let told: Vec<&str> = ran
        .zbuild_lines()
        .filter(|line| !line.contains(" units, "))
        .collect();
    assert_eq!(told.len(), 1, "{ran}");
    assert!(checkout.is_right().starts_with("leaf.constant=2\n"));
    checkout.append("leaf/src/lib.rs", "fn broken(");
    assert_eq!(checkout.zbuild(&[]).status.code(), Some(101));
    assert_eq!(
        fs::read_to_string(&checkout.cache).unwrap(),
        "not a directory"
    );
}

fn the_cache_directory_cannot_be_created(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let file = checkout.base().join("file");
    fs::write(&file, "").unwrap();
    checkout.cache = file.join("below/a/file");
    assert_eq!(builds_all_the_same(&checkout).troubles().len(), 1);
}

fn the_cache_is_deleted(layout: Layout) {
    let checkout = Checkout::of("members", layout).forget_everything();
    checkout.build();
    fs::remove_dir_all(&checkout.cache).unwrap();
    let ran = builds_all_the_same(&checkout);
    assert_eq!(ran.compiled(), 0, "the target directory is whole: {ran}");
    checkout.remove_target();
    checkout.build_compiles_nothing();
    fs::remove_dir_all(&checkout.cache).unwrap();
    checkout.remove_target();
    assert_eq!(builds_all_the_same(&checkout).compiled(), 5);
    checkout.build_compiles_nothing();
}

/// The remembered plan is only a memory.
fn remembered_plans_are_damaged(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    for harm in [GARBAGE, EMPTIED, HALVED, FLIPPED, REMOVED] {
        let states = files_of(&checkout, "/state/");
        assert!(!states.is_empty());
        states.iter().for_each(|path| harm(path));
        assert_eq!(builds_all_the_same(&checkout).compiled(), 0);
        files_of(&checkout, "/state/")
            .iter()
            .for_each(|path| harm(path));
        checkout.remove_target();
        assert_eq!(builds_all_the_same(&checkout).compiled(), 0);
    }
    checkout.is_right();
}

/// A damaged record is a miss; what is built for it is recorded anew.
fn records_and_contents_are_damaged(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let harms: &[(&str, &[Harm])] = &[
        ("/content-v2/", &[EMPTIED, FLIPPED, REMOVED]),
        (
            "/index-v5/",
            &[EMPTIED, HALVED, FLIPPED, TEXT, GARBAGE, REMOVED],
        ),
        ("/store/", &[GARBAGE, HALVED]),
    ];
    for (part, harms) in harms {
        for (at, harm) in harms.iter().enumerate() {
            let files = files_of(&checkout, part);
            assert!(files.len() > 3, "{part} holds files");
            // What is written to may be a file of the target directory as well.
            checkout.remove_target();
            files.iter().for_each(|path| harm(path));
            builds_all_the_same(&checkout);
            checkout.remove_target();
            let ran = builds_all_the_same(&checkout);
            assert_eq!(ran.compiled(), 0, "{part}, {at}: recorded anew: {ran}");
        }
    }
    checkout.append("app/src/main.rs", "// A comment.\n");
    checkout.build();
    checkout.is_right();
}

/// One at a time, so that the rest is used beside it.
fn each_content_in_turn_is_damaged(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let count = files_of(&checkout, "/content-v2/").len();
    for at in (0..count).step_by(3) {
        let files = files_of(&checkout, "/content-v2/");
        let Some(file) = files.get(at) else { break };
        checkout.remove_target();
        [GARBAGE, EMPTIED, HALVED, FLIPPED, REMOVED][at / 3 % 5](file);
        builds_all_the_same(&checkout);
    }
    checkout.append("util/src/lib.rs", "// A comment.\n");
    checkout.build();
    checkout.is_right();
}

/// Caches of other versions are none of our business.
fn other_versions_live_beside_this_one(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let strangers = ["v0/store/x", "v99/state/y", "v1000000/lock"];
    for path in strangers {
        let path = checkout.cache.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "a stranger's").unwrap();
    }
    checkout.build();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    for path in strangers {
        assert_eq!(
            fs::read_to_string(checkout.cache.join(path)).unwrap(),
            "a stranger's"
        );
    }
}

/// Killed in the midst of it, at ever later times: the next one makes it right.
fn killed_at_any_time_the_next_one_is_right(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let killed_after = |time: Duration| {
        let mut command = checkout.zbuild_command(&["-q"]);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(time);
        // It may be done by then.
        let _ = child.kill();
        child.wait().unwrap();
    };
    // While it plans, while cargo builds, while it records.
    for step in 0..6 {
        checkout.remove_target_left_behind();
        killed_after(Duration::from_millis(100 + 150 * step));
    }
    builds_all_the_same(&checkout);
    // While it restores.
    for step in 0..12 {
        checkout.remove_target_left_behind();
        killed_after(Duration::from_millis(8 + 3 * step));
        builds_all_the_same(&checkout);
    }
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// Whoever ends it ends the cargo that it started: the target directory is
/// free again, and nothing of the half-done build is taken for whole.
#[cfg(unix)]
fn terminated_it_takes_cargo_with_it(layout: Layout) {
    let checkout = Checkout::of("proc-macro", layout);
    let (started, go_on) = (
        checkout.base().join("started"),
        checkout.base().join("go-on"),
    );
    let head = "pub fn derive_describe(item: TokenStream) -> TokenStream {\n";
    let waiting = format!(
        "{head}    std::fs::write({started:?}, \"\").unwrap();\n    \
         while !std::path::Path::new({go_on:?}).exists() {{\n        \
         std::thread::sleep(std::time::Duration::from_millis(5));\n    }}\n"
    );
    checkout.replace("macros/src/lib.rs", head, &waiting);
    for signal in ["-TERM", "-INT"] {
        let _ = fs::remove_file(&started);
        let mut command = checkout.zbuild_command(&["-v"]);
        command.stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        // As a terminal does: to the whole group.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().unwrap();
        let waiting_since = std::time::Instant::now();
        while !started.exists() {
            assert!(
                waiting_since.elapsed() < Duration::from_secs(60),
                "the macro runs"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let whom = match signal {
            "-INT" => format!("-{}", child.id()),
            _ => child.id().to_string(),
        };
        let mut kill = checkout.command("kill");
        kill.args([signal, "--", &whom]);
        Ran::of(kill).successful();
        // Its rustc may stay until the macro is done.
        std::thread::sleep(Duration::from_millis(300));
        fs::write(&go_on, "").unwrap();
        let ran = Ran::finish(signal.to_owned(), child);
        assert!(!ran.status.success(), "{ran}");
        fs::remove_file(&go_on).unwrap();
        let lock = fs::File::open(checkout.target().join("debug/.cargo-lock")).unwrap();
        lock.lock().unwrap();
    }
    fs::write(&go_on, "").unwrap();
    checkout.build();
    checkout.is_right();
    checkout.build_compiles_nothing();
}

/// No file may become larger than this: to a program it is like a full disk.
#[cfg(unix)]
fn there_is_no_room_for_larger_files(layout: Layout) {
    let checkout = Checkout::of("members", layout).forget_everything();
    let with_little_room = || {
        let mut command = checkout.command("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec cargo zbuild"]);
        Ran::of(command)
    };
    // Nothing can be recorded.
    checkout.cargo_build();
    let ran = with_little_room().successful();
    assert_eq!(ran.troubles().len(), 1, "it is told: {ran}");
    checkout.is_right();
    // What has to be copied cannot be restored, and cargo finds no room either.
    checkout.build_compiles_nothing();
    checkout.remove_target();
    let ran = with_little_room();
    assert!(ran.troubles().len() <= 1, "{ran}");
    assert!(matches!(ran.status.code(), Some(0 | 101)), "{ran}");
    // What was written of it is not taken for the whole.
    checkout.build();
    checkout.is_right();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// A tool that is called as cargo by another one, or that is given itself as
/// the cargo to call, does not call itself for ever.
fn it_is_named_as_cargo_itself(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.with_cargo = Some(PathBuf::from(common::ZBUILD));
    checkout.build();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.with_cargo = Some(checkout.base().join("no such cargo"));
    checkout.append("leaf/src/lib.rs", "\n");
    let ran = checkout.zbuild(&["-v"]);
    assert!(!ran.status.success(), "{ran}");
    assert!(ran.stderr.contains("no such cargo"), "{ran}");
}

/// All files of the cache whose path has this part.
fn files_of(checkout: &Checkout, part: &str) -> Vec<PathBuf> {
    let mut files = files_below(&checkout.cache);
    files.retain(|path| path.to_str().unwrap().replace('\\', "/").contains(part));
    files
}

/// What somebody, or a power failure, does to a file.
type Harm = fn(&Path);
const GARBAGE: Harm = |path| fs::write(path, b"\0garbage\xff\n{}[]\n").unwrap();
const TEXT: Harm = |path| fs::write(path, "some text\nand more").unwrap();
const EMPTIED: Harm = |path| fs::write(path, "").unwrap();
const REMOVED: Harm = |path| fs::remove_file(path).unwrap();
const HALVED: Harm = |path| {
    let length = fs::metadata(path).unwrap().len() / 2;
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
};
const FLIPPED: Harm = |path| {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
    }
    fs::write(path, bytes).unwrap();
};

in_both_layouts!(
    the_cache_directory_is_a_file,
    the_cache_directory_cannot_be_created,
    the_cache_is_deleted,
    remembered_plans_are_damaged,
    records_and_contents_are_damaged,
    each_content_in_turn_is_damaged,
    other_versions_live_beside_this_one,
    killed_at_any_time_the_next_one_is_right,
    it_is_named_as_cargo_itself,
);

#[cfg(unix)]
in_both_layouts!(
    terminated_it_takes_cargo_with_it,
    there_is_no_room_for_larger_files
);
