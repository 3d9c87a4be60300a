//! Our own configuration files.
#![no_main]

use cargo_zbuild::cli::settings::file;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let lines = text.lines().count();
    for found in file::parse("/ws/.config/zbuild.toml".into(), text) {
        if let file::Found::Value(_, value, line) = found {
            assert!((1..=lines.max(1)).contains(&line), "{line} of {lines}");
            let _ = (value.to_string(), value.json());
        }
    }
});
