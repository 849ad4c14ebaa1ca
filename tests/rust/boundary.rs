//! Values, errors, settings, clocks, slices, statuses and getters at the C boundary: calls with mistaken arguments (NULL, unknown flags, lengths
//! larger than any memory) and with handles from before a fork. Each call returns the status for its mistake and changes nothing (rules L06,
//! L09).
//!
//! No call here can cause a panic inside the guard; the tests in `src/ffi/guard.rs` and `src/base/panics.rs` do.

use kvlight::ffi::*;
use std::ffi::{CStr, CString, c_char, c_void};
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

fn counter(ended: &AtomicU32) -> *mut c_void {
    std::ptr::from_ref(ended).cast_mut().cast()
}

unsafe extern "C-unwind" fn accept_any_key(_: *mut c_void, _: *const u8, _: usize) -> u32 {
    1
}

#[test]
fn l09_values_refuse_null_and_lengths_larger_than_any_memory() {
    let (mut out, mut data) = (dirty::<kvl_value_t>(), dirty::<u8>());
    answers!("ERR_NULL_POINTER", kvl_value_new_bytes(c"x".as_ptr().cast(), 1, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_value_new_bytes(null(), 1, &mut out));
    assert!(out.is_null(), "an out handle is NULL after a failure");
    for len in HUGE {
        out = dirty();
        answers!("ERR_NO_MEMORY", kvl_value_new_bytes(c"x".as_ptr().cast(), len, &mut out));
        assert!(out.is_null());
        out = dirty();
        answers!("ERR_NO_MEMORY", kvl_value_new_space(len, &mut data, &mut out));
        assert!(out.is_null());
        assert_eq!(data, dirty(), "another output is untouched after a failure");
    }
    answers!("ERR_NULL_POINTER", kvl_value_new_space(1, null_mut(), &mut out));
    answers!("ERR_NULL_POINTER", kvl_value_new_space(1, &mut data, null_mut()));
    assert_eq!(data, dirty());
    out = dirty();
    answers!("ERR_NULL_POINTER", kvl_value_new_object(null_mut(), 0, Some(count), &mut out));
    assert!(out.is_null());
}

#[test]
fn l04_a_refused_call_destroys_its_arguments_once() {
    let ended = AtomicU32::new(0);
    let (given, mut out, mut error) = (counter(&ended), dirty::<kvl_value_t>(), dirty::<kvl_error_t>());
    let mut times = 0;
    let mut once_more = |what: &str| {
        times += 1;
        assert_eq!(ended.load(Ordering::Relaxed), times, "{what}");
    };
    answers!("ERR_NULL_POINTER", kvl_value_new_extern(null(), 1, given, Some(count), &mut out));
    once_more("extern, no bytes");
    answers!("ERR_NULL_POINTER", kvl_value_new_extern(null(), 0, given, Some(count), null_mut()));
    once_more("extern, no output");
    for len in HUGE {
        answers!("ERR_NO_MEMORY", kvl_value_new_extern(c"x".as_ptr().cast(), len, given, Some(count), &mut out));
        once_more("extern, no such length");
    }
    answers!("ERR_NULL_POINTER", kvl_value_new_object(given, 0, Some(count), null_mut()));
    once_more("object, no output");
    let mut queue = dirty::<kvl_queue_t>();
    answers!("OK", kvl_queue_new(0, &mut queue));
    answers!("ERR_INVALID_ARG", kvl_error_new_object(0, null(), 0, u32::MAX, queue, given, Some(count), &mut error));
    answers!("OK", kvl_queue_poll(queue, 9, 0, null_mut()));
    answers!("OK", kvl_queue_free(queue));
    once_more("error on a queue, unknown flags");
    answers!("ERR_INVALID_ARG", kvl_error_new_object(0, null(), 0, u32::MAX, null_mut(), given, Some(count), &mut error));
    once_more("error, unknown flags");
    answers!("ERR_NULL_POINTER", kvl_config_set_validator(null_mut(), Some(accept_any_key), given, Some(count)));
    once_more("validator, no configuration");
    answers!("ERR_NULL_POINTER", kvl_config_set_provider(null_mut(), None, given, Some(count)));
    once_more("provider, no configuration");
    answers!("ERR_NULL_POINTER", kvl_config_set_cost(null_mut(), None, given, Some(count)));
    once_more("cost, no configuration");
    answers!("ERR_NULL_POINTER", kvl_config_set_removal_listener(null_mut(), None, given, Some(count)));
    once_more("removal listener, no configuration");
    answers!("ERR_NULL_POINTER", kvl_config_set_record_listener(null_mut(), None, given, Some(count)));
    once_more("record listener, no configuration");
    assert!(out.is_null() && error.is_null());
}

#[test]
fn l09_getters_accept_null() {
    let mut len = 7;
    // SAFETY: the header allows NULL.
    unsafe {
        assert_eq!(kvl_value_kind(null()), 0);
        assert!(kvl_value_data(null(), &mut len).is_null() && len == 0);
        assert!(kvl_value_data(null(), null_mut()).is_null());
        assert!(kvl_value_object(null()).is_null());
        assert_eq!(kvl_value_cost(null()), 0);
        assert!(kvl_value_retain(null_mut()).is_null());
        kvl_value_release(null_mut());
        kvl_value_release_many(null_mut(), usize::MAX);
        assert_eq!(status(kvl_error_status(null())), "KVL_ERR_NULL_POINTER");
        assert_eq!(kvl_error_code(null()), 0);
        assert_eq!(CStr::from_ptr(kvl_error_message(null())), c"");
        assert!(kvl_error_object(null()).is_null());
        assert_eq!(kvl_error_is_permanent(null()), 0);
        assert!(kvl_error_retain(null_mut()).is_null());
        kvl_error_release(null_mut());
        assert_eq!(kvl_clock_now_ms(null()), 0);
        kvl_clock_release(null_mut());
        assert!(kvl_config_problem(null()).is_null());
        kvl_config_free(null_mut());
        assert!(kvl_options_problem(null()).is_null());
        assert_eq!(lookup::kvl_tasks_reads_store_first(null()), 0);
        kvl_options_free(null_mut());
        assert_eq!(kvl_queue_len(null()), 0);
    }
}

#[test]
fn l09_errors_refuse_unknown_flags_and_impossible_lengths() {
    let mut out = dirty::<kvl_error_t>();
    for flags in [4, 8, 1 << 31, u32::MAX] {
        answers!("ERR_INVALID_ARG", kvl_error_new(0, null(), 0, flags, &mut out));
        assert!(out.is_null());
        out = dirty();
    }
    answers!("ERR_NULL_POINTER", kvl_error_new(0, null(), 1, 0, &mut out));
    assert!(out.is_null());
    out = dirty();
    answers!("ERR_INVALID_ARG", kvl_error_new(0, c"x".as_ptr(), usize::MAX, 0, &mut out));
    assert!(out.is_null());
    answers!("ERR_NULL_POINTER", kvl_error_new(0, null(), 0, 0, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_error_new_object(0, null(), 0, 0, null_mut(), null_mut(), None, &mut out));
}

#[test]
fn l09_settings_refuse_null_and_describe_the_problem() {
    let (mut config, mut options) = (null_mut(), null_mut());
    answers!("ERR_NULL_POINTER", kvl_config_new(null_mut()));
    answers!("ERR_NULL_POINTER", kvl_options_new(null_mut()));
    answers!("OK", kvl_config_new(&mut config));
    answers!("OK", kvl_options_new(&mut options));
    let (key, one) = (c"timeout_ms".as_ptr(), c"1".as_ptr());
    answers!("ERR_NULL_POINTER", kvl_config_set(null_mut(), key, one));
    answers!("ERR_NULL_POINTER", kvl_config_set(config, null(), one));
    answers!("ERR_NULL_POINTER", kvl_config_set(config, key, null()));
    answers!("ERR_NULL_POINTER", kvl_config_set_int(null_mut(), key, 1));
    answers!("ERR_NULL_POINTER", kvl_config_set_int(config, null(), 1));
    answers!("ERR_NULL_POINTER", kvl_config_set_real(null_mut(), key, 1.0));
    answers!("ERR_NULL_POINTER", kvl_config_set_real(config, null(), 1.0));
    answers!("ERR_NULL_POINTER", kvl_config_set_clock(null_mut(), null_mut()));
    answers!("ERR_NULL_POINTER", kvl_options_set(null_mut(), key, one));
    answers!("ERR_NULL_POINTER", kvl_options_set(options, null(), one));
    answers!("ERR_NULL_POINTER", kvl_options_set(options, key, null()));
    answers!("ERR_NULL_POINTER", kvl_options_set_int(null_mut(), key, 1));
    answers!("ERR_NULL_POINTER", kvl_options_set_int(options, null(), 1));
    answers!("ERR_NULL_POINTER", kvl_options_set_real(null_mut(), key, 1.0));
    answers!("ERR_NULL_POINTER", kvl_options_set_real(options, null(), 1.0));
    answers!("ERR_NULL_POINTER", kvl_options_set_progress(null_mut(), None, 1));
    answers!("ERR_INVALID_ARG", kvl_options_set_progress(options, None, 0));

    let mut text = dirty::<kvl_value_t>();
    answers!("ERR_NULL_POINTER", kvl_config_get(config, key, null_mut()));
    answers!("ERR_NULL_POINTER", kvl_config_get(null(), key, &mut text));
    assert!(text.is_null());
    text = dirty();
    answers!("ERR_NULL_POINTER", kvl_config_get(config, null(), &mut text));
    assert!(text.is_null());
    text = dirty();
    answers!("ERR_UNKNOWN_KEY", kvl_config_get(config, c"".as_ptr(), &mut text));
    assert!(text.is_null());

    // SAFETY: live handles.
    unsafe { assert!(kvl_config_problem(config).is_null() && kvl_options_problem(options).is_null()) };
    let long = CString::new(vec![b'k'; 100_000]).expect("no NUL in it");
    answers!("ERR_UNKNOWN_KEY", kvl_config_set(config, long.as_ptr(), long.as_ptr()));
    answers!("ERR_BAD_VALUE", kvl_options_set(options, key, c"\xff\xfe".as_ptr()));
    answers!("ERR_BAD_VALUE", kvl_options_set_real(options, c"priority".as_ptr(), f64::NAN));
    // SAFETY: live handles, each released once.
    unsafe {
        let problem = kvl_options_problem(options);
        assert!(!problem.is_null() && !kvl_config_problem(config).is_null());
        assert!(CStr::from_ptr(problem).to_str().expect("UTF-8").contains("timeout_ms"));
        kvl_config_free(config);
        kvl_options_free(options);
    }
}

#[test]
fn s15_a_clock_refuses_to_move_back() {
    let mut clock = dirty();
    answers!("ERR_INVALID_ARG", kvl_clock_new_manual(i64::MIN, &mut clock));
    assert!(clock.is_null());
    answers!("ERR_NULL_POINTER", kvl_clock_new_manual(0, null_mut()));
    answers!("OK", kvl_clock_new_manual(5, &mut clock));
    answers!("ERR_INVALID_ARG", kvl_clock_advance(clock, i64::MIN));
    // SAFETY: a live handle, released once.
    unsafe {
        assert_eq!(kvl_clock_now_ms(clock), 5);
        kvl_clock_release(clock);
    }
}

#[test]
fn l09_slices_are_written_only_when_all_lengths_fit() {
    let (packed, lens) = (b"abc", [1_u32, 2]);
    let untouched = kvl_slice_t { data: dirty(), len: 99 };
    let mut slices = [untouched; 2];
    let place = slices.as_mut_ptr();
    answers!("ERR_NULL_POINTER", kvl_slices_unpack(null(), 3, lens.as_ptr(), 2, place));
    answers!("ERR_NULL_POINTER", kvl_slices_unpack(packed.as_ptr(), 3, null(), 2, place));
    answers!("ERR_NULL_POINTER", kvl_slices_unpack(packed.as_ptr(), 3, lens.as_ptr(), 2, null_mut()));
    answers!("ERR_INVALID_ARG", kvl_slices_unpack(packed.as_ptr(), 2, lens.as_ptr(), 2, place));
    answers!("ERR_INVALID_ARG", kvl_slices_unpack(packed.as_ptr(), 3, lens.as_ptr(), 1, place));
    answers!("ERR_INVALID_ARG", kvl_slices_unpack(packed.as_ptr(), 3, lens.as_ptr(), usize::MAX, place));
    answers!("ERR_INVALID_ARG", kvl_slices_unpack(packed.as_ptr(), 3, lens.as_ptr().cast::<u8>().wrapping_add(1).cast(), 2, place));
    assert!(slices.iter().all(|slice| slice.len == 99));
    answers!("OK", kvl_slices_unpack(null(), 0, null(), 0, null_mut()));
    answers!("OK", kvl_slices_unpack(packed.as_ptr(), 3, lens.as_ptr(), 2, slices.as_mut_ptr()));
    assert_eq!((slices[0].len, slices[1].len), (1, 2));
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
fn l06_handles_from_before_a_fork_are_refused_and_values_stay_readable() {
    let ended = AtomicU32::new(0);
    let (mut config, mut options, mut clock, mut value, mut error) = (null_mut(), null_mut(), null_mut(), null_mut(), null_mut());
    let key: *const c_char = c"timeout_ms".as_ptr();
    answers!("OK", kvl_config_new(&mut config));
    answers!("OK", kvl_config_set_validator(config, Some(accept_any_key), counter(&ended), Some(count)));
    answers!("OK", kvl_options_new(&mut options));
    answers!("OK", kvl_clock_new_manual(5, &mut clock));
    answers!("OK", kvl_value_new_bytes(c"abc".as_ptr().cast(), 3, &mut value));
    answers!("OK", kvl_error_new(9, c"no".as_ptr(), 2, 0, &mut error));
    let err_forked = kvlight::base::Status::ERR_FORKED.0;
    // SAFETY: live handles; the child does not release those of the parent.
    let all_hold = forked(|| unsafe {
        let mut text = dirty();
        let refused = [
            kvl_config_set(config, key, c"1".as_ptr()),
            kvl_config_set_int(config, key, 1),
            kvl_config_set_real(config, key, 1.0),
            kvl_config_get(config, key, &mut text),
            kvl_config_set_validator(config, Some(accept_any_key), counter(&ended), Some(count)),
            kvl_config_set_provider(config, None, null_mut(), None),
            kvl_config_set_cost(config, None, null_mut(), None),
            kvl_config_set_record_listener(config, None, null_mut(), None),
            kvl_config_set_removal_listener(config, None, null_mut(), None),
            kvl_config_set_queue(config, null_mut(), KVL_QUEUE_F_ALL),
            kvl_config_set_clock(config, null_mut()),
            kvl_options_set(options, key, c"1".as_ptr()),
            kvl_options_set_int(options, key, 1),
            kvl_options_set_real(options, key, 1.0),
            kvl_options_set_progress(options, None, 1),
            kvl_clock_advance(clock, 1),
        ];
        let refused_user_data_was_freed = ended.load(Ordering::Relaxed) == 1;
        kvl_config_free(config);
        kvl_options_free(options);
        kvl_clock_release(clock);
        let frees_do_nothing = ended.load(Ordering::Relaxed) == 1;
        let readable = kvl_value_cost(value) == 3 && kvl_error_code(error) == 9 && kvl_value_retain(value) == value;
        let mut new = null_mut();
        let new_config_works = kvl_config_new(&mut new) == 0 && kvl_config_set_int(new, key, 1) == 0;
        kvl_config_free(new);
        refused.iter().all(|status| *status == err_forked)
            && text.is_null()
            && refused_user_data_was_freed
            && frees_do_nothing
            && readable
            && new_config_works
    });
    assert!(all_hold, "a handle of the parent worked in the child");
    // SAFETY: live handles, each released once.
    unsafe {
        assert_eq!(kvl_config_set_int(config, key, 1), 0, "the handle still works in the parent");
        kvl_config_free(config);
        kvl_options_free(options);
        kvl_clock_release(clock);
        kvl_value_release(value);
        kvl_error_release(error);
    }
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

#[test]
fn l09_functions_of_statuses_accept_any_number() {
    for number in [i32::MIN, -902, -99, 99, i32::MAX] {
        assert_eq!(status(number), "KVL_UNKNOWN");
        assert_eq!(kvl_status_is_retriable(number), 0);
        // SAFETY: static text, never NULL.
        assert!(!unsafe { CStr::from_ptr(kvl_status_message(number)) }.is_empty());
    }
    for i in [kvl_status_count(), usize::MAX] {
        assert_eq!(status(kvl_status_at(i)), "KVL_ERR_OUT_OF_RANGE");
    }
}
