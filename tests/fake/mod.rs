//! A cargo that does as real ones do, as far as the engine looks: the unit
//! graph, the metadata, the messages, where files are, which locks are held,
//! and when a unit is fresh.
//!
//! What it builds is described by `fake.json`. A "compiler" puts the sources
//! and what they include into the outputs, so that contents tell what an output
//! was made of. It takes these orders from the environment:
//!
//! - `FAKE_LAYOUT=per-unit`: one directory per unit
//! - `FAKE_MSVC=1`: side files and names as for MSVC
//! - `FAKE_CHANGED=...`: something about cargo is not as it was (see [`Changed`])

mod build;
mod describe;

use self::describe::Workspace;

/// What a later cargo might do otherwise.
#[derive(PartialEq)]
enum Changed {
    Nothing,
    UnitGraphVersion,
    UnitGraphField,
    MessageField,
    Layout,
    DepInfo,
    FingerprintRecord,
    NoUnitGraph,
    OldCargo,
    NewCargo,
}

fn changed() -> Changed {
    match std::env::var("FAKE_CHANGED").as_deref() {
        Ok("unit-graph-version") => Changed::UnitGraphVersion,
        Ok("unit-graph-field") => Changed::UnitGraphField,
        Ok("message-field") => Changed::MessageField,
        Ok("layout") => Changed::Layout,
        Ok("dep-info") => Changed::DepInfo,
        Ok("fingerprint-record") => Changed::FingerprintRecord,
        Ok("no-unit-graph") => Changed::NoUnitGraph,
        Ok("old-cargo") => Changed::OldCargo,
        Ok("new-cargo") => Changed::NewCargo,
        Ok(other) => panic!("FAKE_CHANGED={other}"),
        Err(_) => Changed::Nothing,
    }
}

fn is_set(name: &str, value: &str) -> bool {
    std::env::var(name).is_ok_and(|now| now == value)
}

/// The fake rustc.
pub fn rustc(args: &[String]) -> i32 {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["-vV"] => println!(
            "rustc 1.95.0 (fake)\nbinary: rustc\nhost: {}\nrelease: 1.95.0",
            host()
        ),
        ["--print", "sysroot"] => {
            // `sysroot/bin/rustc`
            let own = std::env::current_exe().unwrap();
            println!("{}", own.parent().unwrap().parent().unwrap().display());
        }
        _ => return 1,
    }
    0
}

fn host() -> &'static str {
    match (cfg!(windows), is_set("FAKE_MSVC", "1")) {
        (_, true) => "x86_64-pc-windows-msvc",
        (true, false) => "x86_64-pc-windows-gnu",
        (false, false) => "x86_64-unknown-linux-gnu",
    }
}

/// The fake cargo.
pub fn cargo(args: &[String]) -> i32 {
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let verb = args.first().map_or("", String::as_str);
    match verb {
        "-V" => {
            let minor = match changed() {
                Changed::OldCargo => 84,
                Changed::NewCargo => 150,
                _ if per_unit() => 100,
                _ => 95,
            };
            println!("cargo 1.{minor}.0 (fake)");
            0
        }
        "metadata" => {
            println!("{}", Workspace::here().metadata(!has("--no-deps")));
            0
        }
        "build" if has("--unit-graph") => match changed() {
            Changed::NoUnitGraph => {
                eprintln!("error: unexpected argument '--unit-graph' found");
                1
            }
            _ => {
                println!("{}", Workspace::here().unit_graph());
                0
            }
        },
        "build" => {
            let json = args
                .iter()
                .any(|arg| arg.starts_with("--message-format=json"));
            Workspace::here().build(json)
        }
        _ => 1,
    }
}

fn per_unit() -> bool {
    is_set("FAKE_LAYOUT", "per-unit")
}
