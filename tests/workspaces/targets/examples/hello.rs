fn main() {
    println!("target=example");
    println!("lib.constant={}", targets::CONSTANT);
    println!("lib.test={}", targets::TEST);
}
