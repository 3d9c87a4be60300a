pub const CONSTANT: u32 = 1;

#[no_mangle]
pub extern "C" fn many_kinds_constant() -> u32 {
    CONSTANT
}
