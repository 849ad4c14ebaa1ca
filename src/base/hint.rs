//! What the compiler cannot know: which way a branch goes.
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
