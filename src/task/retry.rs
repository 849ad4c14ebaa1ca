//! Whether and when a failed key gets another attempt (rule F11).

use crate::base::Random;
use crate::base::config::{RetrySettings, RetryShape};
use std::time::Duration;

impl RetrySettings {
    /// Whether another attempt is allowed after `attempts` attempts.
    pub fn allows(&self, attempts: u32) -> bool {
        self.count.is_none_or(|count| attempts <= count)
    }

    /// The pause after the attempt with this number (1, 2, ...) failed.
    pub fn pause(&self, attempt: u32, random: &mut Random) -> Duration {
        let failures = attempt.max(1);
        let exponential = |nth: u32| {
            if self.first.is_zero() {
                // After enough attempts the factor is infinite, and 0 times infinity is not a number (rule F11a).
                return Duration::ZERO;
            }
            let grown = self.first.as_secs_f64() * self.factor.powf(f64::from(nth - 1));
            // `min` comes first: beyond the cap the product may be infinite, which a Duration cannot represent.
            Duration::from_secs_f64(grown.min(self.cap.as_secs_f64()).min(MAX_SECONDS))
        };
        let pause = match self.shape {
            RetryShape::Fixed => self.fixed,
            RetryShape::Exponential => exponential(failures),
            RetryShape::ExponentialThenFixed if failures <= self.switch_after => exponential(failures),
            RetryShape::ExponentialThenFixed => self.fixed,
            RetryShape::FixedThenExponential if failures <= self.switch_after => self.fixed,
            RetryShape::FixedThenExponential => exponential(failures - self.switch_after),
        };
        let pause = pause.min(self.cap);
        if self.jitter == 0.0 || pause.is_zero() {
            return pause;
        }
        // The range of the jitter ends at the cap. If the result were clamped to the cap instead, half of the pauses at the cap would
        // equal it (rule F11a).
        let middle = pause.as_secs_f64();
        let low = middle * (1.0 - self.jitter);
        let high = (middle * (1.0 + self.jitter)).min(self.cap.as_secs_f64()).min(MAX_SECONDS).max(low);
        Duration::from_secs_f64(low + (high - low) * random.unit()).min(self.cap)
    }
}

/// About 30,000 years: the longest pause that can be safely converted to floating point and back.
const MAX_SECONDS: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(retry: &RetrySettings, n: u32) -> Vec<u64> {
        let mut random = Random::new(Some(1));
        (1..=n).map(|attempt| retry.pause(attempt, &mut random).as_millis() as u64).collect()
    }

    fn retry(shape: RetryShape) -> RetrySettings {
        let ms = Duration::from_millis;
        RetrySettings { shape, first: ms(100), fixed: ms(30), factor: 2.0, switch_after: 2, cap: ms(1000), ..RetrySettings::default() }
    }

    #[test]
    fn f11_each_of_the_four_shapes_has_its_pauses() {
        assert_eq!(pauses(&retry(RetryShape::Fixed), 3), [30, 30, 30]);
        assert_eq!(pauses(&retry(RetryShape::Exponential), 6), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pauses(&retry(RetryShape::ExponentialThenFixed), 4), [100, 200, 30, 30]);
        assert_eq!(pauses(&retry(RetryShape::FixedThenExponential), 5), [30, 30, 100, 200, 400]);
    }

    #[test]
    fn f11_jitter_stays_within_its_part_and_below_the_cap() {
        let jittered = RetrySettings { jitter: 0.5, ..retry(RetryShape::Exponential) };
        let drawn = pauses(&jittered, 6);
        for (pause, middle) in drawn.iter().zip([100u64, 200, 400, 800, 1000, 1000]) {
            assert!((middle / 2..=(middle * 3 / 2).min(1000)).contains(pause), "{pause} around {middle}");
        }
        assert_ne!(drawn[..4], [100, 200, 400, 800]);
    }

    #[test]
    fn f11a_jitter_spreads_pauses_at_the_cap() {
        let jittered = RetrySettings { jitter: 0.5, ..retry(RetryShape::Exponential) };
        let mut random = Random::new(Some(1));
        let drawn: Vec<u64> = (0..1000).map(|_| jittered.pause(9, &mut random).as_millis() as u64).collect();
        assert!(drawn.iter().all(|pause| (500..=1000).contains(pause)));
        for tenth in 0..10 {
            let from = 500 + 50 * tenth;
            let within = drawn.iter().filter(|pause| (from..from + 50).contains(*pause)).count();
            assert!((50..200).contains(&within), "{within} of 1000 from {from} ms on");
        }
    }

    #[test]
    fn f11a_a_first_pause_of_0_stays_0() {
        let at_once = RetrySettings { first: Duration::ZERO, ..retry(RetryShape::Exponential) };
        let mut random = Random::new(Some(1));
        for attempt in [1, 2, 1024, 1025, 5000, u32::MAX] {
            assert_eq!(at_once.pause(attempt, &mut random), Duration::ZERO, "attempt {attempt}");
        }
    }

    #[test]
    fn f11_a_huge_pause_saturates() {
        let huge = RetrySettings { factor: 1e6, cap: Duration::MAX, ..retry(RetryShape::Exponential) };
        assert!(huge.pause(u32::MAX, &mut Random::new(Some(1))) >= Duration::from_secs(1_000_000_000_000));
    }

    #[test]
    fn f11_a_retry_count_of_n_means_n_plus_one_attempts() {
        let never = RetrySettings { count: Some(0), ..RetrySettings::default() };
        assert!(!never.allows(1));
        let twice = RetrySettings { count: Some(2), ..RetrySettings::default() };
        assert_eq!([1, 2, 3].map(|attempts| twice.allows(attempts)), [true, true, false]);
        assert!(RetrySettings { count: None, ..RetrySettings::default() }.allows(u32::MAX));
    }
}
