//! The same build in other directories.
//!
//! What is built there is the same only if the arguments are: nothing is added
//! that could change a unit.

use camino::Utf8Path;

use super::args::{Invocation, Messages, Recording};

impl Invocation {
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
            matches!(name, "--message-format" | "--target-dir" | "--timings")
                || matches!(name, "-q" | "--quiet" | "-v" | "-vv" | "--verbose")
        });
        // Together with others it stays (`-rv`), and cargo takes only one.
        let left = Invocation::parse(&self.verb, args.clone());
        if !left.quiet && left.verbose == 0 {
            args.push("--quiet".to_owned());
        }
        args.push(format!("--message-format={format}"));
        args.push(format!("--target-dir={target}"));
        // The command line goes before files and variables. A cargo that does
        // not know it builds in the target directory.
        let quoted = serde_json::Value::from(build.as_str());
        args.push(format!("--config=build.build-dir={quoted}"));
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
            ..inv.recording(only_bin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
