//! Values: reference-counted handles to bytes or to an object of the host. Immutable once shared.
//!
//! Each value is one allocation behind one thin pointer, which crosses the C ABI. Every entry pays for the header, so it is small:
//!
//! ```text
//!   bytes     [ refs | kind, len | data ... ]
//!   entry     [ refs | kind, len, key's len | deadline | key, padded | data ... ]
//!   external  [ refs | kind      | data pointer, len | the host's object ]
//!   object    [ refs | kind      | cost         | the host's object ]
//! ```
//!
//! Bytes that are put under a key have room for what a store records about the entry: the block becomes the entry ([`super::record`]).
//!
//! This file is unsafe because std has no thin, sized-by-content shared pointer: docs/adr/0002-value-handle.md.

use super::hint::rarely;
use super::memory::NoMemory;
use super::object::{FreeFn, Object};
use super::sync::acquire;
use super::time::Millis;
use std::alloc::{Layout, alloc, dealloc};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// The kind of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes, owned by the library or by the host.
    Bytes,
    /// A pointer of the host.
    Object,
}

/// The start of every value's allocation, and of every entry's. A `kvl_value_t *` points at one.
#[repr(C)]
pub struct Header {
    pub(super) refs: AtomicU32,
    /// 0 if the block is not an entry; otherwise one more than the number that its store gave the entry.
    pub(super) stored: AtomicU32,
    shape: Shape,
}

/// The layout of a block: one of the tags below, the length of the key, and the number of bytes of data.
#[derive(Clone, Copy)]
pub(super) struct Shape(u64);

/// Set in the tags of blocks that have a [`Head`].
const HEAD: u64 = 4;
/// The bits that distinguish the kinds of data. 0 means bytes in the block itself.
const DATA: u64 = 3;

const INLINE: u64 = 0;
const EXTERNAL: u64 = 1;
const OBJECT: u64 = 2;
/// An entry that is a value of bytes.
pub(super) const ENTRY_BYTES: u64 = HEAD;
/// An entry whose data are a pointer to a value. Such a block is not a value itself, nor is an [`ENTRY_NULL`].
pub(super) const ENTRY_VALUE: u64 = HEAD | 1;
/// An entry without data.
pub(super) const ENTRY_NULL: u64 = HEAD | 2;

const TAG_BITS: u32 = 3;
const KEY_BITS: u32 = 16;
/// The maximum length of the data, 32 TiB, which is more than any allocation can have.
const LONGEST: u64 = u64::MAX >> (TAG_BITS + KEY_BITS);

impl Shape {
    pub(super) fn new(tag: u64, key_len: usize, len: usize) -> Option<Shape> {
        let (key_len, len) = (key_len as u64, len as u64);
        let fits = key_len >> KEY_BITS == 0 && len <= LONGEST;
        fits.then_some(Shape(tag | key_len << TAG_BITS | len << (TAG_BITS + KEY_BITS)))
    }

    #[inline(always)]
    pub(super) fn tag(self) -> u64 {
        self.0 & ((1 << TAG_BITS) - 1)
    }

    #[inline(always)]
    pub(super) fn key_len(self) -> usize {
        (self.0 >> TAG_BITS) as usize & ((1 << KEY_BITS) - 1)
    }

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        (self.0 >> (TAG_BITS + KEY_BITS)) as usize
    }

    /// The offset of the data. The key is padded, so that the data are aligned to 8 bytes.
    #[inline(always)]
    pub(super) fn data_at(self) -> usize {
        // A head is 8 bytes longer than a header. That is twice the bit in its tag, so there is no branch that could be mispredicted.
        size_of::<Header>() + 2 * (self.0 & HEAD) as usize + rounded_up(self.key_len(), 8)
    }

    /// The size of a block with this shape, in bytes.
    #[inline(always)]
    pub(super) fn size(self) -> usize {
        self.data_at() + self.len()
    }

    /// The layout of a block with this shape; `None` if it is longer than any allocation can be.
    pub(super) fn layout(self) -> Option<Layout> {
        Layout::from_size_align(self.data_at().checked_add(self.len())?, align_of::<Head>()).ok()
    }
}

/// `size`, rounded up to a multiple of `step`, a power of two: two instructions, where `next_multiple_of` takes six.
#[inline(always)]
const fn rounded_up(size: usize, step: usize) -> usize {
    (size + step - 1) & !(step - 1)
}

/// The start of a block that can be an entry. The key follows it.
#[repr(C)]
pub(super) struct Head {
    pub(super) header: Header,
    /// Used only by the store that owns the entry.
    pub(super) deadline: UnsafeCell<Millis>,
}

#[repr(C)]
struct External {
    header: Header,
    data: *const u8,
    len: usize,
    owner: ManuallyDrop<Object>,
}

#[repr(C)]
struct ObjectBox {
    header: Header,
    cost: u64,
    object: ManuallyDrop<Object>,
}

impl Header {
    pub(super) fn new(shape: Shape) -> Header {
        Header { refs: AtomicU32::new(1), stored: AtomicU32::new(0), shape }
    }

    #[inline(always)]
    pub(super) fn shape(&self) -> Shape {
        self.shape
    }
}

const _: () = assert!(size_of::<Head>() == size_of::<Header>() + 2 * HEAD as usize);

/// Allocates a block of this shape. Only the header is initialised.
pub(super) fn block(shape: Shape) -> Result<NonNull<Header>, NoMemory> {
    let layout = shape.layout().ok_or(NoMemory)?;
    // SAFETY: the layout contains at least a header, so it is not empty.
    let start = NonNull::new(unsafe { alloc(layout) }).ok_or(NoMemory)?.cast::<Header>();
    // SAFETY: the allocation begins with room for a header, aligned for it.
    unsafe { start.write(Header::new(shape)) };
    Ok(start)
}

/// The heap memory that an allocation of `size` bytes takes, in bytes: `size` and a word for the allocator, rounded up to a multiple of 16,
/// at least 32. This is exact for glibc; other allocators round differently and keep their own data elsewhere.
#[inline(always)]
pub(super) fn heap_bytes(size: usize) -> u64 {
    (rounded_up(size + 8, 16) as u64).max(32)
}

/// Frees the memory of a block.
///
/// # Safety
/// It came from [`block`], and there is no reference to it.
pub(super) unsafe fn release(block: NonNull<Header>) {
    // SAFETY: the caller's promise; this is the layout that it was allocated with.
    unsafe {
        let layout = block.as_ref().shape.layout().expect("the block was allocated with this layout");
        dealloc(block.as_ptr().cast(), layout);
    }
}

/// A shared handle of a value. Cloning it adds a reference.
#[repr(transparent)]
pub struct Value(pub(super) NonNull<Header>);

// SAFETY: the contents never change once shared, the count is atomic, and any thread may destroy an object (see `Object`).
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// Copies `bytes`.
    pub fn bytes(bytes: &[u8]) -> Result<Value, NoMemory> {
        let (value, data) = Value::uninitialised(bytes.len())?;
        // SAFETY: `data` has room for these bytes, and no other reference to it exists yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.as_ptr(), bytes.len()) };
        Ok(value)
    }

    /// Creates a value of `len` zero bytes, to be filled through the pointer before the value is shared.
    pub fn space(len: usize) -> Result<(Value, NonNull<u8>), NoMemory> {
        let (value, data) = Value::uninitialised(len)?;
        // SAFETY: `data` has room for these bytes, and no other reference to it exists yet.
        unsafe { data.write_bytes(0, len) };
        Ok((value, data))
    }

    /// Creates a value of `len` uninitialised bytes, which must be written before they are read.
    fn uninitialised(len: usize) -> Result<(Value, NonNull<u8>), NoMemory> {
        let shape = Shape::new(INLINE, 0, len).ok_or(NoMemory)?;
        let header = block(shape)?;
        // SAFETY: the block has `len` bytes at that offset.
        let data = unsafe { header.cast::<u8>().add(shape.data_at()) };
        Ok((Value(header), data))
    }

    /// Copies `bytes`, to be put under `key`. The store then uses the block for its entry, so that nothing else is allocated or copied. In
    /// all other respects it is like [`Value::bytes`].
    pub fn bytes_under(key: &[u8], bytes: &[u8]) -> Result<Value, NoMemory> {
        let shape = Shape::new(ENTRY_BYTES, key.len(), bytes.len()).ok_or(NoMemory)?;
        let header = block(shape)?;
        // SAFETY: the block has a head and room for a key and data of these lengths, and no other reference to it exists yet.
        unsafe {
            super::record::fill(header, key);
            let data = header.cast::<u8>().add(shape.data_at());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.as_ptr(), bytes.len());
        }
        Ok(Value(header))
    }

    /// Wraps `len` bytes of the host at `data`, which stay valid and unchanged until `owner` is destroyed.
    ///
    /// # Safety
    /// `data` is readable for `len` bytes from any thread until `owner` is dropped.
    pub unsafe fn external(data: *const u8, len: usize, owner: Object) -> Value {
        let header = Header::new(Shape(EXTERNAL));
        let body = Box::new(External { header, data, len, owner: ManuallyDrop::new(owner) });
        Value(NonNull::from(Box::leak(body)).cast())
    }

    /// Wraps an object of the host. `cost` is in bytes.
    pub fn object(object: Object, cost: u64) -> Value {
        let header = Header::new(Shape(OBJECT));
        let body = Box::new(ObjectBox { header, cost, object: ManuallyDrop::new(object) });
        Value(NonNull::from(Box::leak(body)).cast())
    }

    /// Wraps an object of the host, given as a pointer and a destructor.
    pub fn object_with(pointer: *mut c_void, cost: u64, free: Option<FreeFn>) -> Value {
        Value::object(Object::new(pointer, free), cost)
    }

    #[inline]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: a value's pointer is valid while there is a reference, and `self` is one.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn tag(&self) -> u64 {
        self.header().shape.tag()
    }

    /// Whether it is bytes or an object.
    #[inline]
    pub fn kind(&self) -> Kind {
        if self.tag() == OBJECT { Kind::Object } else { Kind::Bytes }
    }

    /// The bytes; `None` for an object.
    #[inline(always)]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let shape = self.header().shape;
        if shape.0 & DATA == 0 {
            // SAFETY: with these tags the data are in the block, and were initialised when it was made.
            return Some(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<u8>().add(shape.data_at()), shape.len()) });
        }
        self.external_bytes()
    }

    #[cold]
    #[inline(never)]
    fn external_bytes(&self) -> Option<&[u8]> {
        if self.tag() != EXTERNAL {
            return None;
        }
        // SAFETY: the tag says that this allocation is an `External`.
        let External { data, len, .. } = unsafe { self.0.cast::<External>().as_ref() };
        // SAFETY: readable by the promise of the caller of `external`; of an empty slice nothing is read.
        if *len == 0 { Some(&[]) } else { Some(unsafe { std::slice::from_raw_parts(*data, *len) }) }
    }

    /// The host's pointer; `None` for bytes.
    pub fn as_object(&self) -> Option<*mut c_void> {
        // SAFETY: the tag says that this allocation is an `ObjectBox`.
        (self.tag() == OBJECT).then(|| unsafe { self.0.cast::<ObjectBox>().as_ref() }.object.pointer())
    }

    /// The cost in bytes: the length of bytes, or the stated cost of an object.
    #[inline]
    pub fn cost(&self) -> u64 {
        match self.tag() {
            // SAFETY: the tag says that this allocation is an `ObjectBox`.
            OBJECT => unsafe { self.0.cast::<ObjectBox>().as_ref() }.cost,
            // SAFETY: the tag says that this allocation is an `External`.
            EXTERNAL => unsafe { self.0.cast::<External>().as_ref() }.len as u64,
            _ => self.header().shape.len() as u64,
        }
    }

    /// The heap memory of the value, in bytes: its own allocation, and the host's bytes or object at their cost.
    pub fn heap_bytes(&self) -> u64 {
        match self.tag() {
            OBJECT => heap_bytes(size_of::<ObjectBox>()).saturating_add(self.cost()),
            EXTERNAL => heap_bytes(size_of::<External>()).saturating_add(self.cost()),
            _ => heap_bytes(self.header().shape.size()),
        }
    }

    /// Whether destroying it runs no host code and reports no DROP event, on any thread.
    #[inline]
    pub fn ends_silently(&self) -> bool {
        self.header().shape.0 & DATA == 0
    }

    /// Whether dropping the last reference runs host code on the dropping thread.
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

    /// Turns the reference into a pointer, for [`Value::from_raw`].
    #[inline]
    pub fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// The pointer, valid while `self` exists.
    pub fn as_raw(&self) -> NonNull<Header> {
        self.0
    }

    /// Like `clone`. Since `self` is borrowed exclusively, a single reference needs no atomic read-modify-write.
    #[inline]
    pub fn share(&mut self) -> Value {
        let refs = &self.header().refs;
        // Acquire: what former holders did must happen before the value is destroyed, perhaps through the new reference.
        if refs.load(Ordering::Acquire) != 1 {
            return self.clone();
        }
        refs.store(2, Ordering::Relaxed);
        Value(self.0)
    }

    /// Turns a pointer into the reference that it was made from.
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
        // Relaxed, as in `Arc`: a new reference is made from an existing one, so the count publishes nothing.
        let before = self.header().refs.fetch_add(1, Ordering::Relaxed);
        // At half of the range: a program that gets here leaks references in a loop. The other half is for threads that do so at the same
        // time.
        if rarely(before > u32::MAX / 2) {
            std::process::abort();
        }
        Value(self.0)
    }
}

impl Drop for Value {
    #[inline]
    fn drop(&mut self) {
        let refs = &self.header().refs;
        // With a single reference there is no other thread to synchronise with, and none can appear, since references are made from
        // references. Here that is the usual case, unlike in `give_up`.
        if refs.load(Ordering::Relaxed) == 1 || refs.fetch_sub(1, Ordering::Release) == 1 {
            self.end();
        }
    }
}

/// The last reference to a value, already subtracted from its count. Dropping this destroys the value.
pub struct LastReference(ManuallyDrop<Value>);

impl Drop for LastReference {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Value {
    /// Releases the reference without running a destructor. If it was the last one, the result must be dropped to run it.
    #[inline]
    pub fn give_up(self) -> Option<LastReference> {
        let value = ManuallyDrop::new(self);
        (value.header().refs.fetch_sub(1, Ordering::Release) == 1).then(|| LastReference(value))
    }

    /// Frees the value, which has no references left. Called once.
    #[inline(never)]
    fn end(&self) {
        // What other holders did with the value must happen before its destruction.
        acquire(&self.header().refs);
        match self.tag() {
            // SAFETY: the last reference to a block.
            INLINE | ENTRY_BYTES => unsafe { release(self.0) },
            // SAFETY: the last reference; allocated as a box of `External`. The memory is freed before the owner's destructor runs.
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
    use std::sync::atomic::AtomicUsize;

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
    fn l04_each_share_and_each_clone_adds_one_reference() {
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
        // SAFETY: a static is always readable.
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
        // On 32-bit systems, half of isize::MAX may be available.
        if cfg!(target_pointer_width = "64") {
            assert_eq!(Value::space(isize::MAX as usize / 2).err(), Some(NoMemory));
        }
    }
}
