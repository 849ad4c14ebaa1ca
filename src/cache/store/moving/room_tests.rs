//! Tests of puts that need room while entries move from one shard to others.

use super::super::super::departure::{Cause, Departures, EachStep};
use super::super::super::entry::{NewEntry, PutOutcome};
use super::super::Store;
use super::tests::{FEW, MANY, key, number_of, with_one_shard};
use crate::base::config::{CacheSettings, EvictionPolicy};
use crate::base::{Answer, Clock, Millis, StoreTerms, Ttl};
use std::cell::{Cell, RefCell};

#[test]
fn s02a_s05_a_put_while_a_full_group_moves_evicts_the_least_recently_used_entry_of_all() {
    const ENTRIES: u64 = 9_000;
    for policy in EvictionPolicy::ALL {
        let (store, clock) = with_one_shard(CacheSettings { policy, capacity: ENTRIES, ..CacheSettings::default() });
        let put = |number: u64, out: &mut Departures| {
            assert!(store.put(&key(number), NewEntry::new(Answer::Null), &clock, out).is_stored());
        };
        (0..ENTRIES).for_each(|number| put(number, &mut Departures::new()));
        let (next, victims) = (Cell::new(ENTRIES), RefCell::new(Vec::new()));
        let used = |number: u64| number.is_multiple_of(3) && number < 300;
        store.resize(
            ENTRIES,
            Some(1 << 30),
            &clock,
            &mut EachStep(|_| {
                if !store.layout().is_changing() {
                    return;
                }
                for number in (0..300).chain(0..300).filter(|number| used(*number)) {
                    assert!(store.lookup(&key(number), &clock).is_some(), "{policy:?}: {number} at {}", next.get());
                }
                let mut out = Departures::new();
                let number = next.replace(next.get() + 1);
                if number.is_multiple_of(2) {
                    put(number, &mut out);
                } else {
                    let (put, left) = store.put_with_victims(&key(number), &mut NewEntry::new(Answer::Null), &clock, &mut out);
                    assert!(put.is_stored() && left.len() == 1, "the victim is reported to the caller");
                }
                assert!(out.iter().all(|left| left.cause == Cause::Capacity) && out.len() == 1);
                assert_eq!(store.counts().removed(Cause::Capacity).entries, number + 1 - ENTRIES);
                victims.borrow_mut().extend(out.iter().map(|left| number_of(left.key())));
            }),
        );
        assert_eq!((store.shards(), store.layout().is_changing()), (8, false));
        let victims = victims.into_inner();
        // Only the first hundred: once all entries have left the former shard, each new shard evicts its own.
        assert!(victims.len() > 100, "{} steps", victims.len());
        let expected: Vec<u64> = (0..ENTRIES).filter(|number| !used(*number)).take(100).collect();
        assert_eq!(victims[..100], expected, "{policy:?}");
    }
}

fn put_at(store: &Store, clock: &Clock, number: u64, cost: Option<u64>, priority: f64) -> (PutOutcome, Departures) {
    let mut out = Departures::new();
    let terms = StoreTerms { cost, priority: Some(priority), ..StoreTerms::default() };
    (store.put(&key(number), NewEntry { terms, ..NewEntry::new(Answer::Null) }, clock, &mut out), out)
}

#[test]
fn s02a_s05_a_put_of_too_low_a_priority_is_refused_while_a_full_group_moves() {
    const ENTRIES: u64 = 9_000;
    for policy in EvictionPolicy::ALL {
        let (store, clock) = with_one_shard(CacheSettings { policy, capacity: ENTRIES, ..CacheSettings::default() });
        (0..ENTRIES).for_each(|number| assert!(put_at(&store, &clock, number, None, 1.0).0.is_stored()));
        let next = Cell::new(ENTRIES);
        let mut puts = EachStep(|_| {
            if store.moving.lock().is_none() {
                return;
            }
            let number = next.replace(next.get() + 1);
            let (put, left) = put_at(&store, &clock, number, None, 0.0);
            assert_eq!((put, left.len(), left[0].cause), (PutOutcome::Refused, 1, Cause::Refused), "{policy:?}: {number}");
        });
        store.resize(ENTRIES, Some(1 << 30), &clock, &mut puts);
        assert!(next.get() > ENTRIES + 100, "{} puts", next.get());
        // In the end, each shard gets an equal part of the limits, and what exceeds it is trimmed.
        let trimmed = store.counts().removed(Cause::Trimmed).entries;
        let held = store.len(&clock, &mut Departures::new());
        assert_eq!((held + trimmed, store.counts().removed(Cause::Capacity).entries), (ENTRIES, 0));
    }
}

#[test]
fn s02a_s05_a_put_that_cannot_get_enough_room_while_a_group_moves_evicts_nothing() {
    let settings = CacheSettings { capacity: 1 << 20, cost_limit: Some(MANY), ..CacheSettings::default() };
    let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
    let cost = Some(1_000);
    (0..5_000).for_each(|number| assert!(put_at(&store, &clock, number, cost, 1.0).0.is_stored()));
    let (next, puts, low) = (Cell::new(5_000), Cell::new(0), Cell::new(0));
    let mut put_in_each_step = EachStep(|_| {
        if store.moving.lock().is_none() {
            return;
        }
        if puts.replace(puts.get() + 1) == 0 {
            // Fills the remaining room with small entries, until one of them has to leave for another.
            while put_at(&store, &clock, next.replace(next.get() + 1), Some(300), 0.0).1.is_empty() {}
            low.set((5_000..next.get()).filter(|number| store.peek(&key(*number), &clock).is_some()).count());
        }
        let (put, left) = put_at(&store, &clock, next.replace(next.get() + 1), Some(20_000), 0.0);
        assert!(put == PutOutcome::Refused && left.len() == 1, "{put:?}, {} left", left.len());
        assert_eq!((5_000..next.get()).filter(|number| store.peek(&key(*number), &clock).is_some()).count(), low.get());
    });
    store.resize(1 << 20, Some(FEW), &clock, &mut put_in_each_step);
    assert!(puts.get() > 1 && low.get() > 5, "{} puts, {} entries", puts.get(), low.get());
}

#[test]
fn s02a_s05_expired_entries_that_have_not_arrived_leave_before_live_ones() {
    const ENTRIES: u64 = 9_000;
    let (store, clock) = with_one_shard(CacheSettings { capacity: ENTRIES, ..CacheSettings::default() });
    for number in 0..ENTRIES {
        let ttl = if (4_000..4_100).contains(&number) { Ttl::of_ms(100) } else { Ttl::Never };
        let terms = StoreTerms { ttl: Some(ttl), ..StoreTerms::default() };
        let entry = NewEntry { terms, ..NewEntry::new(Answer::Null) };
        assert!(store.put(&key(number), entry, &clock, &mut Departures::new()).is_stored());
    }
    // Begins the change, begins to move the only group, and moves the entries of one step.
    assert!((0..3).all(|_| store.change_layout(Some(4), || true, &mut Departures::new())));
    if let Clock::Manual(clock) = &clock {
        clock.advance(100);
    }
    for number in ENTRIES..ENTRIES + 50 {
        let mut out = Departures::new();
        assert!(store.put(&key(number), NewEntry::new(Answer::Null), &clock, &mut out).is_stored());
        assert!(!out.is_empty() && out.iter().all(|left| left.cause == Cause::Expired), "{number}: {:?}", out[0].cause);
    }
}
