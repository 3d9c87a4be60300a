//! Which packages a project needs, and in which order they are built.

use fb_archive::Digests;
use fb_config::Environment;
use fb_core_types::{CoreError, Name};
use indexmap::IndexMap;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use typed_builder::TypedBuilder;

#[derive(Debug, Error)]
pub enum PackageError {
    #[error("unreadable index: {0}")]
    Index(#[from] csv::Error),
    #[error("unreadable manifest: {0}")]
    Manifest(#[from] quick_xml::DeError),
    #[error(transparent)]
    Version(#[from] semver::Error),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error("nothing satisfies {0} {1}")]
    Unsatisfied(Name, VersionReq),
    #[error("{0} depends on itself")]
    Cycle(Name),
}

/// A line of the registry's index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TypedBuilder)]
pub struct Release {
    pub name: Name,
    pub version: Version,
    #[serde(default)]
    #[builder(default, setter(into))]
    pub depends: String,
    #[serde(default)]
    #[builder(default)]
    pub size: u64,
}

/// The manifest inside a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "package")]
pub struct Manifest {
    #[serde(rename = "@name")]
    pub name: String,
    pub author: String,
    #[serde(default)]
    pub header: Vec<String>,
}

impl Manifest {
    pub fn from_xml(text: &str) -> Result<Self, PackageError> {
        Ok(quick_xml::de::from_str(text)?)
    }
}

pub struct Index {
    releases: Vec<Release>,
}

impl Index {
    pub fn from_csv(text: &str) -> Result<Self, PackageError> {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let releases = reader.deserialize().collect::<Result<_, _>>()?;
        Ok(Self { releases })
    }

    fn newest(&self, name: &Name, wanted: &VersionReq) -> Result<&Release, PackageError> {
        self.releases
            .iter()
            .filter(|r| r.name == *name && wanted.matches(&r.version))
            .max_by(|a, b| a.version.cmp(&b.version))
            .ok_or_else(|| PackageError::Unsatisfied(name.clone(), wanted.clone()))
    }

    /// Everything an environment needs, dependencies first.
    pub fn resolve(&self, environment: &Environment) -> Result<Vec<&Release>, PackageError> {
        let mut graph = DiGraph::<&Release, ()>::new();
        let mut nodes: IndexMap<Name, NodeIndex> = IndexMap::new();
        let mut open: Vec<(Option<NodeIndex>, Name, VersionReq)> = Vec::new();
        for (name, wanted) in &environment.requires {
            open.push((None, Name::new(name.as_str())?, wanted.parse()?));
        }
        while let Some((parent, name, wanted)) = open.pop() {
            let release = self.newest(&name, &wanted)?;
            let node = *nodes.entry(name).or_insert_with(|| graph.add_node(release));
            if let Some(parent) = parent {
                graph.update_edge(node, parent, ());
                if node == parent || petgraph::algo::is_cyclic_directed(&graph) {
                    return Err(PackageError::Cycle(release.name.clone()));
                }
            }
            for dependency in release.depends.split_whitespace() {
                open.push((Some(node), Name::new(dependency)?, VersionReq::STAR));
            }
        }
        let order = toposort(&graph, None)
            .map_err(|cycle| PackageError::Cycle(graph[cycle.node_id()].name.clone()))?;
        Ok(order.into_iter().map(|node| graph[node]).collect())
    }
}

/// The lines of a lock file.
pub fn lock_lines(locked: &IndexMap<Name, (Version, Digests)>) -> Vec<String> {
    locked.iter().map(|(name, (v, d))| format!("{name} {v} sha256:{}", d.sha256)).collect()
}

/// The index that goes with `fb_config::SAMPLE`.
pub const SAMPLE_INDEX: &str = "\
name,version,depends,size
# the usual libraries
wiring,1.2.0,,41200
wiring,1.4.1,registers,43800
servo,2.1.0,wiring,9100
servo,3.0.2,wiring timers,9900
servo,4.0.0,wiring timers,12000
registers,0.9.3,,120400
timers,1.0.0,registers,3300
";

pub const SAMPLE_MANIFEST: &str = r#"
<package name="servo">
    <author>the servo people</author>
    <header>servo.h</header>
    <header>servo_calibration.h</header>
</package>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use fb_config::{Project, SAMPLE};

    #[test]
    fn dependencies_come_first() {
        let project = Project::from_toml(SAMPLE).unwrap();
        let index = Index::from_csv(SAMPLE_INDEX).unwrap();
        let order = index.resolve(&project.environments[0]).unwrap();
        let names: Vec<_> = order.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names.len(), 4);
        assert_eq!((names[0], names[3]), ("registers", "servo"));
    }

    #[test]
    fn a_release_can_be_built_by_hand() {
        let release = Release::builder()
            .name(Name::new("own").unwrap())
            .version(Version::new(1, 0, 0))
            .depends("own")
            .build();
        let mut environment = Project::from_toml(SAMPLE).unwrap().environments[0].clone();
        environment.requires = [("own".to_owned(), "1".to_owned())].into();
        let index = Index { releases: vec![release] };
        assert!(matches!(index.resolve(&environment), Err(PackageError::Cycle(_))));
    }
}
