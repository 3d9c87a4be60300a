//! Flags of ours among cargo's arguments.
//!
//! They begin with `--zbuild-`, so that no flag that cargo will ever have is
//! taken from it, and are removed before cargo sees the rest.

use crate::cargo::args::Invocation;

/// The flags that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--zbuild-NAME` with its value, in the order given.
    pub values: Vec<(String, Option<String>)>,
}

impl Flags {
    /// Takes our flags out of the arguments, as far as they are not a
    /// program's. `--stats` and `--verify` are among them only for a build:
    /// another tool's verb may have its own.
    pub fn take(verb: &str, args: &mut Vec<String>, is_build: bool) -> Flags {
        let own = Invocation::parse(verb, args.clone()).own;
        let rest = args.split_off(own);
        let mut flags = Flags::default();
        args.retain(|arg| {
            if is_build && ["--stats", "--verify"].contains(&arg.as_str()) {
                let name = arg.replacen("--", "--zbuild-", 1);
                flags.values.push((name, None));
                return false;
            }
            let is_own = arg.starts_with("--zbuild-");
            if is_own {
                let (name, value) = match arg.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (arg.as_str(), None),
                };
                flags.values.push((name.to_owned(), value));
            }
            !is_own
        });
        args.extend(rest);
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_programs_stays() {
        let mut args = vec!["word".to_owned(), "--stats".to_owned()];
        assert_eq!(Flags::take("run", &mut args, true), Flags::default());
        assert_eq!(args.len(), 2);
    }

    #[test]
    fn what_is_ours_is_taken_out() {
        let line = "-p a --zbuild-disable --zbuild-cache-dir=/x=y -- --zbuild-disable";
        let mut args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut with_stats = vec!["--stats".to_owned()];
        assert_eq!(
            Flags::take("build", &mut with_stats, false),
            Flags::default()
        );
        assert_eq!(Flags::take("build", &mut with_stats, true).values.len(), 1);
        let flags = Flags::take("build", &mut args, true);
        assert_eq!(args, ["-p", "a", "--", "--zbuild-disable"]);
        assert_eq!(
            flags.values,
            [
                ("--zbuild-disable".to_owned(), None),
                ("--zbuild-cache-dir".to_owned(), Some("/x=y".to_owned()))
            ]
        );
    }
}
