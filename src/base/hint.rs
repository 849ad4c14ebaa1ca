//! What compiler and processor cannot know: which way a branch goes, and what memory will be looked at soon.
//!
//! After half a dozen branches that it holds to be even, the compiler takes what follows for rarely run and stops to inline it.
//! So the way of a hit names those that it does not take (measured: a hit through the C ABI took half as many instructions more).

/// `condition`, which is rarely true.
#[inline(always)]
pub fn rarely(condition: bool) -> bool {
    if condition {
        rare();
    }
    condition
}

#[cold]
#[inline(never)]
fn rare() {}

/// Asks memory for what `at` leads to, which will be looked at soon; nobody waits for it.
#[inline(always)]
pub fn prefetch<T>(at: &T) {
    prefetch_at(at);
}

/// The same for a place that may be anywhere, and hold anything or nothing.
#[inline(always)]
pub fn prefetch_at<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which has no effect but on time.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    // Elsewhere there is no stable way to say so.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
