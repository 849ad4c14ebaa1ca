// An engine of the library. Most functions return the status of the library's call; what is not known then comes through a `Receiver`.

import CKVLight
import Dispatch

@usableFromInline
package final class EngineHandle: @unchecked Sendable {
    // The handle of the library may be used from any thread; it is set once.
    @usableFromInline let raw: OpaquePointer?

    /// Why there is no engine if `raw` is `nil`: the system refused its threads, or there is no connection to a server. Every call then
    /// fails with this status.
    private let refusal: kvl_status_t

    /// The connection to the server that is the second tier; `nil` if there is no such server.
    let server: RedisTier?

    /// `connection`: the outcome of opening the connection to a server, if a server is to be the second tier.
    package init(_ config: borrowing ConfigHandle, connection: Result<RedisTier, SharingError>? = nil) {
        if case .failure(let error) = connection {
            (raw, refusal, server) = (nil, error.status, nil)
            return
        }
        server = try? connection?.get()
        var made: OpaquePointer?
        refusal = kvl_tasks_new(config.raw, &made, nil)
        raw = made
        // Values out of range have been clamped. KVLightTasks has refused settings that contradict each other, and KVLightCompat has none that can.
        precondition(refusal != KVL_ERR_BAD_VALUE, "the configuration was refused")
        if let made { server?.attach(made) }
    }

    deinit {
        // The connection uses the engine, so it ends first.
        nonisolated(unsafe) let raw = raw
        EngineHandle.end(server) { kvl_tasks_dispose(raw) }
    }

    /// Looks a key up in the store, without a load. `nil` means that the key has to be fetched.
    @inlinable
    package func get<Element>(_ key: some KVLightKey, as _: Element.Type = Element.self) -> Element?? {
        var value: OpaquePointer?
        switch withBytes(of: key, { kvl_tasks_get(raw, $0, $1, &value) }) {
        case KVL_VALUE: return .some(.some(take(value)))
        case KVL_NULL, KVL_INVALID_KEY: return .some(.none)
        default: return .none
        }
    }

    /// Fetches one key. Calls `receiver` once if the status is `KVL_PENDING`, and never otherwise.
    package func fetch(
        _ key: some KVLightKey, options: borrowing OptionsHandle, handle: FetchHandle?, receiver: Receiver
    ) -> kvl_status_t {
        let (userData, options) = (retained(receiver), options.raw)
        return answered(
            withBytes(of: key) {
                kvl_tasks_fetch(raw, $0, $1, options, handle?.raw, receivePosition, userData, releaseObject, nil)
            }
        )
    }

    /// Fetches many keys. Calls `receiver` once for each key if the status is `KVL_PENDING`, and never otherwise.
    package func fetchEach(
        _ keys: PackedKeys, options: borrowing OptionsHandle, handle: FetchHandle?, receiver: Receiver
    ) -> kvl_status_t {
        let (userData, options) = (retained(receiver), options.raw)
        return answered(
            keys.withSlices {
                kvl_tasks_fetch_each(raw, $0, $1, options, handle?.raw, receivePosition, userData, releaseObject)
            }
        )
    }

    /// Fetches many keys and delivers their results together: as `ready` if all were resident and `atOnce` is set, otherwise through
    /// `receiver`.
    package func fetchAll(
        _ keys: PackedKeys, options: borrowing OptionsHandle, handle: FetchHandle?, receiver: Receiver, atOnce: Bool
    ) -> (status: kvl_status_t, ready: ResultsHandle?) {
        let (userData, options) = (retained(receiver), options.raw)
        var ready: OpaquePointer?
        let status = keys.withSlices { slices, count in
            if atOnce {
                kvl_tasks_fetch_all(raw, slices, count, options, handle?.raw, receiveBatch, userData, releaseObject, &ready)
            } else {
                kvl_tasks_fetch_all(raw, slices, count, options, handle?.raw, receiveBatch, userData, releaseObject, nil)
            }
        }
        return (answered(status), ready.map { ResultsHandle(owning: $0) })
    }

    func refresh(_ keys: PackedKeys, options: borrowing OptionsHandle) -> kvl_status_t {
        let options = options.raw
        return answered(keys.withSlices { kvl_tasks_refresh(raw, $0, $1, options) })
    }

    func invalidate(_ keys: PackedKeys) -> kvl_status_t {
        answered(keys.withSlices { kvl_tasks_invalidate(raw, $0, $1, 0) })
    }

    func invalidateAll() -> kvl_status_t {
        answered(kvl_tasks_invalidate(raw, nil, 0, KVL_INVALIDATE_F_ALL))
    }

    /// Calls `done` once, when every fetch is settled, no code of the program is running for the engine, and the connection to a server has
    /// ended.
    func close(mode: UInt32, deadline: Int64, done: @escaping @Sendable () -> Void) {
        let call: kvl_closed_fn = { hook in inAutoreleasePool { borrowed(hook, as: Hook<@Sendable () -> Void>.self).function() } }
        // Keeps the engine until `done` has returned.
        let end: @Sendable () -> Void = { [self] in EngineHandle.end(server) { withExtendedLifetime(self, done) } }
        if kvl_tasks_close(raw, mode, deadline, call, retained(Hook(end)), releaseObject) != KVL_OK { end() }
    }

    /// Ends the connection to a server, if there is one, and then calls `done`. This waits for the connection's thread, so it happens on a
    /// global queue: the calling thread may be that thread, or another one of the library.
    private static func end(_ server: RedisTier?, then done: @escaping @Sendable () -> Void) {
        guard let server else { return done() }
        DispatchQueue.global().async {
            server.stop()
            done()
        }
    }

    /// Blocks until the second tier has everything that was written before this call, for at most this time.
    func syncSecondTier(_ milliseconds: Int64) -> kvl_status_t {
        answered(kvl_tasks_l2_sync(raw, milliseconds))
    }

    /// Whether a fetch without options starts with the lookup that `get` makes.
    var readsStoreFirst: Bool { kvl_tasks_reads_store_first(raw) != 0 }

    var breaker: UInt32 { kvl_tasks_breaker_state(raw) }

    func forceBreaker(_ state: UInt32) {
        kvl_tasks_breaker_force(raw, state)
    }

    /// Calls of an engine that never started return NULL_POINTER, which is replaced by the reason.
    private func answered(_ status: kvl_status_t) -> kvl_status_t {
        status == KVL_ERR_NULL_POINTER && raw == nil ? refusal : status
    }
}
