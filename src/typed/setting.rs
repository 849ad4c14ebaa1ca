//! The values of settings, as Rust programs state them.

use crate::base::config::{Domain, TABLE};
use std::borrow::Cow;
use std::time::Duration;

/// A value for a setting: a number, `true` or `false`, text, or a `Duration` for a setting whose name ends in its unit (`_ms` or `_us`).
pub trait IntoSetting {
    /// The text of the value, for the setting `name`.
    fn to_text(&self, name: &str) -> Cow<'_, str>;
}

impl IntoSetting for Duration {
    /// Rounded up, so that a short time does not become 0. `Duration::MAX` is *no limit*, or the longest time that the setting takes. A time
    /// that no number of the setting's unit can express is the longest one that can be expressed.
    fn to_text(&self, name: &str) -> Cow<'_, str> {
        let unit = match name.rsplit_once('_') {
            Some((_, "ms")) => 1_000_000,
            Some((_, "us")) => 1_000,
            // The setting takes no duration, and refuses this text.
            _ => return format!("{self:?}").into(),
        };
        let longest = i64::MAX.unsigned_abs().into();
        let number = match TABLE.iter().find(|row| row.name == name).map(|row| row.domain) {
            Some(Domain::Int(-1, _)) if *self == Duration::MAX => return "-1".into(),
            Some(Domain::Int(_, longest)) if *self == Duration::MAX => longest.unsigned_abs().into(),
            _ => self.as_nanos().div_ceil(unit).min(longest),
        };
        number.to_string().into()
    }
}

impl<T: IntoSetting + ?Sized> IntoSetting for &T {
    fn to_text(&self, name: &str) -> Cow<'_, str> {
        (**self).to_text(name)
    }
}

impl IntoSetting for str {
    fn to_text(&self, _name: &str) -> Cow<'_, str> {
        self.into()
    }
}

impl IntoSetting for String {
    fn to_text(&self, _name: &str) -> Cow<'_, str> {
        self.into()
    }
}

macro_rules! displayed {
    ($($type:ty)*) => {
        $(impl IntoSetting for $type {
            fn to_text(&self, _name: &str) -> Cow<'_, str> {
                self.to_string().into()
            }
        })*
    };
}
displayed! { f32 f64 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize bool }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l09_a_duration_is_stated_in_the_unit_of_the_setting_and_rounded_up() {
        let text = |duration: Duration, name| duration.to_text(name).into_owned();
        assert_eq!(text(Duration::from_secs(2), "timeout_ms"), "2000");
        assert_eq!(text(Duration::from_micros(1), "timeout_ms"), "1");
        assert_eq!(text(Duration::ZERO, "stale.timeout_ms"), "0");
        assert_eq!(text(Duration::from_micros(1500), "batch.linger_us"), "1500");
        assert_eq!(text(Duration::MAX, "cache.ttl_ms"), "-1");
        assert_eq!(text(Duration::from_millis(200), "retry.count"), "200ms");
    }

    #[test]
    fn l09a_a_long_duration_is_the_longest_time_of_the_setting() {
        let text = |duration: Duration, name| duration.to_text(name).into_owned();
        let longest = i64::MAX.to_string();
        for nearly_endless in [Duration::from_secs(u64::MAX), Duration::MAX - Duration::from_nanos(1)] {
            assert_eq!([text(nearly_endless, "cache.ttl_ms"), text(nearly_endless, "stale.ttl_ms")], [longest.clone(), longest.clone()]);
        }
        assert_eq!(text(Duration::MAX, "stale.ttl_ms"), longest);
        assert_eq!(text(Duration::MAX, "breaker.open_ms"), u32::MAX.to_string());
        assert_eq!(text(Duration::MAX, "no_such_setting_ms"), longest);
    }

    #[test]
    fn l09_a_reference_to_a_value_states_the_same_setting() {
        fn text(value: impl IntoSetting) -> String {
            value.to_text("timeout_ms").into_owned()
        }
        let (lasting, number, words): (&Duration, &&i32, String) = (&Duration::from_secs(2), &&2_000, "2000".to_owned());
        assert_eq!([text(lasting), text(number), text(&words), text(words.as_str()), text(words)], ["2000"; 5]);
    }
}
