pub fn constant() -> u32 {
    2
}
