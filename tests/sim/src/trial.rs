//! One plan tried: carried out and judged.

use crate::census::Census;
use crate::judge::{Verdict, judge};
use crate::plan::Plan;
use crate::world::{Outcome, run};

/// What is wrong.
pub(crate) struct Fault {
    /// In a sentence.
    pub(crate) what: String,
    pub(crate) outcome: Outcome,
}

/// How a trial ended.
pub(crate) enum Trial {
    /// Nothing is wrong.
    Passed(Census),
    Failed(Box<Fault>),
    /// The history could not be judged.
    Unknown,
}

/// Tries a plan.
pub(crate) fn attempt(plan: &Plan, with_trace: bool) -> Trial {
    let outcome = run(plan, with_trace);
    if let Some(what) = outcome.failure.clone() {
        return Trial::Failed(Box::new(Fault { what, outcome }));
    }
    match judge(&outcome.history) {
        Verdict::Possible => Trial::Passed(outcome.census),
        Verdict::Unknown => Trial::Unknown,
        Verdict::Impossible { explained, unfit } => {
            let what = explain(plan, &outcome, &explained, &unfit);
            Trial::Failed(Box::new(Fault { what, outcome }))
        }
    }
}

/// The longest order that explains a part of a history, and where it ends.
fn explain(plan: &Plan, outcome: &Outcome, explained: &[usize], unfit: &[usize]) -> String {
    let line = |index: &usize| format!("    {}\n", outcome.history[*index].line(&plan.keys));
    let explained: String = explained.iter().map(line).collect();
    let unfit: String = unfit.iter().map(line).collect();
    format!(
        "no order explains it. The longest that explains a part:\n{explained}  after that no longer:\n{unfit}"
    )
}

#[cfg(test)]
mod tests {
    use crate::mix::Mix;
    use crate::plan::{Plan, Scope};
    use crate::world::run;

    #[test]
    fn a_seed_has_one_course() {
        let scope = Scope { shards_max: 16, mix: Mix::ALL };
        for seed in 1..30 {
            let plan = Plan::of(seed, &scope);
            assert_eq!(run(&plan, true).trace, run(&plan, true).trace, "seed {seed}");
        }
    }
}
