pub const OUT: &str = env!("OUT_DIR");
