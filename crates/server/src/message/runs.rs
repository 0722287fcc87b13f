//! What is in a bundle: runs, and what makes some of them more than commands one after the other.

use crate::clients::connections::ConnectionKey;
use crate::memory::kept::empty;
use crate::message::{Client, Origin, Queued, Work};
use crate::transaction::watchers::Watcher;
use crate::transaction::{Part, Stage};

/// Commands of one connection in a bundle that belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The connection.
    pub(crate) connection: ConnectionKey,
    /// The place in its pipeline that waits for the replies.
    pub(crate) place: u64,
    /// Which of that place's strands this is: the connection may have runs in several bundles.
    pub(crate) strand: u16,
    /// As whom the commands run.
    pub(crate) client: Client,
    /// Whether the replies are not sent (CLIENT REPLY).
    pub(crate) silent: bool,
    /// What its commands are to each other.
    pub(crate) kind: Kind,
    /// Whose WATCH is to be checked before they run: it ends with this.
    pub(crate) watcher: Option<Watcher>,
    /// The end of its commands in [`Work::commands`]; they begin where the run before ends.
    pub(crate) commands_end: u32,
    /// The replies exceed what the client may leave unread: the commands after that were not run,
    /// and the connection is to be closed.
    pub(crate) overflown: bool,
    /// The end of its replies in [`Work::reply`], once they are there.
    pub(crate) reply_end: usize,
}

/// What the commands of a run are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One is sent after the other, no more.
    Several,
    /// They are all of an EXEC: one step, whose replies become one array.
    Exec,
    /// They are part of a transaction over several shards: one step, and [`Runs::parts`] tells
    /// which one.
    Part(u32),
    /// They are those of a stage of a transaction that holds its keys: this one of
    /// [`Runs::stages`].
    Stage(u32),
    /// It has left the bundle, and comes home otherwise.
    Gone,
}

impl Kind {
    /// Which of these parts a run is, if it is one.
    pub(super) fn part_in(self, parts: &[Part]) -> Option<&Part> {
        match self {
            Self::Part(at) => parts.get(at as usize),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn part_in_mut(self, parts: &mut [Part]) -> Option<&mut Part> {
        match self {
            Self::Part(at) => parts.get_mut(at as usize),
            _ => None,
        }
    }
}

impl Run {
    /// The run of a connection that begins.
    pub(super) fn new(
        connection: ConnectionKey,
        (place, strand): (u64, u16),
        client: Client,
        silent: bool,
    ) -> Self {
        Self {
            connection,
            place,
            strand,
            client,
            silent,
            kind: Kind::Several,
            watcher: None,
            commands_end: 0,
            overflown: false,
            reply_end: 0,
        }
    }
}

/// The runs of a bundle; none in a message with a command that may wait for keys.
#[derive(Default)]
pub(crate) struct Runs {
    pub(super) each: Vec<Run>,
    /// Where the reply to each command ends in [`Work::reply`], once they were run.
    pub(super) reply_ends: Vec<usize>,
    /// What makes runs parts of transactions: see [`Kind::Part`].
    pub(super) parts: Vec<Part>,
    /// Stages, until they are taken out: see [`Kind::Stage`].
    pub(super) stages: Vec<Option<Box<Stage>>>,
}

impl Runs {
    /// Whether the message is no bundle.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        empty(&mut self.each);
        empty(&mut self.reply_ends);
        empty(&mut self.parts);
        empty(&mut self.stages);
    }

    /// Which part of a transaction a run is.
    pub(super) fn part_of(&self, kind: Kind) -> Option<&Part> {
        kind.part_in(&self.parts)
    }

    /// The stage that a run is.
    pub(crate) fn stage_of(&self, kind: Kind) -> Option<&Stage> {
        let Kind::Stage(at) = kind else { return None };
        self.stages.get(at as usize)?.as_deref()
    }

    /// Takes the stage out that a run is.
    pub(super) fn take_stage(&mut self, kind: Kind) -> Option<Box<Stage>> {
        let Kind::Stage(at) = kind else { return None };
        self.stages.get_mut(at as usize)?.take()
    }

    /// Of a bundle that is one run: that is this stage.
    pub(super) fn make_sole_stage(&mut self, stage: Box<Stage>) {
        let kind = self.add_stage(stage);
        self.each.iter_mut().for_each(|run| run.kind = kind);
    }

    /// The same of a part, if it is one.
    pub(super) fn make_sole_part(&mut self, part: Option<&Part>) {
        if let Some(part) = part {
            self.parts.push(part.clone());
            self.each.iter_mut().for_each(|run| run.kind = Kind::Part(0));
        }
    }

    /// Of a bundle that is one run: the stage that this is.
    pub(crate) fn sole_stage(&self) -> Option<&Stage> {
        self.stages.first()?.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn sole_stage_mut(&mut self) -> Option<&mut Stage> {
        self.stages.first_mut()?.as_deref_mut()
    }

    /// Of a bundle that is one run: whose watches it checks.
    pub(crate) fn sole_watcher(&self) -> Option<Watcher> {
        self.each.first()?.watcher
    }

    /// Of a bundle that is one run: whether it is all of an EXEC.
    pub(crate) fn is_exec(&self) -> bool {
        self.each.first().is_some_and(|run| run.kind == Kind::Exec)
    }

    /// Of a bundle that is one run: its replies end there now.
    pub(crate) fn refit(&mut self, reply_ends: Vec<usize>, reply_end: usize) {
        self.reply_ends = reply_ends;
        if let Some(run) = self.each.first_mut() {
            run.reply_end = reply_end;
        }
    }

    /// Puts a stage back that was taken out.
    pub(super) fn put_stage(&mut self, kind: Kind, stage: Box<Stage>) {
        if let Kind::Stage(at) = kind
            && let Some(place) = self.stages.get_mut(at as usize)
        {
            *place = Some(stage);
        }
    }

    /// Puts a stage in, and says what a run that is this stage is.
    pub(super) fn add_stage(&mut self, stage: Box<Stage>) -> Kind {
        self.stages.push(Some(stage));
        Kind::Stage(self.stages.len() as u32 - 1)
    }
}

impl Work {
    /// Makes it a bundle of one run, of its origin's connection.
    pub(crate) fn become_bundle(&mut self) {
        let Origin { connection, place, .. } = self.origin;
        let run = Run::new(connection, (place, 0), self.client, self.silent);
        self.runs.each.push(Run { commands_end: self.commands.len() as u32, ..run });
    }

    /// The runs of a bundle, each with its commands; nothing of what is no bundle.
    pub(crate) fn each_run(&self) -> impl Iterator<Item = (&Run, &[Queued])> {
        let mut at = 0;
        self.runs.each.iter().map(move |run| {
            let commands = &self.commands[at..run.commands_end as usize];
            at = run.commands_end as usize;
            (run, commands)
        })
    }
}
