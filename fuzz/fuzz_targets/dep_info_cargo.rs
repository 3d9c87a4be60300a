//! cargo's encoded dep-info.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(info) = cargo_zbuild::cargo::depinfo::parse_cargo(bytes) {
        assert!(info.files.len() + info.env.len() <= bytes.len());
    }
});
