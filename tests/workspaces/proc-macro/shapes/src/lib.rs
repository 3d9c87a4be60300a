#[derive(macros::Describe)]
pub struct Circle;
