use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").unwrap();
    fs::write(
        Path::new(&out).join("generated.rs"),
        "pub const GENERATED: u32 = 1;\n",
    )
    .unwrap();
}
