//! Nothing is leaked (rule L08). Threads and descriptors of this whole process are counted, so this file has only one test.

mod engine_fixture;

use engine_fixture::*;
use kvlight::base::Clock;
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::Core;
use kvlight::engine::cache_ref::CacheRef;
use kvlight::runtime::Runtime;
use kvlight::runtime::threads::STACK_BYTES;

const CYCLES: usize = 1000;

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("the system describes this process").count()
}

/// How many threads and descriptors this process has.
fn counts() -> (usize, usize) {
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Waits until the numbers are as before, because the system may list a thread for a moment after it was joined.
fn wait_for_counts(before: (usize, usize), when: &str) {
    until(when, || counts() == before);
}

fn use_engine(engine: &EngineFixture) {
    assert_eq!(engine.fetch("k").text(), "k!");
    engine.put("l", "v");
}

fn builder() -> EngineBuilder {
    test_engine().with_system_clock().with(|settings| settings.cache.ttl_ms = Some(1)).echo()
}

#[test]
fn l08_a_thousand_engines_leave_no_thread_and_no_descriptor() {
    let before = counts();
    for _ in 0..CYCLES {
        let engine = builder().start();
        use_engine(&engine);
        engine.free();
        wait_for_counts(before, "after each free");
    }
    for _ in 0..CYCLES {
        let engine = builder().start();
        use_engine(&engine);
        engine.core.dispose();
    }
    wait_for_counts(before, "after disposed engines have ended");

    let shared = Runtime::start(STACK_BYTES).expect("threads");
    for _ in 0..CYCLES {
        let mut builder = builder();
        builder.plan.runtime = Some(shared.clone());
        let engine = builder.start();
        use_engine(&engine);
        engine.free();
    }
    assert!(shared.end_if_unused());
    shared.stop();
    drop(shared);
    wait_for_counts(before, "after the end of a shared runtime");

    for _ in 0..CYCLES {
        let mut plan = builder().plan;
        plan.clock = Some(Clock::system());
        let cache = CacheRef::new(Core::cache(plan).expect("no runtime is shared"));
        cache.put(b"k", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
        drop(cache);
        wait_for_counts(before, "after a cache with a timer");
    }
}
