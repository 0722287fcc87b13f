//! The first key, the last key and the step of `COMMAND`, from before there were key specs.
//!
//! The three numbers can say `SET` (1, 1, 1), `DEL` (1, -1, 1) and `MSET` (1, -1, 2). What key
//! specs say beyond that makes a command's keys "movable": a client that only knows the numbers has
//! to ask `COMMAND GETKEYS`. This is how Redis comes from the specs to the numbers:
//!
//! - a single range at a fixed place is taken as it is;
//! - of several specs, the ranges at fixed places with step 1 are strung together while each begins
//!   right behind the one before it; whatever else there is makes the keys movable.

use spec::{BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Spec};

/// First, last (negative: from the end) and step; all 0 without keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LegacyRange {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) step: i64,
}

impl LegacyRange {
    /// The numbers for `spec`, and its flags, with MOVABLE_KEYS where they do not say it all.
    pub(super) fn of(spec: &Spec) -> (Self, Flags) {
        let (range, movable) = Self::of_keys(spec.keys);
        let flags = if movable { spec.flags.with(Flags::MOVABLE_KEYS) } else { spec.flags };
        (range, flags)
    }

    fn of_keys(keys: &[KeySpec]) -> (Self, bool) {
        let incomplete = |key: &KeySpec| key.flags.has(KeyFlags::INCOMPLETE);
        if let [only] = keys
            && let Some(range) = Self::of_fixed(only)
        {
            return (range, incomplete(only));
        }
        let mut movable = false;
        let mut whole: Option<Self> = None;
        for key in keys {
            let range = Self::of_fixed(key).filter(|it| it.step == 1);
            let follows = |it: &Self| whole.is_none_or(|whole| whole.last + 1 == it.first);
            let Some(range) = range.filter(follows) else {
                movable = true;
                continue;
            };
            movable |= incomplete(key);
            let first = whole.map_or(range.first, |whole| whole.first);
            whole = Some(Self { first, ..range });
        }
        (whole.unwrap_or_default(), movable)
    }

    /// The numbers for a range at a fixed place.
    fn of_fixed(key: &KeySpec) -> Option<Self> {
        let BeginSearch::Index(first) = key.begin else { return None };
        let FindKeys::Range { last, step, .. } = key.find else { return None };
        let (first, last) = (i64::from(first), i64::from(last));
        let last = if last >= 0 { first + last } else { last };
        Some(Self { first, last, step: i64::from(step) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(keys: &[KeySpec]) -> (i64, i64, i64, bool) {
        let (range, movable) = LegacyRange::of_keys(keys);
        (range.first, range.last, range.step, movable)
    }

    #[test]
    fn as_redis_prints_them() {
        let (ro, rw) = (KeyFlags::RO, KeyFlags::RW);
        assert_eq!(numbers(&[]), (0, 0, 0, false));
        assert_eq!(numbers(&[KeySpec::one(1, ro)]), (1, 1, 1, false), "get");
        assert_eq!(numbers(&[KeySpec::rest(1, rw)]), (1, -1, 1, false), "del");
        assert_eq!(numbers(&[KeySpec::range(1, -1, 2, rw)]), (1, -1, 2, false), "mset");
        assert_eq!(numbers(&[KeySpec::one(1, ro), KeySpec::one(2, rw)]), (1, 2, 1, false), "copy");
        let bitop = [KeySpec::one(2, rw), KeySpec::rest(3, ro)];
        assert_eq!(numbers(&bitop), (2, -1, 1, false), "bitop");
        assert_eq!(numbers(&[KeySpec::counted(1, ro)]), (0, 0, 0, true), "zunion");
        let store = [KeySpec::one(1, rw), KeySpec::counted(2, ro)];
        assert_eq!(numbers(&store), (1, 1, 1, true), "zunionstore");
        let partial = KeySpec::one(1, ro.with(KeyFlags::INCOMPLETE));
        assert_eq!(numbers(&[partial]), (1, 1, 1, true), "sort_ro");
        let apart = [KeySpec::one(1, ro), KeySpec::one(4, rw)];
        assert_eq!(numbers(&apart), (1, 1, 1, true));
    }
}
