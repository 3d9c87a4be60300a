//! What was to be reached, as ratios within the same run.

use crate::options::Case;
use crate::report::{Report, Row, Who};
use crate::tools::{CARGO, ZBUILD};

/// A ratio and what it was to be.
#[derive(Debug)]
pub struct Goal {
    pub case: Case,
    /// What is divided by what.
    pub what: String,
    pub ratio: f64,
    /// The most that it was to be.
    pub limit: f64,
    pub met: bool,
    /// The wall time in seconds that would just meet it.
    pub seconds: Option<f64>,
}

/// Where a build is short, this much more than cargo is allowed, in seconds.
const SHORT_BUILD: f64 = 2.0;
const SHORT_ALLOWANCE: f64 = 0.05;

const OURS: Who = Who::Tool(ZBUILD);
const PLAIN: Who = Who::Tool(CARGO);

/// A median that is compared with another one.
const MEDIANS: &[(Case, Case, Who, f64)] = &[
    (Case::Cold, Case::Cold, PLAIN, 1.03),
    (Case::Noop, Case::Noop, PLAIN, 0.2),
    (Case::Touch, Case::Touch, Who::Noop, 0.25),
    (Case::Newline, Case::Newline, Who::Noop, 0.25),
    (Case::Flip, Case::Flip, Who::Noop, 1.0),
    (Case::Edit, Case::Edit, PLAIN, 1.03),
    (Case::RmTarget, Case::RmTarget, Who::Copied, 1.0),
    (Case::RmTarget, Case::RmTarget, Who::Linked, 3.0),
    (Case::Second, Case::RmTarget, OURS, 2.0),
    (Case::Second, Case::Second, Who::Restored, 2.0),
];

/// All goals for which there are figures.
pub fn of(report: &Report) -> Vec<Goal> {
    let mut goals = Vec::new();
    for &(case, other_case, who, limit) in MEDIANS {
        let ours = report.row(case, OURS);
        let other = report.row(other_case, who);
        if let Some((ours, other)) = ours.zip(other) {
            goals.push(medians(ours, other, limit));
            goals.extend(beside(report, case, ours, other, who));
        }
    }
    goals
}

fn medians(ours: &Row, other: &Row, limit: f64) -> Goal {
    let case = ours.case;
    let (our, their) = (ours.median(), other.median());
    let what = match other.case == case {
        true => other.who.name().to_owned(),
        false => format!("its {}", other.case.name()),
    };
    let mut seconds = their * limit;
    if case == Case::Edit && their < SHORT_BUILD {
        seconds = seconds.max(their + SHORT_ALLOWANCE);
    }
    Goal {
        case,
        what: format!("{ZBUILD} / {what}"),
        ratio: our / their,
        limit,
        met: our <= seconds,
        seconds: Some(seconds),
    }
}

/// The goals that are of another kind.
fn beside(report: &Report, case: Case, ours: &Row, other: &Row, who: Who) -> Option<Goal> {
    let goal = |what: String, ratio: f64, limit: f64| Goal {
        case,
        what,
        ratio,
        limit,
        met: ratio <= limit,
        seconds: None,
    };
    match (case, who) {
        (Case::Cold, _) => {
            let (our, their) = ours.cpu().zip(other.cpu())?;
            Some(goal(format!("{ZBUILD} / cargo, CPU"), our / their, 1.03))
        }
        (Case::Newline, _) => {
            let ratio = ours.slowest() / ours.fastest();
            Some(goal("slowest / fastest".to_owned(), ratio, 2.0))
        }
        (Case::RmTarget, Who::Linked) => {
            let peers = report.rows_of(case).filter(
                |row| matches!(row.who, Who::Tool(name) if name != CARGO && name != ZBUILD),
            );
            let fastest = peers.min_by(|a, b| a.median().total_cmp(&b.median()))?;
            let what = format!("{ZBUILD} / {}, the fastest peer", fastest.who.name());
            Some(goal(what, ours.median() / fastest.median(), 0.125))
        }
        _ => None,
    }
}
