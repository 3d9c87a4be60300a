fn main() {
    println!("cargo::rerun-if-changed=csrc/zbnative.c");
    println!("cargo::metadata=answer=42");
    cc::Build::new().file("csrc/zbnative.c").compile("zbnative");
}
