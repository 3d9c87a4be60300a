//! What is remembered from one build to the next.
#![no_main]

use cargo_zbuild::plan::{kept, state};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Behind a checksum a fuzzer finds nothing: it gets the right one first.
    let Some((&kind, body)) = bytes.split_first() else {
        return;
    };
    if kind % 3 == 2 {
        let _ = kept::is_sound(&sealed(kept::MAGIC, body));
    } else if kind % 3 == 0 {
        let Some(state) = state::decode(&sealed(state::STATE, body)) else {
            return;
        };
        for (at, unit) in state.plan.units.iter().enumerate() {
            assert!(unit.deps.iter().all(|&dep| dep < at));
        }
        assert!(state::decode(&state::encode(&state)).is_some());
    } else {
        let shared = state::Shared::decode(&sealed(state::TABLE, body));
        let again = state::Shared::decode(&shared.encode());
        assert_eq!(again.units.len(), shared.units.len());
    }
});

fn sealed(magic: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let sum = xxhash_rust::xxh3::xxh3_64(body).to_le_bytes();
    [&magic[..], &sum, body].concat()
}
