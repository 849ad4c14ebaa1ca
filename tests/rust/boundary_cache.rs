//! Caches, readers and runtimes at the C boundary: calls with mistaken arguments (NULL, lengths larger than any memory) and with handles from
//! before a fork (rules L06, L09). Also the statistics of a program with an older, smaller struct (rule S12), and lookups of many keys.

use kvlight::ffi::*;
use std::ffi::{CStr, c_void};
use std::mem::offset_of;
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

const HUGE: [usize; 3] = [usize::MAX, isize::MAX as usize, isize::MAX as usize / 2 + 1];

fn status(raw: kvl_status_t) -> &'static str {
    // SAFETY: static text, never NULL.
    unsafe { CStr::from_ptr(kvl_status_name(raw)) }.to_str().expect("names are ASCII")
}

/// Checks that a call returns this status.
macro_rules! answers {
    ($status:literal, $call:expr) => {{
        // SAFETY: pointers are NULL, or valid as the header demands.
        let answer = unsafe { $call };
        assert_eq!(status(answer), concat!("KVL_", $status), "{}", stringify!($call));
    }};
}

/// A pointer that is not NULL. An output that starts with it shows whether a call has set it to NULL.
fn dirty<T>() -> *mut T {
    NonNull::<u64>::dangling().as_ptr().cast()
}

unsafe extern "C-unwind" fn count(user_data: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the call.
    unsafe { (*user_data.cast::<AtomicU32>()).fetch_add(1, Ordering::Relaxed) };
}

unsafe extern "C-unwind" fn removed(user_data: *mut c_void, _: *const kvl_result_t, _: kvl_cause_t) {
    // SAFETY: the tests pass a counter that outlives the call.
    unsafe { count(user_data) };
}

const KEY: *const u8 = c"key".as_ptr().cast();
const NEVER: i64 = KVL_TTL_NEVER;

fn terms(ttl_ms: i64, priority: f64, cost: i64) -> kvl_terms_t {
    let (version, tags) = (null(), null());
    let struct_size = size_of::<kvl_terms_t>();
    kvl_terms_t { struct_size, ttl_ms, priority, cost, flags: 0, reserved: 0, stale_ttl_ms: 0, version, version_len: 0, tags, tags_len: 0 }
}

fn new_cache(runtime: *mut kvl_runtime_t) -> *mut kvl_cache_t {
    let (mut config, mut cache) = (null_mut(), null_mut());
    answers!("OK", kvl_config_new(&mut config));
    answers!("OK", kvl_config_set_runtime(config, runtime));
    answers!("OK", kvl_cache_new(config, &mut cache, null_mut()));
    // SAFETY: a live handle, released once.
    unsafe { kvl_config_free(config) };
    cache
}

/// A cache with an entry under "key".
fn cache_with_key() -> *mut kvl_cache_t {
    let cache = new_cache(null_mut());
    answers!("OK", kvl_cache_put_bytes(cache, KEY, 3, c"value".as_ptr().cast(), 5, &terms(NEVER, 0.0, KVL_COST_DEFAULT)));
    cache
}

fn stats_of(cache: *mut kvl_cache_t) -> kvl_stats_t {
    let mut stats = kvl_stats_t::default();
    answers!("OK", kvl_cache_stats(cache, &mut stats, size_of::<kvl_stats_t>()));
    stats
}

/// Every row of the table of statistics in api/api.json is in both text forms.
#[test]
fn s12_every_statistic_is_a_value_in_json_and_a_sample_in_openmetrics() {
    let cache = cache_with_key();
    let text = |write: unsafe extern "C" fn(*mut kvl_cache_t, *mut *mut kvl_value_t) -> kvl_status_t| {
        let (mut value, mut len) = (null_mut(), 0);
        // SAFETY: a live handle; the value is read before it is released.
        unsafe {
            assert_eq!(status(write(cache, &mut value)), "KVL_OK");
            let bytes = std::slice::from_raw_parts(kvl_value_data(value, &mut len), len);
            let text = String::from_utf8_lossy(bytes).into_owned();
            kvl_value_release(value);
            text
        }
    };
    let json: serde_json::Value = serde_json::from_str(&text(kvl_cache_stats_json)).expect("valid JSON");
    let metrics = text(kvl_cache_stats_openmetrics);
    let api = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/api/api.json")).expect("api/api.json is committed");
    let api: serde_json::Value = serde_json::from_str(&api).expect("valid JSON");
    let rows = api["statistics"].as_array().expect("a list");
    assert!(rows.len() > 45, "the rows were read: {}", rows.len());
    for row in rows {
        let word = |key: &str| row[key].as_str().expect("a row has this text");
        assert!(
            json.pointer(&format!("/{}", word("json").replace('.', "/"))).is_some_and(serde_json::Value::is_u64),
            "{} in {json}",
            word("json")
        );
        let labels = word("label").split_once('=').map_or_else(String::new, |(name, value)| format!("{{{name}=\"{value}\"}}"));
        let sample = format!("\n{}{labels} ", word("openmetrics"));
        assert_eq!(metrics.matches(&sample).count(), 1, "{sample} in {metrics}");
    }
    // SAFETY: a live handle, released once.
    unsafe { kvl_cache_release(cache) };
}

#[test]
fn l09_a_new_cache_needs_a_configuration_and_an_output() {
    let (mut cache, mut error) = (dirty::<kvl_cache_t>(), dirty::<kvl_error_t>());
    answers!("ERR_NULL_POINTER", kvl_cache_new(null(), &mut cache, &mut error));
    assert!(cache.is_null());
    // SAFETY: a live handle, released once.
    unsafe {
        assert_eq!(status(kvl_error_status(error)), "KVL_ERR_NULL_POINTER");
        kvl_error_release(error);
    }
    answers!("ERR_NULL_POINTER", kvl_cache_new(null(), &mut cache, null_mut()));
    let mut config = null_mut();
    answers!("OK", kvl_config_new(&mut config));
    answers!("ERR_NULL_POINTER", kvl_cache_new(config, null_mut(), null_mut()));
    error = dirty();
    answers!("OK", kvl_cache_new(config, &mut cache, &mut error));
    assert!(error.is_null() && !cache.is_null(), "out_error is NULL if there is no error");
    // SAFETY: live handles, each released once.
    unsafe {
        kvl_config_free(config);
        kvl_cache_release(cache);
    }
}

#[test]
fn l09_lookups_refuse_null_and_set_their_outputs() {
    let cache = cache_with_key();
    let (mut buf, mut len) = ([7_u8; 8], 99);
    for (no_cache, key, key_len, wanted) in [
        (true, KEY, 3, "KVL_ERR_NULL_POINTER"),
        (false, null(), 1, "KVL_ERR_NULL_POINTER"),
        (false, KEY, 65_536, "KVL_ERR_KEY_TOO_LONG"),
        (false, KEY, usize::MAX, "KVL_ERR_KEY_TOO_LONG"),
    ] {
        let cache = if no_cache { null_mut() } else { cache };
        let (mut got, mut peeked, mut taken) = (dirty::<kvl_value_t>(), dirty::<kvl_value_t>(), dirty::<kvl_value_t>());
        let (mut ttl, mut cost) = (77, 77);
        // SAFETY: pointers are NULL, or valid; the key is refused before it is read.
        let refused = unsafe {
            [
                kvl_cache_get(cache, key, key_len, &mut got),
                kvl_cache_get_into(cache, key, key_len, buf.as_mut_ptr(), 8, &mut len),
                kvl_cache_peek(cache, key, key_len, &mut peeked, &mut ttl, &mut cost),
                kvl_cache_contains(cache, key, key_len),
                kvl_cache_take(cache, key, key_len, &mut taken),
                kvl_cache_remove(cache, key, key_len),
                kvl_cache_put(cache, key, key_len, kvl_value_null(), null()),
                kvl_cache_put(cache, key, key_len, kvl_value_null(), &terms(NEVER, 0.0, 0)),
                kvl_cache_put_with_victims(cache, key, key_len, kvl_value_null(), &terms(NEVER, 0.0, 0), Some(removed), null_mut()),
                kvl_cache_put_bytes(cache, key, key_len, null(), 0, &terms(NEVER, 0.0, KVL_COST_DEFAULT)),
                kvl_cache_compare_put(cache, key, key_len, kvl_value_null(), kvl_value_null(), null()),
                kvl_cache_touch(cache, key, key_len, NEVER),
            ]
        };
        assert_eq!(refused.map(status), [wanted; 12]);
        assert!(got.is_null() && peeked.is_null() && taken.is_null());
        assert_eq!((ttl, cost, len, buf), (77, 77, 99, [7; 8]));
    }
    answers!("ERR_NULL_POINTER", kvl_cache_get(cache, KEY, 3, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_take(cache, KEY, 3, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_pop(cache, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_get_into(cache, KEY, 3, buf.as_mut_ptr(), 8, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_get_into(cache, KEY, 3, null_mut(), 8, &mut len));
    let mut popped = dirty::<kvl_value_t>();
    answers!("ERR_NULL_POINTER", kvl_cache_pop(null_mut(), &mut popped));
    assert!(popped.is_null());
    answers!("VALUE", kvl_cache_peek(cache, KEY, 3, null_mut(), null_mut(), null_mut()));
    let stats = stats_of(cache);
    assert_eq!((stats.hits, stats.misses, stats.inserts, stats.entries), (0, 0, 1, 1), "refused calls change nothing");
    // SAFETY: a live handle, released once.
    unsafe { kvl_cache_release(cache) };
}

#[test]
fn l09_lookups_of_several_keys_refuse_invalid_arrays() {
    let cache = cache_with_key();
    let keys = [kvl_slice_t { data: KEY, len: 3 }, kvl_slice_t { data: null(), len: 0 }];
    let (mut values, mut statuses) = ([dirty::<kvl_value_t>(); 2], [77; 2]);
    let (at, said) = (values.as_mut_ptr(), statuses.as_mut_ptr());
    answers!("ERR_NULL_POINTER", kvl_cache_get_many(null_mut(), keys.as_ptr(), 2, at, said));
    assert!(values.iter().all(|value| value.is_null()), "out handles are NULL after a failure");
    answers!("ERR_NULL_POINTER", kvl_cache_get_many(cache, null(), 2, at, said));
    answers!("ERR_NULL_POINTER", kvl_cache_get_many(cache, keys.as_ptr(), 2, null_mut(), said));
    answers!("ERR_NULL_POINTER", kvl_cache_get_many(cache, keys.as_ptr(), 2, at, null_mut()));
    for n in HUGE {
        answers!("ERR_INVALID_ARG", kvl_cache_get_many(cache, keys.as_ptr(), n, at, said));
    }
    let misaligned = said.cast::<u8>().wrapping_add(1).cast();
    answers!("ERR_INVALID_ARG", kvl_cache_get_many(cache, keys.as_ptr(), 2, at, misaligned));
    assert_eq!(statuses, [77; 2]);
    assert_eq!(stats_of(cache).misses, 0);
    answers!("OK", kvl_cache_get_many(cache, keys.as_ptr(), 2, values.as_mut_ptr(), statuses.as_mut_ptr()));
    assert_eq!(statuses.map(status), ["KVL_VALUE", "KVL_MISS"]);
    // SAFETY: live handles, each released once.
    unsafe {
        kvl_value_release_many(values.as_mut_ptr(), 2);
        kvl_cache_release(cache);
    }
}

unsafe extern "C-unwind" fn is_short(calls: *mut c_void, _: *const u8, key_len: usize) -> u32 {
    // SAFETY: the test passes a counter that outlives the cache.
    unsafe { count(calls) };
    u32::from(key_len < 3)
}

/// More keys than are prefetched at once: of all lengths below 40, which are compared in several ways, too long, absent, with a null, and
/// some twice.
#[test]
fn s01_s10_many_lookups_in_one_call_answer_each_key_as_a_single_one_would() {
    const MAX: usize = KVL_KEY_MAX as usize;
    let calls = AtomicU32::new(0);
    let with_validator = {
        let (mut config, mut cache) = (null_mut(), null_mut());
        answers!("OK", kvl_config_new(&mut config));
        answers!("OK", kvl_config_set_validator(config, Some(is_short), (&raw const calls).cast_mut().cast(), None));
        answers!("OK", kvl_cache_new(config, &mut cache, null_mut()));
        // SAFETY: a live handle, released once.
        unsafe { kvl_config_free(config) };
        cache
    };
    for (cache, validates) in [(new_cache(null_mut()), false), (with_validator, true)] {
        let long = vec![7; MAX + 1];
        let lens = (0..40).chain([2, 9, 16, 8, 0]).chain([MAX + 1, 17, 1]);
        let keys: Vec<_> = lens.map(|len| kvl_slice_t { data: long.as_ptr(), len }).collect();
        // Every third key is absent. Of the others, every fifth has a null.
        for len in (0..40).filter(|len| len % 3 != 2) {
            let (data, value) = (long.as_ptr(), kvl_value_null());
            // SAFETY: live handles, and bytes that outlive the calls.
            unsafe {
                match len % 5 {
                    4 => kvl_cache_put(cache, data, len, value, null()),
                    _ => kvl_cache_put_bytes(cache, data, len, data, len, null()),
                }
            };
        }
        calls.store(0, Ordering::Relaxed);
        let (mut values, mut statuses) = (vec![dirty::<kvl_value_t>(); keys.len()], vec![77; keys.len()]);
        answers!("OK", kvl_cache_get_many(cache, keys.as_ptr(), keys.len(), values.as_mut_ptr(), statuses.as_mut_ptr()));
        let asked = keys.iter().filter(|key| key.len <= MAX).count();
        assert_eq!(calls.load(Ordering::Relaxed) as usize, if validates { asked } else { 0 }, "once for each key that is not too long");
        for ((key, value), said) in keys.iter().zip(&values).zip(&statuses) {
            let mut single = null_mut();
            // SAFETY: a live handle, and as many bytes.
            let alone = unsafe { kvl_cache_get(cache, key.data, key.len, &mut single) };
            assert_eq!((status(*said), *value), (status(alone), single), "length {}", key.len);
            let expected = match key.len {
                len if len > MAX => "KVL_ERR_KEY_TOO_LONG",
                len if validates && len >= 3 => "KVL_INVALID_KEY",
                len if len % 3 == 2 => "KVL_MISS",
                len if len % 5 == 4 => "KVL_NULL",
                _ => "KVL_VALUE",
            };
            assert_eq!(status(*said), expected, "length {}", key.len);
            // SAFETY: a reference that this test holds, or NULL.
            unsafe { kvl_value_release(single) };
        }
        // SAFETY: live handles, each released once.
        unsafe {
            kvl_value_release_many(values.as_mut_ptr(), values.len());
            kvl_cache_release(cache);
        }
    }
}

#[test]
fn l09_puts_refuse_bad_terms_and_change_nothing() {
    let cache = cache_with_key();
    let null_value = kvl_value_null();
    answers!("ERR_NULL_POINTER", kvl_cache_put(cache, KEY, 3, null_mut(), null()));
    answers!("ERR_NULL_POINTER", kvl_cache_put(cache, KEY, 3, null_mut(), &terms(NEVER, 0.0, 0)));
    answers!("ERR_NULL_POINTER", kvl_cache_put_bytes(cache, KEY, 3, null(), 1, &terms(NEVER, 0.0, KVL_COST_DEFAULT)));
    answers!("ERR_NO_MEMORY", kvl_cache_put_bytes(cache, KEY, 3, KEY, usize::MAX, &terms(NEVER, 0.0, KVL_COST_DEFAULT)));
    for ttl in [-3, i64::MIN] {
        answers!("ERR_BAD_VALUE", kvl_cache_put(cache, KEY, 3, null_value, &terms(ttl, 0.0, 0)));
        answers!("ERR_BAD_VALUE", kvl_cache_put_bytes(cache, KEY, 3, null(), 0, &terms(ttl, 0.0, KVL_COST_DEFAULT)));
    }
    answers!("ERR_BAD_VALUE", kvl_cache_put(cache, KEY, 3, null_value, &terms(NEVER, f64::NAN, 0)));
    answers!("ERR_BAD_VALUE", kvl_cache_put_bytes(cache, KEY, 3, null(), 0, &terms(NEVER, f64::NAN, KVL_COST_DEFAULT)));
    for cost in [-2, i64::MIN] {
        answers!("ERR_BAD_VALUE", kvl_cache_put(cache, KEY, 3, null_value, &terms(NEVER, 0.0, cost)));
    }
    answers!("ERR_NO_CALLBACK", kvl_cache_put_with_victims(cache, KEY, 3, null_value, &terms(NEVER, 0.0, 0), None, null_mut()));
    answers!("VALUE", kvl_cache_contains(cache, KEY, 3));
    let stats = stats_of(cache);
    assert_eq!((stats.inserts, stats.removed_refused, stats.removed_replaced), (1, 0, 0));
    answers!("OK", kvl_cache_put(cache, KEY, 3, null_value, &terms(i64::MAX, f64::MAX, i64::MAX)));
    // SAFETY: a live handle, released once.
    unsafe { kvl_cache_release(cache) };
}

#[test]
fn l09_writes_refuse_null_and_sizes_accept_it() {
    let mut removed = 77;
    let mut text = dirty::<kvl_value_t>();
    answers!("ERR_NULL_POINTER", kvl_cache_remove_expired(null_mut(), &mut removed));
    answers!("ERR_NULL_POINTER", kvl_cache_trim(null_mut(), 0.5));
    answers!("ERR_NULL_POINTER", kvl_cache_trim_to(null_mut(), 1));
    answers!("ERR_NULL_POINTER", kvl_cache_clear(null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_resize(null_mut(), 1, -1));
    answers!("ERR_NULL_POINTER", kvl_cache_stats_reset(null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_stats_json(null_mut(), &mut text));
    assert!(text.is_null());
    text = dirty();
    answers!("ERR_NULL_POINTER", kvl_cache_stats_openmetrics(null_mut(), &mut text));
    assert!(text.is_null() && removed == 77);
    let cache = new_cache(null_mut());
    answers!("ERR_NULL_POINTER", kvl_cache_stats_json(cache, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_cache_stats_openmetrics(cache, null_mut()));
    for ratio in [-f64::MIN_POSITIVE, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        answers!("ERR_INVALID_ARG", kvl_cache_trim(cache, ratio));
    }
    for limit in [-2, i64::MIN] {
        answers!("ERR_INVALID_ARG", kvl_cache_resize(cache, 1, limit));
    }
    // SAFETY: the header allows NULL; a live handle, released once.
    unsafe {
        assert_eq!(kvl_cache_capacity(cache), 1024);
        assert_eq!((kvl_cache_len(null()), kvl_cache_cost(null()), kvl_cache_capacity(null())), (0, 0, 0));
        assert_eq!((kvl_cache_cost_limit(null()), kvl_cache_max_cost(null())), (0, 0));
        assert!(kvl_cache_retain(null_mut()).is_null());
        kvl_cache_release(null_mut());
        kvl_cache_release(cache);
    }
}

#[test]
fn l09_readers_and_runtimes_refuse_null() {
    let (mut reader, mut data, mut len, mut object) = (dirty::<kvl_reader_t>(), null(), 77, dirty::<c_void>());
    answers!("ERR_NULL_POINTER", kvl_reader_new(null_mut(), &mut reader));
    assert!(reader.is_null());
    let cache = cache_with_key();
    answers!("ERR_NULL_POINTER", kvl_reader_new(cache, null_mut()));
    answers!("OK", kvl_reader_new(cache, &mut reader));
    answers!("ERR_NULL_POINTER", kvl_reader_get(null_mut(), KEY, 3, &mut data, &mut len, &mut object));
    answers!("ERR_NULL_POINTER", kvl_reader_get(reader, null(), 3, &mut data, &mut len, &mut object));
    answers!("ERR_NULL_POINTER", kvl_reader_get(reader, KEY, 3, null_mut(), &mut len, &mut object));
    answers!("ERR_NULL_POINTER", kvl_reader_get(reader, KEY, 3, &mut data, null_mut(), &mut object));
    answers!("ERR_KEY_TOO_LONG", kvl_reader_get(reader, KEY, usize::MAX, &mut data, &mut len, &mut object));
    assert!(data.is_null() && len == 77 && object == dirty());
    answers!("VALUE", kvl_reader_get(reader, KEY, 3, &mut data, &mut len, &mut object));
    assert!(!data.is_null() && len == 5 && object.is_null());
    answers!("ERR_NULL_POINTER", kvl_runtime_new(null_mut()));
    answers!("ERR_NULL_POINTER", kvl_config_set_runtime(null_mut(), null_mut()));
    answers!("OK", kvl_runtime_free(null_mut()));
    // SAFETY: the header allows NULL; live handles, each released once.
    unsafe {
        kvl_reader_done(null_mut());
        kvl_reader_free(null_mut());
        kvl_reader_free(reader);
        kvl_cache_release(cache);
    }
}

/// As in a program that was compiled with an earlier header: its struct is smaller, and other data follows it in memory.
#[test]
fn s12_fault39_statistics_never_overrun_a_smaller_struct() {
    let cache = cache_with_key();
    let full = size_of::<kvl_stats_t>();
    let hits_end = offset_of!(kvl_stats_t, hits) + size_of::<u64>();
    let mut value = dirty::<kvl_value_t>();
    answers!("VALUE", kvl_cache_get(cache, KEY, 3, &mut value));
    for (given, filled) in [(full, full), (full + 64, full), (hits_end, hits_end), (hits_end + 3, hits_end), (8, 8), (full - 1, full - 8)] {
        // In u64s, so that it is aligned like the struct of a program.
        let mut memory = vec![0xabab_abab_abab_abab_u64; full / 8 + 16];
        answers!("OK", kvl_cache_stats(cache, memory.as_mut_ptr().cast(), given));
        assert_eq!(memory[0], filled as u64, "struct_size is the number of bytes filled, given {given}");
        assert!(memory[filled / 8..].iter().all(|word| *word == 0xabab_abab_abab_abab), "overrun, given {given}");
        if filled >= hits_end {
            assert_eq!(memory[offset_of!(kvl_stats_t, hits) / 8], 1);
        }
    }
    let mut stats = kvl_stats_t { hits: 77, ..kvl_stats_t::default() };
    for size in [0, 1, size_of::<usize>() - 1] {
        answers!("ERR_INVALID_ARG", kvl_cache_stats(cache, &mut stats, size));
    }
    answers!("ERR_NULL_POINTER", kvl_cache_stats(cache, null_mut(), full));
    answers!("ERR_NULL_POINTER", kvl_cache_stats(null_mut(), &mut stats, full));
    answers!("ERR_INVALID_ARG", kvl_cache_stats(cache, (&raw mut stats).cast::<u8>().wrapping_add(1).cast(), full));
    assert_eq!((stats.struct_size, stats.hits), (0, 77));
    // SAFETY: live handles, each released once.
    unsafe {
        kvl_value_release(value);
        kvl_cache_release(cache);
    }
}

/// Runs `child` in a fork of this process. Returns whether it succeeded.
fn forked(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child calls only what the library allows after a fork, and exits without running code of the parent.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let succeeded = child();
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(i32::from(!succeeded)) };
    }
    let mut wait_status = -1;
    // SAFETY: a child of this process.
    assert_eq!(unsafe { libc::waitpid(pid, &mut wait_status, 0) }, pid);
    wait_status == 0
}

#[test]
fn l06_caches_readers_and_runtimes_from_before_a_fork_are_refused() {
    let ended = AtomicU32::new(0);
    let counter = std::ptr::from_ref(&ended).cast_mut().cast::<c_void>();
    let (mut runtime, mut config, mut cache, mut reader, mut value) = (null_mut(), null_mut(), null_mut(), null_mut(), null_mut());
    let (mut data, mut len, mut iterator) = (null(), 0, null_mut());
    answers!("OK", kvl_runtime_new(&mut runtime));
    answers!("OK", kvl_config_new(&mut config));
    answers!("OK", kvl_config_set_runtime(config, runtime));
    answers!("OK", kvl_config_set_removal_listener(config, Some(removed), counter, Some(count)));
    answers!("OK", kvl_cache_new(config, &mut cache, null_mut()));
    // A TTL of an hour: the timer's thread runs in the parent, and nothing is due.
    answers!("OK", kvl_cache_put_bytes(cache, KEY, 3, c"value".as_ptr().cast(), 5, &terms(3_600_000, 0.0, KVL_COST_DEFAULT)));
    answers!("OK", kvl_reader_new(cache, &mut reader));
    answers!("VALUE", kvl_reader_get(reader, KEY, 3, &mut data, &mut len, null_mut()));
    answers!("VALUE", kvl_cache_get(cache, KEY, 3, &mut value));
    answers!("OK", kvl_iterator_new(cache, &mut iterator));
    let err_forked = kvlight::base::Status::ERR_FORKED.0;
    // SAFETY: live handles; the child does not release those of the parent.
    let all_hold = forked(|| unsafe {
        let (mut out, mut place, mut other, mut error) = (dirty(), dirty(), dirty(), dirty());
        let (mut object, mut second_reader, mut second_iterator) = (dirty(), dirty(), dirty());
        let (mut data, mut len, mut stats, mut said) = (null(), 77, kvl_stats_t::default(), 77);
        let mut shown = std::mem::zeroed::<kvl_result_t>();
        let keys = kvl_slice_t { data: KEY, len: 3 };
        let refused = [
            kvl_cache_get(cache, KEY, 3, &mut out),
            kvl_cache_get_into(cache, KEY, 3, null_mut(), 0, &mut len),
            kvl_cache_get_many(cache, &keys, 1, &mut place, &mut said),
            kvl_cache_peek(cache, KEY, 3, null_mut(), null_mut(), null_mut()),
            kvl_cache_contains(cache, KEY, 3),
            lookup::kvl_cache_get_object(cache, KEY, 3, &mut object, &mut out),
            kvl_cache_take(cache, KEY, 3, &mut out),
            kvl_cache_pop(cache, &mut out),
            kvl_cache_put(cache, KEY, 3, kvl_value_null(), null()),
            kvl_cache_put_bytes(cache, KEY, 3, KEY, 3, null()),
            kvl_cache_put_with_victims(cache, KEY, 3, kvl_value_null(), null(), Some(removed), null_mut()),
            kvl_cache_compare_put(cache, KEY, 3, kvl_value_null(), kvl_value_null(), null()),
            kvl_cache_touch(cache, KEY, 3, NEVER),
            kvl_cache_remove(cache, KEY, 3),
            kvl_cache_remove_expired(cache, &mut len),
            tag::kvl_cache_remove_tag(cache, KEY, 3, &mut len),
            kvl_cache_expire(cache, KEY, 3),
            tag::kvl_cache_expire_tag(cache, KEY, 3, &mut len),
            tag::kvl_cache_expire_all(cache),
            kvl_cache_clear(cache),
            kvl_cache_trim(cache, 0.0),
            kvl_cache_trim_to(cache, 0),
            kvl_cache_resize(cache, 0, -1),
            kvl_cache_stats(cache, &mut stats, size_of::<kvl_stats_t>()),
            kvl_cache_stats_json(cache, &mut out),
            kvl_cache_stats_openmetrics(cache, &mut out),
            kvl_cache_stats_reset(cache),
            kvl_cache_save(cache, c"".as_ptr(), None, null_mut(), null_mut(), 0, null_mut()),
            kvl_cache_load(cache, c"".as_ptr(), None, null_mut(), null_mut(), 0, null_mut()),
            kvl_cache_save_encoded(cache, c"".as_ptr(), None, None, null_mut(), null_mut(), 0, null_mut()),
            kvl_cache_load_decoded(cache, c"".as_ptr(), None, None, null_mut(), null_mut(), 0, null_mut()),
            kvl_iterator_new(cache, &mut second_iterator),
            kvl_iterator_next(iterator, &mut shown, size_of::<kvl_result_t>()),
            kvl_reader_new(cache, &mut second_reader),
            kvl_cache_new(config, &mut other, &mut error),
            kvl_reader_get(reader, KEY, 3, &mut data, &mut len, null_mut()),
            kvl_config_set_runtime(config, runtime),
            kvl_runtime_free(runtime),
        ];
        kvl_error_release(error);
        let sizes = kvl_cache_len(cache) == 0 && kvl_cache_cost(cache) == 0 && kvl_cache_capacity(cache) == 0;
        let untouched = out.is_null() && place.is_null() && other.is_null() && len == 77 && said == 77 && stats.struct_size == 0;
        kvl_cache_release(kvl_cache_retain(cache));
        kvl_cache_release(cache);
        kvl_reader_done(reader);
        kvl_reader_free(reader);
        kvl_iterator_free(iterator);
        kvl_config_free(config);
        let frees_do_nothing = ended.load(Ordering::Relaxed) == 0;
        let readable = std::slice::from_raw_parts(kvl_value_data(value, null_mut()), 5) == b"value";
        // A cache that is created here works, with its own threads.
        let new = new_cache(null_mut());
        let works = kvl_cache_put_bytes(new, KEY, 3, null(), 0, &terms(3_600_000, 0.0, KVL_COST_DEFAULT)) == 0 && kvl_cache_len(new) == 1;
        kvl_cache_release(new);
        refused.iter().all(|status| *status == err_forked) && sizes && untouched && frees_do_nothing && readable && works
    });
    assert!(all_hold, "a handle of the parent worked in the child");
    answers!("VALUE", kvl_cache_contains(cache, KEY, 3));
    answers!("ERR_BUSY", kvl_runtime_free(runtime));
    // SAFETY: live handles, each released once.
    unsafe {
        kvl_iterator_free(iterator);
        kvl_config_free(config);
        kvl_cache_release(cache);
    }
    answers!("ERR_BUSY", kvl_runtime_free(runtime));
    // SAFETY: as above; the reader was the last holder of the cache.
    unsafe {
        kvl_reader_free(reader);
        kvl_value_release(value);
    }
    answers!("OK", kvl_runtime_free(runtime));
    assert_eq!(ended.load(Ordering::Relaxed), 1, "the user data was freed once, and the listener was not called for the end of the cache");
}
