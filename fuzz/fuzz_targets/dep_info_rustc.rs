//! rustc's `.d` files.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Some(info) = cargo_zbuild::cargo::depinfo::parse_rustc(text) {
        assert!(!info.outputs.is_empty());
        assert!(info.sources.iter().map(String::len).sum::<usize>() <= text.len());
    }
});
