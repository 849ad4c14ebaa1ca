//! A cache in a file (rule S18): a load restores what was saved, and a file that is not a saved cache is refused and does no harm.

use kvlight::base::config::{CacheSettings, Settings};
use kvlight::base::{Answer, Clock, Millis, Object, Status, StoreTerms, Ttl, Value};
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::cache::Lookup;
use kvlight::engine::saving::Transfer;
use kvlight::engine::{Core, Plan};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A test's own folder, which is deleted at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("saved-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("cache.kvl")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder exists");
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cache_of(cache: CacheSettings) -> Arc<Core> {
    let settings = Settings { cache, ..Settings::default() };
    Core::cache(Plan { settings, clock: Some(Clock::manual(Millis(5_000))), ..Plan::default() }).expect("a cache")
}

fn cache_for(capacity: u64) -> Arc<Core> {
    cache_of(CacheSettings { capacity, ..CacheSettings::default() })
}

fn bytes(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

fn put(core: &Core, key: &str, answer: Answer, terms: StoreTerms) -> Status {
    core.put(key.as_bytes(), NewEntry { terms, ..NewEntry::new(answer) }, None, &mut Departures::new()).expect("an open cache")
}

fn put_text(core: &Core, key: &str, text: &str) {
    assert_eq!(put(core, key, bytes(text), StoreTerms::default()), Status::OK);
}

fn text_of(core: &Core, key: &str) -> Option<String> {
    match core.get(key.as_bytes()).expect("an open cache") {
        Lookup::Value(value) => Some(String::from_utf8_lossy(value.as_bytes().expect("bytes")).into_owned()),
        Lookup::Null => Some("null".into()),
        _ => None,
    }
}

fn save(core: &Core, path: &Path) -> Result<Transfer, Status> {
    let mut done = Transfer::default();
    core.save(path, &mut done, &mut |_| true).map_err(|error| error.status())?;
    Ok(done)
}

fn load(core: &Core, path: &Path) -> (Transfer, Status) {
    let mut done = Transfer::default();
    let result = core.load(path, &mut done, &mut |_| true);
    (done, result.map_or_else(|error| error.status(), |()| Status::OK))
}

/// Removes all values in the order in which they would be evicted, and returns them.
fn eviction_order(core: &Core) -> Vec<String> {
    let next = || match core.pop().expect("an open cache") {
        Lookup::Value(value) => Some(String::from_utf8_lossy(value.as_bytes().expect("bytes")).into_owned()),
        _ => None,
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn s18_a_saved_cache_loads_with_its_ttls_costs_priorities_and_order() {
    let (folder, core) = (Folder::new(), cache_for(100));
    let terms = StoreTerms { ttl: Some(Ttl::of_ms(8_000)), priority: Some(2.5), cost: Some(700), ..StoreTerms::default() };
    put(&core, "a", bytes("a"), terms);
    put(&core, "b", bytes("b"), StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() });
    put(&core, "c", bytes("c"), StoreTerms::default());
    put(&core, "none", Answer::Null, StoreTerms { priority: Some(9.0), ..StoreTerms::default() });
    assert_eq!(text_of(&core, "b").as_deref(), Some("b"), "used last");
    let saved = save(&core, &folder.file()).expect("the file is written");
    assert_eq!((saved.entries, saved.skipped, saved.total), (4, 0, 4));
    assert_eq!(saved.bytes, fs::metadata(folder.file()).expect("the file exists").len());
    assert_eq!(folder.names(), ["cache.kvl"]);

    // The default TTL of the second cache has jitter, but a saved entry keeps its own expiry, to the millisecond.
    let other = cache_of(CacheSettings { ttl_ms: Some(60_000), ttl_jitter_ms: 10_000, ..CacheSettings::default() });
    let (done, status) = load(&other, &folder.file());
    assert_eq!((done, status), (saved, Status::OK));
    let hit = |key: &str| other.peek(key.as_bytes()).expect("open").expect("resident");
    assert_eq!((other.ttl_left_ms(&hit("a")), other.ttl_left_ms(&hit("b"))), (8_000, -1));
    assert_eq!(hit("a").cost, core.peek(b"a").expect("open").expect("resident").cost);
    assert_eq!(text_of(&other, "none").as_deref(), Some("null"));
    other.remove(b"none").expect("open");
    assert_eq!(eviction_order(&other), ["c", "b", "a"], "by priority, then by use");
}

#[test]
fn s18_the_remaining_ttl_is_saved_and_expired_entries_are_not() {
    let clock = Clock::manual(Millis(0));
    let folder = Folder::new();
    let core = Core::cache(Plan { clock: Some(clock.clone()), ..Plan::default() }).expect("a cache");
    for (key, ttl) in [("short", 10), ("long", 1_000)] {
        put(&core, key, bytes(key), StoreTerms { ttl: Some(Ttl::of_ms(ttl)), ..StoreTerms::default() });
    }
    if let Clock::Manual(manual) = &clock {
        manual.advance(300);
    }
    assert_eq!(save(&core, &folder.file()).expect("the file is written").entries, 1);
    let other = cache_for(10);
    assert_eq!(load(&other, &folder.file()).1, Status::OK);
    let hit = other.peek(b"long").expect("open").expect("resident");
    assert_eq!((other.ttl_left_ms(&hit), text_of(&other, "short")), (700, None));
}

#[test]
fn s18_many_entries_in_many_shards_are_all_restored_and_nearly_in_order() {
    const MANY: usize = 20_000;
    let (folder, core) = (Folder::new(), cache_of(CacheSettings { capacity: 40_000, shards: Some(16), ..CacheSettings::default() }));
    (0..MANY).for_each(|number| put_text(&core, &format!("key {number}"), &number.to_string()));
    let mut calls = 0;
    let mut done = Transfer::default();
    core.save(&folder.file(), &mut done, &mut |_| {
        calls += 1;
        true
    })
    .expect("the file is written");
    assert!(done.entries == MANY as u64 && calls > 1, "{done:?} in {calls} blocks");
    let same = cache_of(CacheSettings { capacity: 40_000, shards: Some(1), ..CacheSettings::default() });
    assert_eq!(load(&same, &folder.file()).1, Status::OK);
    assert!((0..MANY).all(|number| text_of(&same, &format!("key {number}")) == Some(number.to_string())));
    // If there is room for half, the most recently used entries stay; not all of them, since each shard knows only its own order.
    let small = cache_of(CacheSettings { capacity: MANY as u64 / 2, shards: Some(1), ..CacheSettings::default() });
    let (done, status) = load(&small, &folder.file());
    assert_eq!((done.entries, status, small.len()), (MANY as u64, Status::OK, MANY as u64 / 2));
    let right = (MANY / 2..MANY).filter(|number| text_of(&small, &format!("key {number}")).is_some()).count();
    assert!(right > MANY / 2 * 95 / 100, "{right} of {}", MANY / 2);
}

#[test]
fn s18_unchanged_entries_are_saved_while_other_threads_use_and_change_the_cache() {
    const KEPT: usize = 10_000;
    for shards in [1, 8] {
        let (folder, core) =
            (Folder::new(), cache_of(CacheSettings { capacity: 100_000, shards: Some(shards), ..CacheSettings::default() }));
        (0..KEPT).for_each(|number| put_text(&core, &format!("kept {number}"), "v"));
        let stop = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    text_of(&core, &format!("kept {}", turn * 7 % KEPT));
                    put_text(&core, &format!("other {}", turn % 5_000), "v");
                    core.remove(format!("other {}", turn * 3 % 5_000).as_bytes()).expect("open");
                }
            });
            for _ in 0..3 {
                save(&core, &folder.file()).expect("the file is written");
            }
            stop.store(true, Ordering::Relaxed);
        });
        let other = cache_for(100_000);
        assert_eq!(load(&other, &folder.file()).1, Status::OK);
        let missing = (0..KEPT).filter(|number| text_of(&other, &format!("kept {number}")).is_none()).count();
        assert_eq!(missing, 0, "shards: {shards}");
    }
}

#[test]
fn s18_entries_of_the_cache_are_kept_over_those_of_the_file() {
    let (folder, core) = (Folder::new(), cache_for(10));
    ["a", "b"].iter().for_each(|key| put_text(&core, key, "old"));
    save(&core, &folder.file()).expect("the file is written");
    put_text(&core, "a", "new");
    core.remove(b"b").expect("open");
    let (done, status) = load(&core, &folder.file());
    assert_eq!((done.entries, done.skipped, status), (1, 1, Status::OK));
    assert_eq!((text_of(&core, "a"), text_of(&core, "b")), (Some("new".into()), Some("old".into())));
}

#[test]
fn s18_objects_are_skipped_and_counted() {
    let (folder, core) = (Folder::new(), cache_for(10));
    let object = Value::object(Object::new(std::ptr::dangling_mut::<u64>().cast(), None), 8);
    put(&core, "object", Answer::Value(object), StoreTerms::default());
    put_text(&core, "text", "value");
    let saved = save(&core, &folder.file()).expect("the file is written");
    assert_eq!((saved.entries, saved.skipped, saved.total), (1, 1, 2));
    assert_eq!(load(&cache_for(10), &folder.file()), (Transfer { skipped: 0, total: 1, ..saved }, Status::OK));
}

#[test]
fn s18_a_truncated_file_is_distinguished_from_a_damaged_one() {
    let (folder, core) = (Folder::new(), cache_for(10));
    ["a", "b", "c"].iter().for_each(|key| put_text(&core, key, "value"));
    save(&core, &folder.file()).expect("the file is written");
    let whole = fs::read(folder.file()).expect("the file exists");
    let status_of = |bytes: &[u8]| {
        fs::write(folder.file(), bytes).expect("it can be written");
        let core = cache_for(10);
        let (done, status) = load(&core, &folder.file());
        assert_eq!(core.len(), done.entries);
        (status, done.entries)
    };
    for length in 0..whole.len() {
        let (status, entries) = status_of(&whole[..length]);
        // If only the end marker is cut, the block before it is complete.
        let expected = if length + kvlight::cache::saved::BLOCK_HEAD >= whole.len() { 3 } else { 0 };
        assert_eq!((status, entries), (Status::ERR_TRUNCATED, expected), "cut off after {length}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let (status, entries) = status_of(&damaged);
        let is_damaged = status == Status::ERR_CORRUPT || (status == Status::ERR_FILE_VERSION && (8..12).contains(&at));
        assert!(is_damaged && (entries == 0 || at + kvlight::cache::saved::BLOCK_HEAD >= whole.len()), "byte {at}: {status:?}, {entries}");
    }
    assert_eq!(status_of(&[&whole[..], b"x"].concat()), (Status::ERR_CORRUPT, 3), "data behind the end");
    assert_eq!(status_of(b"not a cache at all, but long enough for one"), (Status::ERR_CORRUPT, 0));
    assert_eq!(status_of(&whole), (Status::OK, 3));
}

#[test]
fn s18_a_failed_save_keeps_the_previous_file_and_leaves_no_other() {
    let (folder, core) = (Folder::new(), cache_for(100_000));
    put_text(&core, "a", "first");
    save(&core, &folder.file()).expect("the file is written");
    let before = fs::read(folder.file()).expect("the file exists");
    (0..50_000).for_each(|number| put_text(&core, &format!("key {number}"), "value"));
    let mut done = Transfer::default();
    let stopped = core.save(&folder.file(), &mut done, &mut |done| done.entries < 20_000);
    assert_eq!(stopped.map_err(|error| error.status()), Err(Status::ERR_CANCELLED));
    assert!((20_000..40_000).contains(&done.entries) && done.total == 50_001, "{done:?}");
    assert_eq!(fs::read(folder.file()).expect("the file exists"), before);
    assert_eq!(folder.names(), ["cache.kvl"]);
    assert_eq!(save(&core, &folder.0.join("no/such/folder")), Err(Status::ERR_IO));
    assert_eq!(load(&core, &folder.0.join("none")).1, Status::ERR_IO);
    assert_eq!(load(&core, &folder.0).1, Status::ERR_IO, "a folder");

    // A load that is stopped keeps the entries that it has stored.
    save(&core, &folder.file()).expect("the file is written");
    let (other, mut done) = (cache_for(100_000), Transfer::default());
    let stopped = other.load(&folder.file(), &mut done, &mut |_| false);
    assert_eq!(stopped.map_err(|error| error.status()), Err(Status::ERR_CANCELLED));
    assert!(done.entries > 0 && done.entries < 50_001 && other.len() == done.entries);
}

#[test]
fn s18_a_file_name_may_be_as_long_as_the_file_system_allows() {
    let (folder, core) = (Folder::new(), cache_for(10));
    put_text(&core, "a", "value");
    let longest = "n".repeat(255);
    save(&core, &folder.0.join(&longest)).expect("a name of 255 bytes");
    assert_eq!(folder.names(), std::slice::from_ref(&longest));
    assert_eq!(save(&core, &folder.0.join(longest + "n")), Err(Status::ERR_IO));
    assert_eq!(folder.names().len(), 1, "no other file");
}

#[cfg(unix)]
#[test]
fn s18_a_save_follows_links_and_replaces_nothing_but_a_file() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let (folder, core) = (Folder::new(), cache_for(10));
    put_text(&core, "a", "value");
    let (real, link, far) = (folder.0.join("real"), folder.0.join("link"), folder.0.join("far"));
    fs::create_dir(&real).expect("a folder");
    symlink("real/cache.kvl", &link).expect("a link to no file yet");
    symlink(&link, &far).expect("a link to the link");
    for name in [&link, &far] {
        save(&core, name).expect("through the links");
        assert!(link.is_symlink() && far.is_symlink(), "the links stay");
        assert_eq!(load(&cache_for(10), &real.join("cache.kvl")).1, Status::OK);
        fs::remove_file(real.join("cache.kvl")).expect("the file is where the links point");
    }
    let (one, other) = (folder.0.join("one"), folder.0.join("other"));
    symlink(&one, &other).expect("half of a loop");
    symlink(&other, &one).expect("the other half");
    assert_eq!(save(&core, &one), Err(Status::ERR_IO), "a loop of links");

    let socket = folder.0.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    assert_eq!(save(&core, &socket), Err(Status::ERR_IO));
    assert!(fs::metadata(&socket).expect("it is still there").file_type().is_socket());
    assert_eq!(save(&core, &real), Err(Status::ERR_IO), "a folder");
    assert_eq!(folder.names().len(), 6, "no other file: {:?}", folder.names());
}

#[test]
fn s18_objects_are_saved_in_the_encoding_of_the_program() {
    let (folder, core) = (Folder::new(), cache_for(10));
    let object = |number: usize| Answer::Value(Value::object(Object::new(number as *mut _, None), 8));
    put(&core, "seven", object(7), StoreTerms { ttl: Some(Ttl::of_ms(900)), priority: Some(1.5), ..StoreTerms::default() });
    put(&core, "eight", object(8), StoreTerms::default());
    put_text(&core, "text", "as it is");
    put(&core, "none", Answer::Null, StoreTerms::default());
    let mut done = Transfer::default();
    core.save_encoded(&folder.file(), &mut done, &mut |_| true, &mut |key, value| {
        (key != b"eight").then(|| Value::bytes(format!("object {:?}", value.as_object().expect("an object")).as_bytes()).expect("memory"))
    })
    .expect("it is written");
    assert_eq!((done.entries, done.skipped), (3, 1), "one was skipped");

    let other = cache_for(10);
    let mut seen = Vec::new();
    other
        .load_decoded(&folder.file(), &mut done, &mut |_| true, &mut |key, bytes| {
            seen.push((String::from_utf8_lossy(key).into_owned(), String::from_utf8_lossy(bytes).into_owned()));
            Some(object(70))
        })
        .expect("it is read");
    assert_eq!((done.entries, done.skipped), (3, 0));
    assert_eq!(seen, [("seven".into(), "object 0x7".to_owned())], "bytes and nulls are not decoded");
    let hit = other.peek(b"seven").expect("open").expect("resident");
    assert_eq!((other.ttl_left_ms(&hit), hit.answer.value().and_then(Value::as_object)), (900, Some(70 as *mut _)));
    assert_eq!((text_of(&other, "none").as_deref(), text_of(&other, "text").as_deref()), (Some("null"), Some("as it is")));
    let plain = cache_for(10);
    assert_eq!((load(&plain, &folder.file()).0.skipped, plain.len()), (1, 2), "an encoded object is not loaded as bytes");
}
