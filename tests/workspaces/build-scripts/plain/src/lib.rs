pub const PLAIN: &str = env!("PLAIN");
