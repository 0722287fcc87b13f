//! One parameter, one declaration.
//!
//! A [`Parameter`] is plain data: name, alias, type with bounds and default, where its value lives
//! in [`Config`], whether it may change while the server runs, what a change asks of
//! the server, whether Bobbin honours it, and a line of documentation. The loader, CONFIG GET, SET
//! and REWRITE and `docs/configuration.md` all walk the same declarations; nothing else lists
//! names.
//!
//! The declarations stand beside the struct they fill, in `sections/`. The accessors are function
//! pointers made by the macros below, so that the field itself stays typed and a read of it on the
//! hot path is a plain load:
//!
//! ```text
//! Parameter::new("port", integer!(network.port: u16, 6379, 0..=65535), "TCP port; 0: none.")
//!     .act(Act::Listeners)
//! ```

use crate::config::Config;
use crate::kind::Kind;

/// A configuration parameter: what it is called, what it may be, what it does.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub(crate) name: &'static str,
    /// Redis' older name, which shows in CONFIG GET as a parameter of its own.
    pub(crate) alias: Option<&'static str>,
    pub(crate) kind: Kind,
    pub(crate) change: Changeable,
    /// Not matched by patterns of CONFIG GET, only by its exact name.
    pub(crate) hidden: bool,
    /// The value must not show in the slow log or MONITOR.
    pub(crate) sensitive: bool,
    pub(crate) act: Option<Act>,
    pub(crate) standing: Standing,
    pub(crate) guard: Option<Guard>,
    pub(crate) doc: &'static str,
}

/// What a parameter without effect would guard: access or data. Who set it relies on it, so a
/// server that cannot keep it does not start, and CONFIG SET refuses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Whether a configuration asks for it.
    pub(crate) is_asked: fn(&Config) -> bool,
    /// Why the server cannot go on without, and what to do.
    pub(crate) advice: &'static str,
}

/// When a parameter may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    /// By CONFIG SET, at any time.
    Live,
    /// By CONFIG SET where `enable-protected-configs` allows it.
    Protected,
    /// Only at start.
    AtStart,
}

/// What the server has to do for a change to take effect, beyond reading the new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// Listen elsewhere (`port`, `bind`). Fails: listeners are opened at start.
    Listeners,
    /// Raise the limit of open files (`maxclients`). May fail.
    ClientsMax,
    /// Change the working directory (`dir`). May fail. Store the absolute path afterwards.
    Directory,
    /// Start or stop the log (`appendonly`). May fail.
    Log,
    /// Evict down to the new limit, in slices (`maxmemory`, `maxmemory-clients`).
    Memory,
    /// Set the level of the log lines (`loglevel`).
    LogLines,
    /// Write `/proc/self/oom_score_adj`. May fail.
    OomScore,
    /// Update the default user (`requirepass`).
    Password,
    /// Change how often background work runs (`hz`).
    Rhythm,
    /// Drop or keep the latency histograms (`latency-tracking`).
    LatencyTracking,
    /// Trim what is longer than the new maximum (`slowlog-max-len`, `acllog-max-len`).
    Trim,
}

/// Whether Bobbin does what the parameter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Works,
    /// The value is checked, kept, shown and rewritten, and has no other effect.
    Inert {
        /// The first version of Bobbin that accepted it so.
        since: &'static str,
        /// Why there is no effect.
        why: &'static str,
    },
}

impl Parameter {
    pub(crate) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            alias: None,
            kind,
            change: Changeable::Live,
            hidden: false,
            sensitive: false,
            act: None,
            standing: Standing::Works,
            guard: None,
            doc,
        }
    }

    pub(crate) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(crate) const fn at_start(mut self) -> Self {
        self.change = Changeable::AtStart;
        self
    }

    pub(crate) const fn protected(mut self) -> Self {
        self.change = Changeable::Protected;
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(crate) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    pub(crate) const fn act(mut self, act: Act) -> Self {
        self.act = Some(act);
        self
    }

    pub(crate) const fn inert(mut self, why: &'static str) -> Self {
        self.standing = Standing::Inert { since: "0.1.0", why };
        self
    }

    pub(crate) const fn guards(
        mut self,
        is_asked: fn(&Config) -> bool,
        advice: &'static str,
    ) -> Self {
        self.guard = Some(Guard { is_asked, advice });
        self
    }

    /// Why a server with this configuration must not run, as far as this parameter is concerned.
    pub(crate) fn refusal(&self, config: &Config) -> Option<&'static str> {
        self.guard.filter(|guard| (guard.is_asked)(config)).map(|guard| guard.advice)
    }

    /// The name, in lower case, as CONFIG GET shows it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What to do when it changes; `None` when reading the new value is all.
    pub fn act_on_change(&self) -> Option<Act> {
        self.act
    }

    /// Whether Bobbin honours it.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The value in `config`, as CONFIG GET shows it.
    pub fn show(&self, config: &Config) -> Vec<u8> {
        self.kind.show(config)
    }

    /// The name and, where there is one, the alias.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }
}
