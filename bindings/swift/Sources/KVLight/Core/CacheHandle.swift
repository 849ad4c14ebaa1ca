// A store of the library, for keys that are bytes and values that are boxed elements.

import CKVLight

/// The result of a lookup.
@usableFromInline
package enum Found<Element> {
    case element(Element)
    case null
    case miss
    case invalidKey
}

@usableFromInline
package final class CacheHandle: @unchecked Sendable {
    // The handle of the library may be used from any thread; it is set once.
    @usableFromInline package let raw: OpaquePointer?

    /// The engine of the cache, which this handle keeps alive; `nil` for a cache without an engine.
    private let engine: EngineHandle?

    package init(_ config: borrowing ConfigHandle) {
        var made: OpaquePointer?
        let status = kvl_cache_new(config.raw, &made, nil)
        precondition(status == KVL_OK, "the cache was refused: \(String(cString: kvl_status_message(status)))")
        raw = made
        engine = nil
    }

    package init(of engine: EngineHandle) {
        var made: OpaquePointer?
        kvl_tasks_cache(engine.raw, &made)
        raw = made
        self.engine = engine
    }

    deinit {
        kvl_cache_release(raw)
    }

    @inlinable
    package func get<Element>(_ key: some KVLightKey, as _: Element.Type = Element.self) -> Found<Element> {
        var value: OpaquePointer?
        let status = withBytes(of: key) { kvl_cache_get(raw, $0, $1, &value) }
        return found(status, value)
    }

    @inlinable
    package func peek<Element>(_ key: some KVLightKey, as _: Element.Type = Element.self) -> Found<Element> {
        var value: OpaquePointer?
        let status = withBytes(of: key) { kvl_cache_peek(raw, $0, $1, &value, nil, nil) }
        return found(status, value)
    }

    package func contains(_ key: some KVLightKey) -> Bool {
        let status = withBytes(of: key) { kvl_cache_contains(raw, $0, $1) }
        return status == KVL_VALUE || status == KVL_NULL
    }

    package func put<Element>(
        _ element: Element?, for key: some KVLightKey, ttl: Int64, priority: Double, cost: UInt64, flags: UInt32 = 0, stale: Int64 = 0,
        tags: [String] = [], version: String = ""
    ) -> kvl_status_t {
        let value = makeValue(element, cost: cost)
        defer { kvl_value_release(value) }
        let stated = terms(ttl: ttl, priority: priority, flags: flags, stale: stale)
        return withLabels(stated, version: version, tags: tags) { stated in
            withBytes(of: key) { kvl_cache_put(raw, $0, $1, value, stated) }
        }
    }

    /// Stores the element that `change` returns, and starts again whenever another thread has written meanwhile. Returns the stored element.
    func update<Element>(
        _ key: some KVLightKey, ttl: Int64, priority: Double, cost: (Element?) -> UInt64, change: (Element?) throws -> Element?
    ) rethrows -> Element? {
        while true {
            var held: OpaquePointer?
            let found = withBytes(of: key) { kvl_cache_peek(raw, $0, $1, &held, nil, nil) }
            defer { kvl_value_release(held) }
            // Without the type, Swift would infer `Element?`.
            let changed = try change(found == KVL_VALUE ? element(of: held, as: Element.self) : nil)
            let value = makeValue(changed, cost: cost(changed))
            defer { kvl_value_release(value) }
            let isThere = found == KVL_VALUE || found == KVL_NULL
            var stated = terms(ttl: ttl, priority: priority, flags: isThere ? 0 : KVL_PUT_F_IF_ABSENT)
            let status = withBytes(of: key) { data, count in
                isThere
                    ? kvl_cache_compare_put(raw, data, count, held ?? kvl_value_null(), value, &stated)
                    : kvl_cache_put(raw, data, count, value, &stated)
            }
            if status != KVL_CONFLICT, status != KVL_MISS { return status == KVL_OK ? changed : nil }
        }
    }

    func touch(_ key: some KVLightKey, ttl: Int64) -> Bool {
        withBytes(of: key) { kvl_cache_touch(raw, $0, $1, ttl) } == KVL_OK
    }

    func expire(_ key: some KVLightKey) -> Bool {
        withBytes(of: key) { kvl_cache_expire(raw, $0, $1) } == KVL_OK
    }

    func expireAll() {
        kvl_cache_expire_all(raw)
    }

    func expire(tag: String) -> Int {
        countChanged(tag) { kvl_cache_expire_tag(raw, $0, $1, $2) }
    }

    func remove(tag: String) -> Int {
        countChanged(tag) { kvl_cache_remove_tag(raw, $0, $1, $2) }
    }

    /// Calls `change` with the bytes of `tag`, and returns how many entries it changed.
    private func countChanged(_ tag: String, _ change: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<Int>?) -> kvl_status_t) -> Int {
        var tag = tag
        var count = 0
        _ = tag.withUTF8 { change($0.baseAddress, $0.count, &count) }
        return count
    }

    /// Like `put`, but also returns the elements evicted to make room, or the element itself if it was not stored. A replaced element is
    /// not returned.
    package func putReturningVictims<Element>(
        _ element: Element?, for key: some KVLightKey, ttl: Int64, priority: Double, cost: UInt64, stale: Int64 = 0, tags: [String] = [],
        version: String = ""
    ) -> (status: kvl_status_t, victims: [Element]) {
        let value = makeValue(element, cost: cost)
        defer { kvl_value_release(value) }
        let stated = terms(ttl: ttl, priority: priority, stale: stale)
        let victims = Victims<Element>()
        let addVictim: kvl_removal_fn = { victims, entry, _ in
            guard let object = entry?.pointee.object else { return }
            borrowed(victims, as: AnyVictims.self).add(object)
        }
        let status = withExtendedLifetime(victims) {
            withLabels(stated, version: version, tags: tags) { stated in
                withBytes(of: key) {
                    kvl_cache_put_with_victims(
                        raw, $0, $1, value, stated, addVictim,
                        Unmanaged<AnyVictims>.passUnretained(victims).toOpaque()
                    )
                }
            }
        }
        return (status, victims.elements)
    }

    package func take<Element>(_ key: some KVLightKey, as _: Element.Type = Element.self) -> Found<Element> {
        var value: OpaquePointer?
        let status = withBytes(of: key) { kvl_cache_take(raw, $0, $1, &value) }
        return found(status, value)
    }

    package func pop<Element>(as _: Element.Type = Element.self) -> Found<Element> {
        var value: OpaquePointer?
        let status = kvl_cache_pop(raw, &value)
        return found(status, value)
    }

    package func removeExpired() -> Int {
        var removed = 0
        kvl_cache_remove_expired(raw, &removed)
        return removed
    }

    package func trim(to entries: Int) {
        kvl_cache_trim_to(raw, max(entries, 0))
    }

    func trim(keeping ratio: Double) {
        kvl_cache_trim(raw, min(max(ratio.isNaN ? 1 : ratio, 0), 1))
    }

    package func clear() {
        kvl_cache_clear(raw)
    }

    func resize(capacity: Int, costLimit: Int?) {
        kvl_cache_resize(raw, max(capacity, 0), costLimit.map { Int64(max($0, 0)) } ?? -1)
    }

    package var count: Int { kvl_cache_len(raw) }
    package var cost: Int { Int(clamping: kvl_cache_cost(raw)) }
    package var capacity: Int { kvl_cache_capacity(raw) }

    var costLimit: Int? {
        let limit = kvl_cache_cost_limit(raw)
        return limit < 0 ? nil : Int(limit)
    }

    var maximumCost: Int { Int(clamping: kvl_cache_max_cost(raw)) }

    @inlinable
    func found<Element>(_ status: kvl_status_t, _ value: OpaquePointer?) -> Found<Element> {
        switch status {
        case KVL_VALUE: .element(KVLight.take(value))
        case KVL_NULL: .null
        case KVL_INVALID_KEY: .invalidKey
        default: .miss
        }
    }
}

/// The elements that one put has evicted. This class, which has no type parameter, is what the C callback receives.
private class AnyVictims {
    func add(_ object: UnsafeMutableRawPointer) {}
}

private final class Victims<Element>: AnyVictims {
    var elements: [Element] = []

    override func add(_ object: UnsafeMutableRawPointer) {
        elements.append(borrowed(object, as: Box<Element>.self).element)
    }
}
