//! Pointers that belong to the host. The destructor of each, if the host gave one, runs exactly once (rules L04, S16).

use super::process::{Generation, calling_host};
use std::ffi::c_void;
use std::sync::Arc;

/// The host's destructor. `C-unwind`, so that a host exception that passes through it aborts in a defined way.
pub type FreeFn = unsafe extern "C-unwind" fn(*mut c_void);

/// The place that destroys the objects bound to it, whichever thread drops the last reference.
pub trait DropSite: Send + Sync {
    /// Takes over an object that has no references left. Never blocks. Runs the destructor itself only if no other thread will.
    fn accept(&self, object: UnownedObject);
    /// The process in which the site was created.
    fn generation(&self) -> Generation;
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

    /// Whether the host gave a destructor. If not, a DROP event reports that the object has no references left.
    pub fn has_destructor(&self) -> bool {
        self.free.is_some()
    }

    /// Runs the destructor, if there is one, on the calling thread.
    pub fn end(self) {
        if let Some(free) = self.free {
            // SAFETY: the host gave `free` for this pointer; `self` is consumed, so it runs once.
            calling_host(|| unsafe { free(self.pointer) });
        }
    }
}

/// A pointer of the host with its destructor. Dropping the last reference runs the destructor on that thread, or hands the object to its
/// drop site.
pub struct Object {
    pointer: *mut c_void,
    free: Option<FreeFn>,
    site: Option<Arc<dyn DropSite>>,
}

// SAFETY: the host that hands a pointer to the library promises that it may be used and freed from any thread (header, THREADS).
unsafe impl Send for Object {}
// SAFETY: as above; the library never dereferences the pointer.
unsafe impl Sync for Object {}

impl Object {
    /// Takes over `pointer`. `free` runs when the object is dropped.
    pub fn new(pointer: *mut c_void, free: Option<FreeFn>) -> Object {
        Object { pointer, free, site: None }
    }

    /// Binds the object to a drop site.
    pub fn bound_to(mut self, site: Arc<dyn DropSite>) -> Object {
        self.site = Some(site);
        self
    }

    /// The host's pointer.
    pub fn pointer(&self) -> *mut c_void {
        self.pointer
    }

    /// Whether dropping the object runs the host's destructor on the dropping thread.
    pub fn ends_where_dropped(&self) -> bool {
        self.free.is_some() && self.site.is_none()
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let unowned = UnownedObject { pointer: self.pointer, free: self.free.take() };
        match self.site.take() {
            Some(site) => {
                site.accept(unowned);
                // In the child of a fork the site is leaked: threads of the parent may have been using it at the fork (rule L06).
                if site.generation().is_stale() {
                    std::mem::forget(site);
                }
            }
            None => unowned.end(),
        }
    }
}
