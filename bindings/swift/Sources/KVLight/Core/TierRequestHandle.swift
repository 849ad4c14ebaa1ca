// A request for the second tier, held until it is served. If the last reference is released before `finish`, the whole request has failed.

import CKVLight

/// The statuses of answers are ignored: an answer that comes late or after the close is not the second tier's fault.
final class TierRequestHandle: @unchecked Sendable {
    // The handle of the library may be used from any thread.
    private let raw: OpaquePointer

    let kind: UInt32
    let keys: [TierKey]

    init(retaining request: OpaquePointer) {
        let raw = kvl_l2_request_retain(request) ?? request
        self.raw = raw
        kind = kvl_l2_request_kind(raw)
        let slices = UnsafeBufferPointer(start: kvl_l2_request_keys(raw), count: kvl_l2_request_len(raw))
        keys = slices.enumerated().map { i, slice in
            TierKey(key: bytes(slice.data, slice.len), mayTakeLease: kvl_l2_request_steals(raw, i) != 0)
        }
    }

    deinit {
        kvl_l2_request_release(raw)
    }

    func finish() {
        kvl_l2_request_finish(raw)
    }

    /// Lets a server serve the request, and answers the keys that it found by ``hit(_:_:_:_:makeElement:)``. Returns whether the request
    /// was served.
    func carryOut(by server: RedisTier, makeElement: ([UInt8]) -> OpaquePointer?) -> Bool {
        server.serve(raw) { i, data, left, token in hit(i, data, left, token, makeElement: makeElement) }
    }

    func miss(_ i: Int, _ token: [UInt8]) {
        kvl_l2_request_miss(raw, i, token, token.count)
    }

    func leased(_ i: Int) {
        kvl_l2_request_leased(raw, i)
    }

    func fail(_ i: Int) {
        kvl_l2_request_fail(raw, i)
    }

    func refuse(_ i: Int) {
        kvl_l2_request_refused(raw, i)
    }

    /// Answers with an entry. `makeElement` makes a value from the bytes of an element, and this function releases that value; `nil` stands for
    /// no entry.
    func hit(_ i: Int, _ data: [UInt8], _ left: Int64, _ token: [UInt8], makeElement: ([UInt8]) -> OpaquePointer?) {
        var payload: UnsafePointer<UInt8>?
        var count = 0
        data.withUnsafeBufferPointer { entry in
            let status = kvl_l2_request_payload(raw, i, entry.baseAddress, entry.count, &payload, &count)
            if status == KVL_OK, let value = makeElement(bytes(payload, count)) {
                kvl_l2_request_hit_object(raw, i, entry.baseAddress, entry.count, left, token, token.count, value)
                kvl_value_release(value)
            } else {
                // A null needs no element. Bytes of another program, and those that cannot be decoded, count as no entry: 0 bytes.
                let count = status == KVL_NULL ? entry.count : 0
                kvl_l2_request_hit(raw, i, entry.baseAddress, count, left, token, token.count)
            }
        }
    }

    /// Sets the encoded element that is to be stored under key `i`; a null has none.
    func setPayload(_ i: Int, encode: (OpaquePointer?) throws -> [UInt8]) throws {
        var value: OpaquePointer?
        guard kvl_l2_request_value(raw, i, &value) == KVL_VALUE else { return }
        defer { kvl_value_release(value) }
        let payload = try encode(value)
        kvl_l2_request_set_payload(raw, i, payload, payload.count)
    }

    /// What is to be stored under key `i`.
    func entry(_ i: Int) -> TierEntry? {
        var (data, token): (UnsafePointer<UInt8>?, UnsafePointer<UInt8>?)
        var (count, tokenCount) = (0, 0)
        var ttl: Int64 = 0
        guard kvl_l2_request_entry(raw, i, &data, &count, &ttl, &token, &tokenCount) == KVL_OK else { return nil }
        let timeToLive = ttl == Int64(KVL_TTL_NEVER) ? nil : Duration.milliseconds(ttl)
        return TierEntry(key: keys[i].key, data: bytes(data, count), timeToLive: timeToLive, token: bytes(token, tokenCount))
    }
}

/// A copy of bytes of the library.
func bytes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
    Array(UnsafeBufferPointer(start: start, count: count))
}
