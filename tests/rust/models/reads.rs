//! A protocol for lookups without a lock, which the store does not have: docs/adr/0010-lookups-without-a-lock.md.
//!
//! The parts are a hazard slot for each reading thread, a shared place with the address of an entry or of a table, a list of retired entries,
//! and a queue in which a reader notes its uses for the next holder of the shard's lock. Memory is a loom cell for each entry. Freeing it is a write
//! to the cell, which loom reports if a reader may still be reading it.
//!
//! Each model is explored with the sound protocol, where loom must find nothing. Then the barriers are left out and the memory orders
//! weakened, one at a time, and loom must find the failure.

use super::explore;
use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The barriers and the memory orders of the protocol's steps.
#[derive(Clone, Copy)]
struct Protocol {
    /// The reader's barrier, between publishing an address and looking a second time. In the library it would only keep the compiler from
    /// reordering, because the writer's barrier, a system call, acts on all threads. A model has no system calls, so both are fences here.
    light: bool,
    /// The writer's barrier, between taking an address out of use and looking at the slots.
    heavy: bool,
    /// The store by which a reader leaves its slot.
    leave: Ordering,
    /// The load by which a writer looks at a slot.
    look: Ordering,
    /// Taking a slot.
    claim: Ordering,
    /// Giving a slot back.
    give_back: Ordering,
    /// Appending a use.
    note: Ordering,
    /// Seeing that a use was appended.
    see_noted: Ordering,
    /// Taking uses out.
    take: Ordering,
    /// Seeing that uses were taken out, so that there is room again.
    see_taken: Ordering,
}

const SOUND: Protocol = Protocol {
    light: true,
    heavy: true,
    leave: Release,
    look: Acquire,
    claim: Acquire,
    give_back: Release,
    note: Release,
    see_noted: Acquire,
    take: Release,
    see_taken: Acquire,
};

/// Protects what one thread is reading.
struct HazardSlot {
    /// 1 while a thread has the slot, otherwise 0.
    owner: AtomicUsize,
    /// The address that the thread is reading; 0: none.
    address: AtomicUsize,
}

struct HazardSlots {
    protocol: Protocol,
    slots: [HazardSlot; 2],
}

impl HazardSlots {
    fn new(protocol: Protocol) -> HazardSlots {
        HazardSlots { protocol, slots: [0, 1].map(|_| HazardSlot { owner: AtomicUsize::new(0), address: AtomicUsize::new(0) }) }
    }

    fn claim(&self) -> Option<usize> {
        (0..self.slots.len()).find(|slot| self.slots[*slot].owner.compare_exchange(0, 1, self.protocol.claim, Relaxed).is_ok())
    }

    fn give_back(&self, slot: usize) {
        self.slots[slot].owner.store(0, self.protocol.give_back);
    }

    fn protect(&self, slot: usize, address: usize) {
        self.slots[slot].address.store(address, Release);
        if self.protocol.light {
            fence(SeqCst);
        }
    }

    fn leave(&self, slot: usize) {
        self.slots[slot].address.store(0, self.protocol.leave);
    }

    fn heavy_barrier(&self) {
        if self.protocol.heavy {
            fence(SeqCst);
        }
    }

    /// The address that the slot protects, or 0.
    fn protected_by(&self, slot: usize) -> usize {
        self.slots[slot].address.load(self.protocol.look)
    }
}

const FREED: u32 = 0xdead;

/// Two entries, with the addresses 1 and 2. The shared place holds one of these, or 0.
struct Store {
    slots: HazardSlots,
    shared: AtomicUsize,
    entries: [UnsafeCell<u32>; 3],
    retired: Mutex<Vec<usize>>,
}

impl Store {
    fn new(protocol: Protocol) -> Arc<Store> {
        Arc::new(Store {
            slots: HazardSlots::new(protocol),
            shared: AtomicUsize::new(1),
            entries: [UnsafeCell::new(FREED), UnsafeCell::new(10), UnsafeCell::new(20)],
            retired: Mutex::new(Vec::new()),
        })
    }

    /// A lookup without the lock; `None` if it has to take the lock.
    fn look_up(&self, slot: usize) -> Option<u32> {
        let address = self.shared.load(Acquire);
        if address == 0 {
            return None;
        }
        self.slots.protect(slot, address);
        // The second look.
        let is_in_place = self.shared.load(SeqCst) == address;
        let seen = is_in_place.then(|| {
            // SAFETY: the protocol under test. loom reports a write at the same time.
            let seen = self.entries[address].with(|entry| unsafe { *entry });
            assert_eq!(seen, address as u32 * 10, "the entry is whole and was not freed");
            seen
        });
        self.slots.leave(slot);
        seen
    }

    /// Replaces the entry in the shared place, and retires the former one.
    fn replace(&self, by: usize) {
        let former = self.shared.swap(by, AcqRel);
        self.retired.lock().unwrap().push(former);
    }

    fn free(&self, address: usize) {
        // SAFETY: the protocol under test. loom reports another access at the same time.
        self.entries[address].with_mut(|entry| unsafe { *entry = FREED });
    }

    /// Frees what no reader protects; keeps the rest.
    fn reclaim(&self) {
        let retired = std::mem::take(&mut *self.retired.lock().unwrap());
        self.slots.heavy_barrier();
        let protected = [0, 1].map(|slot| self.slots.protected_by(slot));
        for address in retired {
            if protected.contains(&address) { self.retired.lock().unwrap().push(address) } else { self.free(address) }
        }
    }

    /// Waits until no reader protects `table`, which is out of use already.
    fn wait_for_readers(&self, table: usize) {
        self.slots.heavy_barrier();
        for slot in 0..2 {
            while self.slots.protected_by(slot) == table {
                thread::yield_now();
            }
        }
    }
}

/// Runs `work` on a thread of its own.
fn spawn<T: 'static>(shared: &Arc<T>, work: impl FnOnce(&T) + 'static) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || work(&shared))
}

type Model = fn(Protocol);

/// An entry is looked up twice while it is replaced and reclaimed.
fn replaced(protocol: Protocol) {
    let store = Store::new(protocol);
    let slot = store.slots.claim().expect("a slot");
    let writer = spawn(&store, |store| {
        store.replace(2);
        store.reclaim();
    });
    store.look_up(slot);
    store.look_up(slot);
    writer.join().unwrap();
    store.reclaim();
    assert!(store.retired.lock().unwrap().is_empty(), "nothing is protected any more");
    assert_eq!(store.look_up(slot), Some(20));
}

/// One thread takes the entry out of use, another one reclaims it, while a third looks it up.
fn reclaimed_by_another(protocol: Protocol) {
    let store = Store::new(protocol);
    let slot = store.slots.claim().expect("a slot");
    let retiring = spawn(&store, |store| store.replace(2));
    let reclaiming = spawn(&store, Store::reclaim);
    store.look_up(slot);
    retiring.join().unwrap();
    reclaiming.join().unwrap();
}

/// A table is withdrawn, and freed once no reader protects it. Entry 1 stands for the table.
fn table_withdrawn(protocol: Protocol) {
    let store = Store::new(protocol);
    let slot = store.slots.claim().expect("a slot");
    let writer = spawn(&store, |store| {
        store.shared.store(0, Release);
        store.wait_for_readers(1);
        store.free(1);
    });
    store.look_up(slot);
    writer.join().unwrap();
}

/// A thread ends and another one takes its slot, while a writer replaces and reclaims.
fn slot_changes_hands(protocol: Protocol) {
    let store = Store::new(protocol);
    let read = |store: &Store| {
        if let Some(slot) = store.slots.claim() {
            store.look_up(slot);
            store.slots.give_back(slot);
        }
    };
    let other = spawn(&store, read);
    let writer = spawn(&store, |store| {
        store.replace(2);
        store.reclaim();
    });
    read(&store);
    other.join().unwrap();
    writer.join().unwrap();
}

/// The places of a queue, one of which stays empty.
const PLACES: usize = 3;

/// A queue of uses: one writer without a lock, and one reader at a time, under the shard's lock.
struct Uses {
    slots: HazardSlots,
    end: AtomicUsize,
    start: AtomicUsize,
    /// Plain memory, so that loom reports a place that is written while it may still be read. With atomics loom would miss that, since it
    /// never delays a load.
    places: [UnsafeCell<usize>; PLACES],
    /// What was taken out. The mutex stands for the shard's lock.
    taken: Mutex<Vec<usize>>,
    /// How many uses were noted.
    noted: AtomicUsize,
}

impl Uses {
    fn new(protocol: Protocol) -> Arc<Uses> {
        Arc::new(Uses {
            slots: HazardSlots::new(protocol),
            end: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            places: [0; PLACES].map(UnsafeCell::new),
            taken: Mutex::new(Vec::new()),
            noted: AtomicUsize::new(0),
        })
    }

    fn note(&self, number: usize) -> bool {
        let end = self.end.load(Relaxed);
        let next = (end + 1) % PLACES;
        if next == self.start.load(self.slots.protocol.see_taken) {
            return false;
        }
        // SAFETY: the protocol under test. loom reports another access at the same time.
        self.places[end].with_mut(|place| unsafe { *place = number });
        self.end.store(next, self.slots.protocol.note);
        true
    }

    fn take(&self) {
        let mut taken = self.taken.lock().unwrap();
        let (mut start, end) = (self.start.load(Relaxed), self.end.load(self.slots.protocol.see_noted));
        while start != end {
            // SAFETY: as above.
            taken.push(self.places[start].with(|place| unsafe { *place }));
            start = (start + 1) % PLACES;
        }
        self.start.store(end, self.slots.protocol.take);
    }
}

/// Uses are noted while two threads take the lock one after the other. The queue becomes full, and its places are used again.
fn uses_taken(protocol: Protocol) {
    let uses = Uses::new(protocol);
    let taker = spawn(&uses, Uses::take);
    let mut next = 1;
    for _ in 0..4 {
        next += usize::from(uses.note(next));
    }
    uses.take();
    taker.join().unwrap();
    assert_eq!(*uses.taken.lock().unwrap(), (1..next).collect::<Vec<_>>(), "each use once, in order");
}

/// The queue goes from a thread that ends to the next owner of its slot.
fn uses_of_an_ended_thread(protocol: Protocol) {
    let uses = Uses::new(protocol);
    // Only the first slot is free.
    uses.slots.slots[1].owner.store(1, Relaxed);
    let use_once = |uses: &Uses| {
        if uses.slots.claim().is_some() {
            assert!(uses.note(7));
            uses.noted.fetch_add(1, Relaxed);
            uses.slots.give_back(0);
        }
    };
    let other = spawn(&uses, use_once);
    use_once(&uses);
    other.join().unwrap();
    uses.take();
    assert_eq!(uses.taken.lock().unwrap().len(), uses.noted.load(Relaxed), "no use is lost");
}

#[test]
fn lookups_without_a_lock_read_nothing_that_was_freed() {
    let models: [(&str, Model, usize); 4] = [
        ("lookup and replacement", replaced, 4),
        ("retired and reclaimed by two threads", reclaimed_by_another, 3),
        ("table withdrawn", table_withdrawn, 4),
        ("slot of an ended thread", slot_changes_hands, 2),
    ];
    models.into_iter().for_each(|(name, model, preemptions)| explore(name, preemptions, move || model(SOUND)));
}

#[test]
fn each_use_without_a_lock_is_applied_once_and_in_order() {
    explore("uses and two takers", 4, || uses_taken(SOUND));
    explore("uses of an ended thread", 4, || uses_of_an_ended_thread(SOUND));
}

/// loom finds a failure when any one of the barriers is left out or any one of the orders is weakened. If it did not, the models above would
/// prove nothing about that barrier or order.
#[test]
fn every_barrier_and_order_of_lookups_without_a_lock_is_needed() {
    let (light, heavy) = (Protocol { light: false, ..SOUND }, Protocol { heavy: false, ..SOUND });
    let weakened: [(&str, Model, Protocol); 13] = [
        ("lookup without the reader's barrier", replaced, light),
        ("lookup without the writer's barrier", replaced, heavy),
        ("reclaimed by another without the reader's barrier", reclaimed_by_another, light),
        ("table without the reader's barrier", table_withdrawn, light),
        ("table without the writer's barrier", table_withdrawn, heavy),
        ("a slot left without release", replaced, Protocol { leave: Relaxed, ..SOUND }),
        ("a slot looked at without acquire", replaced, Protocol { look: Relaxed, ..SOUND }),
        ("a slot claimed without acquire", uses_of_an_ended_thread, Protocol { claim: Relaxed, ..SOUND }),
        ("a slot given back without release", uses_of_an_ended_thread, Protocol { give_back: Relaxed, ..SOUND }),
        ("a use noted without release", uses_taken, Protocol { note: Relaxed, ..SOUND }),
        ("a use seen without acquire", uses_taken, Protocol { see_noted: Relaxed, ..SOUND }),
        ("uses taken without release", uses_taken, Protocol { take: Relaxed, ..SOUND }),
        ("room seen without acquire", uses_taken, Protocol { see_taken: Relaxed, ..SOUND }),
    ];
    let found = |(name, model, protocol): &(&str, Model, Protocol)| {
        let (model, protocol) = (*model, *protocol);
        let outcome = catch_unwind(AssertUnwindSafe(|| explore(name, 4, move || model(protocol))));
        println!("{name}: {}", if outcome.is_err() { "loom finds the failure" } else { "NOT FOUND" });
        outcome.is_err()
    };
    let missed: Vec<_> = weakened.iter().filter(|case| !found(case)).map(|(name, ..)| *name).collect();
    assert!(missed.is_empty(), "loom found nothing: {missed:?}");
}
