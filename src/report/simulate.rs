//! What plain cargo would have taken: its units on so many jobs.
//!
//! A list scheduling: whenever a job is free it takes the unit, of those whose
//! dependencies are done, with the longest way to the end of the build above
//! it. cargo's own queue weighs units alike (cargo: `DependencyQueue`,
//! "priority"). Two things are left out and roughly cancel out: cargo starts a
//! unit when only the metadata of its libraries is there, and units that run
//! beside more others than when they were recorded take longer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A unit to be scheduled.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// How long it takes, in milliseconds.
    pub ms: u64,
    /// The tasks that come before it: indices below its own.
    pub deps: &'a [usize],
}

/// How a build would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// When each task begins, in milliseconds.
    pub begin_ms: Vec<u64>,
    /// When the last one ends.
    pub total_ms: u64,
    /// The longest chain of tasks that wait for each other.
    pub critical_ms: u64,
    /// That chain, the first one first.
    pub critical: Vec<usize>,
}

/// Schedules tasks on a number of jobs.
pub fn schedule(tasks: &[Task<'_>], jobs: usize) -> Schedule {
    let count = tasks.len();
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waiting: Vec<usize> = vec![0; count];
    for (at, task) in tasks.iter().enumerate() {
        let mut deps = task.deps.to_vec();
        deps.sort_unstable();
        deps.dedup();
        waiting[at] = deps.len();
        for dep in deps {
            above[dep].push(at);
        }
    }
    // The way from the beginning of a task to the end of everything above it.
    let mut way = vec![0u64; count];
    let mut next: Vec<Option<usize>> = vec![None; count];
    for at in (0..count).rev() {
        next[at] = above[at].iter().copied().max_by_key(|&above| way[above]);
        way[at] = tasks[at].ms + next[at].map_or(0, |next| way[next]);
    }

    let mut begin_ms = vec![0; count];
    let mut ready: BinaryHeap<(u64, Reverse<usize>)> = (0..count)
        .filter(|&at| waiting[at] == 0)
        .map(|at| (way[at], Reverse(at)))
        .collect();
    let mut running: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        while running.len() < jobs.max(1)
            && let Some((_, Reverse(at))) = ready.pop()
        {
            begin_ms[at] = now;
            running.push(Reverse((now + tasks[at].ms, at)));
        }
        let Some(Reverse((end, at))) = running.pop() else {
            break;
        };
        now = end;
        for &above in &above[at] {
            waiting[above] -= 1;
            if waiting[above] == 0 {
                ready.push((way[above], Reverse(above)));
            }
        }
    }

    let mut critical = Vec::new();
    let mut step = (0..count).max_by_key(|&at| way[at]);
    let critical_ms = step.map_or(0, |at| way[at]);
    while let Some(at) = step {
        critical.push(at);
        step = next[at];
    }
    Schedule {
        begin_ms,
        total_ms: now,
        critical_ms,
        critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks<'a>(of: &'a [(u64, &'a [usize])]) -> Vec<Task<'a>> {
        let task = |&(ms, deps): &(u64, &'a [usize])| Task { ms, deps };
        of.iter().map(task).collect()
    }

    #[test]
    fn a_chain_takes_its_sum_on_any_number_of_jobs() {
        let chain = tasks(&[(3, &[]), (4, &[0]), (5, &[1, 0])]);
        for jobs in [0, 1, 2, 16] {
            let schedule = schedule(&chain, jobs);
            assert_eq!((schedule.total_ms, schedule.critical_ms), (12, 12));
            assert_eq!(schedule.critical, [0, 1, 2]);
            assert_eq!(schedule.begin_ms, [0, 3, 7]);
        }
    }

    #[test]
    fn jobs_share_what_waits_for_nothing() {
        let four = tasks(&[(2, &[]), (2, &[]), (2, &[]), (2, &[])]);
        assert_eq!(schedule(&four, 1).total_ms, 8);
        assert_eq!(schedule(&four, 2).total_ms, 4);
        assert_eq!(schedule(&four, 8).total_ms, 2);
    }

    #[test]
    fn the_longest_way_goes_first() {
        // On two jobs the chain 1-2 must not wait for 0 and 3.
        let build = tasks(&[(3, &[]), (3, &[]), (6, &[1]), (3, &[])]);
        let schedule = schedule(&build, 2);
        assert_eq!(schedule.total_ms, 9);
        assert_eq!(schedule.critical, [1, 2]);
    }

    #[test]
    fn nothing_takes_no_time() {
        assert_eq!(schedule(&[], 4), Schedule::default());
    }
}
