pub const ASSETS: &str = env!("ASSETS");
