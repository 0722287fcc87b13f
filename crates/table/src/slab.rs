//! Slabs: 64 KiB pages that each hold objects of one size.
//!
//! The general allocator has few sizes (56 bytes would do well, 280 would become 320) and has to
//! find out from an address what lies there. A shard's allocator needs no lock and knows the size
//! of what it frees, so it can afford a size class for every 8 bytes up to `SLAB_OBJECT_BYTES_MAX`.
//!
//! ```text
//!  a slab, aligned to 64 KiB
//! +-----------+--------+--------+--------+-   -+--------+------+
//! | Slab, 64B | object | object | object | ... | object | rest |
//! +-----------+--------+--------+--------+-   -+--------+------+
//!              ^ free objects form a list: their first two bytes hold the next one's offset / 8
//! ```
//!
//! Objects that were never handed out are not on the free list: `fresh` is where they begin, so an
//! untouched page of a slab costs no memory.
//!
//! A slab is in one of three states:
//! * **open**: has room; on its class's list, from the head of which objects are taken;
//! * **full**: on no list (it is found again by masking the address of an object that is freed);
//! * **leaving**: takes no more objects; on the list of leaving slabs. Whoever points at its
//!   objects moves them elsewhere, and when the last is gone the slab returns to the system.
//!
//! Invariants: `live` objects are in use, `live <= capacity`; every offset on the free list lies
//! on an object boundary below `fresh`; an open slab has room; slabs
//! without live objects are in no state but on a list of their own, from which new ones are taken
//! and upkeep returns memory to the system.

use std::mem::size_of;
use std::ptr::NonNull;

use crate::pages::{Pages, SLAB_BYTES};

/// Largest object that lives in a slab. Above it classes would waste a slab's end (65,472 / 1,024
/// leaves no object out; at 4 KiB a rest of one object is 6 %), and the general allocator's
/// spacing of a quarter of a power of two wastes little of what remains.
pub(crate) const SLAB_OBJECT_BYTES_MAX: usize = 1024;

/// Spacing of the size classes.
pub(crate) const UNIT: usize = 8;

/// Classes: sizes 8, 16, ... 1024; class 0 is not used.
const CLASSES: usize = SLAB_OBJECT_BYTES_MAX / UNIT + 1;

/// Bytes in front of the first object.
const HEADER_BYTES: usize = 64;

/// The head of a slab page.
struct Slab {
    /// Neighbours on the list that the state names.
    next: Option<NonNull<Self>>,
    prev: Option<NonNull<Self>>,
    /// Offset / 8 of the first free object; 0 when there is none (offset 0 is this header).
    free: u16,
    /// Offset / 8 of the first object never handed out.
    fresh: u16,
    /// Objects in use.
    live: u16,
    /// Object size / 8.
    class: u16,
    state: State,
}

const _: () = assert!(size_of::<Slab>() <= HEADER_BYTES);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    Full,
    Leaving,
}

/// What is known of all slabs of one size.
#[derive(Clone, Copy)]
struct Class {
    open: Option<NonNull<Slab>>,
    /// Slabs open or full, and objects in use in them.
    slabs: u32,
    live: u32,
}

/// The allocator of one table for objects up to `SLAB_OBJECT_BYTES_MAX`.
pub(crate) struct Slabs {
    pages: Pages,
    classes: Box<[Class; CLASSES]>,
    leaving: Option<NonNull<Slab>>,
    /// Empty slabs that still have their memory; used before new ones are taken.
    empty: Vec<NonNull<u8>>,
    /// Bytes of objects in use, rounded to their class.
    bytes_used: usize,
}

/// Objects that fit a slab of this class.
fn capacity(class: usize) -> u32 {
    ((SLAB_BYTES - HEADER_BYTES) / (class * UNIT)) as u32
}

impl Slabs {
    /// An allocator that holds no slabs yet.
    pub(crate) fn new() -> Self {
        let class = Class { open: None, slabs: 0, live: 0 };
        Self {
            pages: Pages::new(),
            classes: Box::new([class; CLASSES]),
            leaving: None,
            empty: Vec::new(),
            bytes_used: 0,
        }
    }

    /// `bytes` of memory, aligned to 8. `bytes` is a multiple of 8 in `8..=1024`.
    #[inline]
    pub(crate) fn allocate(&mut self, bytes: usize) -> NonNull<u8> {
        debug_assert!(
            bytes.is_multiple_of(UNIT) && (UNIT..=SLAB_OBJECT_BYTES_MAX).contains(&bytes)
        );
        let class = bytes / UNIT;
        let page = match self.classes[class].open {
            Some(open) => open,
            None => self.open_new(class),
        };
        self.bytes_used += bytes;
        self.classes[class].live += 1;
        // SAFETY: slabs on the open list are live and only reached through `&mut self`.
        let slab = unsafe { &mut *page.as_ptr() };
        let offset = usize::from(if slab.free == 0 { slab.fresh } else { slab.free }) * UNIT;
        debug_assert!(offset >= HEADER_BYTES && offset + bytes <= SLAB_BYTES);
        // SAFETY: an open slab has room, so the offset is of an object inside this page.
        let object = unsafe { page.cast::<u8>().add(offset) };
        if slab.free == 0 {
            slab.fresh += class as u16;
        } else {
            // SAFETY: a free object's first two bytes hold the next offset, and it is aligned to 8.
            slab.free = unsafe { object.cast::<u16>().read() };
        }
        slab.live += 1;
        if slab.free == 0 && usize::from(slab.fresh) * UNIT + bytes > SLAB_BYTES {
            self.unlink(page);
            // SAFETY: as above; the reference taken before is not used any more.
            unsafe { (*page.as_ptr()).state = State::Full };
        }
        object
    }

    /// Takes back an object.
    ///
    /// # Safety
    /// `object` came from `allocate(bytes)` of this allocator with the same `bytes`, is freed once,
    /// and is not used afterwards.
    #[inline]
    pub(crate) unsafe fn free(&mut self, object: NonNull<u8>, bytes: usize) {
        let page = page_of(object);
        self.bytes_used -= bytes;
        // SAFETY: by contract the object lies in a live slab, reached only through `&mut self`.
        let slab = unsafe { &mut *page.as_ptr() };
        let class = usize::from(slab.class);
        debug_assert_eq!(class * UNIT, bytes, "freed with another size than allocated");
        debug_assert!(slab.live > 0);
        // SAFETY: the object is ours again, at least 8 bytes and aligned to 8.
        unsafe { object.cast::<u16>().write(slab.free) };
        slab.free = ((object.addr().get() & (SLAB_BYTES - 1)) / UNIT) as u16;
        slab.live -= 1;
        let (empty, state) = (slab.live == 0, slab.state);
        if state != State::Leaving {
            self.classes[class].live -= 1;
        }
        if empty {
            self.close(page, class, state);
        } else if state == State::Full {
            self.link_open(page, class);
        }
    }

    /// Whether `object` should be moved so that its slab can be given back: its slab is leaving, or
    /// is sparse enough and the other slabs of its size have room for all that it holds, in which
    /// case it is leaving from now on.
    ///
    /// # Safety
    /// `object` is a live object of this allocator.
    pub(crate) unsafe fn should_move(&mut self, object: NonNull<u8>) -> bool {
        let page = page_of(object);
        // SAFETY: by contract the object lies in a live slab; the borrow ends on this line.
        let (state, live, index) = unsafe {
            let slab = page.as_ref();
            (slab.state, u32::from(slab.live), usize::from(slab.class))
        };
        if state != State::Open {
            return state == State::Leaving;
        }
        let (class, capacity) = (self.classes[index], capacity(index));
        let room_elsewhere = (class.slabs - 1) * capacity - (class.live - live);
        if live * 4 > capacity * 3 || room_elsewhere < live || !wasteful(class, capacity) {
            return false;
        }
        self.unlink(page);
        let class = &mut self.classes[index];
        class.slabs -= 1;
        class.live -= live;
        let first = self.leaving.replace(page);
        // SAFETY: the page is live (above) and on no list now; no other reference to it exists.
        let slab = unsafe { &mut *page.as_ptr() };
        slab.state = State::Leaving;
        slab.prev = None;
        slab.next = first;
        if let Some(first) = first {
            // SAFETY: slabs on a list are live, and this one is not `page`.
            unsafe { (*first.as_ptr()).prev = Some(page) };
        }
        true
    }

    /// Opens leaving slabs again, at most `limit`; true while there are more.
    pub(crate) fn reopen(&mut self, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(page) = self.leaving else { return false };
            self.unlink(page);
            // SAFETY: slabs on a list are live, reached only through `&mut self`.
            let (index, live) = unsafe {
                let slab = page.as_ref();
                (usize::from(slab.class), u32::from(slab.live))
            };
            self.classes[index].slabs += 1;
            self.classes[index].live += live;
            self.link_open(page, index);
        }
        self.leaving.is_some()
    }

    /// Gives the memory of at most `limit` empty slabs back to the system (some 10 us each, which
    /// is why freeing an object does not do it); keeps one. True while there are more.
    pub(crate) fn give_back(&mut self, limit: usize) -> bool {
        for _ in 0..limit {
            if self.empty.len() <= 1 {
                break;
            }
            let Some(page) = self.empty.pop() else { break };
            // SAFETY: the piece came from `pages.take`, is on no list, and holds no live object.
            unsafe { self.pages.give_back(page) };
        }
        self.empty.len() > 1
    }

    /// Whether moving objects together would free slabs worth the work, in any class. O(classes).
    pub(crate) fn is_wasteful(&self) -> bool {
        (1..CLASSES).any(|index| wasteful(self.classes[index], capacity(index)))
    }

    /// Bytes of slabs that hold live objects.
    pub(crate) fn bytes_occupied(&self) -> usize {
        self.pages.bytes() - self.empty.len() * SLAB_BYTES
    }

    /// Bytes of live objects, rounded to their class.
    pub(crate) fn bytes_used(&self) -> usize {
        self.bytes_used
    }

    /// Bytes of slabs held.
    pub(crate) fn bytes_reserved(&self) -> usize {
        self.pages.bytes()
    }

    /// Forgets all objects at once and unmaps one chunk; true while there are more chunks.
    ///
    /// # Safety
    /// No object of this allocator is used afterwards, and until this has answered false nothing
    /// is allocated or freed.
    pub(crate) unsafe fn unmap_one(&mut self) -> bool {
        *self.classes = [Class { open: None, slabs: 0, live: 0 }; CLASSES];
        self.leaving = None;
        self.empty = Vec::new();
        self.bytes_used = 0;
        // SAFETY: by contract no object, and so no piece, is used any more.
        unsafe { self.pages.unmap_one() }
    }

    /// A new slab of `class`, at the head of its list.
    #[cold]
    fn open_new(&mut self, class: usize) -> NonNull<Slab> {
        let page = self.empty.pop().unwrap_or_else(|| self.pages.take()).cast::<Slab>();
        let slab = Slab {
            next: None,
            prev: None,
            free: 0,
            fresh: (HEADER_BYTES / UNIT) as u16,
            live: 0,
            class: class as u16,
            state: State::Open,
        };
        // SAFETY: the piece is ours, 64 KiB long and aligned to as much.
        unsafe { page.write(slab) };
        self.classes[class].slabs += 1;
        self.link_open(page, class);
        page
    }

    /// Lets go of a slab without live objects. Its memory goes back later, in `give_back`.
    #[cold]
    fn close(&mut self, page: NonNull<Slab>, class: usize, state: State) {
        if state != State::Full {
            self.unlink(page);
        }
        if state != State::Leaving {
            self.classes[class].slabs -= 1;
        }
        self.empty.push(page.cast());
    }

    /// Puts a slab that is on no list at the head of its class's list.
    fn link_open(&mut self, page: NonNull<Slab>, class: usize) {
        let first = self.classes[class].open.replace(page);
        // SAFETY: callers pass live slabs; the borrow ends before another slab is touched.
        let slab = unsafe { &mut *page.as_ptr() };
        slab.state = State::Open;
        slab.prev = None;
        slab.next = first;
        if let Some(first) = first {
            // SAFETY: slabs on a list are live, and `first` is not `page`, which was on none.
            unsafe { (*first.as_ptr()).prev = Some(page) };
        }
    }

    /// Takes an open or leaving slab off its list.
    fn unlink(&mut self, page: NonNull<Slab>) {
        // SAFETY: slabs on a list are live, reached only through `&mut self`.
        let (prev, next, class, state) = unsafe {
            let slab = page.as_ref();
            (slab.prev, slab.next, usize::from(slab.class), slab.state)
        };
        match prev {
            // SAFETY: neighbours on a list are live slabs.
            Some(prev) => unsafe { (*prev.as_ptr()).next = next },
            None if state == State::Leaving => self.leaving = next,
            None => self.classes[class].open = next,
        }
        if let Some(next) = next {
            // SAFETY: neighbours on a list are live slabs.
            unsafe { (*next.as_ptr()).prev = prev };
        }
    }
}

/// More than a quarter of the class's room is unused, and that is more than two slabs.
fn wasteful(class: Class, capacity: u32) -> bool {
    let room = class.slabs * capacity;
    let unused = room - class.live;
    unused > room / 4 && unused > 2 * capacity
}

/// The slab that an object lies in.
#[inline]
fn page_of(object: NonNull<u8>) -> NonNull<Slab> {
    let offset = object.addr().get() & (SLAB_BYTES - 1);
    debug_assert!(offset >= HEADER_BYTES);
    // SAFETY: objects lie in slabs, which begin at multiples of SLAB_BYTES: the slab's first byte
    // is `offset` before the object, in the same mapping.
    unsafe { object.sub(offset) }.cast()
}
