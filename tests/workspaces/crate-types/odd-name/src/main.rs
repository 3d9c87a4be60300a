fn main() {
    println!("bin=renamed-bin");
    println!("many_kinds.function={}", many_kinds::many_kinds_constant());
}
