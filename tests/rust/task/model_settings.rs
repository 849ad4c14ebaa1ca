//! The settings of the model test, and whether the test takes requests itself. The compiler asks for a choice of each setting of loads.

use super::harness::ms;
use kvlight::base::config::{BreakerSettings, ConcurrencyLimit, HedgeSettings, Overflow, QueueOrder, RateSettings, Settings, TaskSettings};
use proptest::prelude::*;

pub fn settings() -> impl Strategy<Value = (Settings, bool)> {
    let slots = (1..4u32, 0..3u32);
    let order = (prop::sample::select(&QueueOrder::ALL[..]), prop::option::weighted(0.4, Just(15u64)));
    let overflow = prop_oneof![3 => Just(Overflow::Wait), 2 => prop::sample::select(&Overflow::ALL[..])];
    let queue = (0..7u32, order, prop_oneof![Just(0.0), Just(0.5), Just(1.0)], overflow);
    let batch = (1..5u32, prop_oneof![3 => Just(0), 1 => Just(20u64)], any::<bool>());
    let memory = (prop_oneof![Just(0), Just(50u64)], prop_oneof![Just(0), Just(30u64)]);
    let hedge = (prop_oneof![2 => Just(0), 1 => 1..25u64], prop_oneof![2 => Just(1.0), 1 => Just(0.25)]);
    (slots, queue, batch, prop::option::of(Just(30u64)), (memory, hedge, limits()), any::<bool>()).prop_map(
        |(
            (running, max_abandoned),
            (queue_max_keys, (queue_order, ageing), queue_share, queue_overflow),
            (batch_max_keys, linger, omitted_is_null),
            attempt,
            ((errors, throttle), (hedge, max_ratio), (breaker, rate, adaptive)),
            takes_manually,
        )| {
            let mut settings = Settings::default();
            // Not drawn: the stack size is for threads, `idempotent` only forbids other settings, and `min_running` counts only with an adaptive limit.
            let TaskSettings { stack_bytes, idempotent, min_running, .. } = settings.tasks;
            let (limit, min_running, max_running) = match adaptive {
                Some((least, more)) => (ConcurrencyLimit::Adaptive, least, least + more),
                None => (ConcurrencyLimit::Fixed, min_running, running),
            };
            settings.tasks = TaskSettings {
                max_running,
                limit,
                min_running,
                max_abandoned,
                stack_bytes,
                queue_max_keys,
                queue_order,
                queue_share,
                queue_overflow,
                queue_ageing: ageing.filter(|_| queue_order.can_age()).map(ms),
                batch_max_keys,
                batch_linger: ms(linger),
                omitted_is_null,
                rate,
                breaker,
                // With a percentile the delay depends on the last latencies, which the model does not follow.
                hedge: HedgeSettings { after: ms(hedge), percentile: 0.0, max_ratio },
                idempotent,
                stale_retry: ms(throttle),
            };
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
