pub const DIR: &str = env!("CARGO_MANIFEST_DIR");
