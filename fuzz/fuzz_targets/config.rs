//! cargo's configuration files.
#![no_main]

use cargo_zbuild::cargo::config::{Config, ConfigFile};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(table) = text.parse::<toml::Table>() else {
        return;
    };
    let path = "/ws/.cargo/config.toml".into();
    let config = Config {
        files: vec![ConfigFile { path, table }],
        candidates: Vec::new(),
    };
    let _ = config.relevant("/ws".into());
    let _ = (config.string("build", "rustc"), config.program("build", "rustc-wrapper"));
    let _ = config.linkers();
});
