pub const CONSTANT: u32 = 1;

/// Whether the library was compiled as a test harness.
pub const TEST: bool = cfg!(test);

#[cfg(test)]
mod tests {
    #[test]
    fn constant() {
        assert_eq!(super::CONSTANT, 1);
    }

    #[test]
    fn test() {
        assert!(super::TEST);
    }
}
