use std::process::Command;

#[test]
fn the_bin_prints_the_constant_of_the_lib() {
    let output = Command::new(env!("CARGO_BIN_EXE_targets-cli"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    print!("{printed}");
    assert!(printed.contains(&format!("lib.constant={}\n", targets::CONSTANT)));
}
