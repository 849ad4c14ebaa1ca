//! Whether and when a failed key is tried again (rule F11).

use crate::base::Random;
use crate::base::config::{Retry, Shape};
use std::time::Duration;

impl Retry {
    /// Whether another attempt is allowed after `attempts` of them.
    pub fn allows(&self, attempts: u32) -> bool {
        self.count.is_none_or(|count| attempts <= count)
    }

    /// How long to wait after the attempt with this number (1, 2, ...) failed.
    pub fn pause(&self, attempt: u32, random: &mut Random) -> Duration {
        let failures = attempt.max(1);
        let exponential = |nth: u32| {
            let grown = self.first.as_secs_f64() * self.factor.powf(f64::from(nth - 1));
            // `min` first: beyond the cap the product may be infinite, which a Duration cannot hold.
            Duration::from_secs_f64(grown.min(self.cap.as_secs_f64()).min(MAX_SECONDS))
        };
        let pause = match self.shape {
            Shape::Fixed => self.fixed,
            Shape::Exponential => exponential(failures),
            Shape::ExponentialThenFixed if failures <= self.switch_after => exponential(failures),
            Shape::ExponentialThenFixed => self.fixed,
            Shape::FixedThenExponential if failures <= self.switch_after => self.fixed,
            Shape::FixedThenExponential => exponential(failures - self.switch_after),
        };
        let pause = pause.min(self.cap);
        if self.jitter == 0.0 || pause.is_zero() {
            return pause;
        }
        let spread = 1.0 + self.jitter * (2.0 * random.unit() - 1.0);
        Duration::from_secs_f64((pause.as_secs_f64() * spread).min(MAX_SECONDS)).min(self.cap)
    }
}

/// Some 30,000 years: the longest pause that survives the way through floating point.
const MAX_SECONDS: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(retry: &Retry, n: u32) -> Vec<u64> {
        let mut random = Random::new(Some(1));
        (1..=n).map(|attempt| retry.pause(attempt, &mut random).as_millis() as u64).collect()
    }

    fn retry(shape: Shape) -> Retry {
        let ms = Duration::from_millis;
        Retry { shape, first: ms(100), fixed: ms(30), factor: 2.0, switch_after: 2, cap: ms(1000), ..Retry::default() }
    }

    #[test]
    fn f11_the_four_shapes() {
        assert_eq!(pauses(&retry(Shape::Fixed), 3), [30, 30, 30]);
        assert_eq!(pauses(&retry(Shape::Exponential), 6), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pauses(&retry(Shape::ExponentialThenFixed), 4), [100, 200, 30, 30]);
        assert_eq!(pauses(&retry(Shape::FixedThenExponential), 5), [30, 30, 100, 200, 400]);
    }

    #[test]
    fn f11_jitter_stays_within_its_part_and_below_the_cap() {
        let jittered = Retry { jitter: 0.5, ..retry(Shape::Exponential) };
        let drawn = pauses(&jittered, 6);
        for (pause, middle) in drawn.iter().zip([100u64, 200, 400, 800, 1000, 1000]) {
            assert!((middle / 2..=(middle * 3 / 2).min(1000)).contains(pause), "{pause} around {middle}");
        }
        assert_ne!(drawn[..4], [100, 200, 400, 800]);
    }

    #[test]
    fn f11_a_pause_saturates() {
        let huge = Retry { factor: 1e6, cap: Duration::MAX, ..retry(Shape::Exponential) };
        assert!(huge.pause(u32::MAX, &mut Random::new(Some(1))) >= Duration::from_secs(1_000_000_000_000));
    }

    #[test]
    fn f11_count_n_means_n_plus_one_attempts() {
        let never = Retry { count: Some(0), ..Retry::default() };
        assert!(!never.allows(1));
        let twice = Retry { count: Some(2), ..Retry::default() };
        assert_eq!([1, 2, 3].map(|attempts| twice.allows(attempts)), [true, true, false]);
        assert!(Retry { count: None, ..Retry::default() }.allows(u32::MAX));
    }
}
