fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-env=ANSWER={}",
        std::env::var("DEP_ZBNATIVE_ANSWER").unwrap()
    );
}
