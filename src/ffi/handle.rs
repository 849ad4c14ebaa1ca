//! Handles: the Rust owner behind each opaque C type, and the conversions between the two.
//!
//! A C type names its owner once (`impl Handle for kvl_x_t`), and the compiler refuses a second owner: `Box` for types with a single holder
//! (_new, _free), `Arc` and the counted types of `base` for shared ones (_retain, _release). A handle that was created before a fork is
//! refused before anything but its generation is read (rule L06), and releasing it has no effect.

use super::guard::Caller;
use crate::base::hint::rarely;
pub(crate) use crate::base::process::HasGeneration;
use crate::base::{Error, Status, error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// A C type with its owner.
pub(crate) trait Handle {
    /// The Rust owner of the target.
    type Owner: Owner;
}

/// An owner that can be turned into a pointer and back.
pub(crate) trait Owner: Sized {
    /// The type to which the pointer points.
    type Target;
    /// Turns the owner into a pointer.
    fn into_raw(self) -> *mut Self::Target;
    /// Restores the owner.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and is used for this only once.
    unsafe fn from_raw(raw: *mut Self::Target) -> Self;
    /// Fails with FORKED if the target was created before a fork and cannot be used here.
    fn check(target: &Self::Target) -> Result<(), Status>;
}

/// A shared owner. Each clone is an additional reference.
pub(crate) trait SharedOwner: Owner + Clone {}

impl<T: HasGeneration> Owner for Box<T> {
    type Target = T;
    fn into_raw(self) -> *mut T {
        Box::into_raw(self)
    }
    unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Box::from_raw(raw) }
    }
    #[inline]
    fn check(target: &T) -> Result<(), Status> {
        target.generation().check()
    }
}

impl<T: HasGeneration> Owner for Arc<T> {
    type Target = T;
    fn into_raw(self) -> *mut T {
        Arc::into_raw(self).cast_mut()
    }
    unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Arc::from_raw(raw) }
    }
    #[inline]
    fn check(target: &T) -> Result<(), Status> {
        target.generation().check()
    }
}

impl Owner for Error {
    type Target = error::Body;
    fn into_raw(self) -> *mut error::Body {
        Error::into_raw(self).cast_mut()
    }
    unsafe fn from_raw(raw: *mut error::Body) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Error::from_raw(raw) }
    }
    // Plain memory, which is valid in the child of a fork too.
    fn check(_: &error::Body) -> Result<(), Status> {
        Ok(())
    }
}

impl<T: HasGeneration> SharedOwner for Arc<T> {}
impl SharedOwner for Error {}

type Target<H> = <<H as Handle>::Owner as Owner>::Target;

impl Caller {
    /// Borrows the target of a handle.
    #[inline]
    pub(crate) fn borrow<H: Handle>(&self, handle: *const H) -> Result<&Target<H>, Status> {
        // SAFETY: NULL or a living handle of its type, by the promise that `self` stands for; it lives as long as `self`.
        let target = unsafe { handle.cast::<Target<H>>().as_ref() };
        if rarely(target.is_none()) {
            return Err(Status::ERR_NULL_POINTER);
        }
        let target = target.ok_or(Status::ERR_NULL_POINTER)?;
        H::Owner::check(target).map(|()| target)
    }

    /// Returns an additional reference to the target of a handle.
    #[inline]
    pub(crate) fn share<H: Handle<Owner: SharedOwner>>(&self, handle: *const H) -> Result<H::Owner, Status> {
        self.borrow(handle)?;
        // SAFETY: a living handle, as `borrow` relied on; the reference it stands for stays with the caller.
        let owner = ManuallyDrop::new(unsafe { H::Owner::from_raw(handle.cast_mut().cast()) });
        Ok(H::Owner::clone(&owner))
    }

    /// Adds a reference for the caller and returns the handle. NULL and handles from before a fork are ignored.
    #[inline]
    pub(crate) fn retain<H: Handle<Owner: SharedOwner>>(&self, handle: *mut H) -> *mut H {
        if let Ok(owner) = self.share(handle) {
            let _ = ManuallyDrop::new(owner);
        }
        handle
    }

    /// Releases a handle, for _free and _release. NULL and handles from before a fork are ignored.
    #[inline]
    pub(crate) fn end<H: Handle>(&self, handle: *mut H) {
        if self.borrow(handle).is_ok() {
            // SAFETY: a living handle, as `borrow` relied on; the caller gives up the ownership it stands for.
            drop(unsafe { H::Owner::from_raw(handle.cast()) });
        }
    }

    /// Takes the owner behind a handle, which ends the handle.
    #[inline]
    pub(crate) fn take<H: Handle>(&self, handle: *mut H) -> Result<H::Owner, Status> {
        self.borrow(handle.cast_const())?;
        // SAFETY: a living handle, as `borrow` relied on; the caller gives up the ownership it stands for.
        Ok(unsafe { H::Owner::from_raw(handle.cast()) })
    }

    /// Like [`Caller::out`], for an optional output.
    pub(crate) fn maybe_out<H: Handle>(&self, place: *mut *mut H) -> Option<HandleOut<'_, H>> {
        self.out(place).ok()
    }

    /// The place for a returned handle, which is set to NULL at once. Must be called before every other check.
    #[inline]
    pub(crate) fn out<H: Handle>(&self, place: *mut *mut H) -> Result<HandleOut<'_, H>, Status> {
        if rarely(place.is_null()) {
            return Err(Status::ERR_NULL_POINTER);
        }
        let place = NonNull::new(place).ok_or(Status::ERR_NULL_POINTER)?;
        // SAFETY: valid to write, by the promise that `self` stands for.
        unsafe { place.write(std::ptr::null_mut()) };
        Ok(HandleOut { place, caller: PhantomData })
    }

    /// The places for `n` returned handles, which are set to NULL at once.
    pub(crate) fn outs<H: Handle>(&self, places: *mut *mut H, n: usize) -> Result<ArrayOut<'_, *mut H>, Status> {
        let places = self.places(places, n)?;
        (0..n).for_each(|at| places.write(at, std::ptr::null_mut()));
        Ok(places)
    }

    /// The places for `n` scalars, which may be NULL if `n` is 0.
    pub(crate) fn places<T>(&self, first: *mut T, n: usize) -> Result<ArrayOut<'_, T>, Status> {
        self.check_array(first, n)?;
        Ok(ArrayOut { first, n, caller: PhantomData })
    }

    /// The place for a scalar that is written on success only.
    #[inline]
    pub(crate) fn place<T>(&self, place: *mut T) -> Result<ScalarOut<'_, T>, Status> {
        Ok(ScalarOut { place: NonNull::new(place).ok_or(Status::ERR_NULL_POINTER)?, caller: PhantomData })
    }
}

/// The place for a returned handle.
pub(crate) struct HandleOut<'caller, H> {
    place: NonNull<*mut H>,
    caller: PhantomData<&'caller Caller>,
}

impl<H: Handle> HandleOut<'_, H> {
    /// Returns `owner` to the caller. Must be the last action of an export.
    #[inline]
    pub(crate) fn give(self, owner: H::Owner, status: Status) -> Status {
        // SAFETY: valid to write while the caller's promise stands (`Caller::out`).
        unsafe { self.place.write(owner.into_raw().cast()) };
        status
    }
}

impl Caller {
    /// The place for a struct that grows with the library: `size` is the size that the caller was compiled with. The fields fill whole
    /// machine words, alone or together, so that the size in any version is a multiple of a word. The first field is the number of bytes
    /// filled.
    pub(crate) fn struct_out<T>(&self, place: *mut T, size: usize) -> Result<StructOut<'_, T>, Status> {
        let place = NonNull::new(place).ok_or(Status::ERR_NULL_POINTER)?;
        if size < size_of::<usize>() || !place.is_aligned() {
            return Err(Status::ERR_INVALID_ARG);
        }
        Ok(StructOut { place, size: whole_words(size.min(size_of::<T>()), size_of::<usize>()), caller: PhantomData })
    }
}

/// `size`, rounded down to whole words.
const fn whole_words(size: usize, word: usize) -> usize {
    size / word * word
}

/// The place for a struct of which the caller may know only the first fields.
pub(crate) struct StructOut<'caller, T> {
    place: NonNull<T>,
    size: usize,
    caller: PhantomData<&'caller Caller>,
}

impl<T> StructOut<'_, T> {
    /// The number of bytes that will be written.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Writes the part of `value` that fits: an older program has a smaller struct, with other data behind it.
    #[inline]
    pub(crate) fn write(self, value: &T) {
        // SAFETY: the caller promises as many bytes (`Caller::struct_out`); `value` holds no fewer.
        unsafe { std::ptr::copy_nonoverlapping(std::ptr::from_ref(value).cast::<u8>(), self.place.as_ptr().cast::<u8>(), self.size) };
    }
}

/// The place for a scalar.
pub(crate) struct ScalarOut<'caller, T> {
    place: NonNull<T>,
    caller: PhantomData<&'caller Caller>,
}

impl<T> ScalarOut<'_, T> {
    /// Writes `value`.
    #[inline]
    pub(crate) fn write(&self, value: T) {
        // SAFETY: valid to write while the caller's promise stands (`Caller::place`).
        unsafe { self.place.write(value) };
    }
}

/// The places for several values.
pub(crate) struct ArrayOut<'caller, T> {
    first: *mut T,
    n: usize,
    caller: PhantomData<&'caller Caller>,
}

impl<T> ArrayOut<'_, T> {
    /// Writes `value` at the index `at`. Has no effect beyond the last place.
    pub(crate) fn write(&self, at: usize, value: T) {
        if at < self.n {
            // SAFETY: below `n`; valid to write while the caller's promise stands (`Caller::places`).
            unsafe { self.first.add(at).write(value) };
        }
    }
}

impl<H: Handle> ArrayOut<'_, *mut H> {
    /// Returns one owner to the caller.
    pub(crate) fn give(&self, at: usize, owner: H::Owner) {
        self.write(at, owner.into_raw().cast());
    }
}

#[cfg(test)]
mod tests {
    use super::super::types;
    use super::*;

    #[test]
    fn b1_a_struct_of_the_current_size_is_filled_completely() {
        // Where a word has 4 bytes, an odd and an even number of words; and the sizes of the structs here. tests/rust/c.rs lets compilers
        // check that these are whole words everywhere.
        let word = size_of::<usize>();
        let here = [size_of::<types::kvl_result_t>(), size_of::<types::kvl_event_t>(), size_of::<super::super::stats::kvl_stats_t>()];
        for (size, word) in [(76, 4), (80, 4)].into_iter().chain(here.map(|size| (size, word))) {
            assert_eq!(whole_words(size, word), size);
            assert_eq!(whole_words(size + word - 1, word), size);
            assert_eq!(whole_words(size - 1, word), size - word);
        }
    }
}
