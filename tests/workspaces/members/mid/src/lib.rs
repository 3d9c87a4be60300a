pub const DATA: &str = include_str!("data.txt");

pub fn result() -> u32 {
    leaf::CONSTANT * 10 + 2
}
