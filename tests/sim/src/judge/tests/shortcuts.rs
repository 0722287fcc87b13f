//! The judge against a search that takes no shortcut, over small histories: those of clients of a
//! model, a part of them with a reply that was never given.

use resp::Value as Reply;
use testing::Random;

use super::super::{Verdict, judge};
use crate::history::{Event, Moment, NEVER, Span};
use crate::mix::{Mix, Writer};
use crate::model::{Ask, Choices, State, Texts, apply, pass_over};
use crate::operation::Operation;

const SESSIONS: usize = 3;
const KEYS: usize = 3;
const EVENTS: usize = 8;

#[test]
fn the_judge_says_what_trying_everything_says() {
    let mut random = Random::new(7);
    let (mut possible, mut impossible) = (0, 0);
    for round in 0..4_000 {
        let history = history(&mut random);
        let events: Vec<Vec<usize>> =
            (0..SESSIONS).map(|session| events_of(&history, session)).collect();
        let all = Everything { history: &history, events };
        let expected = all.explains(&mut Texts::default(), &[0; SESSIONS], State::EMPTY, 0);
        match expected {
            true => possible += 1,
            false => impossible += 1,
        }
        let lines = || {
            let keys = ["a", "b", "c"].map(str::to_owned);
            history.iter().map(|event| event.line(&keys)).collect::<Vec<_>>().join("\n")
        };
        let said = judge(&history);
        assert_ne!(said, Verdict::Unknown);
        assert_eq!(said == Verdict::Possible, expected, "round {round}:\n{}", lines());
    }
    assert!(possible > 1_000 && impossible > 500, "{possible} possible, {impossible} not");
}

fn events_of(history: &[Event], session: usize) -> Vec<usize> {
    let of_session = (0..history.len()).filter(|at| history[*at].session == session);
    let says = |at: &usize| {
        let event = &history[*at];
        !(event.is_optional() && event.operation.is_plain_read())
    };
    of_session.filter(says).collect()
}

/// Tries every order.
struct Everything<'a> {
    history: &'a [Event],
    events: Vec<Vec<usize>>,
}

impl Everything<'_> {
    fn explains(
        &self,
        texts: &mut Texts,
        taken: &[usize],
        state: State,
        latest_invoked: Moment,
    ) -> bool {
        let left = self.events.iter().zip(taken).flat_map(|(events, taken)| &events[*taken..]);
        let mut needed = left.map(|at| &self.history[*at]).filter(|event| !event.is_optional());
        let Some(bound) = needed.by_ref().map(|event| event.answered).min() else { return true };
        for (session, events) in self.events.iter().enumerate() {
            let mut before = vec![state];
            for (place, at) in events.iter().enumerate().skip(taken[session]) {
                let event = &self.history[*at];
                let in_time = !event.is_optional() || event.deadline >= latest_invoked;
                let mut taken = taken.to_vec();
                taken[session] = place + 1;
                let latest = latest_invoked.max(event.invoked);
                for state in before.iter().filter(|_| event.invoked < bound && in_time) {
                    let mut choices = Choices::default();
                    loop {
                        let mut state = *state;
                        if apply(texts, &mut state, &event.ask(), &mut choices)
                            && self.explains(texts, &taken, state, latest)
                        {
                            return true;
                        }
                        if !choices.advance() {
                            break;
                        }
                    }
                }
                if !event.is_optional() {
                    break;
                }
                pass_over(&mut before, session, &event.operation);
            }
        }
        false
    }
}

/// What clients of a model saw, or almost.
fn history(random: &mut Random) -> Vec<Event> {
    let mut writer = Writer::new(Mix::ALL, KEYS);
    let (mut texts, mut state) = (Texts::default(), State::EMPTY);
    let mut history: Vec<Event> = Vec::new();
    let (mut sent, mut got) = ([0; SESSIONS], [0; SESSIONS]);
    for at in 1..=EVENTS as u64 {
        let moment = at * 100;
        let session = random.below(SESSIONS);
        let operation = writer.draw(random);
        let (refused, lost) = (random.one_in(5), random.one_in(2));
        let mut after = state;
        let now_ms = milliseconds(moment);
        let at = Span { from_ms: now_ms, to_ms: now_ms };
        let reply = answer(&mut texts, &mut after, (session, at), &operation);
        if !(refused && lost) {
            state = after;
        }
        let slack = |random: &mut Random| 2 * random.below(150) as u64;
        sent[session] = (moment - slack(random).min(moment)).max(sent[session]);
        got[session] = (moment + 1 + slack(random)).max(got[session]);
        let (invoked, answered) = (sent[session], got[session]);
        history.push(Event {
            session,
            operation,
            invoked,
            answered,
            deadline: if refused { answered } else { NEVER },
            reply: Some(reply),
            refused,
            span: Span { from_ms: milliseconds(invoked), to_ms: milliseconds(answered) },
            is_weak: false,
        });
    }
    if random.one_in(2) {
        let (one, other) = (random.below(EVENTS), random.below(EVENTS));
        history[one].reply = history[other].reply.clone();
    }
    history
}

/// What clocks show at a moment: so that most keys which expire do so within a history.
fn milliseconds(moment: Moment) -> i64 {
    moment as i64 / 100
}

/// Does an operation: what the model says to it.
fn answer(
    texts: &mut Texts,
    state: &mut State,
    session: (usize, Span),
    operation: &Operation,
) -> Reply {
    match operation {
        Operation::GetMany(keys) => {
            let keys = keys.iter().map(|key| Operation::Get(*key));
            Reply::Array(keys.map(|it| answer(texts, state, session, &it)).collect())
        }
        Operation::Execute(inner) => {
            if let Some(reply) = first_fit(texts, state, session, operation, vec![Reply::Null]) {
                return reply;
            }
            let unwatch = Ask {
                session: session.0,
                operation: &Operation::Unwatch,
                reply: None,
                span: session.1,
            };
            apply(texts, state, &unwatch, &mut Choices::default());
            Reply::Array(inner.iter().map(|it| answer(texts, state, session, it)).collect())
        }
        _ => {
            let errors = ["no such key", "not an integer", "are the same"];
            let mut replies = vec![Reply::Null, Reply::Simple("OK".into())];
            replies.extend(errors.map(|text| Reply::Error(text.to_owned())));
            replies.extend((0..100).map(Reply::Integer));
            let known: Vec<_> = (0..).map_while(|at| texts.nth(at)).map(<[u8]>::to_vec).collect();
            if let Operation::Take { keys, .. } = operation {
                for (key, text) in keys.iter().flat_map(|key| known.iter().map(move |it| (key, it)))
                {
                    let pair = vec![Reply::Integer(*key as i64), Reply::Bulk(text.clone())];
                    replies.push(Reply::Array(pair));
                }
            }
            replies.extend(known.into_iter().map(Reply::Bulk));
            first_fit(texts, state, session, operation, replies).expect("something fits")
        }
    }
}

/// Does an operation, if one of the replies fits.
fn first_fit(
    texts: &mut Texts,
    state: &mut State,
    (session, span): (usize, Span),
    operation: &Operation,
    replies: Vec<Reply>,
) -> Option<Reply> {
    let before = *state;
    replies.into_iter().find(|reply| {
        *state = before;
        let ask = Ask { session, operation, reply: Some(reply), span };
        apply(texts, state, &ask, &mut Choices::default())
    })
}
