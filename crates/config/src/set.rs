//! CONFIG SET and CONFIG GET, without a server.
//!
//! CONFIG SET is all or nothing by construction: [`Config::plan`] leaves the configuration alone
//! and makes the next one. The server then does what [`Change::acts`] lists (listen elsewhere,
//! start the log ...), in an order of its own, and only when all of it went well it puts
//! [`Change::next`] in force. When an act fails it undoes those that it did before, drops the plan
//! and answers [`SetError::Failed`] with the system's reason.
//!
//! ```text
//! CONFIG SET pairs -> plan -> Change { next, changed } -> acts -> next in force -> +OK
//!                       \-> SetError                  \-> undo, SetError::Failed
//! ```

use std::fmt;

use crate::config::{self, Config};
use crate::kind::{self, Occasion};
use crate::parameter::{Act, Changeable, Parameter};
use crate::reason::Reason;
use crate::refusal;
use crate::text::Text;

/// A CONFIG SET that was found good: the next configuration and what it changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// To put in force when all acts went well.
    pub next: Config,
    /// The parameters whose value differs, in the order given, each once.
    pub changed: Vec<&'static Parameter>,
}

/// Why a CONFIG SET was refused; the text is Redis', without the `ERR` before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// No such parameter.
    Unknown {
        /// As the client wrote it.
        name: Text,
    },
    /// The parameter cannot have this value, or cannot change, or an act failed.
    Failed {
        /// As the client wrote it.
        name: Text,
        /// In Redis' words, or the system's.
        reason: Reason,
    },
}

impl Change {
    /// What the server has to do before `next` is in force, each once, with a parameter that asks
    /// it.
    pub fn acts(&self) -> Vec<(Act, &'static Parameter)> {
        let mut acts: Vec<(Act, &'static Parameter)> = Vec::new();
        for parameter in &self.changed {
            if let Some(act) = parameter.act
                && !acts.iter().any(|(one, _)| *one == act)
            {
                acts.push((act, parameter));
            }
        }
        acts
    }

    /// Whether the parameter `name` (lower case, not an alias) is among those that change.
    pub fn changes(&self, name: &str) -> bool {
        self.changed.iter().any(|parameter| parameter.name == name)
    }
}

impl SetError {
    /// What to answer when `act` failed for `reason`; `parameter` as [`Change::acts`] gave it.
    pub fn failed(parameter: &Parameter, reason: impl Into<Reason>) -> Self {
        Self::Failed { name: Text::from(parameter.name), reason: reason.into() }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::Failed { name, reason } => {
                write!(f, "CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

impl Config {
    /// What CONFIG SET with these names and values would make of this configuration.
    ///
    /// `protected_allowed`: whether `enable-protected-configs` admits the client. All names are
    /// looked at before any value, and the first fault is the one reported.
    pub fn plan(
        &self,
        pairs: &[(&[u8], &[u8])],
        protected_allowed: bool,
    ) -> Result<Change, SetError> {
        let mut found: Vec<&'static Parameter> = Vec::with_capacity(pairs.len());
        for (index, (name, _)) in pairs.iter().enumerate() {
            let parameter = config::parameter(name)
                .ok_or_else(|| SetError::Unknown { name: Text::from(*name) })?;
            let refusal = match parameter.change {
                Changeable::AtStart => Some("can't set immutable config"),
                Changeable::Protected if !protected_allowed => Some("can't set protected config"),
                // A name and its alias may both be given, as in Redis: the later one counts.
                _ if pairs[..index].iter().any(|(before, _)| name.eq_ignore_ascii_case(before)) => {
                    Some("duplicate parameter")
                }
                _ => None,
            };
            if let Some(reason) = refusal {
                return Err(SetError::Failed { name: Text::from(*name), reason: reason.into() });
            }
            found.push(parameter);
        }
        let mut next = self.clone();
        for (parameter, (name, value)) in found.iter().zip(pairs) {
            put_value(parameter, &mut next, value)
                .map_err(|reason| SetError::Failed { name: Text::from(*name), reason })?;
        }
        let mut changed: Vec<&'static Parameter> = Vec::new();
        for parameter in &found {
            let known = changed.iter().any(|one| one.name == parameter.name);
            if !known && parameter.kind.lines(self) != parameter.kind.lines(&next) {
                changed.push(parameter);
            }
        }
        next.snapshot.save_is_asked |= changed.iter().any(|one| one.name == "save");
        for (parameter, (name, _)) in found.iter().zip(pairs) {
            let is_changed = changed.iter().any(|one| one.name == parameter.name);
            if let Some(advice) = refusal::of_change(parameter, &next).filter(|_| is_changed) {
                return Err(SetError::Failed { name: Text::from(*name), reason: advice.into() });
            }
        }
        Ok(Change { next, changed })
    }

    /// The names and values that CONFIG GET answers for `patterns`, each name once.
    ///
    /// A pattern without `*`, `?` or `[` is a name: it finds hidden parameters too, and comes back
    /// as the client wrote it. `matches(pattern, name)` must ignore case. Aliases are names of
    /// their own.
    pub fn matching(
        &self,
        patterns: &[&[u8]],
        matches: &dyn Fn(&[u8], &[u8]) -> bool,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut answer: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], parameter: &Parameter| {
            if !answer.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                answer.push((name.to_vec(), parameter.show(self)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
                if let Some(parameter) = config::parameter(pattern) {
                    add(pattern, parameter);
                }
                continue;
            }
            for parameter in config::parameters().filter(|parameter| !parameter.hidden) {
                for name in parameter.names().filter(|name| matches(pattern, name.as_bytes())) {
                    add(name.as_bytes(), parameter);
                }
            }
        }
        answer
    }
}

fn put_value(parameter: &Parameter, next: &mut Config, value: &[u8]) -> Result<(), Reason> {
    if !parameter.kind.is_list() {
        return parameter.kind.put(next, &[value], Occasion::Set);
    }
    let arguments = kind::cut_list(value);
    let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
    parameter.kind.put(next, &arguments, Occasion::Set)
}
