//! Values: reference-counted handles on bytes or on an object of the host's. Immutable once shared.
//!
//! One allocation each, behind one thin pointer, because that pointer is what crosses the C ABI and what an entry pays for:
//!
//!   bytes     [ refs | kind, len | data ... ]
//!   external  [ refs | kind, len | data pointer | the host's object ]
//!   object    [ refs | kind, 0   | cost         | the host's object ]
//!
//! This file is unsafe because std has no thin, sized-by-content shared pointer: docs/adr/0002-value-handle.md.

use super::hint::{prefetch_at, rarely};
use super::object::{FreeFn, Object};
use super::sync::acquire;
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes, ours or the host's.
    Bytes,
    /// A pointer of the host's.
    Object,
}

/// The start of every value's allocation. `kvl_value_t` points at one.
#[repr(C)]
pub struct Header {
    refs: AtomicUsize,
    /// The length in bytes, shifted by [`SHIFT`], and one of the tags below.
    shape: usize,
}

/// Bytes of a cache line, nearly everywhere.
const LINE: usize = 64;

const SHIFT: u32 = 2;
const MASK: usize = 3;
const INLINE: usize = 0;
const EXTERNAL: usize = 1;
const OBJECT: usize = 2;

#[repr(C)]
struct External {
    header: Header,
    data: *const u8,
    owner: ManuallyDrop<Object>,
}

#[repr(C)]
struct ObjectBox {
    header: Header,
    cost: u64,
    object: ManuallyDrop<Object>,
}

/// Memory was out, or the length is beyond what one allocation can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// A shared handle on a value; cloning it adds a reference.
#[repr(transparent)]
pub struct Value(NonNull<Header>);

// SAFETY: the contents never change once shared, the count is atomic, and objects may end on any thread (see `Object`).
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// Copies `bytes`.
    pub fn bytes(bytes: &[u8]) -> Result<Value, NoMemory> {
        let (value, data) = Value::room(bytes.len())?;
        // SAFETY: `data` has room for as many bytes, and nobody else knows of it yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.as_ptr(), bytes.len()) };
        Ok(value)
    }

    /// Zeroed room for `len` bytes, to be filled through the pointer before the value is shared.
    pub fn space(len: usize) -> Result<(Value, NonNull<u8>), NoMemory> {
        let (value, data) = Value::room(len)?;
        // SAFETY: `data` has room for as many bytes, and nobody else knows of it yet.
        unsafe { data.write_bytes(0, len) };
        Ok((value, data))
    }

    /// Room for `len` bytes, which must be filled before anybody reads them.
    fn room(len: usize) -> Result<(Value, NonNull<u8>), NoMemory> {
        let layout = Value::inline_layout(len).ok_or(NoMemory)?;
        // SAFETY: the layout is never empty, it holds a header.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or(NoMemory)?;
        let header = start.cast::<Header>();
        // SAFETY: the allocation begins with room for a header, aligned for it, and goes on with `len` bytes.
        let data = unsafe {
            header.write(Header { refs: AtomicUsize::new(1), shape: len << SHIFT | INLINE });
            start.add(size_of::<Header>())
        };
        Ok((Value(header), data))
    }

    /// `len` bytes of the host's at `data`, which stay valid and unchanged until `owner` is ended.
    ///
    /// # Safety
    /// `data` is readable for `len` bytes from any thread until `owner` is dropped.
    pub unsafe fn external(data: *const u8, len: usize, owner: Object) -> Value {
        let header = Header { refs: AtomicUsize::new(1), shape: len << SHIFT | EXTERNAL };
        let body = Box::new(External { header, data, owner: ManuallyDrop::new(owner) });
        Value(NonNull::from(Box::leak(body)).cast())
    }

    /// An object of the host's that costs `cost`.
    pub fn object(object: Object, cost: u64) -> Value {
        let header = Header { refs: AtomicUsize::new(1), shape: OBJECT };
        let body = Box::new(ObjectBox { header, cost, object: ManuallyDrop::new(object) });
        Value(NonNull::from(Box::leak(body)).cast())
    }

    /// An object by pointer and destructor.
    pub fn object_with(pointer: *mut c_void, cost: u64, free: Option<FreeFn>) -> Value {
        Value::object(Object::new(pointer, free), cost)
    }

    fn inline_layout(len: usize) -> Option<Layout> {
        if len > usize::MAX >> SHIFT {
            return None;
        }
        let size = size_of::<Header>().checked_add(len)?;
        Layout::from_size_align(size, align_of::<Header>()).ok()
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: a value's pointer is valid while a reference is held, and `self` is one.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn tag(&self) -> usize {
        self.header().shape & MASK
    }

    #[inline]
    fn len(&self) -> usize {
        self.header().shape >> SHIFT
    }

    /// It will be given up soon, and its memory taken again: asks for where the allocator notes its size, and for the first bytes.
    #[inline(always)]
    pub fn given_up_soon(&self) {
        let start = self.0.as_ptr().cast::<u8>().cast_const();
        prefetch_at(start.wrapping_sub(size_of::<usize>()));
        prefetch_at(start);
        prefetch_at(start.wrapping_add(LINE));
    }

    /// Whether it is bytes or an object.
    #[inline]
    pub fn kind(&self) -> Kind {
        if self.tag() == OBJECT { Kind::Object } else { Kind::Bytes }
    }

    /// The bytes; `None` for an object.
    #[inline]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let shape = self.header().shape;
        let (tag, len) = (shape & MASK, shape >> SHIFT);
        if tag == INLINE {
            // SAFETY: inline data follows the header in the same allocation, and was filled by whoever asked for `room`.
            return Some(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<u8>().add(size_of::<Header>()), len) });
        }
        self.external_bytes(tag, len)
    }

    #[cold]
    #[inline(never)]
    fn external_bytes(&self, tag: usize, len: usize) -> Option<&[u8]> {
        match (tag, len) {
            (EXTERNAL, 0) => Some(&[]),
            // SAFETY: the tag says that this allocation is an `External`, whose data is readable by the promise given to `external`.
            (EXTERNAL, _) => Some(unsafe { std::slice::from_raw_parts(self.0.cast::<External>().as_ref().data, len) }),
            _ => None,
        }
    }

    /// The host's pointer; `None` for bytes.
    pub fn as_object(&self) -> Option<*mut c_void> {
        // SAFETY: the tag says that this allocation is an `ObjectBox`.
        (self.tag() == OBJECT).then(|| unsafe { self.0.cast::<ObjectBox>().as_ref() }.object.pointer())
    }

    /// What it costs to keep: the length of bytes, or what was said of the object.
    #[inline]
    pub fn cost(&self) -> u64 {
        match self.tag() {
            // SAFETY: the tag says that this allocation is an `ObjectBox`.
            OBJECT => unsafe { self.0.cast::<ObjectBox>().as_ref() }.cost,
            _ => self.len() as u64,
        }
    }

    /// Whether nobody hears of its end, on whatever thread.
    #[inline]
    pub fn ends_silently(&self) -> bool {
        self.tag() == INLINE
    }

    /// Whether dropping the last reference runs code of the host's on the dropping thread.
    #[inline]
    pub fn runs_host_code_on_drop(&self) -> bool {
        match self.tag() {
            // SAFETY: the tag says that this allocation is an `External`.
            EXTERNAL => unsafe { self.0.cast::<External>().as_ref() }.owner.ends_where_dropped(),
            // SAFETY: the tag says that this allocation is an `ObjectBox`.
            OBJECT => unsafe { self.0.cast::<ObjectBox>().as_ref() }.object.ends_where_dropped(),
            _ => false,
        }
    }

    /// Gives the reference up as a pointer, for [`Value::from_raw`].
    #[inline]
    pub fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// The pointer, while `self` lives.
    pub fn as_raw(&self) -> NonNull<Header> {
        self.0
    }

    /// As a clone. Nobody else can use `self` meanwhile: if it is the only reference, there is nobody to agree with on their number.
    #[inline]
    pub fn share(&mut self) -> Value {
        let refs = &self.header().refs;
        // What those did who gave theirs up comes before the end that the new one may lead to.
        if refs.load(Ordering::Acquire) != 1 {
            return self.clone();
        }
        refs.store(2, Ordering::Relaxed);
        Value(self.0)
    }

    /// Takes a reference back.
    ///
    /// # Safety
    /// `raw` came from [`Value::into_raw`], and each such pointer is taken back once.
    #[inline]
    pub unsafe fn from_raw(raw: NonNull<Header>) -> Value {
        Value(raw)
    }
}

impl Clone for Value {
    #[inline]
    fn clone(&self) -> Value {
        // Relaxed, as in `Arc`: a new reference is made from one that is held, so nothing is published by the count.
        let before = self.header().refs.fetch_add(1, Ordering::Relaxed);
        // Half the range is beyond what memory can hold in handles: somebody leaks references in a loop.
        if rarely(before > usize::MAX / 2) {
            std::process::abort();
        }
        Value(self.0)
    }
}

impl Drop for Value {
    #[inline]
    fn drop(&mut self) {
        let refs = &self.header().refs;
        // Alone there is nobody to tell, nor anybody who could come: a reference is made from another only. What is dropped here is
        // most often alone, unlike what is given up.
        if refs.load(Ordering::Relaxed) == 1 || refs.fetch_sub(1, Ordering::Release) == 1 {
            self.end();
        }
    }
}

/// The last reference to a value, already given up: whoever drops this ends the value.
pub struct LastReference(ManuallyDrop<Value>);

impl Drop for LastReference {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Value {
    /// Gives the reference up without running code of anybody's; if it was the last, what is left to do is in the result.
    #[inline]
    pub fn give_up(self) -> Option<LastReference> {
        let value = ManuallyDrop::new(self);
        (value.header().refs.fetch_sub(1, Ordering::Release) == 1).then(|| LastReference(value))
    }

    /// No other reference is left: frees the value. Called once.
    #[inline(never)]
    fn end(&self) {
        // What other holders did with the value comes before its end.
        acquire(&self.header().refs);
        let (tag, len) = (self.tag(), self.len());
        match tag {
            // SAFETY: the last reference; allocated by `room` with this very layout.
            INLINE => unsafe {
                let layout = Value::inline_layout(len).expect("the layout was made from this length");
                dealloc(self.0.as_ptr().cast(), layout);
            },
            // SAFETY: the last reference; allocated as a box of `External`. The memory goes first, then the host hears.
            EXTERNAL => unsafe {
                let body = *Box::from_raw(self.0.cast::<External>().as_ptr());
                drop(ManuallyDrop::into_inner(body.owner));
            },
            // SAFETY: the last reference; allocated as a box of `ObjectBox`.
            _ => unsafe {
                let body = *Box::from_raw(self.0.cast::<ObjectBox>().as_ptr());
                drop(ManuallyDrop::into_inner(body.object));
            },
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.as_bytes() {
            Some(bytes) if bytes.len() <= 64 => write!(f, "\"{}\"", bytes.escape_ascii()),
            Some(bytes) => write!(f, "{} bytes", bytes.len()),
            None => write!(f, "object {:?}", self.as_object()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C-unwind" fn count(counter: *mut c_void) {
        // SAFETY: the tests below pass a counter that outlives the value.
        unsafe { (*counter.cast::<AtomicUsize>()).fetch_add(1, Ordering::Relaxed) };
    }

    #[test]
    fn s16_bytes_are_copied_and_shared() {
        for len in [0, 1, 15, 64, 100_000] {
            let source: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let value = Value::bytes(&source).expect("memory");
            let second = value.clone();
            drop(value);
            assert_eq!(second.as_bytes(), Some(&source[..]));
            assert_eq!((second.kind(), second.cost()), (Kind::Bytes, len as u64));
        }
    }

    #[test]
    fn l04_an_object_ends_once_with_its_last_reference() {
        let ended = AtomicUsize::new(0);
        let pointer = std::ptr::from_ref(&ended).cast_mut().cast::<c_void>();
        let value = Value::object_with(pointer, 7, Some(count));
        let second = value.clone();
        assert_eq!((second.as_object(), second.cost(), second.as_bytes()), (Some(pointer), 7, None));
        drop(value);
        assert_eq!(ended.load(Ordering::Relaxed), 0);
        drop(second);
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn l04_a_reference_counts_whether_it_was_shared_alone_or_not() {
        let ended = AtomicUsize::new(0);
        let mut value = Value::object_with(std::ptr::from_ref(&ended).cast_mut().cast(), 7, Some(count));
        let others = [value.share(), value.share(), value.clone()];
        assert_eq!(value.header().refs.load(Ordering::Relaxed), 4);
        drop(others);
        assert_eq!((value.header().refs.load(Ordering::Relaxed), ended.load(Ordering::Relaxed)), (1, 0));
        drop(value);
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn l04_external_bytes_are_given_back_once() {
        let ended = AtomicUsize::new(0);
        let owner = Object::new(std::ptr::from_ref(&ended).cast_mut().cast(), Some(count));
        // SAFETY: a static is readable for ever.
        let value = unsafe { Value::external(b"hello".as_ptr(), 5, owner) };
        assert_eq!(value.as_bytes(), Some(&b"hello"[..]));
        drop(value.clone());
        assert_eq!(ended.load(Ordering::Relaxed), 0);
        drop(value);
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn l09_an_impossible_length_is_no_memory() {
        assert_eq!(Value::space(usize::MAX).err(), Some(NoMemory));
        assert_eq!(Value::space(isize::MAX as usize / 2).err(), Some(NoMemory));
    }
}
