//! Rust values as the library's objects. A value of type `V` is stored as the pointer of an `Arc<V>`.
//!
//! Only this file converts between pointers and `Arc`s. A cache has one `V`, and all of its values are created here.

use crate::base::Value;
use crate::base::panics::catch_panic;
use std::ffi::c_void;
use std::sync::Arc;

/// A panic in the value's `Drop` ends here. Otherwise it would reach the caller of a put, and a second one during it would end the process
/// (rule L07).
unsafe extern "C-unwind" fn drop_arc<V>(pointer: *mut c_void) {
    // SAFETY: the pointer came from `Arc::<V>::into_raw` in `stored`, and this runs once for it.
    let value = unsafe { Arc::from_raw(pointer.cast_const().cast::<V>()) };
    let _ = catch_panic(|| drop(value));
}

/// A value of the library that holds `value` and costs `cost`.
pub(super) fn stored<V: Send + Sync + 'static>(value: Arc<V>, cost: u64) -> Value {
    Value::object_with(Arc::into_raw(value).cast_mut().cast(), cost, Some(drop_arc::<V>))
}

/// The `Arc` in a value that [`stored`] created for the same type.
pub(super) fn shared<V: Send + Sync + 'static>(value: &Value) -> Arc<V> {
    let pointer = value.as_object().expect("a typed cache holds objects only").cast_const().cast::<V>();
    // SAFETY: `stored` got the pointer from `Arc::into_raw`, and `value` keeps that reference for as long as it lives.
    unsafe {
        Arc::increment_strong_count(pointer);
        Arc::from_raw(pointer)
    }
}
