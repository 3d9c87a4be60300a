fn main() {
    println!("target=bin");
    println!("lib.constant={}", targets::CONSTANT);
    println!("lib.test={}", targets::TEST);
}
