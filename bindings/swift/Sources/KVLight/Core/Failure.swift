// Conversion between Swift errors and those of the library.

import CKVLight

/// Boxes a thrown error for the library, so that every waiting caller gets the same one.
package final class FailureBox {
    package let error: any Error

    package init(_ error: any Error) {
        self.error = error
    }
}

/// Creates an error of the library that carries `error`, or the error inside a ``PermanentFailure`` or ``RetryLater``. The caller
/// releases it.
package func makeError(_ error: any Error) -> OpaquePointer? {
    let permanent = error as? PermanentFailure
    let later = error as? RetryLater
    let carried = permanent?.underlying ?? later?.underlying ?? error
    var flags: UInt32 = permanent == nil ? 0 : KVL_ERROR_F_PERMANENT
    if permanent?.endsFallback == true { flags |= KVL_ERROR_F_NO_STALE }
    var made: OpaquePointer?
    var message = String(describing: carried)
    let status = message.withUTF8 { text in
        text.withMemoryRebound(to: CChar.self) { text in
            kvl_error_new_object(0, text.baseAddress, text.count, flags, nil, retained(FailureBox(carried)), releaseObject, &made)
        }
    }
    precondition(status == KVL_OK, "no memory for an error")
    if let later { kvl_error_set_retry_after(made, later.after.milliseconds()) }
    return made
}

/// The error to throw for a position that failed.
@usableFromInline
package func thrown(_ status: kvl_status_t, _ error: OpaquePointer?) -> any Error {
    if let object = kvl_error_object(error) {
        return borrowed(object, as: FailureBox.self).error
    }
    if status == KVL_ERR_PROVIDER, let message = kvl_error_message(error) {
        return KVLightError.provider(code: Int(kvl_error_code(error)), message: String(cString: message))
    }
    guard status != KVL_ERR_CANCELLED, let cause = kvl_error_cause(error) else { return thrown(status) }
    let (ended, last) = (KVLightError(status: status), thrown(kvl_error_status(cause), cause))
    // An attempt that failed for the same reason, such as a timeout, explains nothing.
    return last as? KVLightError == ended ? ended : EndedError(ended, cause: last)
}

/// The error to throw for a call that was not accepted, or for a batch that ended early.
package func thrown(_ status: kvl_status_t) -> any Error {
    status == KVL_ERR_CANCELLED ? CancellationError() : KVLightError(status: status)
}
