use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=template.txt");
    let template = fs::read_to_string("template.txt").unwrap();
    let code = format!("pub const TEMPLATE: &str = {:?};\n", template.trim_end());
    fs::write(
        Path::new(&env::var_os("OUT_DIR").unwrap()).join("generated.rs"),
        code,
    )
    .unwrap();
}
