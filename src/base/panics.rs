//! Panics: caught at the boundaries that they must not cross, without printing a message (rule L07).

use super::hint::rarely;
use super::process::ThreadState;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::{Once, OnceLock};

/// A panic was caught. The caller must repair the state that the panic left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaughtPanic;

/// Runs `run`. Catches a panic in it, and prints no message for it.
#[inline]
pub fn catch_panic<R>(run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    be_silent();
    ThreadState::with(
        #[inline(always)]
        |state| contain(state, run),
    )
}

/// Calls the host: like [`catch_panic`] around [`calling_host`](super::process::calling_host), with one access to the thread's storage.
#[inline]
pub fn catch_panic_of_host<R>(run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    ThreadState::with(
        #[inline(always)]
        |state| catch_panic_of_host_on(state, run),
    )
}

/// Like [`catch_panic_of_host`], for a caller that has the state of the current thread.
#[inline(always)]
pub fn catch_panic_of_host_on<R>(state: &ThreadState, run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    be_silent();
    contain(state, || state.call_host(run))
}

#[inline(always)]
fn contain<R>(state: &ThreadState, run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    let before = state.contains_panics.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    state.contains_panics.set(before);
    outcome.map_err(|_| CaughtPanic)
}

/// Like [`catch_panic`], but without access to the thread's storage: for code that runs inside `catch_panic` already, as everything that
/// the engine calls does.
#[inline]
pub fn catch_panic_within<R>(run: impl FnOnce() -> R) -> Result<R, CaughtPanic> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| CaughtPanic)
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

static INSTALL: Once = Once::new();
// A static, so that the new hook captures nothing: a closure without captures is boxed without an allocation, and no memory is left at the
// end of the program (rule L08).
static PREVIOUS: OnceLock<Hook> = OnceLock::new();

/// Installs, once, a panic hook that ignores contained panics and passes other panics on to the previous hook.
#[inline]
fn be_silent() {
    if rarely(!INSTALL.is_completed()) {
        install();
    }
}

#[cold]
fn install() {
    // The standard library refuses to change the hook on a panicking thread. A later call installs it.
    if std::thread::panicking() {
        return;
    }
    INSTALL.call_once(|| {
        let _ = PREVIOUS.set(take_hook());
        set_hook(Box::new(|info| {
            if !ThreadState::with(|state| state.contains_panics.get())
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

    /// The test runs twice: here, and in a separate process whose standard error is read.
    #[test]
    fn l07_a_contained_panic_prints_nothing_and_others_are_printed() {
        const CHILD: &str = "KVL_TEST_PANICS_CHILD";
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(catch_panic(|| panic!("inside")).map(|()| 0), Err(CaughtPanic));
            assert_eq!(catch_panic(|| catch_panic(|| panic!("inside")).is_err()), Ok(true));
            assert!(std::thread::spawn(|| panic!("outside")).join().is_err());
            return;
        }
        let name = "base::panics::tests::l07_a_contained_panic_prints_nothing_and_others_are_printed";
        let program = std::env::current_exe().expect("the path of the test program");
        // The emulator under which the tests run, for programs of another processor.
        let emulator = std::env::var("KVL_TEST_EMULATOR").unwrap_or_default();
        let mut words = emulator.split_whitespace().map(std::ffi::OsString::from).chain([program.into_os_string()]);
        let first = words.next().expect("the chain ends with the program");
        let child = std::process::Command::new(first)
            .args(words)
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .env("RUST_BACKTRACE", "0")
            .output()
            .expect("the test program runs");
        let printed = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{printed}");
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
        assert!(printed.contains("outside") && !printed.contains("inside"), "{printed}");
    }
}
