pub const CONSTANT: &str = "bar";

// Allowed by this package's own `[lints]` table.
fn dead() {}
