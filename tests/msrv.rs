//! The oldest Rust that `Cargo.toml` promises. No dependency may ask for a
//! newer one; of std, `clippy::incompatible_msrv` sees to that (`.ci/run`).
#![allow(clippy::unwrap_used)] // a test may panic

use cargo_metadata::MetadataCommand;

#[test]
fn no_dependency_asks_for_more() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap();
    let own = metadata
        .root_package()
        .unwrap()
        .rust_version
        .clone()
        .unwrap();
    assert_eq!(
        own.to_string(),
        concat!(env!("CARGO_PKG_RUST_VERSION"), ".0")
    );
    let newer = |package: &&cargo_metadata::Package| {
        package
            .rust_version
            .as_ref()
            .is_some_and(|version| *version > own)
    };
    let newer: Vec<String> = metadata
        .packages
        .iter()
        .filter(newer)
        .map(|package| {
            format!(
                "{} {}: {:?}",
                package.name, package.version, package.rust_version
            )
        })
        .collect();
    assert!(
        metadata.packages.len() > 50 && newer.is_empty(),
        "{newer:#?}"
    );
}
