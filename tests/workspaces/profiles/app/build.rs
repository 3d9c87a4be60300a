fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["OPT_LEVEL", "PROFILE", "DEBUG"] {
        println!(
            "cargo::rustc-env=ZB_{name}={}",
            std::env::var(name).unwrap()
        );
    }
}
