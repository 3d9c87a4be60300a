//! What a build does is counted, since times are noisy: processes started,
//! files opened, bytes looked at, by the system's own account (strace). Linux
//! only; the counts are about our own process, not about cargo and its children.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::process::Command;

use common::{Checkout, Layout, Ran};

/// One call of our own process to the system.
struct Call {
    name: String,
    text: String,
}

/// What our process did, and how many others it began.
struct Traced {
    calls: Vec<Call>,
    processes: usize,
    ran: Ran,
}

impl Traced {
    /// How often each file was opened to be read, by its path.
    fn opened(&self) -> BTreeMap<&str, usize> {
        let mut opened = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.name == "openat") {
            let failed = call.text.contains(" = -1 ");
            if !failed && !call.text.contains("O_DIRECTORY") && !call.is_for_writing() {
                *opened.entry(call.path()).or_default() += 1;
            }
        }
        opened
    }

    /// Calls that change something on disk.
    fn changes(&self) -> Vec<&str> {
        let changing = |call: &&Call| match call.name.as_str() {
            "openat" => call.is_for_writing(),
            // Our locks and pipes are no files' contents.
            name => CHANGING.contains(&name),
        };
        let calls = self.calls.iter().filter(changing);
        calls.map(|call| call.text.as_str()).collect()
    }
}

const CHANGING: &[&str] = &[
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "utimensat",
    "truncate",
    "ftruncate",
    "fchmod",
    "fchmodat",
    "chmod",
];

impl Call {
    fn is_for_writing(&self) -> bool {
        self.text.contains("O_WRONLY") || self.text.contains("O_RDWR")
    }

    fn path(&self) -> &str {
        self.text.split('"').nth(1).unwrap_or_default()
    }
}

/// Runs zbuild under strace. On a machine without strace there is nothing to
/// count; CI has it.
#[track_caller]
fn traced(checkout: &Checkout) -> Option<Traced> {
    let has = Command::new("strace").arg("-V").output().is_ok();
    if !has {
        assert!(std::env::var_os("CI").is_none(), "CI has to have strace");
        eprintln!("skipped: there is no strace");
        return None;
    }
    let log = checkout.base().join("trace");
    let mut command = checkout.command("strace");
    command.env("CARGO", checkout.with_cargo.as_ref().unwrap());
    let calls = format!(
        "trace=openat,execve,clone,clone3,fork,vfork,{}",
        CHANGING.join(",")
    );
    command.args(["-f", "-s", "4096", "-e", &calls, "-o"]);
    command.arg(&log).arg(common::ZBUILD).arg("zbuild");
    command.args(checkout.with_verbose());
    let ran = Ran::of(command).healthy();
    let text = std::fs::read_to_string(log).unwrap();
    Some(of_our_own(&text, ran))
}

/// Takes the calls of the first process and its threads out of a trace.
fn of_our_own(text: &str, ran: Ran) -> Traced {
    let mut pending: HashMap<&str, String> = HashMap::new();
    let mut own: HashSet<String> = HashSet::new();
    let mut traced = Traced {
        calls: Vec::new(),
        processes: 0,
        ran,
    };
    // A thread's first call may be told before the call that began it.
    let mut all: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        let whole = match rest.strip_suffix(" <unfinished ...>") {
            Some(begun) => {
                pending.insert(pid, begun.to_owned());
                continue;
            }
            None => match rest.split_once(" resumed>") {
                Some((_, end)) => pending.remove(pid).unwrap_or_default() + end,
                None => rest.to_owned(),
            },
        };
        all.push((pid, whole));
    }
    own.insert(all[0].0.to_owned());
    let mut others: HashSet<String> = HashSet::new();
    loop {
        let before = (own.len(), others.len());
        for (pid, call) in &all {
            let begins = ["clone", "fork", "vfork"]
                .iter()
                .any(|name| call.starts_with(name));
            let child = call.rsplit(" = ").next().unwrap_or_default();
            if begins && own.contains(*pid) && child.parse::<u32>().is_ok() {
                match call.contains("CLONE_THREAD") {
                    true => own.insert(child.to_owned()),
                    false => others.insert(child.to_owned()),
                };
            }
        }
        if (own.len(), others.len()) == before {
            break;
        }
    }
    traced.processes = others.len();
    for (pid, text) in all {
        if own.contains(pid) {
            let name = text.split('(').next().unwrap_or_default().to_owned();
            traced.calls.push(Call { name, text });
        }
    }
    traced
}

/// A checkout that was built so long ago that its files' times are settled.
fn settled(layout: Layout) -> Checkout {
    let mut checkout = Checkout::of("members", layout);
    // Not through cargo, which would be counted.
    checkout.with_cargo = Some(std::env::var_os("CARGO").unwrap().into());
    let past = filetime::FileTime::from_unix_time(1_700_000_000, 123_456_789);
    for file in common::files::files_below(&checkout.copy) {
        filetime::set_file_mtime(file, past).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    checkout.build();
    checkout.build_compiles_nothing();
    checkout
}

/// Opens of files in the cache or in the workspace.
fn of_the_build<'a>(checkout: &Checkout, traced: &'a Traced) -> Vec<(&'a str, usize)> {
    let base = checkout.base().to_str().unwrap().to_owned();
    let opened = traced.opened().into_iter();
    opened.filter(|(path, _)| path.starts_with(&base)).collect()
}

fn nothing_to_do_is_next_to_nothing(layout: Layout) {
    let checkout = settled(layout);
    let Some(traced) = traced(&checkout) else {
        return;
    };
    assert_eq!(traced.ran.compiled(), 0);
    assert_eq!(traced.processes, 0, "no process is started");
    assert_eq!(traced.changes(), [""; 0], "nothing is written");
    // The state, the store's lock.
    let opened = of_the_build(&checkout, &traced);
    assert!(opened.len() <= 2, "{opened:?}");
    assert!(opened.iter().all(|(_, times)| *times == 1), "{opened:?}");
}

fn a_touch_reads_one_file_and_sets_one_time(layout: Layout) {
    let checkout = settled(layout);
    checkout.touch("leaf/src/lib.rs");
    std::thread::sleep(std::time::Duration::from_millis(200));
    let Some(traced) = traced(&checkout) else {
        return;
    };
    assert_eq!(traced.ran.compiled(), 0);
    assert_eq!(traced.processes, 0);
    let read = of_the_build(&checkout, &traced);
    let below = checkout.copy.to_str().unwrap();
    let sources: Vec<_> = read
        .iter()
        .filter(|(path, _)| path.starts_with(below))
        .collect();
    let leaf = checkout.path("leaf/src/lib.rs");
    assert!(
        sources.iter().all(|(path, times)| {
            // The one whose time is set is opened for that.
            let other = path.contains("/target/debug/.cargo") || path.ends_with("/dep-lib-leaf");
            other || (*path == leaf.to_str().unwrap() && *times == 1)
        }),
        "{sources:?}"
    );
    let times: Vec<&str> = traced
        .changes()
        .into_iter()
        .filter(|call| call.starts_with("utimensat"))
        .collect();
    assert_eq!(times.len(), 1, "{times:?}");
    let mut texts = traced.calls.iter().map(|call| &call.text);
    assert!(texts.any(|text| text.contains("dep-lib-leaf")), "{times:?}");
}

fn a_restore_touches_every_content_once(layout: Layout) {
    let checkout = settled(layout);
    checkout.remove_target();
    let Some(traced) = traced(&checkout) else {
        return;
    };
    assert_eq!(traced.ran.compiled(), 0);
    assert_eq!(traced.processes, 0);
    let contents: Vec<(&str, usize)> = of_the_build(&checkout, &traced)
        .into_iter()
        .filter(|(path, _)| path.contains("/content-v2/"))
        .collect();
    assert!(
        contents.len() >= 5,
        "at least what is small of each unit: {contents:?}"
    );
    let twice: Vec<_> = contents.iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// What compiler and cargo have said of themselves counts in another checkout,
/// and so does what cargo has answered there.
fn a_second_checkout_asks_nobody(layout: Layout) {
    let checkout = settled(layout).second("second");
    let Some(traced) = traced(&checkout) else {
        return;
    };
    assert_eq!(traced.ran.compiled(), 0);
    assert_eq!(traced.processes, 0);
    // Of rustc and cargo no more than whether they are scripts; what is called
    // as rustc may be rustup, and counts by its content.
    let opened = traced.opened();
    let read: Vec<_> = opened.keys().filter(|p| p.ends_with("/rustup")).collect();
    assert!(read.is_empty(), "{read:?}");
}

fn a_capture_reads_every_output_once(layout: Layout) {
    let checkout = settled(layout);
    checkout.append("leaf/src/lib.rs", "pub const MORE: u8 = 1;\n");
    let Some(traced) = traced(&checkout) else {
        return;
    };
    assert!(traced.ran.compiled() > 0);
    // cargo, and nothing else.
    assert_eq!(traced.processes, 1);
    let outputs: Vec<(&str, usize)> = of_the_build(&checkout, &traced)
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rlib") || path.ends_with(".rmeta"))
        .collect();
    assert!(outputs.len() >= 4, "leaf and mid at least: {outputs:?}");
    let twice: Vec<_> = outputs.iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// An appended newline makes other libraries and the same program: that one
/// stands where it belongs, and is neither read nor written.
fn what_two_states_have_in_common_is_not_copied(layout: Layout) {
    let checkout = settled(layout);
    let text = checkout.read("leaf/src/lib.rs");
    checkout.append("leaf/src/lib.rs", "\n");
    checkout.build();
    checkout.write("leaf/src/lib.rs", &text);
    checkout.build();
    checkout.append("leaf/src/lib.rs", "\n");
    let Some(traced) = traced(&checkout) else {
        return;
    };
    assert_eq!(traced.ran.compiled(), 0);
    let is_program = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let rest = name.strip_prefix("app");
        rest.is_some_and(|rest| !rest.contains('.')) && path.contains("/debug/")
    };
    let opened = traced.calls.iter().filter(|call| call.name == "openat");
    let programs: Vec<&str> = opened
        .filter(|call| is_program(call.path()) && !call.text.contains("O_DIRECTORY"))
        .map(|call| call.text.as_str())
        .collect();
    assert_eq!(programs, [""; 0]);
    checkout.is_right();
}

in_both_layouts!(
    what_two_states_have_in_common_is_not_copied,
    nothing_to_do_is_next_to_nothing,
    a_touch_reads_one_file_and_sets_one_time,
    a_restore_touches_every_content_once,
    a_second_checkout_asks_nobody,
    a_capture_reads_every_output_once,
);
