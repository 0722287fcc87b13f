//! What transactions that are over leave, from queues to stages: the next ones use its memory
//! again.

use durability::TransactionId;

use super::gather::Gather;
use super::held::Held;
use super::held_plan::HeldPlan;
use super::multi::Queue;
use super::plan::Plan;
use super::stage::Stage;

/// What is kept of each kind at most: as many as there are busy connections in a tick.
const KEPT_MAX: usize = 64;

/// What is ready for the next transactions of a core thread.
#[derive(Default)]
pub(crate) struct Spare {
    plan: Plan,
    // The boxes are what is kept: they go back to where they came from.
    #[expect(clippy::vec_box, reason = "a place of a pipeline holds the box")]
    gathers: Vec<Box<Gather>>,
    #[expect(clippy::vec_box, reason = "the map of those under way holds the box")]
    helds: Vec<Box<Held>>,
    #[expect(clippy::vec_box, reason = "a run of a bundle holds the box")]
    stages: Vec<Box<Stage>>,
    #[expect(clippy::vec_box, reason = "a session holds the box")]
    queues: Vec<Box<Queue>>,
}

impl Spare {
    /// A plan to be begun.
    pub(crate) fn take_plan(&mut self) -> Plan {
        std::mem::take(&mut self.plan)
    }

    /// A plan was sent.
    pub(crate) fn keep_plan(&mut self, plan: Plan) {
        if plan.outline.is_worth_keeping() {
            self.plan = plan;
        }
    }

    /// A gather to be begun.
    pub(crate) fn take_gather(&mut self) -> Box<Gather> {
        self.gathers.pop().unwrap_or_default()
    }

    /// A gather, if any, was merged.
    pub(crate) fn keep_gather(&mut self, gather: Option<Box<Gather>>) {
        let room = self.gathers.len() < KEPT_MAX;
        self.gathers.extend(gather.filter(|it| room && it.is_worth_keeping()));
    }

    /// A held transaction that begins at a moment: see [`Held::new`].
    pub(crate) fn take_held(
        &mut self,
        moment: (TransactionId, i64),
        plan: HeldPlan,
        place: u64,
    ) -> Box<Held> {
        match self.helds.pop() {
            None => Box::new(Held::new(moment, plan, place)),
            Some(mut held) => {
                held.begin(moment, plan, place);
                held
            }
        }
    }

    /// A held transaction is over.
    pub(crate) fn keep_held(&mut self, mut held: Box<Held>) {
        held.clear();
        if self.helds.len() < KEPT_MAX && held.is_worth_keeping() {
            self.helds.push(held);
        }
    }

    /// One of the held transactions that are kept.
    #[cfg(test)]
    pub(crate) fn some_held(&self) -> Option<&Held> {
        self.helds.last().map(|held| &**held)
    }

    /// A stage that wants nothing yet.
    pub(crate) fn take_stage(&mut self, id: TransactionId, now_ms: i64) -> Box<Stage> {
        let mut stage = self.stages.pop().unwrap_or_default();
        stage.begin(id, now_ms);
        stage
    }

    /// A stage came back, and what it brought was taken out.
    pub(crate) fn keep_stage(&mut self, stage: Box<Stage>) {
        if self.stages.len() < KEPT_MAX && stage.is_worth_keeping() {
            self.stages.push(stage);
        }
    }

    /// An empty queue.
    pub(crate) fn take_queue(&mut self) -> Box<Queue> {
        self.queues.pop().unwrap_or_default()
    }

    /// The commands of a queue were run.
    pub(crate) fn keep_queue(&mut self, mut queue: Box<Queue>) {
        if self.queues.len() < KEPT_MAX {
            queue.clear();
            self.queues.push(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn what_was_large_is_not_kept() {
        let mut server = Fixture::new(2);
        let client = server.connect(0);
        let value = "v".repeat(100_000);
        server.ask_words(client, &["MSET", "a", &value, "b", &value, "c", &value, "d", "1"]);
        assert!(server.cores[0].spare.take_gather().is_worth_keeping());
        let reply = server.ask(client, "MGET a b c d");
        assert!(reply.len() > 3 * value.len());
        let names: Vec<String> = (0..20_000).map(|n| format!("k{n}")).collect();
        let words: Vec<&str> =
            std::iter::once("EXISTS").chain(names.iter().map(|it| &**it)).collect();
        assert_eq!(server.ask_words(client, &words), ":0\r\n");
        let core = &mut server.cores[0];
        assert!(core.spare.gathers.iter().all(|gather| gather.is_worth_keeping()));
        assert!(core.spare.plan.outline.is_worth_keeping());
    }
}
