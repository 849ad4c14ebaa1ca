//! Everything that differs by operating system. No other file may ask which system it is. Every system offers the same functions:
//!
//! ```text
//!   clocks      running, running_coarse, coarse_step_ns, suspend_aware
//!   forks       watch_forks
//!   signals     SignalSet, block_signals, restore_signals, unblock_signals
//!   waiting     ReadyFlag: what the host's event loop waits for
//!   files       path_of, keep_private, sync_folder
//!   code        pin_library
//! ```
//!
//! | | Linux, Android | Apple | FreeBSD and others with POSIX | Windows |
//! |---|---|---|---|---|
//! | clocks | `linux` | `apple` | `bsd` | `windows` |
//! | forks, signals | `posix` | `posix` | `posix` | there are none |
//! | waiting | eventfd, or a pipe | a pipe | a pipe | an event |
//! | files | `files_posix` | `files_posix` | `files_posix` | `files_windows` |
//! | the library stays loaded | by the linker (`build.rs`) | `apple` | by the linker | `windows` |
//!
//! The standard library names the threads, on every system.

#[cfg(not(windows))]
mod posix;

#[cfg(not(windows))]
#[path = "files_posix.rs"]
mod files;

#[cfg(windows)]
#[path = "files_windows.rs"]
mod files;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod system;

#[cfg(target_vendor = "apple")]
#[path = "apple.rs"]
mod system;

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
#[path = "bsd.rs"]
mod system;

#[cfg(windows)]
#[path = "windows.rs"]
mod system;

pub use files::{keep_private, path_of, sync_folder};
#[cfg(not(windows))]
pub use posix::{
    ReadyFlag, SignalSet, block_signals, coarse_step_ns, restore_signals, running, running_coarse, suspend_aware, unblock_signals,
    watch_forks,
};
pub use system::pin_library;
#[cfg(windows)]
pub use system::{
    ReadyFlag, SignalSet, block_signals, coarse_step_ns, restore_signals, running, running_coarse, suspend_aware, unblock_signals,
    watch_forks,
};

/// The system did not provide the descriptor or handle for a [`ReadyFlag`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoReadyFlag;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s15_the_clocks_of_this_system_agree() {
        let (coarse, precise, later) = (running_coarse(), running(), running());
        assert!(precise <= later, "the running clock does not go back");
        let behind = precise.since(coarse);
        // A busy machine may update the coarse clock late, but not by a second.
        assert!(behind.as_millis() < 1000, "the coarse clock is {behind:?} behind");
        assert!(coarse_step_ns() < 100_000_000, "the step is short compared with a TTL");
        let asleep = suspend_aware().0.checked_sub(running().0);
        assert!(
            asleep.is_some() || suspend_aware().0 + 100_000_000 > running().0,
            "the suspend-aware clock is not behind the running clock"
        );
    }

    #[test]
    fn l08_a_set_without_another_lacks_its_signals() {
        let all = SignalSet::asynchronous();
        assert!(all.without(all) == SignalSet::empty());
        assert!(all.without(SignalSet::empty()) == all);
    }

    #[test]
    fn l02_a_flag_is_ready_from_raise_to_lower() {
        for pipe in [false, true] {
            let flag = ReadyFlag::new(pipe).expect("a flag");
            assert!(!flag.is_ready());
            for _ in 0..3 {
                flag.raise();
            }
            assert!(flag.is_ready());
            flag.lower();
            assert!(!flag.is_ready());
            flag.lower();
            flag.raise();
            assert!(flag.is_ready());
        }
    }
}
