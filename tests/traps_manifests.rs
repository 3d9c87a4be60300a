//! Traps of manifests: those that decide what is built although nothing of
//! their package is.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout};

fn package(name: &str, more: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2018\"\n{more}")
}

/// An application that prints which features a library has.
fn app(layout: Layout, manifest: &str, more: &[(&str, &str)]) -> Checkout {
    let app = package("app", manifest);
    let util = package("util", "[features]\nx = []\ny = []\n");
    let util_source = "pub fn on() -> String {\n    \
        format!(\"x={} y={}\", cfg!(feature = \"x\"), cfg!(feature = \"y\"))\n}\n";
    let mut files = vec![
        ("ws/Cargo.toml", app.as_str()),
        (
            "ws/src/main.rs",
            "fn main() { println!(\"{}\", util::on()) }\n",
        ),
        ("ws/util/Cargo.toml", &util),
        ("ws/util/src/lib.rs", util_source),
    ];
    files.extend(more);
    let mut checkout = Checkout::with_files(layout, &files);
    checkout.dir.push("ws");
    checkout
}

/// With resolver 1 a dependency for another platform still has a say in what
/// features the packages have that it shares with us.
fn a_dependency_of_another_platform_changes_its_features(layout: Layout) {
    let elsewhere = if cfg!(windows) { "unix" } else { "windows" };
    let manifest = format!(
        "[workspace]\nresolver = \"1\"\n[dependencies]\nutil = {{ path = \"util\" }}\n\
         [target.'cfg({elsewhere})'.dependencies]\nother = {{ path = \"../other\" }}\n"
    );
    let features = "[dependencies]\nutil = { path = \"../ws/util\", features = [\"x\"] }\n";
    let other = package("other", features);
    let checkout = app(
        layout,
        &manifest,
        &[("other/Cargo.toml", &other), ("other/src/lib.rs", "")],
    );
    checkout.build();
    assert_eq!(checkout.is_right(), "x=true y=false\n");
    checkout.replace("other/Cargo.toml", "\"x\"", "\"y\"");
    checkout.build().assert_crates(&["util", "app"]);
    assert_eq!(checkout.is_right(), "x=false y=true\n");
    let second = checkout.second("second");
    second.replace("other/Cargo.toml", "\"y\"", "\"x\"");
    second.build();
    assert_eq!(second.is_right(), "x=true y=false\n");
}

/// A path dependency is a member of another workspace, from which it inherits
/// its dependencies.
fn a_workspace_elsewhere_is_inherited_from(layout: Layout) {
    let manifest = "[workspace]\n[dependencies]\nutil = { path = \"util\" }\n\
                    other = { path = \"../elsewhere/other\" }\n";
    let other = package("other", "[dependencies]\nutil = { workspace = true }\n");
    let root = "[workspace]\nmembers = [\"other\"]\n[workspace.dependencies]\n\
                util = { path = \"../ws/util\", features = [\"x\"] }\n";
    let checkout = app(
        layout,
        manifest,
        &[
            ("elsewhere/Cargo.toml", root),
            ("elsewhere/other/Cargo.toml", &other),
            ("elsewhere/other/src/lib.rs", ""),
        ],
    );
    checkout.build();
    assert_eq!(checkout.is_right(), "x=true y=false\n");
    checkout.replace("elsewhere/Cargo.toml", "\"x\"", "\"y\"");
    checkout.build().assert_crates(&["util", "other", "app"]);
    assert_eq!(checkout.is_right(), "x=false y=true\n");
}

/// The same build by somebody else, whose cargo has another configuration.
fn another_home_has_another_configuration(layout: Layout) {
    let main = "fn main() { println!(\"one={}\", cfg!(one)) }\n";
    let manifest = package("app", "[lints.rust]\nunexpected_cfgs = \"allow\"\n");
    let mut checkout =
        Checkout::with_files(layout, &[("Cargo.toml", &manifest), ("src/main.rs", main)]);
    let own = std::env::home_dir().unwrap();
    let rustup = std::env::var_os("RUSTUP_HOME").unwrap_or_else(|| own.join(".rustup").into());
    checkout.set_env("RUSTUP_HOME", rustup);
    // rustup's proxy would say where cargo's home is.
    let sysroot = common::Ran::of({
        let mut rustc = checkout.command("rustc");
        rustc.args(["--print", "sysroot"]);
        rustc
    });
    let cargo = format!("bin/cargo{}", std::env::consts::EXE_SUFFIX);
    let sysroot = sysroot.successful().stdout;
    checkout.with_cargo = Some(std::path::Path::new(sysroot.trim()).join(cargo));
    checkout.unset_env("CARGO_HOME");
    let flags = "[build]\nrustflags = [\"--cfg\", \"one\"]\n";
    checkout.write("../one/.cargo/config.toml", flags);
    let base = checkout.path("..");
    for (home, expected) in [("two", "one=false\n"), ("one", "one=true\n")].repeat(2) {
        for name in ["HOME", "USERPROFILE"] {
            checkout.set_env(name, base.join(home));
        }
        checkout.build();
        assert_eq!(checkout.is_right(), expected);
    }
}

/// `crates/*` matches a directory whose name begins with a dot.
fn a_member_has_a_hidden_directory(layout: Layout) {
    let workspace = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n";
    let (one, two) = (package("one", ""), package("two", ""));
    let main = "fn main() { println!(\"here\") }\n";
    let checkout = Checkout::with_files(
        layout,
        &[
            ("Cargo.toml", workspace),
            ("crates/one/Cargo.toml", &one),
            ("crates/one/src/main.rs", main),
        ],
    );
    checkout.build().assert_crates(&["one"]);
    checkout.write("crates/.two/src/main.rs", main);
    checkout.write("crates/.two/Cargo.toml", &two);
    checkout.build().assert_crates(&["two"]);
    checkout.referee();
    // What is kept of the plan does not serve a checkout that has one more.
    let second = checkout.second("second");
    second.write("crates/.four/src/main.rs", main);
    second.write("crates/.four/Cargo.toml", &package("four", ""));
    second.build().assert_crates(&["four"]);
    second.referee();
    // One without a manifest is an error of cargo's.
    checkout.write("crates/.three/notes.txt", "");
    assert!(!checkout.zbuild(&[]).status.success());
    assert!(!checkout.cargo(&["build"]).status.success());
}

in_both_layouts!(
    a_member_has_a_hidden_directory,
    another_home_has_another_configuration,
    a_dependency_of_another_platform_changes_its_features,
    a_workspace_elsewhere_is_inherited_from,
);
