//! Records of units, as they lie in the store.
#![no_main]

use camino::Utf8Path;
use cargo_zbuild::cache::record;
use cargo_zbuild::cache::tree::inside;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(variants) = record::decode(bytes) else {
        return;
    };
    assert_eq!(record::decode(&record::encode(&variants)).as_ref(), Some(&variants));
    for variant in &variants {
        for file in &variant.files {
            if let Ok(path) = inside(Utf8Path::new("/t"), &file.path) {
                assert!(path.starts_with("/t") && path != "/t");
                assert!(!path.components().any(|c| c.as_str() == ".."), "{path}");
            }
        }
        // Names of blobs become paths in the store.
        let blobs = cargo_zbuild::cache::blobs::Blobs::new("/s".into());
        for blob in variant.files.iter().map(|f| &f.blob).chain([&variant.pack]) {
            if let Some(path) = blobs.path(blob) {
                assert!(path.starts_with("/s/content-v2"), "{path}");
                assert!(!path.components().any(|c| c.as_str() == ".."), "{path}");
            }
        }
    }
});
