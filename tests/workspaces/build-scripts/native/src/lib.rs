/// What `native-sys`'s build script said.
pub const ANSWER: &str = env!("ANSWER");

/// What the C code says.
pub fn number() -> i32 {
    unsafe { native_sys::zbnative_number() }
}
