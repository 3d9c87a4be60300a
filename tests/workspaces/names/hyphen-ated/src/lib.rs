pub const CONSTANT: &str = "hyphen";

#[cfg(feature = "extra")]
pub const EXTRA: &str = "on";
#[cfg(not(feature = "extra"))]
pub const EXTRA: &str = "off";
