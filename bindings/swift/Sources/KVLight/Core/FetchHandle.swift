// A fetch's handle: made before the call, so that it can be cancelled before, while and after.

import CKVLight

package final class FetchHandle: @unchecked Sendable {
    // The library's own handle may be used from every thread.
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
