pub const CONSTANT: u32 = 1;
