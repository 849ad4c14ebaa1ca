// A second tier: a store behind an engine that several processes may share.

import CKVLight

/// A key to look up in a second tier.
public struct TierKey: Hashable, Sendable {
    /// The key's bytes.
    public let key: [UInt8]
    /// Whether another process has held the lease of the key for longer than ``Sharing/waitForOthers``, so that it may be granted again.
    public let mayTakeLease: Bool
}

/// What is to be stored under a key of a second tier.
public struct TierEntry: Hashable, Sendable {
    /// The key's bytes.
    public let key: [UInt8]
    /// The bytes to store unchanged.
    public let data: [UInt8]
    /// The entry's time to live from now on; `nil`: it does not expire. An entry that is kept longer never expires, since each time that it is
    /// found its time to live begins anew.
    public let timeToLive: Duration?
    /// For a fill: the token that the read of the key gave; empty for a write.
    public let token: [UInt8]
}

/// What a second tier has under a key.
public enum TierFound: Sendable {
    /// How much of an entry's time to live is left.
    public enum TimeLeft: Hashable, Sendable {
        /// Not known: the whole time to live with which the entry was written counts.
        case unknown
        /// The second tier does not expire the entry: the whole time to live counts, too.
        case never
        /// This time; at zero or less the entry has expired.
        case remaining(Duration)
    }

    /// The `data` of an entry, and a token that identifies the entry for a fill that may replace it; with an empty token, no fill may.
    case entry(data: [UInt8], left: TimeLeft = .unknown, token: [UInt8] = [])
    /// Nothing, and the token of the lease if one was granted.
    case nothing(token: [UInt8] = [])
    /// Nothing, and another reader has the lease: the key is looked up again, for at most ``Sharing/waitForOthers``.
    case leased
    /// The key cannot be looked up.
    case failed
}

/// A cache server, a database or a folder behind an engine. Keys are looked up in it before the provider is asked for them, and it receives
/// what was loaded and written. Several processes may share one.
///
/// Its methods run in tasks, several at a time. If one throws, or returns a list of the wrong length, no caller of the engine fails: the
/// provider is asked, and what was to be written is written again.
public protocol SecondTier: Sendable {
    /// Whether ``fill(_:)`` stores an entry only if its token still belongs to the key. Asked once.
    var isConditional: Bool { get }
    /// Whether ``read(_:)`` gives a token for a key that is not there, to one reader at a time. Asked once. With both, an older load never
    /// replaces a newer write, in any process.
    var grantsLeases: Bool { get }

    /// Looks keys up. The answers are in the order of the keys.
    func read(_ keys: [TierKey]) async throws -> [TierFound]
    /// Stores what was loaded; with ``isConditional``, only entries whose token still belongs to the key. Returns whether each was stored.
    func fill(_ entries: [TierEntry]) async throws -> [Bool]
    /// Stores what was written.
    func write(_ entries: [TierEntry]) async throws
    /// Removes keys, whether they are there or not.
    func remove(_ keys: [[UInt8]]) async throws
    /// Removes all keys.
    func clear() async throws
}

extension SecondTier {
    public var isConditional: Bool { false }
    public var grantsLeases: Bool { false }
}

/// A second tier, and how elements are stored in it.
public struct Sharing<Element: Sendable>: Sendable {
    private enum Store {
        case tier(any SecondTier)
        case server(url: String)
    }

    private let store: Store
    /// Returns the bytes of an element. An element for which it throws stays in this process.
    public var encode: @Sendable (Element) throws -> [UInt8]
    /// Returns the element that has the bytes. An entry for which it throws counts as not found.
    public var decode: @Sendable ([UInt8]) throws -> Element
    /// Receives the errors of the second tier, of `encode` and of `decode`, on the thread where they occur. Callers of the engine do not
    /// receive them.
    public var failed: @Sendable (any Error) -> Void
    /// How long a lookup may take; then the provider is asked. `nil` is without limit.
    public var timeout: Duration? = .milliseconds(50)
    /// How long a request that writes may take. Then it counts as failed, and what was written is sent again.
    public var writeTimeout = Duration.seconds(5)
    /// How long a key waits for the load of another process; zero: it is loaded here too.
    public var waitForOthers = Duration.seconds(1)
    /// The longest time to live in the second tier; `nil`: as in this process.
    public var timeToLive: Duration?
    /// The longest time to live in this process of what was found in the second tier; `nil`: what is left of it there.
    public var localTimeToLive: Duration?

    public init(
        through tier: any SecondTier, encode: @escaping @Sendable (Element) throws -> [UInt8],
        decode: @escaping @Sendable ([UInt8]) throws -> Element, failed: @escaping @Sendable (any Error) -> Void = { _ in }
    ) {
        store = .tier(tier)
        self.encode = encode
        self.decode = decode
        self.failed = failed
    }

    /// Shares through a Redis or Valkey server, such as `redis://user:password@cache.example.org:6379/0?prefix=shop`; kvlight_redis.h lists
    /// the options of its URL. Each engine has a connection of its own. The connection ends with the engine, and invalidates in the engine
    /// what other processes write. Only ``KVLightTasks/secondTierState()`` reports failures of the server.
    ///
    /// This needs libkvlight_redis, which is loaded from the path in `KVL_REDIS_LIBRARY` or else from the system's libraries. Throws a
    /// ``SharingError`` if it cannot be loaded, or if the URL is wrong.
    public init(
        l2URL: String, encode: @escaping @Sendable (Element) throws -> [UInt8],
        decode: @escaping @Sendable ([UInt8]) throws -> Element, failed: @escaping @Sendable (any Error) -> Void = { _ in }
    ) throws {
        // Opened only to check the URL and the library, since creating an engine cannot throw.
        _ = try RedisTier(l2URL)
        store = .server(url: l2URL)
        self.encode = encode
        self.decode = decode
        self.failed = failed
    }

    /// The connection of an engine, if the second tier is a server.
    func connection() -> Result<RedisTier, SharingError>? {
        guard case .server(let url) = store else { return nil }
        return Result { () throws(SharingError) in try RedisTier(url) }
    }

    func write(to config: borrowing ConfigHandle, pricing: Pricing<Element>, server: RedisTier?) {
        let longest = Int64(UInt32.max)
        config.set("l2.timeout_ms", timeout.timeoutMilliseconds)
        config.set("l2.write_timeout_ms", min(writeTimeout.milliseconds(atLeast: 1), longest))
        config.set("l2.single_flight", waitForOthers > .zero)
        config.set("l2.wait_ms", min(waitForOthers.milliseconds(), longest))
        config.set("l2.ttl_ms", timeToLive.timeoutMilliseconds)
        config.set("l2.local_ttl_ms", localTimeToLive.timeoutMilliseconds)
        if case .tier(let tier) = store {
            let abilities =
                KVL_L2_F_OBJECTS | (tier.isConditional ? KVL_L2_F_CONDITIONAL : 0) | (tier.grantsLeases ? KVL_L2_F_LEASES : 0)
            config.setSecondTier(abilities) { [self] request in
                let request = TierRequestHandle(retaining: request)
                Task { await serve(request, from: tier, pricing) }
            }
        } else if let server {
            // On the library's thread, which may wait for the server.
            config.setSecondTier(KVL_L2_F_OBJECTS | KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES) { [self] request in
                serve(TierRequestHandle(retaining: request), from: server, pricing)
            }
        }
    }

    /// Lets a server serve a request. Failures are not reported: a lookup that fails is a miss, and a write is repeated.
    private func serve(_ request: TierRequestHandle, from server: RedisTier, _ pricing: Pricing<Element>) {
        if request.kind == KVL_L2_FILL || request.kind == KVL_L2_WRITE {
            for i in request.keys.indices { setPayload(request, i) }
        }
        // Finishing a lookup fails its keys without an answer. Any other request fails as a whole if it is released unfinished.
        if request.carryOut(by: server, makeElement: { madeValue($0, pricing) }) || request.kind == KVL_L2_READ { request.finish() }
    }

    /// Serves a request, and ends it in any case.
    private func serve(_ request: TierRequestHandle, from tier: any SecondTier, _ pricing: Pricing<Element>) async {
        do {
            switch request.kind {
            case KVL_L2_READ:
                try answer(request, try await tier.read(request.keys), pricing)
            case KVL_L2_FILL, KVL_L2_WRITE:
                try await store(request, in: tier)
            case KVL_L2_REMOVE:
                try await tier.remove(request.keys.map(\.key))
            case KVL_L2_CLEAR:
                try await tier.clear()
            default:
                return
            }
            request.finish()
        } catch {
            // Finishing a lookup fails its keys without an answer. Any other request fails as a whole if it is released unfinished.
            if request.kind == KVL_L2_READ { request.finish() }
            failed(error)
        }
    }

    private func answer(_ request: TierRequestHandle, _ found: [TierFound], _ pricing: Pricing<Element>) throws {
        guard found.count == request.keys.count else { throw WrongCount(asked: request.keys.count, answered: found.count) }
        for (i, one) in found.enumerated() {
            switch one {
            case .entry(let data, let left, let token):
                request.hit(i, data, left.milliseconds, token) { madeValue($0, pricing) }
            case .nothing(let token): request.miss(i, token)
            case .leased: request.leased(i)
            case .failed: request.fail(i)
            }
        }
    }

    /// Makes a value from the bytes of an element, for the caller to release; `nil` if they cannot be decoded.
    private func madeValue(_ payload: [UInt8], _ pricing: Pricing<Element>) -> OpaquePointer? {
        do {
            let element = try decode(payload)
            return makeValue(element, cost: pricing(element))
        } catch {
            failed(error)
            return nil
        }
    }

    /// Sets the encoded element that is to be stored under key `i`, or refuses the key. Returns whether there is something to store, as there
    /// is for a null, which has no bytes.
    @discardableResult
    private func setPayload(_ request: TierRequestHandle, _ i: Int) -> Bool {
        do {
            try request.setPayload(i) { value in try encode(element(of: value)) }
            return true
        } catch {
            failed(error)
            request.refuse(i)
            return false
        }
    }

    private func store(_ request: TierRequestHandle, in tier: any SecondTier) async throws {
        var places: [Int] = []
        var entries: [TierEntry] = []
        for i in request.keys.indices where setPayload(request, i) {
            guard let entry = request.entry(i) else { continue }
            places.append(i)
            entries.append(entry)
        }
        if entries.isEmpty { return }
        if request.kind == KVL_L2_WRITE { return try await tier.write(entries) }
        let stored = try await tier.fill(entries)
        guard stored.count == entries.count else { throw WrongCount(asked: entries.count, answered: stored.count) }
        for (i, isStored) in zip(places, stored) where !isStored { request.refuse(i) }
    }
}

/// A second tier returned a list of the wrong length.
struct WrongCount: Error, CustomStringConvertible {
    let asked: Int
    let answered: Int

    var description: String { "a second tier was asked for \(asked) keys and answered \(answered)" }
}

extension TierFound.TimeLeft {
    var milliseconds: Int64 {
        switch self {
        case .unknown: Int64(KVL_L2_TTL_UNKNOWN)
        case .never: Int64(KVL_TTL_NEVER)
        case .remaining(let time): time.milliseconds()
        }
    }
}
