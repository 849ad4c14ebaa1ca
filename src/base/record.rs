//! A record: an entry's key, answer and expiry time in one allocation, which a lookup reads after the index.
//!
//! ```text
//!   bytes under a key   [ refs | shape | deadline | key, padded | the bytes ]     one block is both the entry and the value
//!   any other value     [ refs | shape | deadline | key, padded | value pointer ]
//!   null                [ refs | shape | deadline | key ]
//! ```
//!
//! A block of the first kind is also a [`Value`], which may be referenced before, while and after it is an entry. It can be the entry of
//! one store at a time; if it is put into a second one, that store creates a block of the second kind. Only the store uses the fields
//! `stored` and `deadline`.
//!
//! This file uses unsafe code for the same reason as `value.rs`: the size of a block depends on its content.

use super::answer::Answer;
use super::hint::{prefetch_at, rarely};
use super::memory::NoMemory;
use super::time::Millis;
use super::value::{ENTRY_BYTES, ENTRY_NULL, ENTRY_VALUE, Head, Header, Shape, Value, block, heap_bytes, release};
use std::alloc::{Layout, handle_alloc_error};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// An entry owned by a store: one reference to its block, and the only access to its deadline.
pub struct Record(NonNull<Header>);

// SAFETY: key and answer never change, the count is atomic, and only this handle reaches the deadline.
unsafe impl Send for Record {}
// SAFETY: as above; the deadline changes through `&mut self` only.
unsafe impl Sync for Record {}

/// The address of a record, which may no longer exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address(NonNull<Header>);

// SAFETY: an address is only a number; code that turns it into a record must know that the record exists.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

/// The key and the answer of an entry that has left its store, in the same block. The block may be an entry again by now, even of another
/// store, so only what never changes is read from it.
pub struct FormerRecord(NonNull<Header>);

// SAFETY: key and answer never change, and the count is atomic.
unsafe impl Send for FormerRecord {}
// SAFETY: as above.
unsafe impl Sync for FormerRecord {}

/// A borrowed record.
pub struct RecordRef<'a>(ManuallyDrop<Record>, PhantomData<&'a Record>);

impl Deref for RecordRef<'_> {
    type Target = Record;
    #[inline(always)]
    fn deref(&self) -> &Record {
        &self.0
    }
}

impl Address {
    /// Borrows the record at this address.
    ///
    /// # Safety
    /// The record exists, and during `'a` it is neither dropped nor changed.
    #[inline(always)]
    pub unsafe fn record<'a>(self) -> RecordRef<'a> {
        RecordRef(ManuallyDrop::new(Record(self.0)), PhantomData)
    }

    /// The address as a number; 0 for `None`.
    #[inline(always)]
    pub fn bits(address: Option<Address>) -> usize {
        address.map_or(0, |address| address.0.addr().get())
    }

    /// An address at which there is no record.
    #[cfg(test)]
    pub fn made_up(number: u32) -> Address {
        Address(NonNull::new(std::ptr::without_provenance_mut(number as usize + 1)).expect("not 0"))
    }

    /// The number from which [`Address::made_up`] made this address.
    #[cfg(test)]
    pub fn made_up_number(self) -> u32 {
        self.0.addr().get() as u32 - 1
    }
}

/// The answer of a borrowed record. It holds no reference.
pub struct AnswerRef<'a>(ManuallyDrop<Answer>, PhantomData<&'a Record>);

impl Deref for AnswerRef<'_> {
    type Target = Answer;
    #[inline(always)]
    fn deref(&self) -> &Answer {
        &self.0
    }
}

/// The value of `Header::stored` in an entry that has no number yet.
const STORED: u32 = u32::MAX;

/// The size of a cache line on nearly all processors, in bytes.
const LINE: usize = 64;

/// Writes the deadline and the key of a new block.
///
/// # Safety
/// The block has a head and room for the key, and no other reference to it exists.
#[inline(always)]
pub(super) unsafe fn fill(header: NonNull<Header>, key: &[u8]) {
    let head = header.cast::<Head>().as_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        (&raw mut (*head).deadline).write(UnsafeCell::new(Millis::NEVER));
        let space = head.add(1).cast::<u8>();
        match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            // Common lengths are copied as words, because a call to `memcpy` costs more. The space is aligned for them.
            (Some(first), Some(last)) if matches!(key.len(), 8 | 16) => {
                space.cast::<u64>().write(u64::from_ne_bytes(*first));
                space.add(key.len() - 8).cast::<u64>().write(u64::from_ne_bytes(*last));
            }
            _ => std::ptr::copy_nonoverlapping(key.as_ptr(), space, key.len()),
        }
    }
}

impl Record {
    /// Creates an entry without expiry. It uses the value's own block if that block was made for this key and is not an entry.
    #[inline]
    pub fn new(key: &[u8], answer: Answer) -> Record {
        match answer {
            Answer::Value(value) if Record::claim(&value, key) => Record(value.into_raw()),
            answer => Record::separate(key, answer),
        }
    }

    /// Makes the value's block an entry of `key`, if it was made for that key and is not an entry. Returns whether it did.
    #[inline]
    fn claim(value: &Value, key: &[u8]) -> bool {
        let header = value.header();
        // SAFETY: a block with this tag has a head, and exists as long as the value.
        let is_its_key = header.shape().tag() == ENTRY_BYTES && unsafe { has_key(value.as_raw(), key) };
        is_its_key && {
            // Acquire on both paths: what the block's previous store did to it must be visible to the next one. With a single reference, no
            // other thread can take part: further references are made from this one only.
            if header.refs.load(Ordering::Acquire) == 1 {
                let is_free = header.stored.load(Ordering::Acquire) == 0;
                if is_free {
                    header.stored.store(STORED, Ordering::Relaxed);
                }
                return is_free;
            }
            header.stored.compare_exchange(0, STORED, Ordering::Acquire, Ordering::Relaxed).is_ok()
        }
    }

    #[inline(never)]
    fn separate(key: &[u8], answer: Answer) -> Record {
        let (tag, len) = match &answer {
            Answer::Value(_) => (ENTRY_VALUE, size_of::<Value>()),
            Answer::Null => (ENTRY_NULL, 0),
        };
        let shape = Shape::new(tag, key.len(), len).expect("a key has at most KEY_MAX bytes");
        let record = match block(shape) {
            Ok(header) => Record(header),
            // As for any small allocation of the library, running out of memory aborts.
            Err(NoMemory) => handle_alloc_error(shape.layout().unwrap_or(Layout::new::<Head>())),
        };
        // SAFETY: the block is new, and has room for a head, the key and, if there is one, the value's pointer.
        unsafe {
            fill(record.0, key);
            if let Answer::Value(value) = answer {
                record.0.cast::<u8>().add(shape.data_at()).cast::<Value>().write(value);
            }
        }
        record
    }

    #[inline(always)]
    fn shape(&self) -> Shape {
        // SAFETY: a record's block exists as long as the record.
        unsafe { self.0.as_ref() }.shape()
    }

    /// The key.
    #[inline(always)]
    pub fn key(&self) -> &[u8] {
        // SAFETY: a record's block has a head, and exists as long as the record.
        unsafe { key_of(self.0) }
    }

    /// Whether its key is `key`.
    #[inline(always)]
    pub fn has_key(&self, key: &[u8]) -> bool {
        // SAFETY: a record's block has a head, and lives as long as the record.
        unsafe { has_key(self.0, key) }
    }

    /// When the entry expires by its TTL; [`Millis::NEVER`] if it does not. For an entry that is refreshed ahead, the earlier time from
    /// which a use starts the refresh.
    #[inline(always)]
    pub fn deadline(&self) -> Millis {
        // SAFETY: the block has a head, and the deadline does not change while `self` is borrowed.
        unsafe { *self.0.cast::<Head>().as_ref().deadline.get() }
    }

    /// Sets the deadline.
    #[inline]
    pub fn set_deadline(&mut self, deadline: Millis) {
        // SAFETY: the block has a head, and `self` is the only record that reaches the deadline.
        unsafe { *self.0.cast::<Head>().as_ref().deadline.get() = deadline };
    }

    /// The answer.
    #[inline(always)]
    pub fn answer(&self) -> AnswerRef<'_> {
        // SAFETY: a record's block is an entry, and exists as long as the record.
        unsafe { answer_of(self.0) }
    }

    /// The address of the block, valid until the record is dropped.
    #[inline(always)]
    pub fn address(&self) -> Address {
        Address(self.0)
    }

    /// The number that the store gave the entry, below `u32::MAX - 1`.
    #[inline(always)]
    pub fn number(&self) -> u32 {
        // SAFETY: a record's block exists as long as the record. Relaxed: only the owning store reads and writes it.
        unsafe { self.0.as_ref() }.stored.load(Ordering::Relaxed) - 1
    }

    /// Gives the entry a number.
    #[inline]
    pub fn set_number(&mut self, number: u32) {
        // SAFETY: as above.
        unsafe { self.0.as_ref() }.stored.store(number + 1, Ordering::Relaxed);
    }

    /// Ends the entry: it has left its store. The entry's reference becomes that of the result.
    #[inline(always)]
    pub fn leave(self) -> FormerRecord {
        let record = ManuallyDrop::new(self);
        // SAFETY: a record's block exists as long as the record. Release: see `claim`. In a block that is not a value, nobody reads this.
        unsafe { record.0.as_ref() }.stored.store(0, Ordering::Release);
        FormerRecord(record.0)
    }

    /// The heap memory of the entry, in bytes: its block, and that of the value if it is separate.
    #[inline]
    pub fn heap_bytes(&self) -> u64 {
        let own = heap_bytes(self.shape().size());
        match &*self.answer() {
            Answer::Value(value) if self.shape().tag() == ENTRY_VALUE => own.saturating_add(value.heap_bytes()),
            _ => own,
        }
    }

    /// Prefetches the allocator's header and the first bytes, for a record that will soon be read or dropped.
    #[inline(always)]
    pub fn prefetch(&self) {
        let start = self.0.as_ptr().cast::<u8>().cast_const();
        prefetch_at(start.wrapping_sub(size_of::<usize>()));
        prefetch_at(start);
        prefetch_at(start.wrapping_add(LINE));
    }
}

/// Whether the key in a block is `key`. Common lengths are compared as words: a call to `memcmp` costs more, and loads wider than a word
/// stall if the words have only just been written.
///
/// # Safety
/// The block has a head, and exists.
#[inline(always)]
unsafe fn has_key(block: NonNull<Header>, key: &[u8]) -> bool {
    // SAFETY: the caller's promise.
    if unsafe { block.as_ref() }.shape().key_len() != key.len() {
        return false;
    }
    // SAFETY: the caller's promise; the key follows the head, and has this length.
    let own = unsafe { std::slice::from_raw_parts(block.cast::<Head>().as_ptr().add(1).cast::<u8>(), key.len()) };
    let word = |bytes: &[u8]| bytes.first_chunk().map(|word| u64::from_ne_bytes(*word));
    match key.len() {
        16 => word(own) == word(key) && word(&own[8..]) == word(&key[8..]),
        8 => word(own) == word(key),
        _ => own == key,
    }
}

/// The key in a block.
///
/// # Safety
/// The block has a head, and exists during `'a`.
#[inline(always)]
unsafe fn key_of<'a>(block: NonNull<Header>) -> &'a [u8] {
    // SAFETY: the caller's promise; the key follows the head.
    unsafe { std::slice::from_raw_parts(block.cast::<Head>().as_ptr().add(1).cast::<u8>(), block.as_ref().shape().key_len()) }
}

/// The answer in a block that is an entry, or was one.
///
/// # Safety
/// The block has a head, and exists during `'a`.
#[inline(always)]
unsafe fn answer_of<'a>(block: NonNull<Header>) -> AnswerRef<'a> {
    // SAFETY: the caller's promise.
    let shape = unsafe { block.as_ref() }.shape();
    let answer = match shape.tag() {
        tag if !rarely(tag != ENTRY_BYTES) => Answer::Value(Value(block)),
        // SAFETY: the data of such a block are a value. This copy of it is not dropped.
        ENTRY_VALUE => Answer::Value(unsafe { block.cast::<u8>().add(shape.data_at()).cast::<Value>().read() }),
        _ => Answer::Null,
    };
    AnswerRef(ManuallyDrop::new(answer), PhantomData)
}

impl Drop for Record {
    #[inline]
    fn drop(&mut self) {
        // `leave` consumes its record without dropping it, so this does not recurse.
        drop(Record(self.0).leave());
    }
}

impl FormerRecord {
    /// The key.
    #[inline(always)]
    pub fn key(&self) -> &[u8] {
        // SAFETY: the block has a head, and exists as long as `self`.
        unsafe { key_of(self.0) }
    }

    /// The answer.
    #[inline(always)]
    pub fn answer(&self) -> AnswerRef<'_> {
        // SAFETY: as above.
        unsafe { answer_of(self.0) }
    }

    /// Frees a block that is not a value, and drops the value that it points to, if any.
    #[cold]
    #[inline(never)]
    fn end_separate(&self) {
        let AnswerRef(answer, _) = self.answer();
        // SAFETY: only this handle refers to the block, and the value has been read from it.
        unsafe { release(self.0) };
        drop(ManuallyDrop::into_inner(answer));
    }
}

impl Drop for FormerRecord {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the block exists as long as `self`.
        let tag = unsafe { self.0.as_ref() }.shape().tag();
        if rarely(tag != ENTRY_BYTES) {
            return self.end_separate();
        }
        // The block is the value, and this was a reference to it.
        drop(Value(self.0));
    }
}

impl Clone for FormerRecord {
    fn clone(&self) -> FormerRecord {
        // SAFETY: the block exists as long as `self`.
        match unsafe { self.0.as_ref() }.shape().tag() {
            ENTRY_BYTES => FormerRecord(Value::clone(&ManuallyDrop::new(Value(self.0))).into_raw()),
            _ => Record::separate(self.key(), self.answer().clone()).leave(),
        }
    }
}

impl std::fmt::Debug for FormerRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormerRecord").field("key", &self.key().escape_ascii().to_string()).field("answer", &*self.answer()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_under(key: &[u8], bytes: &[u8]) -> Value {
        Value::bytes_under(key, bytes).expect("memory")
    }

    #[test]
    fn s16_bytes_put_under_their_key_are_the_entry() {
        for key_len in [0, 1, 7, 8, 9, 16, 17, 65_535] {
            for len in [0, 1, 8, 64, 100_000] {
                let (key, bytes) = (vec![7; key_len], vec![9; len]);
                let value = bytes_under(&key, &bytes);
                assert_eq!(value.as_bytes().map(|data| data.as_ptr() as usize % 8), Some(0), "the bytes are aligned to 8");
                let mut record = Record::new(&key, Answer::Value(value.clone()));
                assert_eq!((record.key(), record.deadline()), (&key[..], Millis::NEVER));
                record.set_deadline(Millis(5));
                assert_eq!(record.deadline(), Millis(5));
                assert!(record.answer().is(&Answer::Value(value.clone())), "the entry uses the value's block");
                assert!(record.has_key(&key) && !record.has_key(&[&key[..], b"x"].concat()));
                drop(record);
                assert_eq!(value.as_bytes(), Some(&bytes[..]), "the value outlives its entry");
            }
        }
    }

    #[test]
    fn s16_a_block_is_one_entry_at_a_time_and_only_of_its_key() {
        let value = bytes_under(b"key", b"value");
        let put = |key: &[u8]| Record::new(key, Answer::Value(value.clone()));
        let shares = |record: &Record| record.0 == value.as_raw();
        let (first, second, other) = (put(b"key"), put(b"key"), put(b"kex"));
        assert_eq!([&first, &second, &other].map(shares), [true, false, false]);
        assert!([&first, &second, &other].iter().all(|record| record.answer().is(&Answer::Value(value.clone()))));
        assert!(first.leave().answer().is(&Answer::Value(value.clone())));
        assert!(shares(&put(b"key")), "after the entry has left, the block can be an entry again");
        let left = put(b"key").leave();
        let again = put(b"key");
        assert!(shares(&again), "also while its former entry is being reported");
        assert!(left.clone().answer().is(&again.answer()) && left.key() == b"key");
        drop((left, again));
        assert_eq!((second.key(), other.key()), (&b"key"[..], &b"kex"[..]));
    }

    #[test]
    fn s01_any_answer_can_be_under_any_key() {
        for key_len in [0, 1, 8, 9, 300] {
            let key = vec![1; key_len];
            let plain = Answer::Value(Value::bytes(b"plain").expect("memory"));
            let record = Record::new(&key, plain.clone());
            assert!(record.answer().is(&plain) && record.key() == key);
            let left = record.leave();
            assert!(left.answer().is(&plain) && left.key() == key && left.clone().answer().is(&plain));
            let null = Record::new(&key, Answer::Null);
            assert!(null.answer().is(&Answer::Null) && null.key() == key);
        }
    }
}
