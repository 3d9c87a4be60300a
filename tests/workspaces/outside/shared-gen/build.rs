use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=source.txt");
    let source = fs::read_to_string("source.txt").unwrap();
    let code = format!("pub const SOURCE: &str = {:?};\n", source.trim_end());
    fs::write(
        Path::new(&env::var_os("OUT_DIR").unwrap()).join("generated.rs"),
        code,
    )
    .unwrap();
}
