//! Turns `data/boards.txt` into a Rust table in OUT_DIR.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=data/boards.txt");

    let text = fs::read_to_string("data/boards.txt").expect("data/boards.txt is readable");
    let mut table = String::from("pub static BOARDS: &[Board] = &[\n");
    for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, platform, mhz, flash, memory] = fields[..] else {
            panic!("data/boards.txt: expected five columns in `{line}`");
        };
        let variant = platform[..1].to_uppercase() + &platform[1..];
        writeln!(
            table,
            "    Board {{ name: {name:?}, platform: Platform::{variant}, mhz: {mhz}, \
             flash: {flash}, memory: {memory} }},"
        )
        .expect("a string can be written to");
    }
    table.push_str("];\n");

    let out_dir = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out_dir).join("boards.rs"), table).expect("OUT_DIR is writable");
    println!("cargo:rustc-env=FB_BUILD_PROFILE={}", env::var("PROFILE").expect("cargo sets PROFILE"));
}
