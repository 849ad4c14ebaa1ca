// Swift objects as the C library holds them: one pointer, one reference, one release.
//
// Knows nothing of caches and fetches. Everything that crosses, an element, an error, a callback, is an instance of a final
// class behind such a pointer, so one function ends them all.

import CKVLight

/// An element inside a value of the library's.
@usableFromInline
package final class Box<Element> {
    @usableFromInline package let element: Element

    @inlinable
    package init(_ element: Element) {
        self.element = element
    }
}

/// A reference that the library owns from now on and gives back through ``releaseObject(_:)``.
@inlinable
package func retained(_ object: AnyObject) -> UnsafeMutableRawPointer {
    Unmanaged.passRetained(object).toOpaque()
}

/// The `kvl_free_fn` of all that Swift hands over.
@usableFromInline
package func releaseObject(_ object: UnsafeMutableRawPointer?) {
    guard let object else { return }
    Unmanaged<AnyObject>.fromOpaque(object).release()
}

/// The object behind a pointer that the library still owns.
@inlinable
package func borrowed<Object: AnyObject>(_ pointer: UnsafeMutableRawPointer?, as _: Object.Type = Object.self) -> Object {
    guard let pointer else { preconditionFailure("the library gave back no user data") }
    return Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
}

/// The element of a value that the library lends.
@inlinable
package func element<Element>(of value: OpaquePointer?, as _: Element.Type = Element.self) -> Element {
    borrowed(kvl_value_object(value), as: Box<Element>.self).element
}

/// The element of a value that the library handed out; the value is released.
@inlinable
package func take<Element>(_ value: OpaquePointer?, as _: Element.Type = Element.self) -> Element {
    defer { kvl_value_release(value) }
    return element(of: value)
}

/// A value of the library's made of an element; `nil` is the null value. The caller releases it.
@inlinable
package func makeValue<Element>(_ element: Element?, cost: UInt64) -> OpaquePointer? {
    guard let element else { return kvl_value_null() }
    var value: OpaquePointer?
    let status = kvl_value_new_object(retained(Box(element)), cost, releaseObject, &value)
    precondition(status == KVL_OK, "no memory for a value")
    return value
}

/// The terms of an element, whose cost is its value's own.
@usableFromInline
func terms(ttl: Int64, priority: Double, flags: UInt32 = 0, stale: Int64 = 0) -> kvl_terms_t {
    kvl_terms_t(
        struct_size: MemoryLayout<kvl_terms_t>.size, ttl_ms: ttl, priority: priority, cost: Int64(KVL_COST_DEFAULT), flags: flags,
        reserved: 0, stale_ttl_ms: stale, version: nil, version_len: 0, tags: nil, tags_len: 0
    )
}

/// How long an element stays after its end as a fallback, as the library counts it; `nil` is as the configuration says.
func staleMilliseconds(_ duration: Duration?) -> Int64 {
    guard let duration else { return 0 }
    return duration > .zero ? duration.milliseconds(atLeast: 1) : Int64(KVL_STALE_NEVER)
}

/// The text of a value of bytes; the value is released.
func takeText(_ value: OpaquePointer?) -> String {
    defer { kvl_value_release(value) }
    var count = 0
    guard let data = kvl_value_data(value, &count) else { return "" }
    return String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self)
}
