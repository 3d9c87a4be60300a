//! `fbuild.toml`: read from TOML, YAML or JSON, checked, and edited in place.

use fb_core_types::{CoreError, Name, Platform};
use fb_macros::Describe;
use fb_paths::Layout;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, DisplayFromStr};
use thiserror::Error;
use url::Url;

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: std::io::Error },
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    #[error(transparent)]
    TomlEdit(#[from] toml_edit::TomlError),
    #[error(transparent)]
    Yaml(#[from] serde_yaml::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error("environment `{0}`: flags have an unclosed quote")]
    Flags(Name),
}

/// How packages are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registry {
    pub index: Url,
    #[serde(default)]
    pub mirrors: IndexMap<String, Url>,
}

#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Describe)]
pub struct Environment {
    pub board: String,
    #[serde_as(as = "DisplayFromStr")]
    pub platform: Platform,
    #[serde(default)]
    pub flags: String,
    #[serde(default)]
    pub requires: IndexMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Describe)]
pub struct Project {
    pub name: Name,
    pub registry: Registry,
    #[serde(rename = "env")]
    pub environments: IndexMap<Name, Environment>,
}

impl Project {
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Ok(toml::from_str(text)?)
    }

    /// Reads the file of a project: `fbuild.toml`, or the same as `.yaml` or `.json`.
    pub fn load(layout: &Layout) -> Result<Self, ConfigError> {
        let path = ["toml", "yaml", "json"]
            .map(|extension| layout.config_file().with_extension(extension))
            .into_iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| layout.config_file());
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ConfigError::Read { path: path.to_string(), source })?;
        match path.extension() {
            Some("yaml" | "yml") => Ok(serde_yaml::from_str(&text)?),
            Some("json") => Ok(serde_json::from_str(&text)?),
            _ => Self::from_toml(&text),
        }
    }

    pub fn flags(&self, environment: &Name) -> Result<Vec<String>, ConfigError> {
        match self.environments.get(environment) {
            None => Ok(Vec::new()),
            Some(found) => shlex::split(&found.flags).ok_or_else(|| ConfigError::Flags(environment.clone())),
        }
    }
}

/// Changes one requirement and leaves comments and order alone.
pub fn set_requirement(text: &str, env: &Name, package: &str, req: &str) -> Result<String, ConfigError> {
    let mut document: toml_edit::DocumentMut = text.parse()?;
    document["env"][env.as_str()]["requires"][package] = toml_edit::value(req);
    Ok(document.to_string())
}

/// The JSON schema of the part that other tools write.
pub fn registry_schema() -> Result<String, ConfigError> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(Registry))?)
}

/// The project `fbuild-cli` shows when there is none in the current folder.
pub const SAMPLE: &str = r#"# a blinking light
name = "blink"

[registry]
index = "https://packages.example/index.csv"

[env.uno]
board = "uno"
platform = "avr"
flags = "-Os -DLED=13 '-DNAME=\"blink demo\"'"

[env.uno.requires]
wiring = "^1.2"
servo = ">=2, <4"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read_and_edited() {
        let uno = Name::new("uno").unwrap();
        let project = Project::from_toml(SAMPLE).unwrap();
        assert_eq!(project.flags(&uno).unwrap().len(), 3);
        let edited = set_requirement(SAMPLE, &uno, "servo", "^3").unwrap();
        assert!(edited.starts_with("# a blinking light"));
        let edited = Project::from_toml(&edited).unwrap();
        assert_eq!(edited.environments[&uno].requires["servo"], "^3");
    }
}
