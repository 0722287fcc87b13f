//! Histories that are possible, and histories that are not.

mod shortcuts;

use resp::Value as Reply;

use super::{Verdict, judge};
use crate::history::{Event, NEVER, Span};
use crate::operation::Operation::{self, Get, GetMany, Set, SetMany};

fn event(session: usize, operation: Operation, invoked: u64, answered: u64) -> Event {
    Event {
        session,
        operation,
        invoked,
        answered,
        deadline: NEVER,
        reply: None,
        refused: false,
        span: Span::ALWAYS,
        is_weak: false,
    }
}

fn set(session: usize, key: usize, value: u32, invoked: u64, answered: u64) -> Event {
    let reply = Some(Reply::Simple("OK".into())).filter(|_| answered != NEVER);
    Event { reply, ..event(session, Set(key, value), invoked, answered) }
}

fn bulk(value: u32) -> Reply {
    if value == 0 { Reply::Null } else { Reply::Bulk(format!("v{value}").into_bytes()) }
}

fn get(session: usize, key: usize, value: u32, invoked: u64, answered: u64) -> Event {
    Event { reply: Some(bulk(value)), ..event(session, Get(key), invoked, answered) }
}

fn is_possible(history: &[Event]) -> bool {
    match judge(history) {
        Verdict::Possible => true,
        Verdict::Impossible { .. } => false,
        Verdict::Unknown => panic!("small histories can be judged"),
    }
}

#[test]
fn what_overlaps_may_be_seen_or_not() {
    assert!(is_possible(&[set(0, 0, 1, 0, 10), get(1, 0, 0, 5, 15), get(1, 0, 1, 20, 30)]));
    assert!(is_possible(&[set(0, 0, 1, 0, 10), get(1, 0, 1, 5, 8)]));
}

#[test]
fn what_was_answered_is_seen() {
    assert!(!is_possible(&[set(0, 0, 1, 0, 10), get(1, 0, 0, 11, 20)]));
    assert!(!is_possible(&[get(1, 0, 1, 0, 5), set(0, 0, 1, 6, 10)]));
}

#[test]
fn a_pipeline_takes_effect_in_order() {
    let pipeline = [set(0, 0, 1, 0, 10), set(0, 1, 2, 0, 10)];
    let seen = |first, second| [get(1, 1, first, 0, 10), get(1, 0, second, 0, 10)];
    let with = |reads: [Event; 2]| [pipeline.to_vec(), reads.to_vec()].concat();
    assert!(is_possible(&with(seen(2, 1))));
    assert!(is_possible(&with(seen(0, 0))));
    assert!(!is_possible(&with(seen(2, 0))));
}

#[test]
fn readers_agree_on_an_order() {
    let read = |session, first, second| Event {
        reply: Some(Reply::Array(vec![bulk(first), bulk(second)])),
        ..event(session, GetMany(vec![0, 1]), 0, 10)
    };
    let writes = [set(0, 0, 1, 0, 10), set(1, 1, 2, 0, 10)];
    let with = |reads: [Event; 2]| [writes.to_vec(), reads.to_vec()].concat();
    assert!(is_possible(&with([read(2, 1, 0), read(3, 1, 2)])));
    assert!(!is_possible(&with([read(2, 1, 0), read(3, 0, 2)])));
    let half = Event {
        reply: Some(Reply::Simple("OK".into())),
        ..event(0, SetMany(vec![(0, 1), (1, 2)]), 0, 10)
    };
    assert!(!is_possible(&[half, read(2, 1, 0)]));
}

#[test]
fn what_is_unanswered_happens_before_its_deadline_or_never() {
    let lost = |deadline| Event { deadline, ..set(0, 0, 1, 0, NEVER) };
    assert!(is_possible(&[lost(10), get(1, 0, 1, 20, 30), get(1, 0, 1, 40, 50)]));
    assert!(is_possible(&[lost(10), get(1, 0, 0, 20, 30), get(1, 0, 0, 40, 50)]));
    assert!(!is_possible(&[lost(10), get(1, 0, 0, 20, 30), get(1, 0, 1, 40, 50)]));
    assert!(is_possible(&[lost(35), get(1, 0, 0, 20, 30), get(1, 0, 1, 40, 50)]));
    assert!(!is_possible(&[lost(35), get(1, 0, 1, 20, 30), get(1, 0, 0, 40, 50)]));
}

#[test]
fn one_of_the_unanswered_may_survive_without_the_one_before() {
    let dead = |key, value| Event { deadline: 10, ..set(0, key, value, 0, NEVER) };
    let after = [get(1, 0, 0, 20, 30), get(1, 1, 2, 20, 30)];
    assert!(is_possible(&[[dead(0, 1), dead(1, 2)].as_slice(), &after].concat()));
}
