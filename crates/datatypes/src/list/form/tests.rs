use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::{Direction, End, List, ListLimits};
use crate::packed::PackedOrRef;
use crate::packed::samples::random_value;
use crate::seeded::random;

type Twin = VecDeque<Vec<u8>>;

fn all(list: &List) -> Twin {
    let mut elements = Twin::new();
    let mut cursor = Some(0);
    while let Some(at) = cursor {
        cursor = list.emit(at, 7, |entry| elements.push_back(entry.text().to_vec()));
    }
    elements
}

/// What the counts of the tree say is what is there.
fn assert_counts(list: &List) {
    let PackedOrRef::Large(tree) = list.form.view() else { return };
    let chunks: Vec<_> = (0..tree.chunks()).map(|ordinal| tree.get(ordinal)).collect();
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<usize>(), tree.elements());
    assert!(chunks.iter().all(|chunk| chunk.len() > 0), "no chunk is empty");
    let bytes: usize = chunks.iter().map(|chunk| 32 + chunk.heap_bytes()).sum();
    assert!(tree.heap_bytes() >= bytes && tree.heap_bytes() <= bytes + 160 * (1 + chunks.len()));
    let mut index = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(tree.locate(index), (ordinal, 0));
        assert_eq!(tree.locate(index + chunk.len() - 1), (ordinal, chunk.len() - 1));
        index += chunk.len();
    }
    assert_eq!(tree.locate(index), (chunks.len(), 0));
}

fn value(state: &mut u64) -> Vec<u8> {
    match random(state) % 40 {
        0 => vec![b'l'; 8000 + (random(state) % 400) as usize],
        1 => vec![b'h'; 3000 + (random(state) % 9000) as usize],
        _ => random_value(state),
    }
}

fn direction(state: &mut u64) -> Direction {
    if random(state).is_multiple_of(2) { Direction::Forward } else { Direction::Backward }
}

fn end(state: &mut u64) -> End {
    if random(state).is_multiple_of(2) { End::Front } else { End::Back }
}

/// One random operation on both.
fn step(list: &mut List, twin: &mut Twin, limits: ListLimits, state: &mut u64) {
    let index = random(state) as usize % (twin.len() + 2);
    match random(state) % 24 {
        0..=9 => {
            let values: Vec<_> = (0..random(state) % 9).map(|_| value(state)).collect();
            let end = end(state);
            list.push(end, values.iter().map(Vec::as_slice), limits);
            for value in values {
                match end {
                    End::Front => twin.push_front(value),
                    End::Back => twin.push_back(value),
                }
            }
        }
        10..=13 => {
            let end = end(state);
            for _ in 0..random(state) % 6 {
                let expected = match end {
                    End::Front => twin.pop_front(),
                    End::Back => twin.pop_back(),
                };
                assert_eq!(list.pop(end, limits, |entry| entry.text().to_vec()), expected);
            }
        }
        14..=16 => {
            let (value, side) = (value(state), end(state));
            let there = index < twin.len();
            assert_eq!(list.insert(index, side, &value, limits), there);
            if there {
                twin.insert(index + usize::from(side == End::Back), value);
            }
        }
        17..=18 => {
            let value = value(state);
            let there = index < twin.len();
            assert_eq!(list.set(index, &value, limits), there);
            if there {
                twin[index] = value;
            }
        }
        19 => remove(list, twin, limits, state),
        20 if random(state).is_multiple_of(3) => {
            let count = random(state) as usize % (twin.len() + 2);
            let remains = list.trim(index, count, limits);
            twin.truncate((index + count).min(twin.len()));
            twin.drain(..index.min(twin.len()));
            if let Some(mut remains) = remains {
                while !remains.free_slice() {}
            }
        }
        _ => look(list, twin, index, state),
    }
}

fn remove(list: &mut List, twin: &mut Twin, limits: ListLimits, state: &mut u64) {
    let value = twin.get(random(state) as usize % twin.len().max(1)).cloned();
    let (value, direction) = (value.unwrap_or_default(), direction(state));
    let count = random(state) as usize % 4;
    let mut removed = 0;
    let mut keep = |element: &Vec<u8>| {
        let goes = *element == value && removed < count;
        removed += usize::from(goes);
        !goes
    };
    match direction {
        Direction::Forward => twin.retain(&mut keep),
        Direction::Backward => {
            let mut kept: Twin =
                twin.iter().rev().filter(|element| keep(element)).cloned().collect();
            kept.make_contiguous().reverse();
            *twin = kept;
        }
    }
    assert_eq!(list.remove_matching(&value, count, direction, limits), removed);
}

fn look(list: &List, twin: &Twin, index: usize, state: &mut u64) {
    assert_eq!(list.get(index, |entry| entry.text().to_vec()).as_ref(), twin.get(index));
    if index >= twin.len() {
        return;
    }
    let (count, direction) = (random(state) as usize % 600, direction(state));
    let order: Vec<usize> = match direction {
        Direction::Forward => (index..twin.len()).take(count).collect(),
        Direction::Backward => (0..=index).rev().take(count).collect(),
    };
    let mut seen = Vec::new();
    let _ = list.visit(index, count, direction, |entry| {
        seen.push(entry.text().to_vec());
        ControlFlow::Continue(())
    });
    assert!(seen.iter().eq(order.iter().map(|index| &twin[*index])));
    let sought = &twin[random(state) as usize % twin.len()];
    let mut found = Vec::new();
    list.search(sought, (index, count), direction, |index| {
        found.push(index);
        if found.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let expected = order.into_iter().filter(|index| twin[*index] == *sought).take(3);
    assert!(found.into_iter().eq(expected));
}

/// Random lists under random limits, with shares taken and dropped in the middle, which never
/// change.
#[test]
fn agrees_with_a_deque_while_shared() {
    let mut state = 5;
    for round in 0..if cfg!(miri) { 4 } else { 120 } {
        let sizes = [-2, 3, -1, 1, 128, 0, -5];
        let mut limits = ListLimits::of(sizes[round % sizes.len()]);
        let (mut list, mut twin) = (List::new(), Twin::new());
        let mut shares: Vec<(List, Twin)> = Vec::new();
        for _ in 0..if cfg!(miri) { 40 } else { 250 } {
            step(&mut list, &mut twin, limits, &mut state);
            assert_eq!(list.len(), twin.len());
            match random(&mut state) % 40 {
                0 => shares.push((list.share(), twin.clone())),
                // a share can be written to as well
                1 if !shares.is_empty() => {
                    let (list, twin) = shares.last_mut().expect("there is one");
                    step(list, twin, limits, &mut state);
                }
                2 if !shares.is_empty() => {
                    let (mut list, twin) = shares.swap_remove(0);
                    assert_eq!(all(&list), twin);
                    while !list.free_slice() {}
                }
                3 => limits = ListLimits::of(sizes[random(&mut state) as usize % sizes.len()]),
                4 => {
                    assert_eq!(all(&list), twin);
                    assert_counts(&list);
                }
                _ => {}
            }
        }
        for (list, twin) in shares.iter().chain([(list, twin)].iter()) {
            assert_eq!(all(list), *twin);
            assert_counts(list);
            assert_eq!(list.share(), *list);
        }
    }
}

/// A tree of several levels, grown at both ends and in the middle, cut, and freed.
#[test]
fn many_chunks_make_levels() {
    let limits = ListLimits::of(1);
    let count = if cfg!(miri) { 300 } else { 20_000 };
    let (mut list, mut twin) = (List::new(), Twin::new());
    let mut state = 9;
    for number in 0..count {
        let value = number.to_string().into_bytes();
        let end = end(&mut state);
        list.push(end, [value.as_slice()].into_iter(), limits);
        match end {
            End::Front => twin.push_front(value),
            End::Back => twin.push_back(value),
        }
    }
    for number in 0..count / 10 {
        let (index, value) = (random(&mut state) as usize % twin.len(), format!("{number}m"));
        assert!(list.insert(index, End::Front, value.as_bytes(), limits));
        twin.insert(index, value.into_bytes());
    }
    assert_counts(&list);
    assert_eq!(all(&list), twin);
    let mut share = list.share();
    for _ in 0..20 {
        let (index, keep) = (random(&mut state) as usize % 40, twin.len() - twin.len() / 5);
        let mut remains = list.trim(index, keep, limits).expect("chunks went");
        twin.truncate(index + keep);
        twin.drain(..index.min(twin.len()));
        assert_counts(&list);
        while !remains.free_slice() {}
    }
    assert_eq!(all(&list), twin);
    let elements = share.len();
    let mut calls = 1;
    while !share.free_slice() {
        calls += 1;
        assert!(share.len() < elements);
    }
    assert!(share.is_empty());
    drop(share);
    assert_eq!(all(&list), twin, "what was shared is still there after {calls} calls");
}

#[test]
fn encodings_change_as_in_redis() {
    let limits = ListLimits::of(-2);
    let mut list = List::new();
    let element = [b'e'; 100];
    let mut count = 0;
    while list.encoding() == "listpack" {
        list.push(End::Back, [element.as_slice()].into_iter(), limits);
        count += 1;
    }
    // 7 + 79 * 103 + 100 is above 8,192
    assert_eq!(count, 80);
    // it goes back at half: 7 + 39 * 103 is 4,024
    while list.encoding() == "quicklist" {
        assert!(list.pop(End::Back, limits, |_| ()).is_some());
    }
    assert_eq!(list.len(), 39);

    // all values of one push are counted before the first is added
    let mut list = List::new();
    list.push(End::Front, [element.as_slice(); 82].into_iter(), limits);
    assert_eq!(list.encoding(), "quicklist");
    let mut list = List::new();
    list.push(End::Front, [element.as_slice(); 81].into_iter(), limits);
    assert_eq!(list.encoding(), "listpack", "entries need more, which is not counted");

    let limits = ListLimits::of(4);
    let mut list = List::new();
    list.push(End::Back, [b"1".as_slice(); 4].into_iter(), limits);
    assert_eq!(list.encoding(), "listpack");
    list.push(End::Back, [b"1".as_slice()].into_iter(), limits);
    assert_eq!(list.encoding(), "quicklist");
    list.pop(End::Back, limits, |_| ());
    assert_eq!(list.encoding(), "quicklist", "one chunk of 4");
    list.pop(End::Back, limits, |_| ());
    list.pop(End::Back, limits, |_| ());
    assert_eq!(list.encoding(), "listpack", "half of it");
}

/// RPUSH of `element:00000000` and so on to redis 7.0.15: chunks of 8,179 bytes.
#[test]
fn a_series_of_pushes_makes_the_chunks_of_redis() {
    let limits = ListLimits::of(-2);
    let mut list = List::new();
    for number in 0..1000 {
        let element = format!("element:{number:08}");
        list.push(End::Back, [element.as_bytes()].into_iter(), limits);
    }
    let PackedOrRef::Large(tree) = list.form.view() else { panic!("it is large") };
    let chunks: Vec<_> =
        (0..tree.chunks()).filter_map(|ordinal| tree.get(ordinal).packed()).collect();
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [454, 454, 92]);
    assert_eq!(chunks[0].bytes(), 8179);
    assert_eq!(chunks[0].heap_bytes(), 8192);
}

#[test]
fn a_list_is_one_word_and_crosses_threads() {
    fn crosses<T: Send>() {}
    crosses::<List>();
    assert_eq!(size_of::<Option<List>>(), 8);
}

#[test]
fn a_huge_element_is_freed_in_slices() {
    let limits = ListLimits::of(-2);
    let mut list = List::new();
    let huge = vec![1; 3 << 20];
    list.push(End::Back, [b"small".as_slice(), &huge, b"small"].into_iter(), limits);
    assert_eq!(list.encoding(), "quicklist");
    assert!(list.free_effort() > 6);
    let share = list.share();
    assert!(list.free_slice(), "what is shared is only let go of");
    let mut list = share;
    let mut calls = 1;
    while !list.free_slice() {
        calls += 1;
    }
    assert!(calls > 3, "{calls}");
}
