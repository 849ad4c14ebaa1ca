// A request of the library, held until it is answered. Releasing the last reference finishes an unfinished request.

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

    func resolve<Element>(_ i: Int, _ element: Element?, cost: UInt64, _ stated: StatedTerms) -> kvl_status_t {
        let value = makeValue(element, cost: cost)
        defer { kvl_value_release(value) }
        return stated.with { kvl_request_resolve(raw, i, value, $0) }
    }

    func notModified(_ i: Int, _ stated: StatedTerms) -> kvl_status_t {
        stated.with { kvl_request_not_modified(raw, i, $0) }
    }

    /// The stored entry of a key.
    func stale<Element>(_ i: Int, as _: Element.Type) -> (element: Element?, age: Int64, version: String)? {
        var value: OpaquePointer?
        var age: Int64 = 0
        var version = kvl_slice_t(data: nil, len: 0)
        let status = kvl_request_stale(raw, i, &value, &age, &version)
        guard status == KVL_VALUE || status == KVL_NULL else { return nil }
        let text = String(decoding: UnsafeBufferPointer(start: version.data, count: version.len), as: UTF8.self)
        // Without the type, Swift would infer `Element?`.
        return (status == KVL_VALUE ? take(value, as: Element.self) : nil, age, text)
    }

    func supply<Element>(
        _ key: some KVLightKey, _ element: Element?, cost: UInt64, _ stated: StatedTerms
    ) -> kvl_status_t {
        let value = makeValue(element, cost: cost)
        defer { kvl_value_release(value) }
        return stated.with { terms in withBytes(of: key) { kvl_request_supply(raw, $0, $1, value, terms) } }
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
        let call: kvl_cancel_fn = { hook, _, _ in inAutoreleasePool { borrowed(hook, as: Hook<@Sendable () -> Void>.self).function() } }
        let status = kvl_request_on_cancel(raw, call, retained(Hook(cancelled)), releaseObject)
        if status == KVL_ERR_CANCELLED { cancelled() }
    }
}

/// The terms that an answer states.
struct StatedTerms {
    var ttl: TimeToLive
    var priority: Double?
    var stale: Duration?
    var tags: [String]
    var version: String

    func with<R>(_ body: (UnsafePointer<kvl_terms_t>) -> R) -> R {
        // The value of KVL_PRIORITY_DEFAULT: the priority of the fetch.
        let stated = priority.flatMap { $0.isNaN ? nil : $0 } ?? -Double.greatestFiniteMagnitude
        let terms = terms(ttl: ttl.milliseconds, priority: stated, stale: staleMilliseconds(stale))
        return withLabels(terms, version: version, tags: tags, body)
    }
}
