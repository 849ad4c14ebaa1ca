//! What belongs to the process that created it, as every handle does (rule L06).
//!
//! In the child of a fork, threads that held locks or worked for an engine do not exist. So there a handle from before the fork is refused,
//! and dropping it leaves what it holds as it is.

use crate::base::Status;
use crate::base::process::HasGeneration;
use std::mem::forget;

/// Holds `T`, and grants access in its own process only.
pub(super) struct InProcess<T: HasGeneration>(
    /// `None`: it was taken.
    Option<T>,
);

impl<T: HasGeneration> InProcess<T> {
    pub(super) fn new(held: T) -> InProcess<T> {
        InProcess(Some(held))
    }

    /// Fails with FORKED in the child of a fork.
    #[inline]
    pub(super) fn get(&self) -> Result<&T, Status> {
        let held = self.anywhere()?;
        held.generation().check().map(|()| held)
    }

    /// Like [`InProcess::get`].
    #[inline]
    pub(super) fn get_mut(&mut self) -> Result<&mut T, Status> {
        let held = self.0.as_mut().ok_or(Status::ERR_CLOSED)?;
        held.generation().check().map(|()| held)
    }

    /// Access in every process: for settings, which do not change, and for the counting of references.
    #[inline]
    pub(super) fn anywhere(&self) -> Result<&T, Status> {
        self.0.as_ref().ok_or(Status::ERR_CLOSED)
    }

    /// Takes out what is held, unless this is the child of a fork.
    pub(super) fn take(&mut self) -> Option<T> {
        if self.get().is_ok() { self.0.take() } else { None }
    }
}

impl<T: HasGeneration + Clone> Clone for InProcess<T> {
    fn clone(&self) -> InProcess<T> {
        InProcess(self.0.clone())
    }
}

impl<T: HasGeneration> Drop for InProcess<T> {
    fn drop(&mut self) {
        let held = self.0.take();
        if held.as_ref().is_some_and(|held| held.generation().is_stale()) {
            forget(held);
        }
    }
}
