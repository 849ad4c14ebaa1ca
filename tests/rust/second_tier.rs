//! A second tier behind engines (rules T01 to T15): either a store in memory that several engines share, or one whose requests the test
//! serves itself.

use super::engine_fixture::*;
use kvlight::base::config::ReadMode;
use kvlight::base::{Answer, Labels, Status, StoreTerms};
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::host::SecondTierStore;
use kvlight::engine::invalidate::Outdated;
use kvlight::engine::second_tier::{TierTicket, TtlLeft};
use kvlight::task::Source;
use kvlight::task::second_tier::{TierAbilities, TierRequestKind};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PLAIN: TierAbilities = TierAbilities { is_conditional: false, grants_leases: false, takes_objects: false };
const LEASES: TierAbilities = TierAbilities { is_conditional: true, grants_leases: true, takes_objects: false };

/// The value of a key in the store: an entry, or the lease of the engine that loads it.
#[derive(Clone)]
struct Held {
    token: u64,
    /// The bytes and the TTL in milliseconds. `None`: there is only the lease.
    entry: Option<(Vec<u8>, Option<u64>)>,
}

/// Whether a call by the store ended well. That includes ERR_CLOSED, since the test may close the engine at the same time.
fn is_done(status: Status) -> bool {
    [Status::OK, Status::ERR_CLOSED].contains(&status)
}

/// A store in memory that grants leases, and accepts a fill only with the token of the lease.
#[derive(Default)]
struct MemoryTier {
    held: Mutex<HashMap<Vec<u8>, Held>>,
    tokens: AtomicU64,
    is_down: AtomicBool,
    log: Mutex<Vec<String>>,
}

impl MemoryTier {
    fn token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn has(&self, key: &str) -> bool {
        self.held.lock().expect("no panic").get(key.as_bytes()).is_some_and(|held| held.entry.is_some())
    }

    /// The requests since the last call: the kind, and the keys.
    fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().expect("no panic"))
    }

    fn until_it_has(&self, key: &str) {
        until("the key is filled", || self.has(key));
    }
}

impl SecondTierStore for MemoryTier {
    fn serve(&self, request: TierTicket) {
        if self.is_down.load(Ordering::SeqCst) {
            return drop(request);
        }
        let mut held = self.held.lock().expect("no panic");
        let keys: Vec<Vec<u8>> = request.keys().iter().map(<[u8]>::to_vec).collect();
        let names: Vec<String> = keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
        self.log.lock().expect("no panic").push(format!("{:?} {}", request.kind(), names.join(" ")).trim_end().to_owned());
        for (index, key) in keys.iter().enumerate() {
            match request.kind() {
                TierRequestKind::Read => {
                    let known = held.get(key).cloned();
                    let token = self.token();
                    let status = match known {
                        Some(Held { token, entry: Some((data, ttl)) }) => {
                            request.hit(index, &data, ttl.map_or(TtlLeft::Never, TtlLeft::Millis), &token.to_le_bytes())
                        }
                        // Another engine loads the key, so this one gets no lease.
                        Some(Held { entry: None, .. }) => request.miss(index, &[]),
                        None => {
                            held.insert(key.clone(), Held { token, entry: None });
                            request.miss(index, &token.to_le_bytes())
                        }
                    };
                    assert!(status.is_ok());
                }
                TierRequestKind::Fill => {
                    let entry = request.entry(index).expect("a fill has entries");
                    if held.get(key).is_some_and(|held| held.token.to_le_bytes() == *entry.token) {
                        held.insert(key.clone(), Held { token: self.token(), entry: Some((entry.data.to_vec(), entry.ttl_ms)) });
                    } else {
                        assert!(request.refused(index).is_ok_and(is_done));
                    }
                }
                TierRequestKind::Write => {
                    let entry = request.entry(index).expect("a write has entries");
                    held.insert(key.clone(), Held { token: self.token(), entry: Some((entry.data.to_vec(), entry.ttl_ms)) });
                }
                TierRequestKind::Remove => drop(held.remove(key)),
                TierRequestKind::Clear => unreachable!("a clear has no keys"),
            }
        }
        if request.kind() == TierRequestKind::Clear {
            held.clear();
        }
        drop(held);
        assert!(is_done(request.finish()));
    }
}

/// A second tier whose requests the test serves.
struct ManualTier(Mutex<Sender<TierTicket>>);

impl SecondTierStore for ManualTier {
    fn serve(&self, request: TierTicket) {
        let _ = self.0.lock().expect("no panic").send(request);
    }
}

/// The requests of a second tier that the test serves.
struct TierRequests(Receiver<TierTicket>);

impl TierRequests {
    fn next(&self, kind: TierRequestKind) -> TierTicket {
        let ticket = self.0.recv_timeout(PATIENCE).expect("a request for the second tier");
        assert_eq!(ticket.kind(), kind);
        ticket
    }

    fn expect_none(&self) {
        assert!(self.0.try_recv().is_err(), "nothing is asked of the second tier");
    }
}

fn with_memory(tier: &Arc<MemoryTier>) -> EngineBuilder {
    let tier = tier.clone() as Arc<dyn SecondTierStore>;
    test_engine().hooks(|hooks| hooks.second_tier = Some((tier, LEASES)))
}

fn with_manual(abilities: TierAbilities) -> (EngineBuilder, TierRequests) {
    let (sender, requests) = channel();
    let tier = Arc::new(ManualTier(Mutex::new(sender))) as Arc<dyn SecondTierStore>;
    (test_engine().hooks(|hooks| hooks.second_tier = Some((tier, abilities))), TierRequests(requests))
}

/// The bytes of an entry without a TTL, as an engine writes it.
fn entry_of(key: &str, text: &str) -> Vec<u8> {
    kvlight::tier::entry::TierEntry { value: Some(text.as_bytes()), is_object: false, ttl_ms: None, load_ms: 0, identity: [0; 12] }
        .encode(key.as_bytes())
}

fn hit(ticket: &TierTicket, key: &str, text: &str) -> Status {
    ticket.hit(0, &entry_of(key, text), TtlLeft::Never, b"seen").expect("the key is in the request")
}

#[test]
fn t02_an_entry_that_was_written_with_a_ttl_expires_whatever_its_store_says() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let entry = kvlight::tier::entry::TierEntry { value: Some(b"v"), is_object: false, ttl_ms: Some(70), load_ms: 0, identity: [0; 12] };
    for (key, left) in [("never", TtlLeft::Never), ("unknown", TtlLeft::Unknown), ("longer", TtlLeft::Millis(90))] {
        let waiter = engine.fetch(key);
        let read = tier.next(TierRequestKind::Read);
        assert_eq!(read.hit(0, &entry.encode(key.as_bytes()), left, b""), Ok(Status::OK));
        assert_eq!((waiter.outcome().ttl_left_ms, read.finish()), (70, Status::OK), "{left:?}");
    }
    engine.free();
}

#[test]
fn t02_what_one_engine_loaded_another_finds() {
    let tier = Arc::new(MemoryTier::default());
    let (first, second) = (with_memory(&tier).echo().start(), with_memory(&tier).start());
    let outcome = first.fetch("k").outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("k!".into(), Source::Provider));
    tier.until_it_has("k");
    let outcome = second.fetch("k").outcome();
    assert_eq!((text_of(&outcome), outcome.source, outcome.attempts), ("k!".into(), Source::SecondTier, 0));
    assert_eq!((second.calls(), second.lookup("k").as_str()), (0, "k!"), "the hit is in the store now");
    assert_eq!(second.stats().tasks.tier_hits, 1);
    first.free();
    second.free();
}

#[test]
fn t02_a_hit_lives_for_what_is_left_of_its_ttl() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(read.hit(0, &entry_of("k", "v"), TtlLeft::Millis(70), b""), Ok(Status::OK));
    assert_eq!((waiter.outcome().ttl_left_ms, read.finish()), (70, Status::OK));
    engine.advance(69);
    assert_eq!(engine.peek("k"), "v");
    engine.advance(1);
    assert_eq!(engine.peek("k"), "MISS");
    engine.free();
}

#[test]
fn t02_the_jitter_of_ttls_only_shortens_what_is_left_of_one() {
    for (left, jitter, shortest) in [(1_000, 100, 800), (1_000, 5_000, 333), (1, 5_000, 1), (2, 1, 1)] {
        let (builder, tier) = with_manual(PLAIN);
        let engine = builder.with(|settings| settings.cache.ttl_jitter_ms = jitter).start();
        for nth in 0..40 {
            let key = format!("k{nth}");
            let waiter = engine.fetch(&key);
            let read = tier.next(TierRequestKind::Read);
            assert_eq!(read.hit(0, &entry_of(&key, "v"), TtlLeft::Millis(left), b""), Ok(Status::OK));
            let ttl_left = waiter.outcome().ttl_left_ms;
            assert!((shortest..=left as i64).contains(&ttl_left), "{ttl_left} of {left}, with {jitter}");
            assert_eq!(read.finish(), Status::OK);
        }
        engine.free();
    }
}

#[test]
fn t01_after_a_miss_a_failure_or_damage_the_provider_is_asked() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| settings.second_tier.break_after = 0).echo().start();
    type Fails = fn(TierTicket);
    let ways: [(&str, Fails); 6] = [
        ("miss", |read| assert_eq!(read.miss(0, &[]), Ok(Status::OK))),
        ("fail", |read| assert_eq!(read.fail(0), Ok(Status::OK))),
        ("finish", |read| assert_eq!(read.finish(), Status::OK)),
        ("drop", drop),
        ("damage", |read| assert_eq!(read.hit(0, b"what is this", TtlLeft::Never, b"x"), Ok(Status::OK))),
        ("expired", |read| assert_eq!(read.hit(0, &entry_of("expired", "v"), TtlLeft::Millis(0), b"x"), Ok(Status::OK))),
    ];
    for (key, answer) in ways {
        let waiter = engine.fetch(key);
        answer(tier.next(TierRequestKind::Read));
        let outcome = waiter.outcome();
        assert_eq!((text_of(&outcome), outcome.source), (format!("{key}!"), Source::Provider));
        // If the second tier answered and has no valid entry, it is filled.
        if ["miss", "damage", "expired"].contains(&key) {
            assert_eq!(tier.next(TierRequestKind::Fill).finish(), Status::OK);
        }
    }
    tier.expect_none();
    let counts = engine.stats().tasks;
    assert_eq!((counts.tier_misses, counts.tier_errors, counts.tier_damaged, counts.tier_fills), (1, 3, 2, 3));
    engine.free();
}

#[test]
fn t01_a_look_that_takes_too_long_is_a_miss_and_its_late_answer_changes_nothing() {
    let (builder, tier) = with_manual(LEASES);
    let engine = builder.start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    engine.advance(49);
    assert!(engine.request_now().is_none());
    engine.advance(1);
    let request = engine.request();
    assert_eq!(hit(&read, "k", "late"), Status::LATE);
    assert_eq!(read.finish(), Status::OK);
    request.answer_all();
    assert_eq!((waiter.text(), engine.lookup("k")), ("k!".into(), "k!".into()));
    tier.expect_none();
    assert_eq!(engine.stats().tasks.tier_timeouts, 1);
    engine.free();
}

#[test]
fn t15_callers_have_their_answer_before_it_is_filled() {
    let (builder, tier) = with_manual(LEASES);
    let engine = builder.echo().start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(read.miss(0, b"lease"), Ok(Status::OK));
    assert_eq!(waiter.text(), "k!");
    let fill = tier.next(TierRequestKind::Fill);
    let entry = fill.entry(0).expect("an entry");
    assert_eq!((entry.token, entry.ttl_ms), (&b"lease"[..], None));
    assert_eq!(fill.refused(0), Ok(Status::OK));
    assert_eq!(fill.finish(), Status::OK);
    assert_eq!(engine.stats().tasks.tier_fills_refused, 1);
    drop(read);
    engine.free();
}

#[test]
fn t03_without_a_lease_nothing_is_filled() {
    let (builder, tier) = with_manual(LEASES);
    let engine = builder.echo().start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    assert_eq!((read.miss(0, &[]), read.finish()), (Ok(Status::OK), Status::OK));
    assert_eq!(waiter.text(), "k!");
    tier.expect_none();
    engine.free();
}

#[test]
fn t10_a_lease_of_a_lookup_that_was_overtaken_or_is_not_waited_for_is_late_and_fills_nothing() {
    let (builder, tier) = with_manual(LEASES);
    let engine = builder.echo().start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(engine.core.invalidate([&b"k"[..]].into_iter(), Outdated::Removed), Ok(()));
    assert_eq!((read.miss(0, b"lease"), read.finish()), (Ok(Status::LATE), Status::OK));
    assert_eq!(waiter.text(), "k!");
    let waiter = engine.fetch("l");
    let read = tier.next(TierRequestKind::Read);
    waiter.cancel();
    assert_eq!((read.miss(0, b"lease"), read.finish()), (Ok(Status::LATE), Status::OK));
    tier.expect_none();
    engine.free();
}

#[test]
fn t03_f08_an_older_load_never_replaces_a_newer_write_in_any_process() {
    for write in ["put", "remove"] {
        let tier = Arc::new(MemoryTier::default());
        let (loads, writes) = (with_memory(&tier).start(), with_memory(&tier).start());
        let waiter = loads.fetch("k");
        let old = loads.request();
        if write == "put" {
            assert_eq!(writes.put("k", "new"), Status::OK);
        } else {
            writes.remove("k");
        }
        assert_eq!(writes.core.sync_second_tier(None), Ok(true));
        old.answer("k", "old");
        assert_eq!(waiter.text(), "old", "a fetch from before the write may receive the older value");
        until("the fill was refused", || loads.stats().tasks.tier_fills_refused == 1);
        assert_eq!(tier.has("k"), write == "put");
        // Once the process that loaded is notified of the write, it does not keep the old value either.
        assert_eq!(loads.core.invalidate([&b"k"[..]].into_iter(), kvlight::engine::invalidate::Outdated::Removed), Ok(()));
        let waiter = loads.fetch("k");
        if write == "put" {
            assert_eq!(waiter.text(), "new");
        } else {
            loads.request().answer_all();
            assert_eq!(waiter.text(), "k!");
        }
        loads.free();
        writes.free();
    }
}

#[test]
fn t02_f06_those_who_join_a_look_receive_what_it_finds() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let (first, second) = (engine.fetch("k"), engine.fetch("k"));
    let batch = engine.fetch_all(&["k", "other"]);
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(hit(&read, "k", "v"), Status::OK);
    assert_eq!(tier.next(TierRequestKind::Read).hit(0, &entry_of("other", "w"), TtlLeft::Unknown, b""), Ok(Status::OK));
    assert_eq!([first.text(), second.text()], ["v", "v"]);
    assert_eq!(batch.batch(), (vec!["v".into(), "w".into()], "OK".into()));
    engine.free();
}

#[test]
fn t01_the_misses_of_one_call_are_one_request() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| settings.tasks.batch_max_keys = 20).start();
    engine.put("b", "here");
    assert_eq!(tier.next(TierRequestKind::Write).finish(), Status::OK);
    let waiter = engine.fetch_all(&["a", "b", "c", "a", "d"]);
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(read.keys().iter().collect::<Vec<_>>(), [b"a", b"c", b"d"]);
    assert_eq!(read.hit(1, &entry_of("c", "found"), TtlLeft::Never, b""), Ok(Status::OK));
    assert_eq!(read.finish(), Status::OK);
    let request = engine.request();
    assert_eq!(request.keys(), ["a", "d"], "the keys that were not found are one request, too");
    request.answer_all();
    assert_eq!(waiter.batch().0, ["a!", "here", "found", "a!", "d!"]);
    engine.free();
}

#[test]
fn t02_f09_a_cancel_ends_a_look_without_affecting_others() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let (alone, leaves, stays) = (engine.fetch("alone"), engine.fetch("shared"), engine.fetch("shared"));
    let reads = [tier.next(TierRequestKind::Read), tier.next(TierRequestKind::Read)];
    alone.cancel();
    leaves.cancel();
    assert_eq!([alone.text(), leaves.text()], ["ERR_CANCELLED", "ERR_CANCELLED"]);
    for read in &reads {
        let key = String::from_utf8_lossy(read.keys().get(0).expect("a key")).into_owned();
        assert_eq!(hit(read, &key, "v"), Status::OK);
    }
    assert_eq!(stays.text(), "v");
    assert_eq!((engine.lookup("alone"), engine.calls()), ("MISS".into(), 0), "nobody wanted it any more");
    engine.free();
}

#[test]
fn t02_f08_a_put_settles_a_look_and_is_not_replaced_by_it() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(engine.put("k", "put"), Status::OK);
    let outcome = waiter.outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("put".into(), Source::Put));
    assert_eq!(hit(&read, "k", "old"), Status::OK);
    assert_eq!(engine.lookup("k"), "put");
    engine.free();
}

#[test]
fn t02_f08_what_a_look_finds_after_a_removal_is_outdated() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.echo().start();
    let removals: [(&str, fn(&EngineFixture)); 3] = [
        ("removed", |engine| assert_eq!(engine.remove("removed"), Status::MISS)),
        ("told", |engine| {
            let outdated = kvlight::engine::invalidate::Outdated::Removed;
            assert_eq!(engine.core.invalidate([&b"told"[..]].into_iter(), outdated), Ok(()));
        }),
        ("cleared", |engine| assert_eq!(engine.core.clear(), Ok(()))),
    ];
    for (key, remove) in removals {
        let waiter = engine.fetch(key);
        let read = tier.next(TierRequestKind::Read);
        remove(&engine);
        if key != "told" {
            assert_eq!(tier.next(if key == "removed" { TierRequestKind::Remove } else { TierRequestKind::Clear }).finish(), Status::OK);
        }
        assert_eq!(hit(&read, key, "old"), Status::OK);
        assert_eq!((waiter.text(), engine.lookup(key)), (format!("{key}!"), format!("{key}!")));
    }
    assert_eq!(engine.stats().tasks.tier_outdated, 3);
    tier.expect_none();
    engine.free();
}

#[test]
fn t02_l05_a_close_settles_looks() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let waiter = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    let closed = engine.close(None);
    assert_eq!(waiter.text(), "ERR_CLOSED");
    expect_closed(&closed);
    assert_eq!(hit(&read, "k", "v"), Status::ERR_CLOSED);
    assert_eq!(read.finish(), Status::ERR_CLOSED);
    engine.free();
}

#[test]
fn t07_l05_a_drain_writes_what_waits() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    engine.put("a", "1");
    let write = tier.next(TierRequestKind::Write);
    engine.put("b", "2");
    let closed = engine.close(Some(None));
    assert!(closed.try_recv().is_err(), "the drain waits for both writes");
    assert_eq!(write.finish(), Status::OK);
    drop(write);
    let write = tier.next(TierRequestKind::Write);
    assert_eq!(write.keys().iter().collect::<Vec<_>>(), [b"b"]);
    assert_eq!(write.finish(), Status::OK);
    drop(write);
    expect_closed(&closed);
    engine.free();
}

#[test]
fn l05_l05b_a_removal_while_an_engine_closes_does_not_keep_it_from_ending() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let waiter = engine.fetch("k");
    assert_eq!(tier.next(TierRequestKind::Read).finish(), Status::OK);
    let request = engine.request();
    let closed = engine.close(None);
    assert_eq!(waiter.text(), "ERR_CLOSED");
    assert_eq!((engine.remove("k"), engine.core.clear()), (Status::MISS, Ok(())));
    request.finish();
    drop(request);
    expect_closed(&closed);
    tier.expect_none();
    engine.free();
}

#[test]
fn l05_t07_a_removal_after_the_end_of_a_drain_is_not_passed_on_and_a_sync_says_so() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    expect_closed(&engine.close(Some(None)));
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    assert_eq!(engine.remove("k"), Status::MISS);
    tier.expect_none();
    assert_eq!(engine.core.sync_second_tier(Some(PATIENCE)), Err(Status::ERR_CLOSED));
    engine.free();
}

#[test]
fn t06_a_key_is_neither_looked_up_nor_filled_until_its_write_has_arrived() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.echo().start();
    assert_eq!(engine.remove("k"), Status::MISS);
    let remove = tier.next(TierRequestKind::Remove);
    let outcome = engine.fetch("k").outcome();
    assert_eq!(outcome.source, Source::Provider);
    tier.expect_none();
    assert_eq!(remove.finish(), Status::OK);
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    assert_eq!(engine.stats().tasks.tier_bypassed, 1);
    tier.expect_none();
    engine.free();
}

#[test]
fn t07_writes_of_a_key_arrive_in_order_and_those_in_between_are_left_out() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    engine.put("k", "1");
    let first = tier.next(TierRequestKind::Write);
    engine.put("k", "2");
    engine.remove("k");
    engine.put("k", "3");
    tier.expect_none();
    assert_eq!(first.finish(), Status::OK);
    let second = tier.next(TierRequestKind::Write);
    let text =
        kvlight::tier::entry::TierEntry::decode(b"k", second.entry(0).expect("an entry").data).map(|entry| entry.value.map(<[u8]>::to_vec));
    assert_eq!(text, Ok(Some(b"3".to_vec())));
    assert_eq!(second.finish(), Status::OK);
    assert_eq!(engine.core.sync_second_tier(Some(Duration::ZERO)), Ok(true));
    tier.expect_none();
    assert_eq!(engine.stats().tasks.tier_writes, 2);
    engine.free();
}

#[test]
fn t07_what_could_not_be_written_is_written_again() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    engine.put("a", "1");
    let write = tier.next(TierRequestKind::Write);
    engine.put("b", "2");
    assert_eq!(write.fail(0), Ok(Status::OK));
    assert_eq!(write.finish(), Status::OK);
    assert_eq!(engine.core.sync_second_tier(Some(Duration::ZERO)), Ok(false));
    tier.expect_none();
    engine.advance(1_000);
    let again = tier.next(TierRequestKind::Write);
    assert_eq!(again.keys().iter().collect::<Vec<_>>(), [b"a", b"b"], "the oldest first");
    drop(again);
    engine.advance(1_000);
    let again = tier.next(TierRequestKind::Write);
    assert_eq!(again.finish(), Status::OK, "a request that was dropped has failed");
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    assert_eq!(engine.stats().tasks.tier_write_errors, 3);
    engine.free();
}

#[test]
fn t07_a_sync_says_if_something_was_given_up() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    engine.put("k", "v");
    let write = tier.next(TierRequestKind::Write);
    let core = engine.core.clone();
    let waits = std::thread::spawn(move || core.sync_second_tier(None));
    let closed = engine.close(None);
    assert_eq!(waits.join().expect("no panic"), Err(Status::ERR_CLOSED));
    drop(write);
    expect_closed(&closed);
    engine.free();
}

#[test]
fn t12_more_writes_than_can_wait_clear_everything() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| settings.second_tier.pending_keys = 2).echo().start();
    engine.put("a", "1");
    let write = tier.next(TierRequestKind::Write);
    engine.put("b", "2");
    engine.put("c", "3");
    assert_eq!(engine.stats().tasks.tier_overflows, 1);
    assert_eq!(engine.fetch("d").outcome().source, Source::Provider, "nothing is looked up before the clear");
    assert_eq!(write.finish(), Status::OK);
    let clear = tier.next(TierRequestKind::Clear);
    assert!(clear.keys().is_empty());
    assert_eq!(clear.finish(), Status::OK);
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    tier.expect_none();
    engine.free();
}

#[test]
fn t12_a_value_without_room_is_removed_instead() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| (settings.second_tier.max_value, settings.second_tier.pending_bytes) = (4, 6)).start();
    engine.put("long", "12345");
    let remove = tier.next(TierRequestKind::Remove);
    engine.put("a", "1234");
    engine.put("b", "1234");
    assert_eq!(remove.finish(), Status::OK);
    assert_eq!(tier.next(TierRequestKind::Write).finish(), Status::OK);
    assert_eq!(tier.next(TierRequestKind::Remove).finish(), Status::OK);
    engine.free();
}

#[test]
fn t02_nulls_are_shared_and_tagged_entries_and_objects_are_not() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    let waiter = engine.fetch("null");
    assert_eq!(tier.next(TierRequestKind::Read).miss(0, &[]), Ok(Status::OK));
    engine.request().answer_null("null");
    assert_eq!(waiter.text(), "NULL");
    let fill = tier.next(TierRequestKind::Fill);
    let data = fill.entry(0).expect("an entry").data.to_vec();
    assert_eq!(fill.entry(0).expect("an entry").ttl_ms, Some(60_000), "the TTL of nulls");
    assert_eq!(fill.finish(), Status::OK);
    engine.core.invalidate_all(kvlight::engine::invalidate::Outdated::Removed).expect("open");
    let waiter = engine.fetch("null");
    assert_eq!(tier.next(TierRequestKind::Read).hit(0, &data, TtlLeft::Unknown, b""), Ok(Status::OK));
    let outcome = waiter.outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("NULL".into(), Source::SecondTier));

    let labels = Labels::new(b"", [&b"tag"[..]].into_iter()).expect("valid");
    let terms = StoreTerms { labels, ..StoreTerms::default() };
    let entry = NewEntry { terms, ..NewEntry::new(value("v")) };
    assert_eq!(engine.core.put(b"tagged", entry, None, &mut Departures::new()), Ok(Status::OK));
    assert_eq!(tier.next(TierRequestKind::Remove).finish(), Status::OK, "the entry in the second tier is outdated");
    let drops = DropLog::new();
    assert_eq!(engine.put_answer("object", drops.value()), Status::OK);
    assert_eq!(tier.next(TierRequestKind::Remove).finish(), Status::OK);
    tier.expect_none();
    engine.free();
}

#[test]
fn t02_a_refresh_loads_whatever_a_look_finds_and_replaces_it() {
    let (builder, tier) = with_manual(LEASES);
    let engine = builder.start();
    engine.refresh(&["k"]).expect("open");
    let read = tier.next(TierRequestKind::Read);
    let joined = engine.fetch("k");
    assert_eq!(hit(&read, "k", "old"), Status::OK);
    engine.request().answer("k", "new");
    assert_eq!(joined.text(), "new");
    let fill = tier.next(TierRequestKind::Fill);
    assert_eq!(fill.entry(0).expect("an entry").token, b"seen");
    assert_eq!(fill.finish(), Status::OK);
    // A fetch with `read` = `refresh` joins a lookup in the second tier.
    engine.remove("k");
    assert_eq!(tier.next(TierRequestKind::Remove).finish(), Status::OK);
    let normal = engine.fetch("k");
    let read = tier.next(TierRequestKind::Read);
    let forced = engine.fetch_with("k", |settings| settings.read = ReadMode::Refresh);
    assert_eq!(hit(&read, "k", "old"), Status::OK);
    engine.request().answer("k", "newer");
    assert_eq!([normal.text(), forced.text()], ["newer", "newer"]);
    engine.free();
}

#[test]
fn t02_a_fetch_that_does_not_store_finds_and_fills_nothing_new() {
    let (builder, tier) = with_manual(LEASES);
    let engine = builder.echo().start();
    let waiter = engine.fetch_with("k", |settings| settings.read = ReadMode::NoStore);
    assert_eq!(tier.next(TierRequestKind::Read).miss(0, b"lease"), Ok(Status::OK));
    assert_eq!((waiter.text(), engine.lookup("k")), ("k!".into(), "MISS".into()));
    let waiter = engine.fetch_with("k", |settings| settings.read = ReadMode::NoStore);
    assert_eq!(hit(&tier.next(TierRequestKind::Read), "k", "v"), Status::OK);
    assert_eq!((waiter.text(), engine.lookup("k")), ("v".into(), "MISS".into()));
    tier.expect_none();
    engine.free();
}

#[test]
fn t01_a_second_tier_that_keeps_failing_is_left_alone_for_a_while() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| settings.second_tier.break_after = 2).echo().start();
    for key in ["a", "b"] {
        let waiter = engine.fetch(key);
        drop(tier.next(TierRequestKind::Read));
        assert_eq!(waiter.text(), format!("{key}!"));
    }
    assert_eq!(engine.fetch("c").text(), "c!");
    tier.expect_none();
    assert_eq!((engine.stats().tasks.tier_opened, engine.stats().gauges.tier_avoided), (1, 1));
    engine.advance(1_000);
    let probe = engine.fetch("d");
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(engine.fetch("e").text(), "e!", "one request decides");
    assert_eq!(read.miss(0, &[]), Ok(Status::OK));
    assert_eq!((read.finish(), probe.text()), (Status::OK, "d!".into()));
    assert_eq!(tier.next(TierRequestKind::Fill).finish(), Status::OK);
    assert_eq!(engine.stats().gauges.tier_avoided, 0);
    engine.free();
}

#[test]
fn t12_a_bounded_number_of_requests_read_at_a_time() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| settings.second_tier.max_requests = 1).start();
    let first = engine.fetch("a");
    let read = tier.next(TierRequestKind::Read);
    let (second, third) = (engine.fetch("b"), engine.fetch("c"));
    tier.expect_none();
    assert_eq!(hit(&read, "a", "1"), Status::OK);
    assert_eq!(read.finish(), Status::OK);
    let read = tier.next(TierRequestKind::Read);
    assert_eq!(read.keys().iter().collect::<Vec<_>>(), [b"b", b"c"], "the keys that waited are one request");
    assert_eq!(first.text(), "1");
    // A request that takes too long still counts towards the limit, and keys that wait for a request go to the provider.
    let fourth = engine.fetch("d");
    engine.advance(50);
    for _ in 0..3 {
        engine.request().answer_all();
    }
    assert_eq!([second.text(), third.text(), fourth.text()], ["b!", "c!", "d!"]);
    engine.free();
}

#[test]
fn t01_r07_an_open_breaker_of_the_provider_does_not_keep_keys_from_a_look() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.start();
    engine.core.force_breaker(kvlight::task::breaker::BreakerOverride::Open).expect("open");
    let found = engine.fetch("found");
    assert_eq!(hit(&tier.next(TierRequestKind::Read), "found", "v"), Status::OK);
    assert_eq!(found.text(), "v");
    let missed = engine.fetch("missed");
    assert_eq!(tier.next(TierRequestKind::Read).miss(0, &[]), Ok(Status::OK));
    assert_eq!(missed.text(), "ERR_UNAVAILABLE");
    engine.free();
}

#[test]
fn t05_what_others_wrote_and_what_the_store_lost_is_not_passed_on() {
    let tier = Arc::new(MemoryTier::default());
    let engine = with_memory(&tier).with(|settings| settings.cache.capacity = 2).start();
    for key in ["a", "b", "c"] {
        engine.put(key, "v");
    }
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    assert!(tier.has("a"), "an eviction here removes nothing there");
    tier.take_log();
    engine.core.trim_to(0).expect("open");
    engine.core.invalidate_all(kvlight::engine::invalidate::Outdated::Expired).expect("open");
    engine.core.invalidate([&b"a"[..]].into_iter(), kvlight::engine::invalidate::Outdated::Removed).expect("open");
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    assert_eq!(tier.take_log(), Vec::<String>::new());
    assert_eq!(engine.fetch("a").outcome().source, Source::SecondTier);
    assert_eq!(engine.core.clear(), Ok(()));
    assert_eq!(engine.core.sync_second_tier(None), Ok(true));
    assert!(!tier.has("a"), "a clear is meant for everybody");
    engine.free();
}

#[test]
fn t01_an_outage_of_the_second_tier_fails_no_call() {
    let tier = Arc::new(MemoryTier::default());
    let engine = with_memory(&tier).echo().start();
    tier.is_down.store(true, Ordering::SeqCst);
    for nth in 0..20 {
        let key = format!("k{nth}");
        assert_eq!(engine.fetch(&key).text(), format!("{key}!"));
        engine.put(&key, "put");
    }
    tier.is_down.store(false, Ordering::SeqCst);
    until("everything is written", || {
        engine.advance(30_000);
        engine.core.sync_second_tier(Some(Duration::from_millis(50))) == Ok(true)
    });
    engine.free();
}

#[test]
fn t01_very_many_keys_are_looked_up_in_requests_of_a_bounded_size() {
    let tier = Arc::new(MemoryTier::default());
    let (first, second) = (with_memory(&tier), with_memory(&tier));
    let grown = |builder: EngineBuilder| {
        builder.with(|settings| {
            (settings.tasks.batch_max_keys, settings.cache.capacity, settings.second_tier.timeout) = (100, 10_000, None);
        })
    };
    let (first, second) = (grown(first).echo().start(), grown(second).start());
    let names: Vec<String> = (0..2_000).map(|nth| format!("k{nth}")).collect();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let expected: Vec<String> = names.iter().map(|name| format!("{name}!")).collect();
    assert_eq!(first.fetch_all(&keys).batch().0, expected);
    until("all are filled", || first.stats().tasks.tier_fills == 2_000);
    assert_eq!(second.fetch_all(&keys).batch().0, expected);
    assert_eq!((second.calls(), second.stats().tasks.tier_hits), (0, 2_000));
    first.free();
    second.free();
}

#[test]
fn t02_an_answer_that_is_not_stored_is_not_filled() {
    let (builder, tier) = with_manual(PLAIN);
    let engine = builder.with(|settings| settings.cache.ttl_ms = Some(0)).start();
    let waiter = engine.fetch("k");
    assert_eq!(tier.next(TierRequestKind::Read).miss(0, &[]), Ok(Status::OK));
    let request = engine.request();
    assert_eq!(
        request.0.resolve(0, Answer::Null, StoreTerms { ttl: Some(kvlight::base::Ttl::DoNotStore), ..StoreTerms::default() }),
        Status::OK
    );
    assert_eq!(waiter.text(), "NULL");
    tier.expect_none();
    request.finish();
    engine.free();
}
