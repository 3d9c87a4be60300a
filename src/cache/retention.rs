//! What is worth its bytes: the policy, without any file or clock.
//!
//! A variant is worth the compile time that it saves when it is needed again,
//! times how likely that is, per byte. How likely is judged by three things:
//!
//! - how long ago it was last used, against a half-life that grows with the
//!   number of days on which it was used: what has been needed on ten days is
//!   needed on an eleventh;
//! - how many variants of the same unit were used since. A day of edits leaves
//!   dozens of variants of each member behind, of which only the newest is
//!   likely to be needed; of a dependency there is one. This is what keeps edits
//!   from pushing out dependencies;
//! - its compile time and its size: a big executable that is linked in half a
//!   second goes before a library that took a minute.

use std::collections::HashMap;

use crate::unit::Digest;

/// A variant, as far as its worth goes.
#[derive(Clone, Debug)]
pub struct Item {
    /// The static key of its unit.
    pub unit: Digest,
    /// How long it took to build, in milliseconds.
    pub build_ms: u64,
    /// When it was last used, or recorded; seconds since 1970.
    pub last_used: u64,
    /// On how many days it was used.
    pub days: u32,
    /// Its contents, as positions in the list of contents.
    pub contents: Vec<usize>,
}

/// What is not to be exceeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that the contents may take.
    pub max_size: Option<u64>,
    /// Seconds after its last use for which a variant may stay.
    pub max_age: Option<u64>,
    /// Bytes that are missing on the disk.
    pub to_free: u64,
}

/// A content, as far as its size goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Bytes on the disk.
    pub size: u64,
    /// Whether removing it frees them: no target directory shares its inode.
    pub frees: bool,
}

/// Half of the likelihood is gone after this long, in seconds, per day of use.
const HALF_LIFE: f64 = 12.0 * 3600.0;

/// More days of use than this change nothing.
const MAX_DAYS: u32 = 30;

/// Once something has to go, this part of the bound is aimed at, so that not
/// every build has to collect.
const TARGET: f64 = 0.9;

/// Which items are to go, the least worth first, so that the limits hold.
pub fn to_evict(items: &[Item], contents: &[Content], limits: &Limits, now: u64) -> Vec<usize> {
    let mut users = vec![0u32; contents.len()];
    for &content in items.iter().flat_map(|item| &item.contents) {
        users[content] += 1;
    }
    let used = contents.iter().zip(&users).filter(|(_, users)| **users > 0);
    let mut size: u64 = used.map(|(content, _)| content.size).sum();
    let mut freed = 0;
    let mut gone = Vec::new();
    let mut remove = |at: usize, size: &mut u64| {
        for &content in &items[at].contents {
            users[content] -= 1;
            if users[content] == 0 {
                *size -= contents[content].size;
                freed += if contents[content].frees {
                    contents[content].size
                } else {
                    0
                };
            }
        }
        gone.push(at);
        freed
    };

    let age = |item: &Item| now.saturating_sub(item.last_used);
    let is_old = |item: &Item| limits.max_age.is_some_and(|max| age(item) > max);
    let mut freed_now = 0;
    let mut rest = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match is_old(item) {
            true => freed_now = remove(at, &mut size),
            false => rest.push(at),
        }
    }
    let bound = match limits.max_size {
        Some(max) if size > max => (max as f64 * TARGET) as u64,
        _ => u64::MAX,
    };
    if size <= bound && freed_now >= limits.to_free {
        return gone;
    }
    let scores = scores(items, contents, now);
    rest.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    for at in rest {
        if size <= bound && freed_now >= limits.to_free {
            break;
        }
        freed_now = remove(at, &mut size);
    }
    gone
}

/// The worth of each item.
fn scores(items: &[Item], contents: &[Content], now: u64) -> Vec<f64> {
    let mut users = vec![0u32; contents.len()];
    for &content in items.iter().flat_map(|item| &item.contents) {
        users[content] += 1;
    }
    let mut variants: HashMap<Digest, Vec<usize>> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        variants.entry(item.unit).or_default().push(at);
    }
    let mut scores = vec![0.0; items.len()];
    for mut of_unit in variants.into_values() {
        of_unit.sort_by_key(|&at| std::cmp::Reverse(items[at].last_used));
        for (rank, at) in of_unit.into_iter().enumerate() {
            let item = &items[at];
            let share =
                |&content: &usize| contents[content].size as f64 / f64::from(users[content].max(1));
            let bytes: f64 = item.contents.iter().map(share).sum();
            let age = now.saturating_sub(item.last_used) as f64;
            let half_life = HALF_LIFE * f64::from(1 + item.days.min(MAX_DAYS));
            let likelihood = (-age / half_life).exp2() / ((1 + rank) as f64).powi(2);
            // Even a unit that takes no time costs cargo a process.
            let saves = (item.build_ms + 10) as f64;
            scores[at] = saves * likelihood / (bytes + 4096.0);
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn item(unit: u8, build_ms: u64, last_used: u64, contents: &[usize]) -> Item {
        Item {
            unit: Digest([unit; 32]),
            build_ms,
            last_used,
            days: 1,
            contents: contents.to_vec(),
        }
    }

    fn contents(sizes: &[u64]) -> Vec<Content> {
        let content = |&size| Content { size, frees: true };
        sizes.iter().map(content).collect()
    }

    fn at_most(max_size: u64) -> Limits {
        Limits {
            max_size: Some(max_size),
            ..Limits::default()
        }
    }

    #[test]
    fn nothing_goes_while_the_limits_hold() {
        let items = [item(1, 5, 0, &[0]), item(2, 5, 0, &[1])];
        let sizes = contents(&[500, 500]);
        assert_eq!(to_evict(&items, &sizes, &at_most(1000), 900 * DAY), [0; 0]);
        assert_eq!(
            to_evict(&items, &sizes, &Limits::default(), 900 * DAY),
            [0; 0]
        );
    }

    #[test]
    fn the_old_go_by_age_alone() {
        let items = [item(1, 5, 10 * DAY, &[0]), item(2, 5, 50 * DAY, &[0])];
        let limits = Limits {
            max_age: Some(30 * DAY),
            ..Limits::default()
        };
        assert_eq!(to_evict(&items, &contents(&[1]), &limits, 60 * DAY), [0]);
    }

    #[test]
    fn what_took_long_per_byte_stays() {
        let items = [item(1, 60_000, DAY, &[0]), item(2, 500, DAY, &[1])];
        let sizes = contents(&[1 << 20, 50 << 20]);
        assert_eq!(to_evict(&items, &sizes, &at_most(40 << 20), DAY), [1]);
    }

    #[test]
    fn shared_contents_free_nothing_until_the_last_one_goes() {
        let items = [item(1, 10, 0, &[0, 1]), item(1, 10, DAY, &[0, 2])];
        let sizes = contents(&[1000, 10, 10]);
        // Without the older one 1010 are left: that is still too much.
        assert_eq!(to_evict(&items, &sizes, &at_most(1000), DAY), [0, 1]);
        assert_eq!(to_evict(&items, &sizes, &at_most(1019), DAY), [0, 1]);
        let limits = Limits {
            to_free: 5,
            ..Limits::default()
        };
        assert_eq!(to_evict(&items, &sizes, &limits, DAY), [0]);
    }

    #[test]
    fn what_a_target_directory_holds_as_well_frees_nothing() {
        let items = [item(1, 10, 0, &[0]), item(2, 10, DAY, &[1])];
        let mut sizes = contents(&[1000, 1000]);
        sizes[0].frees = false;
        let limits = Limits {
            to_free: 1,
            ..Limits::default()
        };
        assert_eq!(to_evict(&items, &sizes, &limits, DAY), [0, 1]);
    }

    /// The dependencies of a project that was last built a week ago outlive the
    /// variants that today's edits of another one left behind.
    #[test]
    fn edits_never_push_out_dependencies() {
        let now = 30 * DAY;
        let mut items = Vec::new();
        let mut sizes = Vec::new();
        let mut add = |unit, build_ms, last_used, size| {
            sizes.push(size);
            items.push(item(unit, build_ms, last_used, &[sizes.len() - 1]));
        };
        for dependency in 0..100 {
            add(dependency, 800, now - 7 * DAY, 6 << 20);
        }
        for edit in 0..60 {
            add(200, 900, now - edit * 300, 8 << 20);
            add(201, 700, now - edit * 300, 70 << 20);
        }
        let gone = to_evict(&items, &contents(&sizes), &at_most(1 << 30), now);
        assert!(gone.iter().all(|&at| at >= 100), "{gone:?}");
        assert!(!gone.contains(&100) && !gone.contains(&101), "the newest");
    }
}
