//! What a build script printed: the part that decides when cargo runs it again.
//!
//! The rules are cargo's (`custom_build.rs`, `BuildOutput::parse`); both the
//! `cargo:` and the `cargo::` syntax count. Directives for rustc are part of
//! the output that dependents see; only arguments for the linker are read here,
//! since they may name files.

/// The directives of one build-script run that concern us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `rerun-if-changed` paths, relative to the package or absolute.
    pub changed: Vec<String>,
    /// `rerun-if-env-changed` names.
    pub env: Vec<String>,
    /// Arguments for the linker, with the name of their program where they are
    /// for one alone.
    pub link_args: Vec<String>,
    /// Warnings and errors in the order printed; true marks an error.
    pub messages: Vec<(bool, String)>,
}

/// Reads a build script's stdout.
pub fn parse(stdout: &[u8]) -> Directives {
    let mut found = Directives::default();
    for line in stdout.split(|&b| b == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let line = line.trim();
        let Some(data) = line.strip_prefix("cargo:") else {
            continue;
        };
        let data = data.strip_prefix(':').unwrap_or(data);
        let Some((key, value)) = data.split_once('=') else {
            continue;
        };
        let value = value.trim_end().to_owned();
        match key {
            "rerun-if-changed" => found.changed.push(value),
            "rerun-if-env-changed" => found.env.push(value),
            key if key.starts_with("rustc-") && key.contains("link-arg") => {
                found.link_args.push(value);
            }
            "warning" => found.messages.push((false, value)),
            "error" => found.messages.push((true, value)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_syntaxes() {
        let found = parse(
            b"cargo:rerun-if-changed=a b \ncargo::rerun-if-env-changed=V\nhello\ncargo::warning=w\n\xff\ncargo:key=value\n",
        );
        assert_eq!(found.changed, ["a b"]);
        assert_eq!(found.env, ["V"]);
        assert_eq!(found.messages, [(false, "w".into())]);
    }

    #[test]
    fn arguments_for_the_linker_and_errors_count() {
        let found = parse(
            b"cargo::rustc-link-arg=a\ncargo:rustc-link-arg-bin=b=c\ncargo:rustc-cdylib-link-arg=d\n\
              cargo:rustc-link-lib=e\ncargo:my-link-arg=f\ncargo::error=g\n",
        );
        assert_eq!(found.link_args, ["a", "b=c", "d"]);
        assert_eq!(found.messages, [(true, "g".into())]);
        assert!(found.changed.is_empty() && found.env.is_empty());
    }
}
