fn main() {
    println!("bin=second");
    println!("many_kinds.constant={}", many_kinds::CONSTANT);
}
