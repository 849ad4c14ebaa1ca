// A request of the library, held until it is answered. Releasing the last reference finishes it if that was not done.

import CKVLight

@usableFromInline
package final class RequestHandle: @unchecked Sendable {
    // The handle of the library may be used from any thread.
    @usableFromInline let raw: OpaquePointer

    package init(retaining request: OpaquePointer) {
        raw = kvl_request_retain(request) ?? request
    }

    deinit {
        kvl_request_release(raw)
    }

    @inlinable
    package var count: Int { kvl_request_len(raw) }

    /// The result of `read` for the bytes of a key.
    @inlinable
    package func key<K>(_ i: Int, read: (UnsafeRawBufferPointer) -> K?) -> K? {
        var data: UnsafePointer<UInt8>?
        var count = 0
        guard kvl_request_key(raw, i, &data, &count) == KVL_OK else { return nil }
        return read(UnsafeRawBufferPointer(start: data, count: count))
    }

    package var priority: TaskPriority {
        let urgency = kvl_request_urgency(raw)
        return urgency <= 0 ? .medium : TaskPriority(rawValue: UInt8(clamping: urgency))
    }

    @discardableResult
    @inlinable
    package func resolve<Element>(_ i: Int, _ element: Element?, cost: UInt64) -> kvl_status_t {
        guard let element else { return kvl_request_resolve(raw, i, kvl_value_null(), nil) }
        return kvl_request_resolve_object(raw, i, retained(Box(element)), cost, releaseObject, nil)
    }

    func resolve<Element>(_ i: Int, _ element: Element?, cost: UInt64, ttl: Int64, priority: Double, stale: Int64) -> kvl_status_t {
        let value = makeValue(element, cost: cost)
        defer { kvl_value_release(value) }
        var stated = terms(ttl: ttl, priority: priority, stale: stale)
        return kvl_request_resolve(raw, i, value, &stated)
    }

    func supply<Element>(
        _ key: some KVLightKey, _ element: Element?, cost: UInt64, ttl: Int64, priority: Double, stale: Int64
    ) -> kvl_status_t {
        let value = makeValue(element, cost: cost)
        defer { kvl_value_release(value) }
        var stated = terms(ttl: ttl, priority: priority, stale: stale)
        return withBytes(of: key) { kvl_request_supply(raw, $0, $1, value, &stated) }
    }

    @discardableResult
    package func fail(_ i: Int, _ error: any Error) -> kvl_status_t {
        let made = makeError(error)
        defer { kvl_error_release(made) }
        return kvl_request_fail(raw, i, made)
    }

    package func finish() {
        kvl_request_finish(raw)
    }

    package func finishWithNulls() {
        kvl_request_finish_nulls(raw)
    }

    @usableFromInline
    package func finish(throwing error: any Error) {
        let made = makeError(error)
        defer { kvl_error_release(made) }
        kvl_request_finish_error(raw, made)
    }

    /// Calls `cancelled` once when no caller waits any longer, the attempt times out or the engine closes; at once if
    /// that has happened already.
    package func onCancel(_ cancelled: @escaping @Sendable () -> Void) {
        let call: kvl_cancel_fn = { hook, _, _ in onLibraryThread { borrowed(hook, as: Hook<@Sendable () -> Void>.self).function() } }
        let status = kvl_request_on_cancel(raw, call, retained(Hook(cancelled)), releaseObject)
        if status == KVL_ERR_CANCELLED { cancelled() }
    }
}
