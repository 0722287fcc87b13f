use super::{DatabaseChange, Effects, Happened, KeyOf, LogMode, Wanted};
use crate::EventClass;

#[test]
fn nothing_is_recorded_unless_wanted() {
    let mut effects = Effects::new();
    effects.add_dirty(1);
    effects.modified(0, b"a");
    effects.event(EventClass::STRING, "set", 0, b"a");
    assert!(effects.is_plain() && effects.logs_verbatim());
    assert_eq!(effects.events().count() + effects.modified_keys().count(), 0);
}

#[test]
fn events_and_keys_come_back_in_order() {
    let mut effects = Effects::new();
    let events = EventClass::STRING.with(EventClass::GENERIC);
    effects.want(Wanted { events, modified: true, ..Wanted::default() });
    effects.event(EventClass::STRING, "set", 3, b"a");
    effects.event(EventClass::EXPIRED, "expired", 3, b"x");
    effects.modified(3, b"a");
    effects.event(EventClass::GENERIC, "del", 0, b"");
    let names: Vec<_> = effects.events().map(|it| (it.name, it.of.db, it.of.key)).collect();
    assert_eq!(names, [("set", 3, b"a".as_slice()), ("del", 0, b"".as_slice())]);
    assert_eq!(effects.modified_keys().collect::<Vec<_>>(), [KeyOf { db: 3, key: b"a" }]);
    assert!(!effects.is_plain());
}

#[test]
fn the_log_follows_the_mode() {
    let mut effects = Effects::new();
    assert!(!effects.logs_verbatim(), "nothing changed");
    effects.add_dirty(1);
    effects.log(0, b"a", &[b"DEL", b"a"]);
    assert!(!effects.logs_verbatim() && !effects.is_plain());
    assert_eq!(effects.mode, LogMode::Records);
    effects.clear();
    assert!(effects.is_plain() && effects.records().is_empty());
    effects.add_dirty(1);
    effects.log_nothing();
    assert!(!effects.logs_verbatim());
    effects.clear();
    effects.add_dirty(1);
    effects.log_before(0, b"a", &[b"DEL", b"a"]);
    effects.database(DatabaseChange::Flushed(1));
    assert!(effects.logs_verbatim() && !effects.is_plain());
}

#[test]
fn where_nothing_is_logged_nothing_is_made_for_the_log() {
    let mut effects = Effects::new();
    effects.want(Wanted { records: false, ..Wanted::default() });
    effects.add_dirty(1);
    effects.log_before(0, b"a", &[b"DEL", b"a"]);
    effects.log(0, b"b", &[b"DEL", b"b"]);
    effects.log_all(0, b"c", |_| panic!("nobody wants it"));
    assert!(!effects.logs() && !effects.logs_command());
    assert_eq!(effects.logged((0, b"own")).count(), 0);
}

#[test]
fn what_is_about_a_key_goes_where_the_key_goes() {
    let mut effects = Effects::new();
    effects.want(Wanted { events: EventClass::ALL, modified: true, records: true });
    effects.log_before(2, b"gone", &[b"DEL", b"gone"]);
    for key in [b"a".as_slice(), b"b", b"", b"a"] {
        effects.modified(2, key);
        effects.event(EventClass::LIST, if key == b"a" { "lpop" } else { "rpush" }, 2, key);
        effects.log(2, key, &[b"LTRIM", key]);
    }
    effects.log_all(2, b"a", |commands| {
        commands.push(2, &[b"DEL", b"a"]);
        commands.push(2, &[b"SET", b"a", b"1"]);
    });
    let (mut of_a, mut others) = (Effects::new(), Effects::new());
    effects.each(|of, happened| {
        let part = if of.key == b"a" { &mut of_a } else { &mut others };
        part.add(of, happened);
    });
    let words = |effects: &Effects| -> Vec<String> {
        let text = |(db, it): (usize, &[u8])| {
            let text = String::from_utf8_lossy(it).into_owned();
            let words: Vec<_> = text.split("\r\n").skip(2).step_by(2).collect();
            format!("{db} {}", words.join(" "))
        };
        effects.logged((0, b"")).map(text).collect()
    };
    assert_eq!(words(&of_a), ["2 LTRIM a", "2 LTRIM a", "2 DEL a", "2 SET a 1"]);
    assert_eq!(words(&others), ["2 DEL gone", "2 LTRIM b", "2 LTRIM "]);
    let events = |effects: &Effects| -> Vec<_> { effects.events().map(|it| it.name).collect() };
    assert_eq!((events(&of_a), events(&others)), (vec!["lpop"; 2], vec!["rpush"; 2]));
    let of_db = |key| KeyOf { db: 2, key };
    assert_eq!(of_a.modified_keys().collect::<Vec<_>>(), [of_db(b"a"), of_db(b"a")]);
    assert_eq!(others.modified_keys().collect::<Vec<_>>(), [of_db(b"b"), of_db(b"")]);
    let mut again = Vec::new();
    others.each(|_, happened| again.push(matches!(happened, Happened::LoggedBefore(_))));
    assert_eq!(again, [true, false, false, false, false, false, false]);
}

#[test]
fn clear_keeps_what_is_wanted() {
    let mut effects = Effects::new();
    effects.want(Wanted { events: EventClass::ALL, modified: true, ..Wanted::default() });
    effects.modified(0, b"a");
    effects.clear();
    assert!(effects.is_plain());
    assert_eq!(effects.wanted().events, EventClass::ALL);
}
