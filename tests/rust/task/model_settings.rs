//! The settings of the model test, and whether the test takes requests itself.

use super::harness::ms;
use kvlight::base::config::{BreakerSettings, ConcurrencyLimit, Overflow, QueueOrder, RateSettings, Settings};
use proptest::prelude::*;

pub fn settings() -> impl Strategy<Value = (Settings, bool)> {
    let slots = (1..4u32, 0..3u32);
    let order =
        prop_oneof![2 => Just((QueueOrder::Fifo, None)), 1 => Just((QueueOrder::Fifo, Some(15))), 2 => Just((QueueOrder::Lifo, None))];
    let queue = (0..7u32, order, prop_oneof![Just(0.0), Just(0.5), Just(1.0)], prop::bool::weighted(0.8));
    let batch = (1..5u32, prop_oneof![3 => Just(0), 1 => Just(20u64)], any::<bool>());
    let memory = (prop_oneof![Just(0), Just(50u64)], prop_oneof![Just(0), Just(30u64)]);
    let hedge = (prop_oneof![2 => Just(0), 1 => 1..25u64], prop_oneof![2 => Just(1.0), 1 => Just(0.25)]);
    (slots, queue, batch, prop::option::of(Just(30u64)), (memory, hedge, limits()), any::<bool>()).prop_map(
        |(
            (running, abandoned),
            (places, (order, ageing), share, waits),
            (keys, linger, omitted),
            attempt,
            ((errors, throttle), (hedge, ratio), (breaker, rate, adaptive)),
            takes_manually,
        )| {
            let mut settings = Settings::default();
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.max_abandoned) = (running, abandoned);
            if let Some((least, most)) = adaptive {
                (tasks.limit, tasks.min_running, tasks.max_running) = (ConcurrencyLimit::Adaptive, least, least + most);
            }
            (tasks.queue_max_keys, tasks.queue_share) = (places, share);
            tasks.queue_overflow = if waits { Overflow::Wait } else { Overflow::Reject };
            (tasks.queue_order, tasks.queue_ageing) = (order, ageing.map(ms));
            (tasks.batch_max_keys, tasks.batch_linger, tasks.omitted_is_null) = (keys, ms(linger), omitted);
            tasks.stale_retry = ms(throttle);
            (tasks.hedge.after, tasks.hedge.max_ratio) = (ms(hedge), ratio);
            (tasks.breaker, tasks.rate) = (breaker, rate);
            settings.fetch.attempt_timeout = attempt.map(ms);
            settings.cache.error_ttl_ms = errors;
            (settings, takes_manually)
        },
    )
}

/// The circuit breaker, the rate limit, and the bounds of an adaptive limit: the least, and by how much the greatest exceeds it.
fn limits() -> impl Strategy<Value = (BreakerSettings, RateSettings, Option<(u32, u32)>)> {
    let by = prop_oneof![3 => Just((0, 0.0)), 2 => (1..4u32).prop_map(|row| (row, 0.0)), 2 => Just((0, 0.5)), 1 => Just((3, 0.75))];
    let breaker = (by, 1..5u32, prop_oneof![Just(100u64), Just(10_000)], prop_oneof![Just(10u64), Just(45)], 1..4u32);
    let breaker = breaker.prop_map(|((consecutive, failure_ratio), min_requests, window, open, probes)| BreakerSettings {
        failure_ratio,
        window: ms(window),
        min_requests,
        consecutive,
        open: ms(open),
        probes,
    });
    let per_s = prop_oneof![4 => Just(0.0), 1 => Just(100.0), 1 => Just(40.0)];
    let rate = (per_s, 1..4u32).prop_map(|(requests_per_s, burst)| RateSettings { requests_per_s, burst });
    (breaker, rate, prop::option::weighted(0.25, (1..3u32, 0..5u32)))
}
