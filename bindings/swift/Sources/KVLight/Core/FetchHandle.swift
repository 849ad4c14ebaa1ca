// The handle of a fetch, created before the call, so that the fetch can be cancelled at any time.

import CKVLight

package final class FetchHandle: @unchecked Sendable {
    // The handle of the library may be used from any thread.
    package let raw: OpaquePointer?

    package init(urgency: TaskPriority? = nil) {
        var made: OpaquePointer?
        let status = kvl_fetch_new(&made)
        precondition(status == KVL_OK, "no memory for a fetch")
        raw = made
        if let urgency {
            kvl_fetch_set_urgency(made, Int32(urgency.rawValue))
        }
    }

    deinit {
        kvl_fetch_release(raw)
    }

    package func cancel() {
        kvl_fetch_cancel(raw)
    }

    func setUrgency(_ urgency: TaskPriority) {
        kvl_fetch_set_urgency(raw, Int32(urgency.rawValue))
    }

    var progress: FetchProgress {
        var (done, failed, total) = (0, 0, 0)
        kvl_fetch_progress(raw, &done, &failed, &total)
        return FetchProgress(done: done, failed: failed, total: total)
    }
}
