fn main() {
    println!("cargo::rerun-if-changed=flavour.txt");
    println!("cargo::rustc-check-cfg=cfg(flavour, values(\"sweet\", \"sour\"))");
    let flavour = std::fs::read_to_string("flavour.txt").unwrap();
    println!("cargo::rustc-cfg=flavour=\"{}\"", flavour.trim_end());
}
