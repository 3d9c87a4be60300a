extern "C" {
    pub fn zbnative_number() -> std::ffi::c_int;
}
