//! Nothing stays behind (rule L08): threads and descriptors of this very process are counted, so this file has one test only.

mod engine_world;

use engine_world::*;
use kvlight::base::Clock;
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::Core;
use kvlight::engine::cache_ref::CacheRef;
use kvlight::runtime::Runtime;
use kvlight::runtime::threads::STACK_BYTES;

const CYCLES: usize = 1000;

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("the system tells of this process").count()
}

/// Threads and descriptors.
fn held() -> (usize, usize) {
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// The system may list a thread for a moment after it was joined.
fn comes_to(before: (usize, usize), when: &str) {
    until(when, || held() == before);
}

fn use_it(world: &World) {
    assert_eq!(world.fetch("k").said(), "k!");
    world.put("l", "v");
}

fn begin() -> Beginning {
    story().on_system_time().with(|settings| settings.cache.ttl_ms = Some(1)).echo()
}

#[test]
fn l08_a_thousand_engines_leave_no_thread_and_no_descriptor() {
    let before = held();
    for _ in 0..CYCLES {
        let world = begin().begin();
        use_it(&world);
        world.free();
        comes_to(before, "after each free");
    }
    for _ in 0..CYCLES {
        let world = begin().begin();
        use_it(&world);
        world.core.dispose();
    }
    comes_to(before, "when disposed engines have freed themselves");

    let shared = Runtime::start(STACK_BYTES).expect("threads");
    for _ in 0..CYCLES {
        let mut beginning = begin();
        beginning.plan.runtime = Some(shared.clone());
        let world = beginning.begin();
        use_it(&world);
        world.free();
    }
    assert!(shared.end_if_unused());
    shared.stop();
    drop(shared);
    comes_to(before, "after the end of a shared runtime");

    for _ in 0..CYCLES {
        let mut plan = begin().plan;
        plan.clock = Some(Clock::system());
        let cache = CacheRef::new(Core::cache(plan).expect("no runtime is shared"));
        cache.put(b"k", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
        drop(cache);
        comes_to(before, "after a cache with a timer");
    }
}
