//! The small files of a unit, packed together.
#![no_main]

use camino::Utf8Path;
use cargo_zbuild::cache::record;
use cargo_zbuild::cache::tree::inside;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(pack) = record::decode_pack(bytes) else {
        return;
    };
    assert_eq!(record::decode_pack(&record::encode_pack(&pack)).as_ref(), Some(&pack));
    let files = pack.files.iter().map(|file| &file.path);
    let uplifted = pack.uplifted.iter().flatten().map(|file| &file.path);
    for path in files.chain(uplifted).chain(&pack.directories) {
        if let Ok(path) = inside(Utf8Path::new("/t"), path) {
            assert!(path.starts_with("/t") && path != "/t");
            assert!(!path.components().any(|c| c.as_str() == ".."), "{path}");
        }
    }
});
