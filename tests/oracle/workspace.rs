//! The workspace of the oracle: nothing in it comes from a registry, so that a
//! clean build takes a second, and its program prints all that went into it.
//!
//! [`KNOBS`] are files with a digit in them that can be turned; [`SWITCHES`]
//! are settings in manifests and configuration that can be one thing or
//! another. Both are changed in the files themselves: what a checkout holds is
//! the only truth, whatever a switch of branches made of it.

/// A file whose content is this text with a digit in place of `@`.
pub struct Knob {
    /// Below the copied folder.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// A setting that is one of two texts in a file.
pub struct Switch {
    /// Below the copied folder.
    pub path: &'static str,
    /// The two texts; the first is there in the beginning.
    pub texts: [&'static str; 2],
}

/// The module that is `part.rs` or `part/mod.rs`.
pub const PART: [&str; 2] = ["ws/leaf/src/part.rs", "ws/leaf/src/part/mod.rs"];

/// A file that names a module or not, with its text in either case, and the
/// module.
pub const MODULES: (&str, [&str; 2]) = (
    "ws/mid/src/modules.rs",
    [
        "pub const MODULE: &str = \"none\";\n",
        "mod added;\npub use added::MODULE;\n",
    ],
);

/// The module that comes and goes.
pub const ADDED: (&str, &str) = (
    "ws/mid/src/modules/added.rs",
    "pub const MODULE: &str = concat!(\"added as \", file!());\n",
);

/// The directory that a build script lists.
pub const LISTED: &str = "ws/native/listed";

/// Files that can be turned.
pub const KNOBS: &[Knob] = &[
    Knob {
        path: "ws/leaf/src/lib.rs",
        text: "pub mod part;\npub const SOURCE: u32 = @;\npub const EXTRA: bool = cfg!(feature = \"extra\");\nconst WARNED: u32 = 0;\n",
    },
    Knob {
        path: "ws/mid/data/text.txt",
        text: "text @",
    },
    Knob {
        path: "ws/mid/data/bytes.bin",
        text: "@@",
    },
    Knob {
        path: "ws/mid/src/lib.rs",
        text: r#"pub use leaf;
pub const SOURCE: u32 = @;
mod modules;
#[allow(unexpected_cfgs)]
pub fn print() {
    println!("mid.module={}", modules::MODULE);
    println!("leaf={} {} {}", leaf::SOURCE, leaf::EXTRA, leaf::part::PART);
    println!("leaf.part={}", leaf::part::PLACE);
    println!("mid={SOURCE} loud={}", cfg!(feature = "loud"));
    println!("mid.text={}", include_str!("../data/text.txt"));
    println!("mid.bytes={:?}", include_bytes!("../data/bytes.bin"));
    println!("mid.option={:?}", option_env!("ZB_OPTION"));
    println!("mid.config={}", env!("ZB_CONFIG"));
    println!("mid.flags={} {}", cfg!(zb_flag), cfg!(zb_config));
}
"#,
    },
    Knob {
        path: "ws/macros/src/lib.rs",
        text: r#"use proc_macro::TokenStream;
#[proc_macro]
pub fn stamp(input: TokenStream) -> TokenStream {
    format!("pub const STAMP: &str = \"macro @ of {input}\";").parse().unwrap()
}
"#,
    },
    Knob {
        path: "ws/native/c/native.c",
        text: "#include \"native.h\"\nint native_value(void) { return @ * 10 + NATIVE_H; }\n",
    },
    Knob {
        path: "ws/native/c/native.h",
        text: "#define NATIVE_H @\n",
    },
    Knob {
        path: "ws/native/build.rs",
        text: r#"use std::process::Command;
fn main() {
    for watched in ["build.rs", "c", "listed"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=ZB_NATIVE");
    let out = std::env::var("OUT_DIR").unwrap();
    let run = |program: &str, args: &[&str]| {
        assert!(Command::new(program).args(args).status().unwrap().success(), "{program}");
    };
    let (object, archive) = (format!("{out}/native.o"), format!("{out}/libzb_native.a"));
    run("cc", &["-c", "c/native.c", "-o", &object]);
    // Half of it may be there: ar was killed, and cargo keeps the directory.
    let _ = std::fs::remove_file(&archive);
    run("ar", &["crsD", &archive, &object]);
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rustc-link-lib=static=zb_native");
    let mut listed = Vec::new();
    for entry in std::fs::read_dir("listed").unwrap() {
        let path = entry.unwrap().path();
        listed.push(format!("{}:{}", path.display(), std::fs::read_to_string(&path).unwrap()));
    }
    listed.sort();
    let env = std::env::var("ZB_NATIVE").ok();
    let level = std::env::var("OPT_LEVEL").unwrap();
    let code = format!("pub const GENERATED: &str = {:?};\n", format!("@ {listed:?} {env:?} {level}"));
    std::fs::write(format!("{out}/generated.rs"), code).unwrap();
    std::fs::write(format!("{out}/info.txt"), format!("info @ {env:?}")).unwrap();
    println!("cargo::metadata=ROOT={out}");
    println!("cargo::metadata=KEY=key @ {env:?}");
}
"#,
    },
    Knob {
        path: "ws/native/src/lib.rs",
        text: r#"include!(concat!(env!("OUT_DIR"), "/generated.rs"));
unsafe extern "C" { safe fn native_value() -> i32; }
pub const OUT_DIR: &str = env!("OUT_DIR");
pub fn print() {
    println!("native=@ {}", native_value());
    println!("native.generated={GENERATED}");
    println!("native.out_dir={OUT_DIR}");
}
"#,
    },
    Knob {
        path: "ws/app/build.rs",
        // Names nothing that it watches: every file of the package counts.
        text: r#"fn main() {
    let var = |name: &str| std::env::var(name).unwrap();
    let notes = std::fs::read_to_string("notes.txt").unwrap();
    println!("cargo::rustc-env=APP_NOTES=@ {}", notes.trim());
    println!("cargo::rustc-env=APP_KEY={}", var("DEP_ZB_NATIVE_KEY"));
    let info = std::fs::read_to_string(format!("{}/info.txt", var("DEP_ZB_NATIVE_ROOT"))).unwrap();
    println!("cargo::rustc-env=APP_INFO={info}");
    println!("cargo::rustc-env=APP_PROFILE={} {} {}", var("PROFILE"), var("DEBUG"), var("OPT_LEVEL"));
}
"#,
    },
    Knob {
        path: "ws/app/notes.txt",
        text: "notes @\n",
    },
    Knob {
        path: "ws/app/src/main.rs",
        text: r#"macros::stamp!(app);
#[allow(unexpected_cfgs)]
fn main() {
    println!("app=@ {} {}", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"));
    println!("app.dir={} {}", env!("CARGO_MANIFEST_DIR"), file!());
    println!("app.script={} {} {} {}", env!("APP_NOTES"), env!("APP_KEY"), env!("APP_INFO"), env!("APP_PROFILE"));
    println!("app.cfg={} {} {}", cfg!(debug_assertions), cfg!(panic = "abort"), cfg!(zb_flag));
    println!("app.macro={STAMP}");
    println!("outside={} {}", outside::SOURCE, outside::DIR);
    println!("twins={} {}", first::SOURCE, second::SOURCE);
    println!("vend={}", vend::SOURCE);
    mid::print();
    native::print();
    assert_eq!(mid::leaf::SOURCE, leaf::SOURCE);
}
"#,
    },
    Knob {
        path: "outside/src/lib.rs",
        text: "pub const SOURCE: u32 = @;\npub const DIR: &str = env!(\"CARGO_MANIFEST_DIR\");\n",
    },
    Knob {
        path: "ws/twin-1/src/lib.rs",
        text: "pub const SOURCE: &str = concat!(\"@ of \", env!(\"CARGO_PKG_VERSION\"));\n",
    },
    Knob {
        path: "ws/twin-2/src/lib.rs",
        text: "pub const SOURCE: &str = concat!(\"@ of \", env!(\"CARGO_PKG_VERSION\"));\n",
    },
    Knob {
        path: "ws/vendor/vend-1.0.0/src/lib.rs",
        text: "pub const SOURCE: &str = \"vendored @ of 1.0\";\n",
    },
    Knob {
        path: "ws/vendor/vend-1.1.0/src/lib.rs",
        text: "pub const SOURCE: &str = \"vendored @ of 1.1\";\n",
    },
    Knob {
        path: "ws/patched/src/lib.rs",
        text: "pub const SOURCE: &str = \"patched @\";\n",
    },
    Knob {
        path: PART[0],
        text: "pub const PART: u32 = @;\npub const PLACE: &str = file!();\n",
    },
];

const PATCH: &str = "[patch.crates-io]\nvend = { path = \"patched\" }\n";

/// Settings that can be switched.
pub const SWITCHES: &[Switch] = &[
    Switch {
        path: "ws/Cargo.toml",
        texts: ["\"twin-1\"]", "\"twin-1\", \"more\"]"],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["opt-level = 0", "opt-level = 1"],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["debug-assertions = true", "debug-assertions = false"],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["panic = \"unwind\"", "panic = \"abort\""],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["debug = 1", "debug = 0"],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["lto = \"off\"", "lto = \"thin\""],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["unused = \"warn\"", "unused = \"allow\""],
    },
    Switch {
        path: "ws/Cargo.toml",
        texts: ["# no patch\n", PATCH],
    },
    Switch {
        path: "ws/leaf/Cargo.toml",
        texts: ["default = []", "default = [\"extra\"]"],
    },
    Switch {
        path: "ws/twin-2/Cargo.toml",
        texts: ["version = \"2.0.0\"", "version = \"2.1.0\""],
    },
    Switch {
        path: "ws/app/Cargo.toml",
        texts: ["vend = \"=1.0.0\"", "vend = \"=1.1.0\""],
    },
    Switch {
        path: "ws/app/Cargo.toml",
        texts: ["description = \"one\"", "description = \"two\""],
    },
    Switch {
        path: "ws/app/Cargo.toml",
        texts: [
            "first = { package = \"twin\", path = \"../twin-1\" }\nsecond = { package = \"twin\", path = \"../twin-2\" }\n",
            "first = { package = \"twin\", path = \"../twin-2\" }\nsecond = { package = \"twin\", path = \"../twin-1\" }\n",
        ],
    },
    Switch {
        path: "ws/.cargo/config.toml",
        texts: ["ZB_CONFIG = \"one\"", "ZB_CONFIG = \"two\""],
    },
    Switch {
        path: "ws/.cargo/config.toml",
        texts: ["rustflags = []", "rustflags = [\"--cfg\", \"zb_config\"]"],
    },
];

const ROOT: &str = "\
[workspace]
members = [\"app\", \"leaf\", \"mid\", \"macros\", \"native\", \"twin-1\"]
default-members = [\"app\"]
exclude = [\"vendor\", \"patched\", \"twin-2\"]
resolver = \"2\"
[workspace.lints.rust]
unused = \"warn\"
[profile.dev]
opt-level = 0
debug-assertions = true
panic = \"unwind\"
debug = 1
[profile.release]
lto = \"off\"
# no patch
";

const CONFIG: &str = "\
[build]
rustflags = []
[env]
ZB_CONFIG = \"one\"
[source.crates-io]
replace-with = \"vendored\"
[source.vendored]
directory = \"vendor\"
";

const APP: &str = "\
description = \"one\"
[features]
loud = [\"mid/loud\"]
[lints]
workspace = true
[dependencies]
leaf = { path = \"../leaf\" }
macros = { path = \"../macros\" }
mid = { path = \"../mid\" }
native = { path = \"../native\" }
outside = { path = \"../../outside\" }
vend = \"=1.0.0\"
first = { package = \"twin\", path = \"../twin-1\" }
second = { package = \"twin\", path = \"../twin-2\" }
";

/// Everything that a checkout begins with.
pub fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = KNOBS
        .iter()
        .map(|knob| (knob.path.to_owned(), knob.text.replace('@', "0")))
        .collect();
    let mut add = |path: &str, text: &str| files.push((path.to_owned(), text.to_owned()));
    add(".gitignore", "target\nout\n");
    add("ws/Cargo.toml", ROOT);
    add("ws/.cargo/config.toml", CONFIG);
    add("ws/native/listed/0.txt", "zero");
    add(MODULES.0, MODULES.1[0]);
    let lints = "[lints]\nworkspace = true\n";
    let mut package = |dir: &str, name: &str, version: &str, rest: &str| {
        let text = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n{rest}"
        );
        files.push((format!("{dir}/Cargo.toml"), text));
    };
    package("ws/app", "app", "0.1.0", APP);
    let features = "[features]\ndefault = []\nextra = []\n";
    package("ws/leaf", "leaf", "0.1.0", &format!("{features}{lints}"));
    let rest = "[features]\nloud = []\n[dependencies]\nleaf = { path = \"../leaf\" }\n";
    package("ws/mid", "mid", "0.1.0", &format!("{rest}{lints}"));
    package("ws/macros", "macros", "0.1.0", "[lib]\nproc-macro = true\n");
    package("ws/native", "native", "0.1.0", "links = \"zb_native\"\n");
    package("ws/twin-1", "twin", "1.0.0", "");
    package("ws/twin-2", "twin", "2.0.0", "");
    package("ws/more", "more", "0.1.0", "");
    package("ws/patched", "vend", "1.0.0", "");
    package("ws/vendor/vend-1.0.0", "vend", "1.0.0", "");
    package("ws/vendor/vend-1.1.0", "vend", "1.1.0", "");
    package("outside", "outside", "0.1.0", "[workspace]\n");
    let mut add = |path: &str, text: &str| files.push((path.to_owned(), text.to_owned()));
    add("ws/more/src/lib.rs", "pub const MORE: u32 = 0;\n");
    let checksum = "{\"files\":{},\"package\":null}";
    add("ws/vendor/vend-1.0.0/.cargo-checksum.json", checksum);
    add("ws/vendor/vend-1.1.0/.cargo-checksum.json", checksum);
    files
}
