// Swift objects that the C library holds, each by one pointer and one reference.
//
// Every object that is passed to the library - an element, an error, a callback - is an instance of a final class behind such a
// pointer, so one function releases them all.

import CKVLight

/// An element inside a value of the library.
@usableFromInline
package final class Box<Element> {
    @usableFromInline package let element: Element

    @inlinable
    package init(_ element: Element) {
        self.element = element
    }
}

/// Passes a reference to the library, which releases it with ``releaseObject(_:)``.
@inlinable
package func retained(_ object: AnyObject) -> UnsafeMutableRawPointer {
    Unmanaged.passRetained(object).toOpaque()
}

/// The `kvl_free_fn` of all objects that Swift passes to the library.
@usableFromInline
package func releaseObject(_ object: UnsafeMutableRawPointer?) {
    guard let object else { return }
    Unmanaged<AnyObject>.fromOpaque(object).release()
}

/// The object behind a pointer, which the library continues to own.
@inlinable
package func borrowed<Object: AnyObject>(_ pointer: UnsafeMutableRawPointer?, as _: Object.Type = Object.self) -> Object {
    guard let pointer else { preconditionFailure("the library returned no user data") }
    return Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
}

/// The element of a borrowed value.
@inlinable
package func element<Element>(of value: OpaquePointer?, as _: Element.Type = Element.self) -> Element {
    borrowed(kvl_value_object(value), as: Box<Element>.self).element
}

/// The element of an owned value, which is released.
@inlinable
package func take<Element>(_ value: OpaquePointer?, as _: Element.Type = Element.self) -> Element {
    defer { kvl_value_release(value) }
    return element(of: value)
}

/// Creates a value of the library from an element; `nil` becomes the null value. The caller releases it.
@inlinable
package func makeValue<Element>(_ element: Element?, cost: UInt64) -> OpaquePointer? {
    guard let element else { return kvl_value_null() }
    var value: OpaquePointer?
    let status = kvl_value_new_object(retained(Box(element)), cost, releaseObject, &value)
    precondition(status == KVL_OK, "no memory for a value")
    return value
}

/// The terms of an element, without the cost, which belongs to its value.
@usableFromInline
func terms(ttl: Int64, priority: Double, flags: UInt32 = 0, stale: Int64 = 0) -> kvl_terms_t {
    kvl_terms_t(
        struct_size: MemoryLayout<kvl_terms_t>.size, ttl_ms: ttl, priority: priority, cost: Int64(KVL_COST_DEFAULT), flags: flags,
        reserved: 0, stale_ttl_ms: stale, version: nil, version_len: 0, tags: nil, tags_len: 0
    )
}

/// Calls `body` with terms that also state a version and tags.
func withLabels<R>(
    _ terms: kvl_terms_t, version: String, tags: [String], _ body: (UnsafePointer<kvl_terms_t>) -> R
) -> R {
    var stated = terms
    guard !version.isEmpty || !tags.isEmpty else { return body(&stated) }
    // One byte more, so that empty text has an address too.
    let text = Array(version.utf8) + tags.flatMap(\.utf8) + [0]
    return text.withUnsafeBufferPointer { text in
        var at = 0
        let slices = ([version] + tags).map { label in
            defer { at += label.utf8.count }
            return kvl_slice_t(data: text.baseAddress.map { $0 + at }, len: label.utf8.count)
        }
        return slices.withUnsafeBufferPointer { slices in
            stated.version = slices[0].data
            stated.version_len = slices[0].len
            stated.tags = slices.baseAddress.map { $0 + 1 }
            stated.tags_len = tags.count
            return body(&stated)
        }
    }
}

/// How long an expired element is kept as a fallback, in the library's form; `nil`: as the configuration says.
func staleMilliseconds(_ duration: Duration?) -> Int64 {
    guard let duration else { return 0 }
    return duration > .zero ? duration.milliseconds(atLeast: 1) : Int64(KVL_STALE_NEVER)
}

/// The text of an owned value of bytes, which is released.
func takeText(_ value: OpaquePointer?) -> String {
    defer { kvl_value_release(value) }
    var count = 0
    guard let data = kvl_value_data(value, &count) else { return "" }
    return String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self)
}
