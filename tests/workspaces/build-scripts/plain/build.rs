fn main() {
    let data = std::fs::read_to_string("data.txt").unwrap();
    println!("cargo::rustc-env=PLAIN={}", data.trim_end());
}
