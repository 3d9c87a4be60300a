fn main() {
    println!("cargo::rerun-if-env-changed=ZB_ENVY");
    let envy = std::env::var("ZB_ENVY").unwrap_or_else(|_| "unset".to_owned());
    println!("cargo::rustc-env=ENVY={envy}");
}
