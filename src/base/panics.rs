//! Panics: caught where they must not pass, without printing a message (rule L07).

use super::hint::rarely;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::{Once, OnceLock};

/// A panic was caught. The caller must handle the state that it left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaughtPanic;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `run`. A panic in it is caught, and prints nothing.
#[inline]
pub fn catch_panic<R>(run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    be_silent();
    // One access to the thread's storage, since each costs a call in a shared library. It holds nothing with a destructor, so
    // it is always accessible.
    CONTAINED.with(|contained| {
        let before = contained.replace(true);
        let outcome = catch_unwind(AssertUnwindSafe(run));
        contained.set(before);
        outcome.map_err(|_| CaughtPanic)
    })
}

/// As [`catch_panic`], for who runs inside it already, as all does that goes through the engine: no visit to the thread's storage.
#[inline]
pub fn catch_panic_within<R>(run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| CaughtPanic)
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

static INSTALL: Once = Once::new();
// In a static, not in the closure: a closure without captures is boxed without an allocation, so that none is left at the
// program's end (rule L08).
static PREVIOUS: OnceLock<Hook> = OnceLock::new();

/// Installs a panic hook, once, that ignores contained panics and passes the others on to the hook before it.
#[inline]
fn be_silent() {
    if rarely(!INSTALL.is_completed()) {
        install();
    }
}

#[cold]
fn install() {
    // The standard library refuses to change hooks on a panicking thread; a later call will do it.
    if std::thread::panicking() {
        return;
    }
    INSTALL.call_once(|| {
        let _ = PREVIOUS.set(take_hook());
        set_hook(Box::new(|info| {
            if !CONTAINED.try_with(Cell::get).unwrap_or(false)
                && let Some(previous) = PREVIOUS.get()
            {
                previous(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same test runs twice: here, and in a process of its own whose standard error is read.
    #[test]
    fn l07_a_contained_panic_prints_nothing_and_others_are_heard() {
        const CHILD: &str = "KVL_TEST_PANICS_CHILD";
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(catch_panic(|| panic!("inside")).map(|()| 0), Err(CaughtPanic));
            assert_eq!(catch_panic(|| catch_panic(|| panic!("inside")).is_err()), Ok(true));
            assert!(std::thread::spawn(|| panic!("outside")).join().is_err());
            return;
        }
        let name = "base::panics::tests::l07_a_contained_panic_prints_nothing_and_others_are_heard";
        let program = std::env::current_exe().expect("a test knows its program");
        // What starts programs of another processor, where the tests are run under an emulator.
        let emulator = std::env::var("KVL_TEST_EMULATOR").unwrap_or_default();
        let mut words = emulator.split_whitespace().map(std::ffi::OsString::from).chain([program.into_os_string()]);
        let first = words.next().expect("there is the program");
        let child = std::process::Command::new(first)
            .args(words)
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .env("RUST_BACKTRACE", "0")
            .output()
            .expect("the test program runs");
        let heard = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{heard}");
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
        assert!(heard.contains("outside") && !heard.contains("inside"), "{heard}");
    }
}
