fn main() {
    println!("bin=first");
    println!("many_kinds.constant={}", many_kinds::CONSTANT);
}
