//! The same build in other directories, and a part of it.
//!
//! What is built there is the same only if the arguments are: nothing is added
//! that could change a unit.

use camino::Utf8Path;

use super::args::{Invocation, Messages, Recording};

/// Options that say which packages and targets are built.
const SELECTING: &[&str] = &[
    "-p",
    "--package",
    "--workspace",
    "--all",
    "--exclude",
    "--lib",
    "--bin",
    "--bins",
    "--example",
    "--examples",
    "--test",
    "--tests",
    "--bench",
    "--benches",
    "--all-targets",
];

impl Invocation {
    /// One package of the same build, and what it rests on; none for a verb
    /// that does more than to build. What comes of it need not be the same:
    /// features depend on what is selected.
    pub fn alone(&self, verb: &str, package: &str, targets: &[String]) -> Option<Invocation> {
        if !["build", "check"].contains(&self.verb.as_str()) || self.own < self.args.len() {
            return None;
        }
        let mut args = self.without(|name| SELECTING.contains(&name));
        args.push(format!("--package={package}"));
        args.extend_from_slice(targets);
        let mut inv = Invocation::parse(verb, args);
        inv.toolchain.clone_from(&self.toolchain);
        Some(inv)
    }

    /// How to start the same build in other directories, with what cargo says
    /// kept to ourselves unless it fails.
    pub fn elsewhere(
        &self,
        build: &Utf8Path,
        target: &Utf8Path,
        only_bin: Option<&str>,
    ) -> Recording {
        let format = "json-diagnostic-rendered-ansi";
        let mut args = self.without(|name| {
            matches!(name, "--message-format" | "--timings")
                || matches!(name, "-q" | "--quiet" | "-v" | "-vv" | "--verbose")
        });
        // Together with others it stays (`-rv`), and cargo takes only one.
        let left = Invocation::parse(&self.verb, args.clone());
        if !left.quiet && left.verbose == 0 {
            args.push("--quiet".to_owned());
        }
        args.push(format!("--message-format={format}"));
        let own = args.len();
        args.extend_from_slice(&self.args[self.own..]);
        let inv = Invocation {
            args,
            own,
            message_format: vec![format.to_owned()],
            ..self.clone()
        };
        Recording {
            messages: Messages::Hold,
            ..inv.at(build, target).recording(only_bin)
        }
    }

    /// The same in other directories.
    pub fn at(&self, build: &Utf8Path, target: &Utf8Path) -> Invocation {
        let mut args = self.without(|name| name == "--target-dir");
        // The command line goes before files and variables. A cargo that does
        // not know it builds in the target directory.
        let quoted = serde_json::Value::from(build.as_str());
        let config = format!("build.build-dir={quoted}");
        args.push(format!("--target-dir={target}"));
        args.push(format!("--config={config}"));
        let own = args.len();
        args.extend_from_slice(&self.args[self.own..]);
        Invocation {
            args,
            own,
            target_dir: Some(target.to_owned()),
            config: [self.config.as_slice(), &[config]].concat(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_package_alone() {
        let alone = |verb, line: &str| {
            let args = line.split_whitespace().map(str::to_owned).collect();
            let alone =
                Invocation::parse(verb, args).alone("build", "a@1.0.0", &["--lib".to_owned()]);
            alone.map(|inv| format!("{} {}", inv.verb, inv.args.join(" ")))
        };
        let found = alone("check", "-p b --exclude=c --bin d --all -j 2 -r --tests");
        let expected = "build -j 2 -r --package=a@1.0.0 --lib";
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(alone("test", ""), None);
        assert_eq!(alone("build", "-- x"), None);
    }

    #[test]
    fn elsewhere_nothing_is_told() {
        let elsewhere = |verb, line: &str| {
            let args = line.split_whitespace().map(str::to_owned).collect();
            let inv = Invocation::parse(verb, args);
            inv.elsewhere("/s".into(), "/s/t".into(), None)
                .args
                .join(" ")
        };
        let rest = "--message-format=json-diagnostic-rendered-ansi --target-dir=/s/t \
                    --config=build.build-dir=\"/s\"";
        let asked = elsewhere("rustc", "--target-dir t -v -p a -- -Cx");
        assert_eq!(asked, format!("-p a --quiet {rest} -- -Cx"));
        assert_eq!(elsewhere("build", "-rv"), format!("-rv {rest}"));
    }
}
