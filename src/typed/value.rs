//! Rust values as the library's objects: a value of type `V` is stored as the pointer of an `Arc<V>`.
//!
//! Only this file turns pointers into `Arc`s, and only for caches of one `V`: each of them gets its values from here alone.

use crate::base::Value;
use std::ffi::c_void;
use std::sync::Arc;

unsafe extern "C-unwind" fn drop_arc<V>(pointer: *mut c_void) {
    // SAFETY: the pointer came from `Arc::<V>::into_raw` in `stored`, and this runs once for it.
    drop(unsafe { Arc::from_raw(pointer.cast_const().cast::<V>()) });
}

/// The library's handle to `value`, which costs `cost`.
pub(super) fn stored<V: Send + Sync + 'static>(value: Arc<V>, cost: u64) -> Value {
    Value::object_with(Arc::into_raw(value).cast_mut().cast(), cost, Some(drop_arc::<V>))
}

/// The value behind a handle that [`stored`] made for this very type.
pub(super) fn shared<V: Send + Sync + 'static>(value: &Value) -> Arc<V> {
    let pointer = value.as_object().expect("a typed cache holds objects only").cast_const().cast::<V>();
    // SAFETY: `stored` made the handle from an `Arc<V>`, whose reference it holds as long as `value` lives.
    unsafe {
        Arc::increment_strong_count(pointer);
        Arc::from_raw(pointer)
    }
}
