//! What was known when the program was built: the boards and the program's own version.

use fb_core_types::{Platform, PROTOCOL_VERSION, RELEASE_NAME};
use semver::Version;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Board {
    pub name: &'static str,
    pub platform: Platform,
    pub mhz: u32,
    pub flash: u64,
    pub memory: u64,
}

include!(concat!(env!("OUT_DIR"), "/boards.rs"));

pub fn board(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|b| b.name == name)
}

pub fn version() -> Version {
    Version::parse(env!("CARGO_PKG_VERSION")).expect("cargo only builds valid versions")
}

/// The line every run begins with.
pub fn banner() -> String {
    format!(
        "fbuild {} \"{RELEASE_NAME}\" (protocol {PROTOCOL_VERSION}, {} build, {} boards)",
        version(),
        env!("FB_BUILD_PROFILE"),
        BOARDS.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_table_is_used() {
        assert_eq!(board("uno").map(|b| b.platform), Some(Platform::Avr));
        assert!(board("nonesuch").is_none());
        assert!(banner().contains(RELEASE_NAME));
    }
}
