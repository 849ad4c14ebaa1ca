//! The settings of the model test, and whether the test takes requests itself.

use super::harness::ms;
use kvlight::base::config::{Overflow, QueueOrder, Settings};
use proptest::prelude::*;

pub fn settings() -> impl Strategy<Value = (Settings, bool)> {
    let slots = (1..4u32, 0..3u32);
    let order =
        prop_oneof![2 => Just((QueueOrder::Fifo, None)), 1 => Just((QueueOrder::Fifo, Some(15))), 2 => Just((QueueOrder::Lifo, None))];
    let queue = (0..7u32, order, prop_oneof![Just(0.0), Just(0.5), Just(1.0)], prop::bool::weighted(0.8));
    let batch = (1..5u32, prop_oneof![3 => Just(0), 1 => Just(20u64)], any::<bool>());
    let memory = (prop_oneof![Just(0), Just(50u64)], prop_oneof![Just(0), Just(30u64)]);
    let hedge = prop_oneof![2 => Just(0), 1 => 1..25u64];
    (slots, queue, batch, prop::option::of(Just(30u64)), (memory, hedge), any::<bool>()).prop_map(
        |(
            (running, abandoned),
            (places, (order, ageing), share, waits),
            (keys, linger, omitted),
            attempt,
            ((errors, throttle), hedge),
            takes_manually,
        )| {
            let mut settings = Settings::default();
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.max_abandoned) = (running, abandoned);
            (tasks.queue_max_keys, tasks.queue_share) = (places, share);
            tasks.queue_overflow = if waits { Overflow::Wait } else { Overflow::Reject };
            (tasks.queue_order, tasks.queue_ageing) = (order, ageing.map(ms));
            (tasks.batch_max_keys, tasks.batch_linger, tasks.omitted_is_null) = (keys, ms(linger), omitted);
            settings.tasks.stale_retry = ms(throttle);
            (settings.tasks.hedge.after, settings.tasks.hedge.max_ratio) = (ms(hedge), 1.0);
            settings.fetch.attempt_timeout = attempt.map(ms);
            settings.cache.error_ttl_ms = errors;
            (settings, takes_manually)
        },
    )
}
