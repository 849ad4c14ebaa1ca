//! Pointers that belong to the host, each with its destructor, which runs exactly once (rules L04, S16).

use super::process::{Generation, calling_host};
use std::ffi::c_void;
use std::sync::Arc;

/// The host's destructor. `C-unwind`, so that a host exception that gets here aborts in a defined way.
pub type FreeFn = unsafe extern "C-unwind" fn(*mut c_void);

/// Where objects bound to it are destroyed, whichever thread drops the last reference.
pub trait DropSite: Send + Sync {
    /// Takes an object without references. Never blocks, and runs the destructor itself only if no other thread would.
    fn accept(&self, object: UnownedObject);
    /// In which process it was made.
    fn born(&self) -> Generation;
}

/// An object without references, on its way to its drop site.
pub struct UnownedObject {
    pointer: *mut c_void,
    free: Option<FreeFn>,
}

// SAFETY: the host that hands a pointer to the library promises that it may be used and freed from any thread (header, THREADS).
unsafe impl Send for UnownedObject {}

impl UnownedObject {
    /// The host's pointer.
    pub fn pointer(&self) -> *mut c_void {
        self.pointer
    }

    /// Whether the host gave a destructor; if not, a DROP event reports the end.
    pub fn has_destructor(&self) -> bool {
        self.free.is_some()
    }

    /// Runs the destructor, if there is one, on this thread.
    pub fn end(self) {
        if let Some(free) = self.free {
            // SAFETY: the host gave `free` for this pointer; `self` is consumed, so it runs once.
            calling_host(|| unsafe { free(self.pointer) });
        }
    }
}

/// A pointer of the host with its destructor. Dropping it destroys the object: here, or at its drop site if it has one.
pub struct Object {
    pointer: *mut c_void,
    free: Option<FreeFn>,
    home: Option<Arc<dyn DropSite>>,
}

// SAFETY: the host that hands a pointer to the library promises that it may be used and freed from any thread (header, THREADS).
unsafe impl Send for Object {}
// SAFETY: as above; we never look through the pointer.
unsafe impl Sync for Object {}

impl Object {
    /// Takes over `pointer`: `free` runs when it is dropped.
    pub fn new(pointer: *mut c_void, free: Option<FreeFn>) -> Object {
        Object { pointer, free, home: None }
    }

    /// The same object, bound to a drop site.
    pub fn to_drop_site(mut self, home: Arc<dyn DropSite>) -> Object {
        self.home = Some(home);
        self
    }

    /// The host's pointer.
    pub fn pointer(&self) -> *mut c_void {
        self.pointer
    }

    /// Whether dropping it runs the host's destructor on the dropping thread.
    pub fn ends_where_dropped(&self) -> bool {
        self.free.is_some() && self.home.is_none()
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let orphan = UnownedObject { pointer: self.pointer, free: self.free.take() };
        match self.home.take() {
            Some(home) => {
                home.accept(orphan);
                // In the child of a fork, the destructor would run on an object that the parent's threads may have been using (rule L06).
                if home.born().is_stale() {
                    std::mem::forget(home);
                }
            }
            None => orphan.end(),
        }
    }
}
