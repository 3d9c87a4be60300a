//! Every format that was ever written is read as what it is, or not at all
//! (see `tests/golden/README.md`).
#![allow(clippy::unwrap_used)] // a test may panic

use std::path::Path;

use cargo_zbuild::cache::record::{self, InputKind};
use cargo_zbuild::plan::kept;
use cargo_zbuild::plan::state::{self, Shared};
use cargo_zbuild::unit::Role;

fn golden(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bytes = std::fs::read(dir.join(name)).unwrap();
    let magic = name.split(['-', '.']).nth(1).unwrap();
    assert!(bytes.starts_with(magic.as_bytes()), "{name}");
    bytes
}

/// All of them, so that a new one is told to all tests.
fn all() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".bin")).collect();
    names.sort();
    names
}

#[test]
fn a_record_of_this_version_is_read() {
    let bytes = golden("record-ZBR2.bin");
    let variants = record::decode(&bytes).unwrap();
    let [variant] = variants.as_slice() else {
        panic!("one variant: {variants:#?}");
    };
    assert_eq!(variant.home.workspace, "/tmp/golden/ws");
    assert_eq!(variant.home.build, "/tmp/golden/ws/target");
    assert!(!variant.distrusted && !variant.executable);
    assert_eq!(variant.bound, None);
    assert_eq!(variant.deps.len(), 1);
    assert!(
        variant
            .inputs
            .iter()
            .any(|input| { input.kind == InputKind::File && input.path.path == "src/lib.rs" })
    );
    assert!(variant.recorded > 1_700_000_000 && variant.recorded < 2_000_000_000);
    assert!(variant.build_ms < 60_000);
    let libraries = variant
        .files
        .iter()
        .filter(|file| file.role == Role::Library);
    assert_eq!(libraries.count(), 2, "{:#?}", variant.files);
    assert!(variant.pack.size > 500 && variant.pack.size < 5_000);
    assert_eq!(record::encode(&variants), bytes);
}

#[test]
fn a_record_of_a_script_that_names_a_directory_is_read() {
    let bytes = golden("record-ZBR2-linking.bin");
    let variants = record::decode(&bytes).unwrap();
    let inputs = variants[0].inputs.iter();
    let inputs = inputs.map(|input| (input.kind, input.path.path.as_str()));
    let expected = [(InputKind::File, "build.rs"), (InputKind::Libraries, "lib")];
    assert_eq!(inputs.collect::<Vec<_>>(), expected);
    assert_eq!(record::encode(&variants), bytes);
}

#[test]
fn a_pack_of_this_version_is_read() {
    let bytes = golden("pack-ZBP1.bin");
    let pack = record::decode_pack(&bytes).unwrap();
    assert_eq!(pack.files.last().unwrap().role, Role::Fingerprint);
    assert_eq!(pack.files.last().unwrap().content.len(), 16);
    assert!(pack.files.iter().any(|file| file.role == Role::DepInfo));
    assert_eq!(record::encode_pack(&pack), bytes);
}

#[test]
fn a_state_of_this_version_is_read() {
    let state = state::decode(&golden("state-ZBS7.bin")).unwrap();
    assert_eq!(state.plan.dirs.workspace, "/tmp/golden/ws");
    assert_eq!(state.plan.units.len(), 3);
    assert_eq!(state.units.iter().flatten().count(), 3);
    assert!(
        state
            .plan
            .units
            .iter()
            .all(|unit| unit.package == "golden" && unit.version == "1.2.3")
    );
    let table = Shared::decode(&golden("table-ZBT5.bin"));
    assert_eq!(table.dirs.unwrap().build, "/tmp/golden/ws/target");
    assert_eq!(table.units.len(), 3);
}

/// Another kind or another version is not there, however well it would decode.
#[test]
fn nothing_is_taken_for_something_else() {
    let names = all();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let bytes = golden(&name);
        let is = |what: &str| name.starts_with(what);
        assert_eq!(
            record::decode(&bytes).is_some(),
            is("record-ZBR2"),
            "{name}"
        );
        assert_eq!(
            record::decode_pack(&bytes).is_some(),
            is("pack-ZBP1"),
            "{name}"
        );
        assert_eq!(state::decode(&bytes).is_some(), is("state-ZBS7"), "{name}");
        assert_eq!(
            Shared::decode(&bytes).dirs.is_some(),
            is("table-ZBT5"),
            "{name}"
        );
        assert_eq!(kept::is_sound(&bytes), is("answers-ZBA2"), "{name}");
        // To `verify` the past is no damage.
        assert!(state::is_sound(&bytes), "{name}");
        // The body alone, under every other name.
        for magic in [b"ZBR2", b"ZBP1", b"ZBS7", b"ZBT5", b"ZBS8", b"ZBR3"] {
            if !bytes.starts_with(magic) {
                let renamed = [&magic[..], &bytes[4..]].concat();
                let known = [
                    (b"ZBR2", record::decode(&renamed).is_some()),
                    (b"ZBP1", record::decode_pack(&renamed).is_some()),
                ];
                // Records and packs have no checksum of their own: the digest
                // under which they are found vouches for them.
                for (own, read) in known {
                    assert!(!read || own == magic, "{name} as {magic:?}");
                }
            }
        }
    }
}

/// Torn and flipped anywhere, a state is not there.
#[test]
fn a_torn_state_is_not_there() {
    let bytes = golden("table-ZBT5.bin");
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        assert!(Shared::decode(&flipped).dirs.is_none(), "flipped at {at}");
        assert!(Shared::decode(&bytes[..at]).dirs.is_none(), "cut at {at}");
    }
    let bytes = golden("answers-ZBA2.bin");
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        assert!(!kept::is_sound(&flipped), "flipped at {at}");
        assert!(!kept::is_sound(&bytes[..at]), "cut at {at}");
    }
}
