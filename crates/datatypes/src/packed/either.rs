//! A small collection or a large one behind one pointer.
//!
//! ```text
//!  pointer, lowest bit 0: the allocation of a listpack     (all of a small collection)
//!           lowest bit 1: a box of the large form         (a table, a tree, a directory of chunks)
//! ```
//! Both are aligned to 8, so the lowest bit is free. A record of the table holds two words, of
//! which the type takes one: with an enum in the other, a small collection would need an allocation
//! more.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::listpack::Listpack;

/// The lowest bit of a pointer to the large form.
const LARGE: usize = 1;

/// A listpack, or a boxed `Large`.
pub struct PackedOr<Large> {
    /// See the picture above; owned.
    pointer: NonNull<u8>,
    owns: PhantomData<(Listpack, Box<Large>)>,
}

/// What a [`PackedOr`] holds, borrowed.
#[derive(Debug)]
pub enum PackedOrRef<'a, Large> {
    /// The small form.
    Packed(&'a Listpack),
    /// The large form.
    Large(&'a Large),
}

/// What a [`PackedOr`] holds, to be changed in place.
#[derive(Debug)]
pub enum PackedOrMut<'a, Large> {
    /// The small form.
    Packed(&'a mut Listpack),
    /// The large form.
    Large(&'a mut Large),
}

/// What a [`PackedOr`] held.
#[derive(Debug)]
pub enum PackedOrOwned<Large> {
    /// The small form.
    Packed(Listpack),
    /// The large form.
    Large(Box<Large>),
}

// SAFETY: it owns a `Listpack`, which is `Send`, or a `Large` alone.
unsafe impl<Large: Send> Send for PackedOr<Large> {}
// SAFETY: through a shared reference it gives shared references only.
unsafe impl<Large: Sync> Sync for PackedOr<Large> {}

impl<Large> From<Listpack> for PackedOr<Large> {
    fn from(listpack: Listpack) -> Self {
        Self { pointer: listpack.into_raw(), owns: PhantomData }
    }
}

impl<Large> From<Box<Large>> for PackedOr<Large> {
    fn from(large: Box<Large>) -> Self {
        const { assert!(align_of::<Large>() > LARGE, "the lowest bit is free") };
        let pointer = NonNull::from(Box::leak(large)).cast::<u8>();
        Self { pointer: pointer.map_addr(|address| address | LARGE), owns: PhantomData }
    }
}

impl<Large> PackedOr<Large> {
    /// What it holds.
    #[inline]
    #[must_use]
    pub fn view(&self) -> PackedOrRef<'_, Large> {
        if self.is_packed() {
            // SAFETY: a listpack is one pointer to its allocation (`repr(transparent)` down to it),
            // and the word here is that pointer, owned, as long as the lowest bit is 0.
            PackedOrRef::Packed(unsafe { NonNull::from(&self.pointer).cast::<Listpack>().as_ref() })
        } else {
            // SAFETY: the lowest bit is 1: the pointer came from a box, which is owned.
            PackedOrRef::Large(unsafe { self.large().as_ref() })
        }
    }

    /// What it holds, to be changed.
    #[inline]
    #[must_use]
    pub fn view_mut(&mut self) -> PackedOrMut<'_, Large> {
        if self.is_packed() {
            let mut word = NonNull::from(&mut self.pointer).cast::<Listpack>();
            // SAFETY: as in `view`; whatever the caller puts there is a listpack too, whose pointer
            // has the lowest bit 0. The borrow is exclusive.
            PackedOrMut::Packed(unsafe { word.as_mut() })
        } else {
            // SAFETY: as in `view`, and the borrow is exclusive.
            PackedOrMut::Large(unsafe { self.large().as_mut() })
        }
    }

    /// What it held.
    #[must_use]
    pub fn into_inner(self) -> PackedOrOwned<Large> {
        let (packed, pointer, large) = (self.is_packed(), self.pointer, self.large());
        std::mem::forget(self);
        if packed {
            // SAFETY: the pointer came from `Listpack::into_raw`, and is given up here.
            PackedOrOwned::Packed(unsafe { Listpack::from_raw(pointer) })
        } else {
            // SAFETY: the pointer came from `Box::leak`, and is given up here.
            PackedOrOwned::Large(unsafe { Box::from_raw(large.as_ptr()) })
        }
    }

    /// Whether it is the small form.
    #[inline]
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.pointer.addr().get() & LARGE == 0
    }

    /// The pointer to the large form, if it is one.
    #[inline]
    fn large(&self) -> NonNull<Large> {
        // a box is never at address 1: something is left without the lowest bit
        self.pointer
            .map_addr(|address| std::num::NonZero::new(address.get() & !LARGE).unwrap_or(address))
            .cast()
    }
}

impl<Large> Drop for PackedOr<Large> {
    fn drop(&mut self) {
        if self.is_packed() {
            // SAFETY: the pointer came from `Listpack::into_raw`, and nobody uses it after this.
            drop(unsafe { Listpack::from_raw(self.pointer) });
        } else {
            // SAFETY: the pointer came from `Box::leak`, and nobody uses it after this.
            drop(unsafe { Box::from_raw(self.large().as_ptr()) });
        }
    }
}

impl<Large: std::fmt::Debug> std::fmt::Debug for PackedOr<Large> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{Listpack, PackedOr, PackedOrMut, PackedOrOwned, PackedOrRef};

    #[test]
    fn holds_one_or_the_other() {
        assert_eq!(size_of::<Option<PackedOr<Vec<u8>>>>(), 8);
        let mut value: PackedOr<Vec<u8>> = PackedOr::from(Listpack::new());
        for number in 0..100 {
            let PackedOrMut::Packed(listpack) = value.view_mut() else { panic!("it is small") };
            listpack.push_back(format!("element {number}").as_bytes());
        }
        let PackedOrRef::Packed(listpack) = value.view() else { panic!("it is small") };
        assert_eq!(listpack.len(), 100);
        let PackedOrOwned::Packed(listpack) = value.into_inner() else { panic!("it is small") };

        let mut value = PackedOr::from(Box::new(listpack.as_bytes().to_vec()));
        let PackedOrMut::Large(bytes) = value.view_mut() else { panic!("it is large") };
        bytes.push(7);
        let PackedOrRef::Large(bytes) = value.view() else { panic!("it is large") };
        assert_eq!(bytes.len(), listpack.bytes() + 1);
        drop(value);
        let value: PackedOr<Vec<u8>> = PackedOr::from(Box::default());
        assert!(matches!(value.into_inner(), PackedOrOwned::Large(bytes) if bytes.is_empty()));
        drop(PackedOr::<Vec<u8>>::from(listpack));
    }
}
