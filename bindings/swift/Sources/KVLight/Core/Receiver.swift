// The user data of the callback of one fetch.
//
// It lives from the call to the last event, and keeps alive what the fetch needs: the engine, since an accepted fetch is
// always answered, and the spellings of its keys.

import CKVLight

package final class Receiver {
    fileprivate let engine: EngineHandle
    fileprivate let position: ((kvl_result_t) -> Void)?
    fileprivate let batch: ((OpaquePointer?) -> Void)?
    fileprivate let progress: ((FetchProgress) -> Void)?
    private let kept: AnyObject?

    package init(
        of engine: EngineHandle,
        keeping kept: AnyObject? = nil,
        position: ((kvl_result_t) -> Void)? = nil,
        batch: ((OpaquePointer?) -> Void)? = nil,
        progress: ((FetchProgress) -> Void)? = nil
    ) {
        self.engine = engine
        self.kept = kept
        self.position = position
        self.batch = batch
        self.progress = progress
    }
}

func receivePosition(_ receiver: UnsafeMutableRawPointer?, _ result: UnsafePointer<kvl_result_t>?) {
    guard let result else { return }
    inAutoreleasePool { borrowed(receiver, as: Receiver.self).position?(result.pointee) }
}

func receiveBatch(_ receiver: UnsafeMutableRawPointer?, _ results: OpaquePointer?) {
    inAutoreleasePool { borrowed(receiver, as: Receiver.self).batch?(results) }
}

func receiveProgress(_ receiver: UnsafeMutableRawPointer?, _ done: Int, _ failed: Int, _ total: Int) {
    inAutoreleasePool { borrowed(receiver, as: Receiver.self).progress?(FetchProgress(done: done, failed: failed, total: total)) }
}
