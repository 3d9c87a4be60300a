fn main() {
    println!("zb_tiny.constant={}", zb_tiny::CONSTANT);
    println!("itoa.format={}", itoa::Buffer::new().format(1234));
}
