//! Says what a build would do, and why, without doing it.
//!
//! Nothing is built, restored or written here. cargo is asked for its plan as
//! ever, which makes a missing lock file as any cargo command does.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::session::{Remembered, Session, SessionError};
use crate::cache::record::InputKind;
use crate::event::{Difference, Explanation, Forecast, ForecastUnit, Nearest, RestsOn};
use crate::plan::key::DEPENDENCY;
use crate::plan::lookup::{Decision, mismatches};
use crate::plan::parts::{Noted, Table, differences};
use crate::plan::state::Shared;
use crate::unit::{Digest, MissReason, Verdict};

impl Session<'_> {
    /// What would become of every unit.
    ///
    /// # Errors
    /// When there is no plan.
    pub fn forecast(&self) -> Result<Forecast, SessionError> {
        let outlook = self.outlook(false)?;
        let (state, decisions) = (&outlook.remembered.state, &outlook.decisions);
        let of_unit = |(at, decision): (usize, &Decision)| {
            let unit = &state.plan.units[at];
            let known = state.units[at].as_ref();
            let variant = decision.variant.as_ref();
            let in_place = known.map(|known| known.files.iter().map(|file| file.size).sum());
            ForecastUnit {
                title: unit.title.clone(),
                package: unit.package.clone(),
                version: unit.version.clone(),
                target: unit.graph.target.name.clone(),
                kind: unit.graph.target.kind.clone(),
                mode: unit.graph.mode.clone(),
                platform: unit.graph.platform.clone(),
                features: unit.graph.features.clone(),
                is_root: unit.is_root,
                deps: unit.deps.clone(),
                key: unit.key.as_ref().ok().map(Digest::hex),
                verdict: decision.verdict.clone(),
                touched: decision.touched || decision.behind,
                build_ms: variant
                    .map(|variant| variant.build_ms)
                    .or(known.map(|known| known.build_ms)),
                bytes: variant
                    .map(|variant| variant.files.iter().map(|file| file.blob.size).sum())
                    .or(in_place),
            }
        };
        Ok(Forecast {
            workspace: state.plan.dirs.workspace.to_string(),
            target: state.plan.dirs.target.to_string(),
            units: decisions.iter().enumerate().map(of_unit).collect(),
        })
    }

    /// Explains the units that a name means - a package or a unit as it is
    /// shown - or, without one, the roots of all misses. None is meant by a
    /// name that fits nothing.
    ///
    /// # Errors
    /// When there is no plan.
    pub fn explain(&self, name: Option<&str>) -> Result<Vec<Explanation>, SessionError> {
        let outlook = self.outlook(true)?;
        let (remembered, decisions) = (&outlook.remembered, &outlook.decisions);
        let own = Shared::name(&remembered.state.plan.dirs);
        let tables = self.store.key_table(&own).into_iter();
        let tables = tables.chain(self.store.other_key_tables(&own));
        let explainer = Explainer {
            session: self,
            remembered,
            decisions,
            past: tables
                .flat_map(|bytes| Table::decode(&bytes).keys().collect::<Vec<_>>())
                .collect(),
        };
        let meant = |at: &usize| {
            let unit = &remembered.state.plan.units[*at];
            match name {
                Some(name) => {
                    unit.title == name
                        || unit.package == name
                        || unit.graph.target.name == name
                        || format!("{}@{}", unit.package, unit.version) == name
                }
                None => is_root_of_misses(&decisions[*at].verdict),
            }
        };
        let units = (0..decisions.len()).filter(meant);
        Ok(units.map(|at| explainer.unit(at)).collect())
    }
}

fn is_root_of_misses(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Miss(MissReason::Dependency(_)) | Verdict::InPlace | Verdict::Hit => false,
        Verdict::Miss(_) => true,
    }
}

struct Explainer<'a> {
    session: &'a Session<'a>,
    remembered: &'a Remembered,
    decisions: &'a [Decision],
    /// Keys planned before, the latest first.
    past: Vec<Noted>,
}

impl Explainer<'_> {
    fn unit(&self, at: usize) -> Explanation {
        let unit = &self.remembered.state.plan.units[at];
        let decision = &self.decisions[at];
        let (mut nearest, mut rests_on) = (None, None);
        match &decision.verdict {
            Verdict::Miss(_) => {
                nearest = self.nearest_variant(at).or_else(|| self.nearest_key(at));
            }
            Verdict::Hit | Verdict::InPlace => rests_on = Some(self.rests_on(at)),
        }
        Explanation {
            title: unit.title.clone(),
            verdict: decision.verdict.clone(),
            roots: self.roots(at),
            nearest,
            rests_on,
        }
    }

    /// The units below that have to be built for a reason of their own.
    fn roots(&self, at: usize) -> Vec<(String, MissReason)> {
        let units = &self.remembered.state.plan.units;
        let mut seen = BTreeSet::new();
        let mut open = vec![at];
        let mut roots = Vec::new();
        while let Some(next) = open.pop() {
            for &dep in &units[next].deps {
                let Verdict::Miss(reason) = &self.decisions[dep].verdict else {
                    continue;
                };
                if !seen.insert(dep) {
                    continue;
                }
                if is_root_of_misses(&self.decisions[dep].verdict) {
                    roots.push((units[dep].title.clone(), reason.clone()));
                }
                open.push(dep);
            }
        }
        roots
    }

    /// The recorded build under the same key that differs least.
    fn nearest_variant(&self, at: usize) -> Option<Nearest> {
        let plan = &self.remembered.state.plan;
        let unit = &plan.units[at];
        let variants = self.session.store.variants(unit.key.as_ref().ok()?);
        let deps = unit.deps.iter().map(|&dep| self.decisions[dep].output);
        let known: Option<Vec<Digest>> = deps.collect();
        let among = variants.len();
        let compared = variants.iter().map(|variant| {
            let at_home = variant.home.build == plan.dirs.build.as_str()
                && variant.home.workspace == plan.dirs.workspace.as_str();
            // While dependencies have to be built, theirs are left out.
            let deps = known.as_ref().unwrap_or(&variant.deps);
            let mut found = Vec::new();
            let memo = &self.remembered.memo;
            let _ = mismatches(variant, at_home, plan, unit, deps, memo, &mut |(_, why)| {
                found.push(self.difference(&why));
                ControlFlow::Continue(())
            });
            (found, variant)
        });
        let (differences, variant) = compared.min_by_key(|(found, _)| found.len())?;
        Some(Nearest {
            same_key: true,
            workspace: Some(variant.home.workspace.clone()),
            recorded: Some(variant.recorded),
            among,
            differences,
        })
    }

    fn difference(&self, why: &MissReason) -> Difference {
        let workspace = &self.remembered.state.plan.dirs.workspace;
        let now = match why {
            MissReason::Input(path) if !workspace.join(path).exists() => Some("missing".to_owned()),
            MissReason::Env(name) => std::env::var(name).ok(),
            _ => None,
        };
        Difference {
            unit: None,
            what: why.to_string(),
            then: None,
            now,
        }
    }

    /// The recorded key of the same unit that differs least.
    fn nearest_key(&self, at: usize) -> Option<Nearest> {
        let (noted, among) = self.past_of(at)?;
        let mut differences = Vec::new();
        let mut seen = BTreeSet::new();
        self.differences(at, noted, None, &mut seen, &mut differences);
        let variants = self.session.store.variants(&noted.key);
        Some(Nearest {
            same_key: false,
            workspace: variants.first().map(|v| v.home.workspace.clone()),
            recorded: variants.first().map(|variant| variant.recorded),
            among,
            differences,
        })
    }

    fn noted(&self, at: usize) -> Option<&Noted> {
        let key = self.remembered.state.plan.units[at].key.as_ref().ok()?;
        let mut keys = self.remembered.notes.keys.iter();
        keys.find(|noted| noted.key == *key)
    }

    /// The nearest key of a unit that has recorded builds, and how many have.
    fn past_of(&self, at: usize) -> Option<(&Noted, usize)> {
        let now = self.noted(at)?;
        let same: Vec<&Noted> = self
            .past
            .iter()
            .filter(|past| past.unit == now.unit && past.key != now.key)
            .filter(|past| !self.session.store.variants(&past.key).is_empty())
            .collect();
        let near = |past: &&&Noted| differences(&past.parts, &now.parts).len();
        Some((same.iter().min_by_key(near)?, same.len()))
    }

    /// The differences of a unit's key, and of those below it that make it
    /// another one.
    fn differences(
        &self,
        at: usize,
        past: &Noted,
        title: Option<&str>,
        seen: &mut BTreeSet<usize>,
        found: &mut Vec<Difference>,
    ) {
        let units = &self.remembered.state.plan.units;
        let Some(now) = self.noted(at).filter(|_| seen.insert(at)) else {
            return;
        };
        for (what, then, now) in differences(&past.parts, &now.parts) {
            let below = what.strip_prefix(DEPENDENCY);
            let below = below.filter(|_| then.is_some() && now.is_some());
            let dep = below.and_then(|below| {
                let mut deps = units[at].deps.iter();
                deps.find(|&&dep| units[dep].title == below)
            });
            let past = dep.and_then(|&dep| Some((dep, self.past_of(dep)?.0)));
            if let Some((dep, past)) = past {
                self.differences(dep, past, Some(&units[dep].title), seen, found);
                continue;
            }
            found.push(Difference {
                unit: title.map(str::to_owned),
                what,
                then,
                now,
            });
        }
    }

    fn rests_on(&self, at: usize) -> RestsOn {
        let plan = &self.remembered.state.plan;
        let unit = &plan.units[at];
        let deps = unit.deps.iter().map(|&dep| plan.units[dep].title.clone());
        let shown = |path: &camino::Utf8Path| {
            let below = path.strip_prefix(&plan.dirs.workspace).unwrap_or(path);
            below.to_string()
        };
        let deps = deps.collect();
        if let Some(variant) = &self.decisions[at].variant {
            let inputs = variant.inputs.iter();
            return RestsOn {
                inputs: inputs
                    .filter(|input| is_shown(input.kind))
                    .map(|input| shown(&plan.dirs.absolute(&input.path)))
                    .collect(),
                env: variant.env.iter().map(|(name, _)| name.clone()).collect(),
                deps,
                workspace: Some(variant.home.workspace.clone()),
                recorded: Some(variant.recorded),
                bound: variant.bound.clone(),
                unknown_inputs: variant.unknown_inputs.is_some(),
                build_ms: variant.build_ms,
            };
        }
        let Some(known) = &self.remembered.state.units[at] else {
            return RestsOn::default();
        };
        RestsOn {
            inputs: known
                .inputs
                .iter()
                .filter(|(_, kind, _)| is_shown(*kind))
                .map(|(path, ..)| shown(path))
                .collect(),
            env: known.env.iter().map(|(name, _)| name.clone()).collect(),
            deps,
            unknown_inputs: known.unknown_inputs,
            build_ms: known.build_ms,
            ..RestsOn::default()
        }
    }
}

/// Whether an input is a file or a directory with files, for a person.
fn is_shown(kind: InputKind) -> bool {
    !matches!(kind, InputKind::Absent | InputKind::Libraries)
}
