pub const WARNS: &str = "warned";
