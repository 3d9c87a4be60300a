use std::panic::Location;

pub const FILE: &str = file!();

/// The file of whoever calls this.
#[track_caller]
pub fn caller() -> &'static str {
    Location::caller().file()
}

/// The file of this library, by way of `caller`.
pub fn location() -> &'static str {
    caller()
}
