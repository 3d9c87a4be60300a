//! What the bound on the size does to the hit rate: a simulated week of edits,
//! flips between branches, dependency updates and another project, against
//! plain LRU. `cargo test --test retention -- --nocapture` prints the table.
#![allow(clippy::unwrap_used)] // a test may panic

use std::collections::{HashMap, HashSet};

use cargo_zbuild::cache::retention::{Content, Item, Limits, to_evict};
use cargo_zbuild::unit::Digest;

const MIB: u64 = 1 << 20;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A unit that a build needs: which unit, which variant of it, what it costs.
#[derive(Clone, Copy)]
struct Need {
    unit: u64,
    variant: u64,
    build_ms: u64,
    size: u64,
}

/// A build at a time.
struct Build {
    at: u64,
    needs: Vec<Need>,
    /// After `cargo clean`, or in another checkout: everything that is there
    /// already has to come from the cache.
    clean: bool,
}

/// Repeatable numbers (a linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A project: dependencies, members in layers, and a big binary at the top.
struct Project {
    base: u64,
    dependencies: Vec<Need>,
    /// The version of each member's source.
    members: Vec<u64>,
}

impl Project {
    fn new(base: u64, dependencies: u64, members: usize, numbers: &mut Numbers) -> Project {
        let dependency = |at| Need {
            unit: base + at,
            variant: 0,
            build_ms: 200 + numbers.below(3_000),
            size: MIB / 2 + numbers.below(12 * MIB),
        };
        Project {
            base,
            dependencies: (0..dependencies).map(dependency).collect(),
            members: vec![0; members],
        }
    }

    /// All needs of a build: a member's variant is made of its own source and
    /// of everything below it.
    fn needs(&self) -> Vec<Need> {
        let mut needs = self.dependencies.clone();
        let below: u64 = self
            .dependencies
            .iter()
            .map(|n| n.variant * 31 + n.unit)
            .sum();
        let mut variant = below;
        for (at, version) in self.members.iter().enumerate() {
            variant = variant.wrapping_mul(1_000_003).wrapping_add(*version);
            needs.push(Need {
                unit: self.base + 10_000 + at as u64,
                variant,
                build_ms: 700,
                size: 9 * MIB,
            });
        }
        needs.push(Need {
            unit: self.base + 20_000,
            variant,
            build_ms: 900,
            size: 80 * MIB,
        });
        needs
    }
}

/// Monday to Sunday.
fn week() -> Vec<Build> {
    let mut numbers = Numbers(7);
    let mut one = Project::new(0, 150, 12, &mut numbers);
    let mut other = Project::new(100_000, 120, 6, &mut numbers);
    let mut builds = Vec::new();
    let mut version = 0;
    for day in 0..7 {
        let begin = day * DAY + 9 * HOUR;
        let edits = if day < 5 { 40 } else { 6 };
        let mut branch = one.members.clone();
        for edit in 0..edits {
            let at = begin + edit * 10 * 60;
            // Mostly near the top, sometimes something that all rest on.
            version += 1;
            let member = 11 - (numbers.below(12) * numbers.below(12) / 12) as usize;
            one.members[member] = version;
            builds.push(Build {
                at,
                needs: one.needs(),
                clean: false,
            });
            if edit % 13 == 12 {
                // A look at the other branch and back.
                std::mem::swap(&mut one.members, &mut branch);
                builds.push(Build {
                    at: at + 60,
                    needs: one.needs(),
                    clean: false,
                });
                std::mem::swap(&mut one.members, &mut branch);
                builds.push(Build {
                    at: at + 120,
                    needs: one.needs(),
                    clean: false,
                });
            }
            if edit % 20 == 19 {
                builds.push(Build {
                    at: at + 300,
                    needs: one.needs(),
                    clean: true,
                });
            }
        }
        if day == 2 {
            for dependency in one.dependencies.iter_mut().take(20) {
                dependency.variant += 1;
            }
        }
        // The other project: on the first day and at the end of the week.
        if day == 0 || day == 6 {
            other.members[5] += 1;
            builds.push(Build {
                at: begin + 8 * HOUR,
                needs: other.needs(),
                clean: true,
            });
        }
    }
    builds.sort_by_key(|build| build.at);
    builds
}

#[derive(Clone, Copy)]
struct Stored {
    need: Need,
    last: u64,
    days: u32,
}

#[derive(Debug, Default)]
struct Outcome {
    wanted: u64,
    hits: u64,
    wanted_ms: u64,
    saved_ms: u64,
    largest: u64,
    dependencies_lost: u64,
}

type Policy = fn(&[Stored], u64, u64) -> Vec<usize>;

/// The policy of the store.
fn by_worth(stored: &[Stored], max_size: u64, now: u64) -> Vec<usize> {
    let items: Vec<Item> = stored
        .iter()
        .enumerate()
        .map(|(at, stored)| Item {
            unit: Digest::of(&stored.need.unit.to_le_bytes()),
            build_ms: stored.need.build_ms,
            last_used: stored.last,
            days: stored.days,
            contents: vec![at],
        })
        .collect();
    let content = |stored: &Stored| Content {
        size: stored.need.size,
        frees: true,
    };
    let contents: Vec<Content> = stored.iter().map(content).collect();
    let limits = Limits {
        max_size: Some(max_size),
        ..Limits::default()
    };
    to_evict(&items, &contents, &limits, now)
}

fn by_age(stored: &[Stored], max_size: u64, _: u64) -> Vec<usize> {
    let mut size: u64 = stored.iter().map(|s| s.need.size).sum();
    if size <= max_size {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..stored.len()).collect();
    order.sort_by_key(|&at| stored[at].last);
    let mut gone = Vec::new();
    for at in order {
        if size <= max_size * 9 / 10 {
            break;
        }
        size -= stored[at].need.size;
        gone.push(at);
    }
    gone
}

/// Runs the week. What a build needs is in the target directory if the last
/// build there had it; what is not comes from the cache or is compiled.
fn simulate(policy: Policy, max_size: u64) -> Outcome {
    let mut cache: HashMap<(u64, u64), Stored> = HashMap::new();
    let mut target: HashMap<u64, u64> = HashMap::new();
    let mut seen: HashSet<(u64, u64)> = HashSet::new();
    let mut outcome = Outcome::default();
    for build in week() {
        if build.clean {
            target.clear();
        }
        for need in build.needs {
            let key = (need.unit, need.variant);
            let in_place = target.insert(need.unit, need.variant) == Some(need.variant);
            if !in_place && seen.contains(&key) {
                // Only what was once built can be expected.
                outcome.wanted += 1;
                outcome.wanted_ms += need.build_ms;
                if cache.contains_key(&key) {
                    outcome.hits += 1;
                    outcome.saved_ms += need.build_ms;
                } else if need.unit % 100_000 < 10_000 {
                    outcome.dependencies_lost += 1;
                }
            }
            if !in_place || cache.contains_key(&key) {
                let stored = cache.entry(key).or_insert(Stored {
                    need,
                    last: 0,
                    days: 0,
                });
                stored.days += u32::from(stored.last / DAY < build.at / DAY || stored.days == 0);
                stored.last = build.at;
            }
            seen.insert(key);
        }
        let keys: Vec<(u64, u64)> = cache.keys().copied().collect();
        let stored: Vec<Stored> = keys.iter().map(|key| cache[key]).collect();
        for at in policy(&stored, max_size, build.at) {
            cache.remove(&keys[at]);
        }
        let size = cache.values().map(|s| s.need.size).sum();
        outcome.largest = outcome.largest.max(size);
    }
    outcome
}

#[test]
fn a_week_of_work_within_a_bound() {
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole as f64;
    println!(
        "{:>9} | {:>8} | {:>9} | {:>10} | {:>17} | {:>9}",
        "bound", "policy", "hit rate", "time saved", "dependencies lost", "largest"
    );
    for gib in [2, 3, 5, 10, 20] {
        let bound = gib << 30;
        let worth = simulate(by_worth, bound);
        let lru = simulate(by_age, bound);
        for (name, outcome) in [("worth", &worth), ("plain LRU", &lru)] {
            println!(
                "{:>5} GiB | {name:>9} | {:>7.1} % | {:>8.1} % | {:>17} | {:>5.1} GiB",
                gib,
                percent(outcome.hits, outcome.wanted),
                percent(outcome.saved_ms, outcome.wanted_ms),
                outcome.dependencies_lost,
                outcome.largest as f64 / (1u64 << 30) as f64,
            );
            assert!(outcome.wanted > 500, "{outcome:?}");
            assert!(outcome.largest <= bound, "{outcome:?}");
        }
        assert!(worth.saved_ms >= lru.saved_ms, "{worth:?}\n{lru:?}");
        assert!(worth.dependencies_lost <= lru.dependencies_lost);
        if gib >= 5 {
            assert_eq!(worth.dependencies_lost, 0, "{worth:?}");
        }
    }
}
