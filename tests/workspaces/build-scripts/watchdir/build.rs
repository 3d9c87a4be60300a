use std::fs;

fn main() {
    println!("cargo::rerun-if-changed=assets");
    let mut assets: Vec<String> = fs::read_dir("assets")
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            format!(
                "{name}:{}",
                fs::read_to_string(entry.path()).unwrap().trim_end()
            )
        })
        .collect();
    assets.sort();
    println!("cargo::rustc-env=ASSETS={}", assets.join(","));
}
