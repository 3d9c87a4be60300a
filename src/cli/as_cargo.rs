//! As `CARGO`: tools start us where they would start cargo.
//!
//! `cargo-zbuild build ...` is `cargo build ...`, and everything that is not a
//! build goes to the real cargo as it is: `metadata`, `--version`, `--list`,
//! nothing at all. Tools read what these print, so nothing of ours may be in
//! there. What `cargo zbuild` offers beside cargo's verbs has no place here.

use super::settings::Flags;
use super::verbs;
use crate::cargo::args::Invocation;

/// cargo's options that may stand before the verb and behind it alike, and
/// whether they take a value (cargo: `cli`, those that are `global`).
const GLOBAL: &[(&str, bool)] = &[
    ("-q", false),
    ("--quiet", false),
    ("-v", false),
    ("-vv", false),
    ("--verbose", false),
    ("--color", true),
    ("--config", true),
    ("-Z", true),
    ("--locked", false),
    ("--offline", false),
    ("--frozen", false),
];

/// The build that the arguments ask for; none if they are for cargo alone.
pub fn read(args: &[String]) -> Option<(Invocation, Flags)> {
    let mut rest = args.iter();
    let mut next = rest.next()?;
    let toolchain = next.strip_prefix('+').map(str::to_owned);
    if toolchain.is_some() {
        next = rest.next()?;
    }
    let mut before = Vec::new();
    while next.starts_with('-') {
        let takes_value = takes_value(next)?;
        before.push(next.clone());
        if takes_value {
            before.push(rest.next()?.clone());
        }
        next = rest.next()?;
    }
    // A letter may be an alias of the user's; that, cargo looks up.
    let verb = verbs::find(next).filter(|found| found.is_full_name())?.verb;
    before.extend(rest.cloned());
    let flags = Flags::take(verb, &mut before, true);
    let mut inv = Invocation::parse(verb, before);
    inv.toolchain = toolchain;
    Some((inv, flags))
}

/// Whether a global option has its value in the next argument; none if it is
/// no global option.
fn takes_value(arg: &str) -> Option<bool> {
    GLOBAL.iter().find_map(|&(name, takes_value)| {
        let value = arg.strip_prefix(name)?;
        let joined = value.starts_with('=') || (name == "-Z" && !value.is_empty());
        match (value.is_empty(), takes_value && joined) {
            (true, _) => Some(takes_value),
            (false, true) => Some(false),
            (false, false) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Option<Vec<String>> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (inv, _) = read(&words)?;
        Some([&[inv.verb], inv.args.as_slice()].concat())
    }

    #[test]
    fn options_may_come_before_the_verb() {
        let found = args("+nightly -q --color always --config=a=1 -Zb build -p app -- x");
        let expected = "build -q --color always --config=a=1 -Zb -p app -- x";
        assert_eq!(found.unwrap().join(" "), expected);
        assert_eq!(
            args("rustc --lib -- -C x").unwrap().join(" "),
            "rustc --lib -- -C x"
        );
    }

    #[test]
    fn everything_else_is_cargos() {
        for line in [
            "",
            "-V",
            "--version",
            "--list",
            "metadata",
            "b",
            "-C dir build",
            "--explain E0308",
            "+stable",
            "+stable -V",
            "stats",
            "config get",
            "--color",
            "-h",
            "help build",
        ] {
            assert_eq!(args(line), None, "{line}");
        }
    }
}
