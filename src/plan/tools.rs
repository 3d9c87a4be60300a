//! What compiler and cargo have said of themselves, kept for another checkout.
//!
//! Asking takes three processes, each through rustup's proxy. cargo saves some
//! of them with `.rustc_info.json`, by the time of the compiler's file; here
//! every file of the toolchain has to be what it was, as for a remembered plan.
//!
//! What must never happen: that another directory has another compiler, and
//! this one is taken for it. A toolchain file, an override of rustup's or a
//! script in place of rustc may choose by directory. So what was said counts
//! only where the program is the compiler itself, or rustup's proxy has been
//! told by name which one to start.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::inputs::{Memo, Stamp};
use super::watch::{Watch, WatchKind, find_program};
use crate::cargo::args::Invocation;
use crate::cargo::toolchain::{self, Toolchain};
use crate::unit::Digest;

/// Compiler and cargo as they have described themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tools {
    /// What they have said.
    pub(super) toolchain: Toolchain,
    /// The digest of the compiler's files.
    pub(super) compiler: Digest,
    /// The stamps of all files and directories of the toolchain, its cargo last.
    stamps: Vec<Option<Stamp>>,
    /// What was read of programs that count by their content.
    contents: Vec<(Utf8PathBuf, Stamp, Digest)>,
}

impl Tools {
    /// Takes down what was said, with the stamps as they are watched, and what
    /// was read of `programs`.
    pub(super) fn new(
        toolchain: &Toolchain,
        compiler: Digest,
        watches: &[Watch],
        programs: &[String],
        memo: &Memo,
    ) -> Tools {
        let stamp = |path: &Utf8Path| {
            let is_it = |w: &&Watch| w.kind == WatchKind::Stamp && w.path == path;
            watches.iter().find(is_it)?.stamp
        };
        let found = programs.iter().filter_map(|name| find_program(name));
        // Not of a file so new that another change might not show.
        let trusted = memo.entries();
        let read = |path: Utf8PathBuf| {
            let (stamp, digest) = *trusted.get(&path)?;
            Some((path, stamp, digest))
        };
        Tools {
            stamps: parts(toolchain).map(|path| stamp(&path)).collect(),
            contents: found.filter_map(read).collect(),
            toolchain: toolchain.clone(),
            compiler,
        }
    }

    /// Whether `cargo` and `rustc` would say the same if they were asked.
    pub(super) fn still_stand(&self, cargo: &str, rustc: &str, inv: &Invocation) -> bool {
        let named = inv.toolchain.clone();
        let named = named.or_else(|| std::env::var("RUSTUP_TOOLCHAIN").ok());
        let by_rustup =
            named.and_then(|name| Some(toolchain::rustup_home()?.join("toolchains").join(name)));
        self.stand(cargo, rustc, by_rustup.as_deref())
    }

    /// The same with the directory of the toolchain that rustup is told to use.
    fn stand(&self, cargo: &str, rustc: &str, by_rustup: Option<&Utf8Path>) -> bool {
        let Toolchain {
            sysroot,
            rustc: called,
            ..
        } = &self.toolchain;
        let told = by_rustup.is_some_and(|dir| is_same(dir, sysroot));
        let chosen = |program: &str, own: &Utf8Path| {
            let is_it = |found: &Utf8Path| is_same(found, own) || (told && is_proxy(found));
            find_program(program).is_some_and(|found| is_it(&found)) && !is_script(own)
        };
        let mut stamps = parts(&self.toolchain).zip(&self.stamps);
        rustc == called
            && chosen(rustc, &self.toolchain.program("rustc"))
            && chosen(cargo, &self.toolchain.program("cargo"))
            && stamps.all(|(path, stamp)| stamp.is_some() && Stamp::of(&path).ok() == *stamp)
    }

    /// Tells what was read of programs, for those that are what they were.
    pub(super) fn teach(&self, memo: &Memo) {
        for (path, stamp, digest) in &self.contents {
            memo.learn(path, *stamp, *digest);
        }
    }
}

/// All that a toolchain consists of.
fn parts(toolchain: &Toolchain) -> impl Iterator<Item = Utf8PathBuf> {
    let own = toolchain.files.iter().chain(&toolchain.dirs).cloned();
    own.chain([toolchain.program("cargo")])
}

fn is_same(one: &Utf8Path, other: &Utf8Path) -> bool {
    let real = |path: &Utf8Path| path.canonicalize_utf8().ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// Whether a toolchain's program is a script, as one that was linked by hand may
/// have: nobody knows what it goes by. One that cannot be read counts as such.
fn is_script(program: &Utf8Path) -> bool {
    let mut begins = [0; 2];
    let read = fs::File::open(program).and_then(|mut file| file.read_exact(&mut begins));
    read.is_err() || begins == *b"#!"
}

/// Whether a program is rustup: a link to it, or as long as the one beside it
/// (cargo takes its proxies for such by their length as well:
/// `GlobalContext::get_tool`).
fn is_proxy(program: &Utf8Path) -> bool {
    let rustup = program.with_file_name(format!("rustup{}", std::env::consts::EXE_SUFFIX));
    let size = |path: &Utf8Path| Stamp::of(path).ok().map(|stamp| stamp.size);
    size(&rustup).is_some_and(|length| size(program) == Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{self, write};
    use crate::plan::watch::Watcher;

    /// A toolchain on disk, what is known of it, and rustup beside it.
    struct Installed {
        _guard: tempfile::TempDir,
        dir: Utf8PathBuf,
        tools: Tools,
    }

    fn program(dir: &Utf8Path, name: &str) -> Utf8PathBuf {
        dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    fn installed() -> Installed {
        let (guard, dir) = fixtures::dir();
        let sysroot = dir.join("home/toolchains/stable");
        write(&program(&sysroot.join("bin"), "rustc"), "compiler");
        write(&program(&sysroot.join("bin"), "cargo"), "cargo");
        write(&sysroot.join("lib/libstd.so"), "std");
        for proxy in ["rustc", "cargo", "rustup"] {
            write(&program(&dir.join("proxies"), proxy), "rustup itself");
        }
        let mut toolchain = fixtures::toolchain("cargo 1.95.0", "rustc 1.95.0");
        toolchain.rustc = program(&dir.join("proxies"), "rustc").into_string();
        toolchain.files = vec![
            program(&sysroot.join("bin"), "rustc"),
            sysroot.join("lib/libstd.so"),
        ];
        toolchain.dirs = vec![sysroot.join("lib")];
        toolchain.sysroot = sysroot;
        let mut installed = Installed {
            tools: Tools::new(&toolchain, Digest::of(b""), &[], &[], &Memo::default()),
            _guard: guard,
            dir,
        };
        installed.look();
        installed
    }

    impl Installed {
        /// Takes everything down anew.
        fn look(&mut self) {
            let mut watcher = Watcher::default();
            for path in parts(&self.tools.toolchain) {
                watcher.add(path, WatchKind::Stamp);
            }
            let (toolchain, none) = (self.tools.toolchain.clone(), Digest::of(b""));
            let watches = watcher.finish();
            self.tools = Tools::new(&toolchain, none, &watches, &[], &Memo::default());
        }

        fn proxy(&self, name: &str) -> String {
            program(&self.dir.join("proxies"), name).into_string()
        }

        fn own(&self, name: &str) -> String {
            self.tools.toolchain.program(name).into_string()
        }

        fn stands(&self, cargo: &str, told: &str) -> bool {
            let told = self.dir.join("home/toolchains").join(told);
            let rustc = &self.tools.toolchain.rustc;
            self.tools.stand(cargo, rustc, Some(&told))
        }
    }

    #[test]
    fn a_proxy_counts_where_it_is_told_what_to_start() {
        let one = installed();
        let (cargo, rustc) = (one.proxy("cargo"), one.proxy("rustc"));
        assert!(one.stands(&cargo, "stable"));
        assert!(one.stands(&one.own("cargo"), "stable"));
        assert!(!one.stands(&cargo, "nightly"), "another one");
        assert!(!one.tools.stand(&cargo, &rustc, None), "by directory");
        let other = one.own("rustc");
        let told = one.dir.join("home/toolchains/stable");
        assert!(!one.tools.stand(&cargo, &other, Some(&told)), "not asked");
        assert!(!one.stands(&one.dir.join("none").into_string(), "stable"));
    }

    #[test]
    fn a_script_in_its_place_is_asked() {
        let one = installed();
        let cargo = one.proxy("cargo");
        write(one.proxy("rustc").as_str().into(), "exec some rustc");
        assert!(!one.stands(&cargo, "stable"));
        write(one.proxy("rustc").as_str().into(), "rustup itself");
        assert!(one.stands(&cargo, "stable"));
        fs_err::remove_file(one.proxy("rustup")).unwrap();
        assert!(!one.stands(&cargo, "stable"), "no rustup");
        assert!(!one.stands(&one.own("cargo"), "stable"));
    }

    #[test]
    fn a_compiler_without_rustup_counts_by_itself() {
        let mut one = installed();
        one.tools.toolchain.rustc = one.own("rustc");
        let stands = |cargo: &str| one.tools.stand(cargo, &one.own("rustc"), None);
        assert!(stands(&one.own("cargo")));
        assert!(!stands(&one.proxy("cargo")));
    }

    #[test]
    fn any_change_of_the_toolchain_is_one() {
        let mut one = installed();
        let cargo = one.proxy("cargo");
        let sysroot = one.tools.toolchain.sysroot.clone();
        for changed in ["lib/libstd.so", "lib/new.so"] {
            write(&sysroot.join(changed), "changed");
            assert!(!one.stands(&cargo, "stable"), "{changed}");
            one.look();
            assert!(one.stands(&cargo, "stable"), "{changed}");
        }
        write(one.own("cargo").as_str().into(), "another");
        assert!(!one.stands(&cargo, "stable"));
        fs_err::remove_file(one.own("cargo")).unwrap();
        one.look();
        assert!(!one.stands(&cargo, "stable"), "no cargo of its own");
    }

    #[test]
    fn a_toolchain_of_scripts_is_asked() {
        for script in ["rustc", "cargo"] {
            let mut one = installed();
            write(one.own(script).as_str().into(), "#!/bin/sh\n");
            one.look();
            assert!(!one.stands(&one.proxy("cargo"), "stable"), "{script}");
            assert!(!one.stands(&one.own("cargo"), "stable"), "{script}");
        }
    }

    #[test]
    fn what_is_too_new_is_not_taught() {
        let (_guard, dir) = fixtures::dir();
        let linker = program(&dir, "linker");
        write(&linker, "one");
        let memo = Memo::default();
        memo.file(&linker).unwrap();
        let toolchain = fixtures::toolchain("", "");
        let programs = [linker.into_string()];
        let tools = Tools::new(&toolchain, Digest::of(b""), &[], &programs, &memo);
        assert!(tools.contents.is_empty());
    }

    #[test]
    fn what_was_read_of_programs_is_taught() {
        let one = installed();
        let rustc = one.tools.toolchain.rustc.clone();
        std::thread::sleep(std::time::Duration::from_millis(100));
        let toolchain = &one.tools.toolchain;
        let none = Digest::of(b"");
        let reader = Memo::default();
        let found = find_program(&rustc).unwrap();
        reader.file(&found).unwrap();
        let tools = Tools::new(toolchain, none, &[], std::slice::from_ref(&rustc), &reader);
        let memo = Memo::default();
        tools.teach(&memo);
        assert_eq!(memo.file(&found).unwrap(), Digest::of(b"rustup itself"));
        assert_eq!(memo.hashed(), 0);
        write(&found, "changed");
        assert_eq!(memo.file(&found).unwrap(), Digest::of(b"changed"));
    }
}
