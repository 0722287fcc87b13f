//! A failing plan made smaller, as long as it still fails.
//!
//! A smaller plan takes another course under the same schedule, so each is tried under several.

use crate::plan::{End, Fault, Leaves, Pieces, Plan};
use crate::trial::{Trial, attempt};

/// Schedules tried for each smaller plan.
const SCHEDULES: u64 = 24;

/// Trials in all: some seconds.
const TRIALS_MAX: u64 = 30_000;

/// The smallest failing plan that was found.
pub(crate) fn shrink(failing: &Plan) -> Plan {
    let mut best = failing.clone();
    let mut trials = 0;
    'smaller: loop {
        for candidate in candidates(&best) {
            for turn in 0..SCHEDULES {
                let mut plan = candidate.clone();
                plan.schedule = best.schedule.wrapping_add(turn);
                trials += 1;
                if matches!(attempt(&plan, false), Trial::Failed(_)) {
                    best = plan;
                    continue 'smaller;
                }
                if trials >= TRIALS_MAX {
                    return best;
                }
            }
        }
        return best;
    }
}

/// Plans that are one step smaller, the much smaller ones first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan) -> bool| {
        let mut smaller = plan.clone();
        if change(&mut smaller) {
            found.push(smaller);
        }
    };
    for era in 0..plan.eras.len() {
        with(&|plan| {
            let last = plan.eras.len() - 1;
            era < last && last > 1 && {
                plan.eras.remove(era);
                true
            }
        });
        for session in 0..plan.eras[era].sessions.len() {
            with(&|plan| {
                plan.eras[era].sessions.remove(session);
                true
            });
        }
        with(&|plan| std::mem::replace(&mut plan.eras[era].fault, Fault::None) != Fault::None);
        with(&|plan| std::mem::take(&mut plan.eras[era].short_writes));
        with(&|plan| std::mem::take(&mut plan.eras[era].slow_syncs));
        with(&|plan| std::mem::take(&mut plan.eras[era].fine));
        with(&|plan| fewer_shards(plan, era));
        with(&|plan| sooner(&mut plan.eras[era].end));
    }
    for era in 0..plan.eras.len() {
        for session in 0..plan.eras[era].sessions.len() {
            shrink_session(plan, era, session, &mut found);
        }
    }
    found
}

fn fewer_shards(plan: &mut Plan, era: usize) -> bool {
    let shards = &mut plan.eras[era].shards;
    *shards > 1 && {
        *shards -= 1;
        true
    }
}

fn sooner(end: &mut End) -> bool {
    let (End::Kill(at) | End::PowerLoss(at) | End::KillAtDisk(at)) = end else { return false };
    *at > 1 && {
        *at -= (*at).div_ceil(8);
        true
    }
}

fn shrink_session(plan: &Plan, era: usize, session: usize, found: &mut Vec<Plan>) {
    let of = &plan.eras[era].sessions[session];
    let mut with = |change: &dyn Fn(&mut crate::plan::Session)| {
        let mut smaller = plan.clone();
        change(&mut smaller.eras[era].sessions[session]);
        found.push(smaller);
    };
    if of.leaves != Leaves::Stays {
        with(&|it| it.leaves = Leaves::Stays);
    }
    if of.pieces != Pieces::Whole {
        with(&|it| it.pieces = Pieces::Whole);
    }
    for (at, pipeline) in of.pipelines.iter().enumerate() {
        with(&|it| drop(it.pipelines.remove(at)));
        for operation in (0..pipeline.len()).filter(|_| pipeline.len() > 1) {
            with(&|it| drop(it.pipelines[at].remove(operation)));
        }
    }
}
