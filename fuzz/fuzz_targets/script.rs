//! What build scripts print.
#![no_main]

use cargo_zbuild::plan::Dirs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let found = cargo_zbuild::cargo::script::parse(bytes);
    let lines = bytes.split(|&b| b == b'\n').count();
    assert!(found.changed.len() + found.env.len() + found.messages.len() <= lines);
    let dirs = Dirs {
        workspace: "/ws".into(),
        build: "/ws/target".into(),
        target: "/ws/target".into(),
        cargo_home: "/home/.cargo".into(),
    };
    // No zero byte is in what a script prints: then nothing is lost.
    if !bytes.contains(&0) {
        assert_eq!(dirs.root_text(&dirs.unroot_text(bytes)), bytes);
    }
    let _ = dirs.root_text(bytes);
});
