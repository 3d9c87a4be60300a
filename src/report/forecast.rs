//! What a build would do, and why: as text for people, and the plan as JSON.
//!
//! The JSON is described by `docs/plan.schema.json`. A field may be added; one
//! that is there keeps its meaning as long as `version` does.

use std::time::Duration;

use serde_json::{Value, json};

use super::human::short;
use super::stats::bytes;
use crate::event::{Difference, Explanation, Forecast, ForecastUnit, Nearest};
use crate::unit::{MissReason, Verdict};

/// The version of the JSON.
pub const VERSION: u32 = 1;

fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::InPlace => "in_place",
        Verdict::Hit => "restore",
        Verdict::Miss(_) => "compile",
    }
}

fn count(forecast: &Forecast, what: &str) -> usize {
    let units = forecast.units.iter();
    units.filter(|unit| verdict(&unit.verdict) == what).count()
}

/// The forecast as JSON of version [`VERSION`].
pub fn json(forecast: &Forecast, command: &str) -> Value {
    let unit = |unit: &ForecastUnit| {
        let reason = match &unit.verdict {
            Verdict::Miss(reason) => json!({"code": reason.code(), "text": reason.to_string()}),
            Verdict::InPlace | Verdict::Hit => Value::Null,
        };
        json!({
            "title": unit.title,
            "package": unit.package,
            "version": unit.version,
            "target": unit.target,
            "kind": unit.kind,
            "mode": unit.mode,
            "platform": unit.platform,
            "features": unit.features,
            "is_root": unit.is_root,
            "deps": unit.deps,
            "key": unit.key,
            "verdict": verdict(&unit.verdict),
            "touched": unit.touched,
            "reason": reason,
            "build_ms": unit.build_ms,
            "bytes": unit.bytes,
        })
    };
    json!({
        "version": VERSION,
        "command": command,
        "workspace": forecast.workspace,
        "target_dir": forecast.target,
        "counts": {
            "units": forecast.units.len(),
            "in_place": count(forecast, "in_place"),
            "restore": count(forecast, "restore"),
            "compile": count(forecast, "compile"),
        },
        "units": forecast.units.iter().map(unit).collect::<Vec<Value>>(),
    })
}

/// The forecast as text; every unit if `all`, else those to be compiled.
pub fn text(forecast: &Forecast, all: bool) -> String {
    let restored = forecast.units.iter();
    let restored = restored.filter(|unit| unit.verdict == Verdict::Hit);
    let size: u64 = restored.filter_map(|unit| unit.bytes).sum();
    let mut text = format!(
        "{} units: {} in place, {} to restore ({}), {} to compile\n",
        forecast.units.len(),
        count(forecast, "in_place"),
        count(forecast, "restore"),
        bytes(size),
        count(forecast, "compile"),
    );
    for unit in &forecast.units {
        let line = match &unit.verdict {
            Verdict::Miss(reason) => format!("compile   {}: {reason}\n", unit.title),
            _ if !all => continue,
            Verdict::Hit => format!("restore   {}\n", unit.title),
            Verdict::InPlace => format!("in place  {}\n", unit.title),
        };
        text += &line;
    }
    text
}

/// An explanation as text. `now` is in seconds since 1970.
pub fn explain(explanation: &Explanation, now: u64) -> String {
    let Explanation {
        title,
        verdict,
        roots,
        nearest,
        rests_on,
    } = explanation;
    let mut text = match verdict {
        Verdict::InPlace => format!("{title}: in place\n"),
        Verdict::Hit => format!("{title}: to be restored\n"),
        Verdict::Miss(reason) => format!("{title}: to be compiled: {reason}\n"),
    };
    for (root, reason) in roots {
        text += &format!("  root of the cascade: {root}: {reason}\n");
    }
    if let Some(nearest) = nearest {
        text += &near(nearest, now);
    } else if matches!(verdict, Verdict::Miss(MissReason::NeverSeen)) {
        text += "  no build of it is recorded under any settings\n";
    }
    let Some(rests) = rests_on else {
        return text;
    };
    text += &place(rests.workspace.as_deref(), rests.recorded, now, "recorded");
    text += &list("inputs", &rests.inputs);
    text += &list("variables", &rests.env);
    text += &list("built against", &rests.deps);
    if let Some(bound) = &rests.bound {
        text += &format!("  only for the directory it was built in: {bound}\n");
    }
    if rests.unknown_inputs {
        text += "  may have been built from something that nobody recorded\n";
    }
    let took = short(Duration::from_millis(rests.build_ms));
    text + &format!("  took {took} to build\n")
}

fn near(nearest: &Nearest, now: u64) -> String {
    let what = match nearest.same_key {
        true => "nearest recorded build",
        false => "nearest recorded build, under other settings",
    };
    let what = format!("{what} (of {})", nearest.among);
    let workspace = nearest.workspace.as_deref();
    let mut text = place(workspace, nearest.recorded, now, &what);
    for Difference {
        unit,
        what,
        then,
        now,
    } in &nearest.differences
    {
        let unit = unit
            .as_ref()
            .map_or(String::new(), |unit| format!("{unit}: "));
        let values = match (then, now) {
            (None, None) => String::new(),
            (None, Some(now)) if nearest.same_key => format!(" (now {now})"),
            (then, now) => {
                let shown = |value: &Option<String>| value.clone().unwrap_or("none".into());
                format!(": {} -> {}", shown(then), shown(now))
            }
        };
        text += &format!("    {unit}{what}{values}\n");
    }
    if nearest.differences.is_empty() {
        text += "    differs only by what has to be built first\n";
    }
    text
}

fn place(workspace: Option<&str>, recorded: Option<u64>, now: u64, what: &str) -> String {
    let Some(workspace) = workspace else {
        return String::new();
    };
    let ago = recorded.map_or(String::new(), |recorded| {
        let ago = Duration::from_secs(now.saturating_sub(recorded));
        format!(", {} ago", short(ago))
    });
    format!("  {what}: in {workspace}{ago}\n")
}

fn list(what: &str, entries: &[String]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    format!("  {what}: {}\n", entries.join(", "))
}
