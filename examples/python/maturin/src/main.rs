fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let length = itoa::Buffer::new().format(name.len()).to_owned();
    println!("hello {name}, {length} bytes");
}
