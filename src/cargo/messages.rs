//! cargo's JSON messages: reading those of a recording build, and writing
//! those that cargo would print for units that are fresh.
//!
//! Field order follows cargo (`src/util/machine_message.rs`), so that our
//! lines are the same letter by letter.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unit_graph::{GraphUnit, Target, debuginfo_text};

/// A message that tells about files of a unit.
#[derive(Debug)]
pub enum Message {
    /// A unit was compiled, or found fresh.
    Artifact(Artifact),
    /// A build script was run, or found fresh.
    Script(Script),
    /// rustc says something about a unit.
    Diagnostic(Diagnostic),
    /// Something else; only ever handed on.
    Other,
}

/// `compiler-artifact`.
#[derive(Debug, Deserialize)]
pub struct Artifact {
    /// Package id specification.
    pub package_id: String,
    /// The target.
    pub target: Target,
    /// The profile, as far as cargo tells it.
    pub profile: ArtifactProfile,
    /// Enabled features.
    pub features: Vec<String>,
    /// The unit's files, uplifted where cargo uplifts.
    pub filenames: Vec<String>,
    /// The executable among them.
    pub executable: Option<String>,
    /// Whether cargo found it fresh.
    pub fresh: bool,
}

/// `compiler-message`, as far as a person reads it.
#[derive(Debug)]
pub struct Diagnostic {
    /// The text for a terminal.
    pub rendered: String,
    /// Whether the build fails because of it.
    pub is_error: bool,
}

/// The profile in a `compiler-artifact`.
#[derive(Debug, Deserialize, PartialEq)]
pub struct ArtifactProfile {
    /// `0`..`3`, `s`, `z`.
    pub opt_level: String,
    /// A number or a name, as JSON.
    #[serde(default, deserialize_with = "debuginfo")]
    pub debuginfo: String,
    /// `-C debug-assertions`.
    pub debug_assertions: bool,
    /// `-C overflow-checks`.
    pub overflow_checks: bool,
    /// Whether it is a test or bench.
    pub test: bool,
}

fn debuginfo<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Value::deserialize(deserializer).map(|value| debuginfo_text(&value))
}

/// `build-script-executed`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Script {
    /// Package id specification.
    pub package_id: String,
    /// `-l` values.
    pub linked_libs: Vec<String>,
    /// `-L` values.
    pub linked_paths: Vec<String>,
    /// `--cfg` values.
    pub cfgs: Vec<String>,
    /// `rustc-env` pairs.
    pub env: Vec<(String, String)>,
    /// The script's `OUT_DIR`.
    pub out_dir: String,
}

/// Reads one line of cargo's stdout: a message, or none if it is something else.
pub fn parse(line: &str) -> Option<Message> {
    #[derive(Deserialize)]
    struct Head {
        reason: String,
    }
    if !line.starts_with('{') {
        return None;
    }
    let reason = serde_json::from_str::<Head>(line).ok()?.reason;
    Some(match reason.as_str() {
        "compiler-artifact" => serde_json::from_str(line).map_or(Message::Other, Message::Artifact),
        "build-script-executed" => {
            serde_json::from_str(line).map_or(Message::Other, Message::Script)
        }
        "compiler-message" => diagnostic(line).map_or(Message::Other, Message::Diagnostic),
        _ => Message::Other,
    })
}

fn diagnostic(line: &str) -> Option<Diagnostic> {
    #[derive(Deserialize)]
    struct Outer {
        message: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        rendered: Option<String>,
        level: String,
    }
    let Inner { rendered, level } = serde_json::from_str::<Outer>(line).ok()?.message;
    Some(Diagnostic {
        rendered: rendered?,
        is_error: level.starts_with("error"),
    })
}

impl Artifact {
    /// Whether this message can be about that unit of the graph. Several units
    /// may look the same here; their files tell them apart.
    pub fn matches(&self, unit: &GraphUnit) -> bool {
        self.package_id == unit.pkg_id
            && unit.mode != "run-custom-build"
            && self.target.name == unit.target.name
            && self.target.kind == unit.target.kind
            && self.target.src_path == unit.target.src_path
            && self.features == unit.features
            && self.profile == profile_of(unit)
    }
}

/// The profile as cargo prints it in an artifact message.
fn profile_of(unit: &GraphUnit) -> ArtifactProfile {
    ArtifactProfile {
        opt_level: unit.profile.opt_level.clone(),
        debuginfo: unit.profile.debuginfo.clone(),
        debug_assertions: unit.profile.debug_assertions,
        overflow_checks: unit.profile.overflow_checks,
        test: unit.test,
    }
}

/// What `compiler-artifact` says of a unit whatever its files are: the text
/// from `"package_id"` to `"features"`, ready for [`artifact_line`].
pub fn artifact_head(unit: &GraphUnit, manifest_path: &str) -> String {
    let json = |value: &str| Value::from(value).to_string();
    let profile = profile_of(unit);
    format!(
        r#""package_id":{},"manifest_path":{},"target":{},"profile":{{"opt_level":{},"debuginfo":{},"debug_assertions":{},"overflow_checks":{},"test":{}}},"features":{}"#,
        json(&unit.pkg_id),
        json(manifest_path),
        unit.target_json,
        json(&profile.opt_level),
        profile.debuginfo,
        profile.debug_assertions,
        profile.overflow_checks,
        profile.test,
        Value::from(unit.features.clone()),
    )
}

/// The whole `compiler-artifact` message of a fresh unit.
pub fn artifact_line(head: &str, filenames: &[String], executable: Option<&str>) -> String {
    format!(
        r#"{{"reason":"compiler-artifact",{head},"filenames":{},"executable":{},"fresh":true}}"#,
        Value::from(filenames.to_vec()),
        Value::from(executable),
    )
}

/// The `build-script-executed` message.
pub fn script_line(script: &Script) -> String {
    let fields = serde_json::to_string(script).unwrap_or_default();
    format!(
        r#"{{"reason":"build-script-executed",{}"#,
        fields.trim_start_matches('{')
    )
}

/// The `compiler-message` that wraps a diagnostic of rustc's.
pub fn diagnostic_line(pkg_id: &str, manifest_path: &str, target_json: &str, raw: &str) -> String {
    format!(
        r#"{{"reason":"compiler-message","package_id":{},"manifest_path":{},"target":{target_json},"message":{raw}}}"#,
        Value::from(pkg_id),
        Value::from(manifest_path),
    )
}

/// The last message of every build that went well.
pub const BUILD_FINISHED: &str = r#"{"reason":"build-finished","success":true}"#;
