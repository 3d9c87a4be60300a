//! The words every other crate of this workspace speaks.
//!
//! This is the leaf: an edit here makes cargo rebuild everything above it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The first thing `fbuild-cli` prints: edit this line to see a change travel to the top.
pub const RELEASE_NAME: &str = "copper-kestrel";

/// Spoken on the serial line and between the command line and the daemon.
pub const PROTOCOL_VERSION: u16 = 7;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum CoreError {
    #[error("unknown platform `{0}`")]
    UnknownPlatform(String),
    #[error("`{0}` is not a valid name: lower-case letters, digits, `-` and `_` only")]
    InvalidName(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    Avr,
    Esp32,
    Stm32,
    Native,
}

impl Platform {
    pub const ALL: [Platform; 4] = [Self::Avr, Self::Esp32, Self::Stm32, Self::Native];

    /// The prefix of the platform's compiler, as in `avr-gcc`.
    pub fn tool_prefix(self) -> &'static str {
        match self {
            Self::Avr => "avr-",
            Self::Esp32 => "xtensa-esp32-elf-",
            Self::Stm32 => "arm-none-eabi-",
            Self::Native => "",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avr => "avr",
            Self::Esp32 => "esp32",
            Self::Stm32 => "stm32",
            Self::Native => "native",
        })
    }
}

impl FromStr for Platform {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        Self::ALL
            .into_iter()
            .find(|p| p.to_string() == text)
            .ok_or_else(|| CoreError::UnknownPlatform(text.to_owned()))
    }
}

/// A checked name of a package, an environment or a build step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    pub fn new(text: impl Into<String>) -> Result<Self, CoreError> {
        let text = text.into();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if text.is_empty() || !text.chars().all(valid) {
            return Err(CoreError::InvalidName(text));
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = CoreError;

    fn try_from(text: String) -> Result<Self, CoreError> {
        Self::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Implemented by `#[derive(fb_macros::Describe)]`: what a type is called and consists of.
pub trait Describe {
    const NAME: &'static str;
    const FIELDS: &'static [&'static str];

    fn summary() -> String {
        format!("{} {{ {} }}", Self::NAME, Self::FIELDS.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_survive_text() {
        for platform in Platform::ALL {
            assert_eq!(platform.to_string().parse(), Ok(platform));
        }
    }

    #[test]
    fn bad_names_are_refused() {
        assert!(Name::new("blink-2").is_ok());
        assert!(Name::new("").is_err());
        assert!(Name::new("No Spaces").is_err());
    }
}
