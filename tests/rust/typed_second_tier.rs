//! A second tier of a Rust program, which two engines share.

use kvlight::{SharedEntry, Tasks, TierError, TierFound, TierStore, TtlLeft, WantedKey};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// The token, and the entry with its TTL in milliseconds; `None`: a lease.
type Row = (Vec<u8>, Option<(Vec<u8>, Option<u64>)>);

/// A store in memory that grants leases, and accepts a fill only with the token of the lease.
#[derive(Clone, Default)]
struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rows: Mutex<HashMap<Vec<u8>, Row>>,
    last: AtomicU64,
    is_down: AtomicBool,
    answers_too_few: AtomicBool,
    panics: AtomicBool,
}

impl Memory {
    fn check(&self) -> Result<(), TierError> {
        assert!(!self.0.panics.load(Ordering::SeqCst), "a second tier that panics");
        if self.0.is_down.load(Ordering::SeqCst) { Err("the store is down".into()) } else { Ok(()) }
    }

    fn token(&self) -> Vec<u8> {
        self.0.last.fetch_add(1, Ordering::SeqCst).to_le_bytes().to_vec()
    }

    fn has_entry(&self, key: &str) -> bool {
        self.0.rows.lock().expect("no panic").get(key.as_bytes()).is_some_and(|(_, entry)| entry.is_some())
    }

    fn keep(&self, entry: &SharedEntry<'_>) {
        let row = (self.token(), Some((entry.data.to_vec(), entry.ttl_ms)));
        self.0.rows.lock().expect("no panic").insert(entry.key.to_vec(), row);
    }
}

impl TierStore for Memory {
    fn is_conditional(&self) -> bool {
        true
    }

    fn grants_leases(&self) -> bool {
        true
    }

    fn read(&self, keys: &[WantedKey<'_>]) -> Result<Vec<TierFound>, TierError> {
        self.check()?;
        if self.0.answers_too_few.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let mut rows = self.0.rows.lock().expect("no panic");
        let look = |wanted: &WantedKey<'_>| match rows.get(wanted.key) {
            Some((token, Some((data, ttl)))) => {
                TierFound::Hit { data: data.clone(), ttl_left: ttl.map_or(TtlLeft::Never, TtlLeft::Millis), token: token.clone() }
            }
            Some((_, None)) if !wanted.may_take_lease => TierFound::Leased,
            _ => {
                let token = self.token();
                rows.insert(wanted.key.to_vec(), (token.clone(), None));
                TierFound::Vacant { token }
            }
        };
        Ok(keys.iter().map(look).collect())
    }

    fn fill(&self, entries: &[SharedEntry<'_>]) -> Result<Vec<bool>, TierError> {
        self.check()?;
        let fill = |entry: &SharedEntry<'_>| {
            let is_leased = self.0.rows.lock().expect("no panic").get(entry.key).is_some_and(|(token, _)| token == entry.token);
            if is_leased {
                self.keep(entry);
            }
            is_leased
        };
        Ok(entries.iter().map(fill).collect())
    }

    fn write(&self, entries: &[SharedEntry<'_>]) -> Result<(), TierError> {
        self.check()?;
        entries.iter().for_each(|entry| self.keep(entry));
        Ok(())
    }

    fn remove(&self, keys: &[&[u8]]) -> Result<(), TierError> {
        self.check()?;
        keys.iter().for_each(|key| drop(self.0.rows.lock().expect("no panic").remove(*key)));
        Ok(())
    }

    fn clear(&self) -> Result<(), TierError> {
        self.check()?;
        self.0.rows.lock().expect("no panic").clear();
        Ok(())
    }
}

/// An engine over the store. Its provider makes a value of every key but "nothing". The value "secret" cannot be turned into bytes, nor the
/// bytes "lost" into a value; with "panics going out" and "panics coming in" the function panics.
fn engine(tier: &Memory, loads: &Arc<AtomicUsize>, prefix: &'static str) -> Tasks<String, String> {
    let loads = loads.clone();
    Tasks::builder()
        .set("cache.ttl_ms", 600_000)
        .set("l2.timeout_ms", 60_000)
        .load(move |keys: &[String]| {
            loads.fetch_add(keys.len(), Ordering::SeqCst);
            let row = |key: &String| (key != "nothing").then(|| (key.clone(), format!("{prefix} {key}")));
            Ok::<_, std::io::Error>(keys.iter().filter_map(row).collect())
        })
        .second_tier(
            tier.clone(),
            |value: &String| {
                assert_ne!(value, "panics going out");
                (value != "secret").then(|| value.as_bytes().to_vec())
            },
            |bytes| {
                assert_ne!(bytes, b"panics coming in");
                String::from_utf8(bytes.to_vec()).ok().filter(|text| text != "lost")
            },
        )
        .build()
        .expect("an engine")
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("this did not happen: {what}");
}

fn text(tasks: &Tasks<String, String>, key: &str) -> Option<String> {
    tasks.fetch_wait(key).expect("an answer").as_deref().cloned()
}

#[test]
fn t02_one_engine_finds_what_another_has_loaded_and_put() {
    let (tier, loads) = (Memory::default(), Arc::default());
    let (a, b) = (engine(&tier, &loads, "a"), engine(&tier, &loads, "b"));
    assert_eq!(text(&a, "x").as_deref(), Some("a x"));
    eventually("x is filled", || tier.has_entry("x"));
    assert_eq!(text(&b, "x").as_deref(), Some("a x"), "b finds it");
    assert_eq!(text(&a, "nothing"), None);
    eventually("an absence is filled too", || tier.has_entry("nothing"));
    assert_eq!(text(&b, "nothing"), None);
    assert_eq!(loads.load(Ordering::SeqCst), 2);
    assert!(a.cache().put("x", "put".to_owned()).expect("an open engine"));
    assert!(a.sync_second_tier(PATIENCE).expect("an open engine"));
    b.invalidate(["x"]).expect("an open engine");
    assert_eq!(text(&b, "x").as_deref(), Some("put"));
    a.cache().remove("x");
    assert!(a.sync_second_tier(PATIENCE).expect("an open engine"));
    assert!(!tier.has_entry("x"));
    a.cache().clear();
    assert!(a.sync_second_tier(PATIENCE).expect("an open engine"));
    assert!(!tier.has_entry("nothing"));
}

#[test]
fn t13_a_value_without_bytes_is_not_shared_and_bytes_without_a_value_are_no_entry() {
    let (tier, loads) = (Memory::default(), Arc::default());
    let (a, b) = (engine(&tier, &loads, "a"), engine(&tier, &loads, "b"));
    assert!(a.cache().put("x", "public".to_owned()).expect("an open engine"));
    assert!(a.cache().put("y", "lost".to_owned()).expect("an open engine"));
    assert!(a.sync_second_tier(PATIENCE).expect("an open engine"));
    assert!(a.cache().put("x", "secret".to_owned()).expect("an open engine"));
    assert!(a.sync_second_tier(PATIENCE).expect("an open engine"));
    assert!(!tier.has_entry("x") && tier.has_entry("y"), "the older value of x has left the second tier");
    assert_eq!(text(&a, "x").as_deref(), Some("secret"));
    assert_eq!(text(&b, "x").as_deref(), Some("b x"));
    assert_eq!(text(&b, "y").as_deref(), Some("b y"), "no value can be made of its bytes");
}

#[test]
fn t11_a_panic_for_one_value_concerns_no_other_key() {
    let (tier, loads) = (Memory::default(), Arc::default());
    let (a, b) = (engine(&tier, &loads, "a"), engine(&tier, &loads, "b"));
    for (key, value) in [("x", "panics going out"), ("y", "panics coming in"), ("z", "fine")] {
        assert!(a.cache().put(key, value.to_owned()).expect("an open engine"));
    }
    assert!(a.sync_second_tier(PATIENCE).expect("an open engine"));
    assert!(!tier.has_entry("x") && tier.has_entry("y") && tier.has_entry("z"));
    let found = b.fetch_all_wait(["x", "y", "z"]).expect("answers");
    let found: Vec<Option<String>> = found.into_iter().map(|value| value.expect("a value").as_deref().cloned()).collect();
    assert_eq!(found, [Some("b x".to_owned()), Some("b y".to_owned()), Some("fine".to_owned())]);
    assert_eq!(loads.load(Ordering::SeqCst), 2);
}

#[test]
fn t01_whatever_a_second_tier_does_wrong_is_a_miss() {
    let (tier, loads) = (Memory::default(), Arc::default());
    let a = engine(&tier, &loads, "a");
    for (nth, fault) in [&tier.0.is_down, &tier.0.answers_too_few, &tier.0.panics].into_iter().enumerate() {
        fault.store(true, Ordering::SeqCst);
        assert_eq!(text(&a, &format!("x{nth}")), Some(format!("a x{nth}")));
        fault.store(false, Ordering::SeqCst);
    }
    tier.0.is_down.store(true, Ordering::SeqCst);
    assert!(a.cache().put("y", "put".to_owned()).expect("an open engine"));
    tier.0.is_down.store(false, Ordering::SeqCst);
    eventually("what could not be written is written again", || tier.has_entry("y"));
}

#[test]
fn t07_l05a_a_drain_writes_what_waits_for_the_second_tier() {
    let (tier, loads) = (Memory::default(), Arc::default());
    let a = engine(&tier, &loads, "a");
    for number in 0..100 {
        assert!(a.cache().put(&format!("k{number}"), "put".to_owned()).expect("an open engine"));
    }
    a.drain(Duration::MAX);
    assert!((0..100).all(|number| tier.has_entry(&format!("k{number}"))));
}
