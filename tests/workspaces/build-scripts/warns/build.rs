fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::warning=this warning of a build script is the story");
}
