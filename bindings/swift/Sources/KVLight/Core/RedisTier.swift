// A Redis or Valkey server as the second tier, through libkvlight_redis, which is loaded at the first use.

import CKVLight
import Foundation

/// The connection of one engine to a server, which serves the engine's requests.
package final class RedisTier: @unchecked Sendable {
    // The library allows calls from any thread.
    private let functions: RedisFunctions
    private let raw: OpaquePointer?

    /// Starts to connect, in the background.
    package init(_ url: String, paths: [String] = RedisTier.paths) throws(SharingError) {
        // C would read only what is before it.
        guard !url.utf8.contains(0) else { throw SharingError(description: "The URL contains a NUL.", status: KVL_ERR_BAD_VALUE) }
        functions = try RedisTier.loaded(paths)
        var (made, why): (OpaquePointer?, OpaquePointer?)
        var program = ProgramFunctions()
        let status = functions.open(url, &program, &made, &why)
        raw = made
        if status != KVL_OK {
            defer { kvl_error_release(why) }
            throw SharingError(description: String(cString: kvl_error_message(why) ?? kvl_status_message(status)), status: status)
        }
    }

    deinit {
        if raw != nil { functions.free(raw) }
    }

    /// Where the library may be: at the path in `KVL_REDIS_LIBRARY`; without it, on the system's library path.
    package static var paths: [String] {
        if let path = ProcessInfo.processInfo.environment["KVL_REDIS_LIBRARY"], !path.isEmpty { return [path] }
        #if canImport(Darwin)
        return ["libkvlight_redis.dylib"]
        #else
        return ["libkvlight_redis.so.\(KVL_VERSION_NUMBER / 1_000_000).\(KVL_VERSION_NUMBER / 1000 % 1000)"]
        #endif
    }

    private static func loaded(_ paths: [String]) throws(SharingError) -> RedisFunctions {
        var tried: [String] = []
        for path in paths {
            if let library = dlopen(path, RTLD_NOW | RTLD_LOCAL), let functions = RedisFunctions(library) { return functions }
            tried.append("\(path) (\(dlerror().map { String(cString: $0) } ?? "it lacks a function"))")
        }
        let sentence =
            "kvlight: l2URL needs libkvlight_redis, which cannot be loaded: tried \(tried.joined(separator: ", ")). Build it by `make redis` in "
            + "kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path."
        throw SharingError(description: sentence, status: KVL_ERR_UNSUPPORTED)
    }

    /// Invalidates in the engine what other processes write, until `stop` is called.
    func attach(_ engine: OpaquePointer) {
        _ = functions.attach(raw, engine)
    }

    /// Ends the connection, and waits for its thread. Afterwards the connection uses no engine. Not to be called in a callback of the
    /// library.
    func stop() {
        functions.stop(raw)
    }

    /// Lets the server serve a request, and waits for it. Calls `hit` for each key that was found, with its index, its entry, the
    /// milliseconds that are left of its time to live, and its token. Returns whether the request was served.
    func serve(_ request: OpaquePointer, hit: (Int, [UInt8], Int64, [UInt8]) -> Void) -> Bool {
        var found: UnsafeMutableRawPointer?
        var count = 0
        guard functions.serve(raw, request, &found, &count) == KVL_OK else { return false }
        defer { functions.freeFound(found, count) }
        for one in UnsafeBufferPointer(start: found?.bindMemory(to: FoundEntry.self, capacity: count), count: count) {
            hit(one.index, bytes(one.data, one.count), one.left, bytes(one.token, one.tokenCount))
        }
        return true
    }

    /// The state of the connection: the JSON of `kvl_redis_state`.
    func state() throws -> String {
        var text: OpaquePointer?
        let status = functions.state(raw, &text)
        guard status == KVL_OK else { throw thrown(status) }
        return takeText(text)
    }
}

/// A `kvl_redis_found_t`.
private struct FoundEntry {
    let index: Int
    let data: UnsafePointer<UInt8>?
    let count: Int
    let left: Int64
    let token: UnsafePointer<UInt8>?
    let tokenCount: Int
}

/// The functions of kvlight_redis.h. The library that has them is never unloaded.
private struct RedisFunctions {
    typealias Out = UnsafeMutablePointer<OpaquePointer?>
    typealias Open = @convention(c) (UnsafePointer<CChar>, UnsafeRawPointer, Out, Out) -> kvl_status_t
    typealias Serve =
        @convention(c) (OpaquePointer?, OpaquePointer, UnsafeMutablePointer<UnsafeMutableRawPointer?>, UnsafeMutablePointer<Int>) -> kvl_status_t
    typealias FreeFound = @convention(c) (UnsafeMutableRawPointer?, Int) -> Void
    typealias Attach = @convention(c) (OpaquePointer?, OpaquePointer) -> kvl_status_t
    typealias State = @convention(c) (OpaquePointer?, Out) -> kvl_status_t
    typealias End = @convention(c) (OpaquePointer?) -> Void

    let open: Open
    let serve: Serve
    let freeFound: FreeFound
    let attach: Attach
    let state: State
    let stop: End
    let free: End

    /// `nil` if the library lacks one of the functions.
    init?(_ library: UnsafeMutableRawPointer) {
        func function<F>(_ name: String, as type: F.Type) -> F? {
            dlsym(library, "kvl_redis_\(name)").map { unsafeBitCast($0, to: type) }
        }
        guard let open = function("open", as: Open.self), let serve = function("serve", as: Serve.self),
            let freeFound = function("found_free", as: FreeFound.self), let attach = function("attach", as: Attach.self),
            let state = function("state", as: State.self), let stop = function("stop", as: End.self), let free = function("free", as: End.self)
        else { return nil }
        (self.open, self.serve, self.freeFound, self.attach) = (open, serve, freeFound, attach)
        (self.state, self.stop, self.free) = (state, stop, free)
    }
}

/// A `kvl_redis_library_t`: the functions of the libkvlight that this program uses, which made its engines and requests. libkvlight_redis
/// itself is linked with the shared library. That is a second copy if the program contains the static one.
private struct ProgramFunctions {
    typealias Request = OpaquePointer
    typealias Bytes = UnsafePointer<UInt8>
    typealias Out<T> = UnsafeMutablePointer<T>

    let size = MemoryLayout<ProgramFunctions>.size
    let kind: @convention(c) (Request?) -> UInt32 = kvl_l2_request_kind
    let count: @convention(c) (Request?) -> Int = kvl_l2_request_len
    let keys: @convention(c) (Request?) -> UnsafePointer<kvl_slice_t>? = kvl_l2_request_keys
    let entry: @convention(c) (Request?, Int, Out<Bytes?>?, Out<Int>?, Out<Int64>?, Out<Bytes?>?, Out<Int>?) -> kvl_status_t = kvl_l2_request_entry
    let payload: @convention(c) (Request?, Int, Bytes?, Int, Out<Bytes?>?, Out<Int>?) -> kvl_status_t = kvl_l2_request_payload
    let hit: @convention(c) (Request?, Int, Bytes?, Int, Int64, Bytes?, Int) -> kvl_status_t = kvl_l2_request_hit
    let miss: @convention(c) (Request?, Int, Bytes?, Int) -> kvl_status_t = kvl_l2_request_miss
    let leased: @convention(c) (Request?, Int) -> kvl_status_t = kvl_l2_request_leased
    let steals: @convention(c) (Request?, Int) -> UInt32 = kvl_l2_request_steals
    let refused: @convention(c) (Request?, Int) -> kvl_status_t = kvl_l2_request_refused
    let fail: @convention(c) (Request?, Int) -> kvl_status_t = kvl_l2_request_fail
    let finish: @convention(c) (Request?) -> kvl_status_t = kvl_l2_request_finish
    let retain: @convention(c) (Request?) -> Request? = kvl_l2_request_retain
    let release: @convention(c) (Request?) -> Void = kvl_l2_request_release
    let invalidate: @convention(c) (OpaquePointer?, UnsafePointer<kvl_slice_t>?, Int, UInt32) -> kvl_status_t = kvl_tasks_invalidate
    let newValue: @convention(c) (Bytes?, Int, Out<OpaquePointer?>?) -> kvl_status_t = kvl_value_new_bytes
    let newError: @convention(c) (Int64, UnsafePointer<CChar>?, Int, UInt32, Out<OpaquePointer?>?) -> kvl_status_t = kvl_error_new
}
