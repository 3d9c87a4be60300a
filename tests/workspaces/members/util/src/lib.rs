pub fn decimal(number: u32) -> String {
    itoa::Buffer::new().format(number).to_owned()
}
