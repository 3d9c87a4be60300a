//! Warnings of units that are not compiled again, shown as cargo shows them.
//!
//! cargo caches rustc's diagnostics beside the fingerprint and repeats them
//! with every build. When cargo is not started, the same has to come from us:
//! the rules here are those of cargo's `on_stderr_line_inner`,
//! `DiagDedupe::emit_diag` and `report_warning_count`.

use std::collections::HashSet;

use serde::Deserialize;

use super::unit_graph::GraphUnit;

/// How the summary line names a unit (cargo: `descriptive_pkg_name`), and
/// what the hint about `cargo fix` needs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Named {
    /// `` `app` (bin "app") ``.
    pub description: String,
    /// `--bin "app" -p app`, none for build scripts.
    pub fix: Option<String>,
}

/// The names of a unit of that package.
pub fn named(unit: &GraphUnit, package: &str) -> Named {
    let name = &unit.target.name;
    let kind = unit.target.kind.first().map_or("lib", String::as_str);
    let target = match kind {
        "bin" | "test" | "bench" | "example" => format!("{kind} \"{name}\""),
        "custom-build" => "build script".to_owned(),
        _ => "lib".to_owned(),
    };
    let is_test = unit.test;
    let own_test = is_test && !matches!(kind, "test" | "bench");
    let mode = if own_test { " test" } else { "" };
    let tests = if own_test { " --tests" } else { "" };
    Named {
        description: format!("`{package}` ({target}{mode})"),
        fix: (kind != "custom-build").then(|| format!("--{target} -p {package}{tests}")),
    }
}

/// One output of the replay: a rendered diagnostic for stderr, a warning of
/// cargo's own, a raw line of rustc's, or a JSON diagnostic for stdout.
#[derive(Debug, PartialEq, Eq)]
pub enum Replay {
    /// Rendered by rustc, with colours.
    Rendered(String),
    /// The text of a `warning: ...` line of cargo's.
    Warning(String),
    /// A diagnostic as JSON, to be wrapped in a `compiler-message`.
    Json(String),
}

/// Repeats the cached diagnostics of units, one after the other.
#[derive(Default)]
pub struct Replayer {
    seen: HashSet<String>,
}

#[derive(Deserialize)]
struct Cached {
    message: String,
    level: String,
    rendered: Option<String>,
    #[serde(default)]
    children: Vec<Child>,
}

#[derive(Deserialize)]
struct Child {
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    suggestion_applicability: Option<String>,
}

impl Replayer {
    /// Repeats the lines of one unit's cache. `render` chooses between stderr
    /// and JSON messages, `ansi` whether JSON keeps its colours.
    ///
    /// None when a line is of a kind that only cargo can repeat (a future
    /// incompatibility report): then cargo has to be started.
    pub fn unit(
        &mut self,
        named: &Named,
        cache: &str,
        render: bool,
        ansi: bool,
    ) -> Option<Vec<Replay>> {
        let mut out = Vec::new();
        let (mut total, mut duplicates, mut fixable) = (0, 0, 0);
        for line in cache.lines() {
            if !line.starts_with('{') {
                out.push(Replay::Rendered(line.to_owned()));
                continue;
            }
            if line.contains("\"future_incompat_report\"") {
                return None;
            }
            let Ok(cached) = serde_json::from_str::<Cached>(line) else {
                continue;
            };
            let is_summary = cached.message.starts_with("aborting due to")
                || cached.message.ends_with("warning emitted")
                || cached.message.ends_with("warnings emitted");
            if is_summary {
                continue;
            }
            if !render {
                out.push(Replay::Json(json_line(line, ansi)?));
                continue;
            }
            let rendered = cached.rendered.unwrap_or_default();
            let rendered = rendered.strip_suffix('\n').unwrap_or(&rendered).to_owned();
            let first = self.seen.insert(rendered.clone());
            if first {
                out.push(Replay::Rendered(rendered));
            }
            if cached.level == "warning" {
                total += 1;
                let by_machine =
                    cached.children.iter().flat_map(|c| &c.spans).any(|s| {
                        s.suggestion_applicability.as_deref() == Some("MachineApplicable")
                    });
                match (first, by_machine) {
                    (false, _) => duplicates += 1,
                    (true, true) => fixable += 1,
                    (true, false) => {}
                }
            }
        }
        if total > 0 {
            out.push(Replay::Warning(summary(named, total, duplicates, fixable)));
        }
        Some(out)
    }
}

fn json_line(line: &str, ansi: bool) -> Option<String> {
    if ansi {
        return Some(line.to_owned());
    }
    // As cargo does: `rendered` first and without colours, the other fields
    // sorted, `code` last.
    let serde_json::Value::Object(fields) = serde_json::from_str(line).ok()? else {
        return None;
    };
    let mut sorted: Vec<_> = fields.into_iter().collect();
    sorted.sort_by_key(|(key, _)| match key.as_str() {
        "rendered" => (0, String::new()),
        "code" => (2, String::new()),
        other => (1, other.to_owned()),
    });
    let mut object = serde_json::Map::new();
    for (key, mut value) in sorted {
        if let (true, Some(text)) = (key == "rendered", value.as_str()) {
            value = anstream::adapter::strip_str(text).to_string().into();
        }
        // Inside of these, cargo keeps every object sorted.
        object.insert(key, in_order(value));
    }
    Some(serde_json::Value::Object(object).to_string())
}

/// A value with the keys of all objects sorted.
fn in_order(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Array(items) => items.into_iter().map(in_order).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            let fields = fields
                .into_iter()
                .map(|(key, value)| (key, in_order(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

fn summary(named: &Named, total: u32, duplicates: u32, fixable: u32) -> String {
    let plural = |count: u32, word: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {word}{s}")
    };
    let mut text = format!(
        "{} generated {}",
        named.description,
        plural(total, "warning")
    );
    if duplicates > 0 {
        text += &format!(" ({})", plural(duplicates, "duplicate"));
    }
    if let (Some(fix), true) = (&named.fix, fixable > 0) {
        text += &format!(
            " (run `cargo fix {fix}` to apply {})",
            plural(fixable, "suggestion")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, fix: bool) -> String {
        let spans = if fix {
            r#"[{"suggestion_applicability":"MachineApplicable"}]"#
        } else {
            "[]"
        };
        format!(
            r#"{{"message":"{message}","level":"warning","rendered":"\u001b[1m{message}\u001b[0m\n","children":[{{"spans":{spans}}}],"code":null}}"#
        )
    }

    #[test]
    fn counts_as_cargo_does() {
        let named = Named {
            description: "`a` (lib)".into(),
            fix: Some("--lib -p a".into()),
        };
        let cache = [
            line("one", true),
            line("two", false),
            line("one", true),
            line("2 warnings emitted", false),
        ]
        .join("\n");
        let out = Replayer::default()
            .unit(&named, &cache, true, false)
            .unwrap();
        assert_eq!(
            out.last(),
            Some(&Replay::Warning(
                "`a` (lib) generated 3 warnings (1 duplicate) (run `cargo fix --lib -p a` to apply 1 suggestion)"
                    .into()
            ))
        );
        assert_eq!(out.len(), 3);
        let json = Replayer::default()
            .unit(&named, &cache, false, false)
            .unwrap();
        assert_eq!(json.len(), 3);
        assert!(
            matches!(&json[0], Replay::Json(text) if text.starts_with(r#"{"rendered":"one\n","#))
        );
    }

    #[test]
    fn leaves_future_incompatibility_to_cargo() {
        let named = Named {
            description: String::new(),
            fix: None,
        };
        let cache = r#"{"future_incompat_report":[]}"#;
        assert!(
            Replayer::default()
                .unit(&named, cache, true, false)
                .is_none()
        );
    }
}
