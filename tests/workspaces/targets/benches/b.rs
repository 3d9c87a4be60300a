fn main() {
    println!("target=bench");
    println!("lib.constant={}", targets::CONSTANT);
    println!("lib.test={}", targets::TEST);
    println!("debug_assertions={}", cfg!(debug_assertions));
}
