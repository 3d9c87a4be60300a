pub const ENVY: &str = env!("ENVY");
