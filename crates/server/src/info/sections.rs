//! Which sections of INFO there are, and which of them are asked for.

use super::lines::Lines;
use super::part::Facts;
use super::{
    clients, commandstats, cpu, errorstats, keyspace, latencystats, memory, persistence, plain,
    replication, server, stats,
};

/// A section.
struct Section {
    /// What asks for it: any of these names, in any case.
    names: &'static [&'static str],
    /// Whether it is among those shown without being asked for.
    by_default: bool,
    write: fn(&Facts<'_>, &mut Lines),
}

impl Section {
    const fn new(name: &'static [&'static str], write: fn(&Facts<'_>, &mut Lines)) -> Self {
        Self { names: name, by_default: true, write }
    }

    /// Long ones are only shown when asked for, or with `all`.
    const fn on_demand(mut self) -> Self {
        self.by_default = false;
        self
    }
}

/// All sections, in the order in which they are shown.
const SECTIONS: [Section; 13] = [
    Section::new(&["server"], server::write),
    Section::new(&["clients"], clients::write),
    Section::new(&["memory"], memory::write),
    Section::new(&["persistence"], persistence::write),
    Section::new(&["stats"], stats::write),
    Section::new(&["replication"], replication::write),
    Section::new(&["cpu"], cpu::write),
    Section::new(&["modules", "module_list"], plain::write_modules),
    Section::new(&["commandstats"], commandstats::write).on_demand(),
    Section::new(&["errorstats"], errorstats::write),
    Section::new(&["latencystats"], latencystats::write).on_demand(),
    Section::new(&["cluster"], plain::write_cluster),
    Section::new(&["keyspace"], keyspace::write),
];

/// Indices of the sections that need the statistics of every command.
const COMMAND_SECTIONS: [usize; 2] = [8, 10];

/// A set of sections: a bit each, by their index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections(u16);

impl Sections {
    /// What INFO without arguments shows.
    pub(crate) fn default_ones() -> Self {
        Self::of(|section| section.by_default)
    }

    /// What the arguments of INFO name; names that stand for nothing are passed over, as Redis
    /// does.
    pub(crate) fn named<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        names.into_iter().fold(Self::default(), |all, name| {
            let one = match name.to_ascii_lowercase().as_slice() {
                b"all" | b"everything" => Self::of(|_| true),
                b"default" => Self::default_ones(),
                name => {
                    Self::of(|section| section.names.iter().any(|known| known.as_bytes() == name))
                }
            };
            Self(all.0 | one.0)
        })
    }

    /// Whether the statistics of every command are needed.
    pub(crate) fn need_commands(self) -> bool {
        COMMAND_SECTIONS.iter().any(|index| self.0 & (1 << index) != 0)
    }

    /// The text of INFO.
    pub(crate) fn write(self, facts: &Facts<'_>) -> Vec<u8> {
        let mut lines = Lines::default();
        for (index, section) in SECTIONS.iter().enumerate() {
            if self.0 & (1 << index) != 0 {
                (section.write)(facts, &mut lines);
            }
        }
        lines.into_bytes()
    }

    fn of(wanted: impl Fn(&Section) -> bool) -> Self {
        let bits = SECTIONS.iter().enumerate().filter(|(_, section)| wanted(section));
        Self(bits.fold(0, |bits, (index, _)| bits | 1 << index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Sections {
        Sections::named(names.iter().map(|name| name.as_bytes()))
    }

    #[test]
    fn long_sections_come_on_demand() {
        assert!(!Sections::default_ones().need_commands());
        assert!(named(&["all"]).need_commands());
        assert!(named(&["everything"]).need_commands());
        assert!(named(&["commandSTATS"]).need_commands());
        assert!(named(&["latencystats"]).need_commands());
        assert!(!named(&["default", "cpu"]).need_commands());
    }

    #[test]
    fn names_add_up_and_unknown_ones_are_passed_over() {
        assert_eq!(named(&["default", "cpu"]), Sections::default_ones());
        assert_eq!(named(&["nonsense"]), Sections::default());
        assert_eq!(named(&["modules"]), named(&["MODULE_LIST"]));
        assert_ne!(named(&["cpu"]), named(&["cpu", "memory"]));
    }
}
