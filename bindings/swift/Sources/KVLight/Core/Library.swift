// Compares the loaded library with the one that this package was compiled for. Also the autorelease pool of the library's callbacks.

import CKVLight

#if canImport(ObjectiveC)
import ObjectiveC
#endif

package enum Library {
    /// Checked before any other use of the library: a library with another ABI would misread its arguments.
    static let isChecked: Void = {
        if let mismatch = mismatch(loaded: kvl_version_number(), compiled: UInt32(KVL_VERSION_NUMBER)) { fatalError(mismatch) }
    }()

    /// Why two version numbers are incompatible; `nil` if they are compatible. Before 1.0 each minor version has its own ABI.
    package static func mismatch(loaded: UInt32, compiled: UInt32) -> String? {
        func parts(_ number: UInt32) -> (abi: UInt32, text: String) {
            let (major, minor, patch) = (number / 1_000_000, number / 1000 % 1000, number % 1000)
            return (major == 0 ? minor : major * 1000, "\(major).\(minor).\(patch)")
        }
        let (loaded, compiled) = (parts(loaded), parts(compiled))
        if loaded.abi == compiled.abi { return nil }
        return "KVLight was compiled for libkvlight \(compiled.text), and libkvlight \(loaded.text) was loaded: "
            + "install the library of this package's version, or build with the headers of the one that is installed"
    }
}

/// Runs the body of a callback that the library makes on a thread of its own: on Apple's platforms in an autorelease pool, since that
/// thread has none.
@inlinable
func inAutoreleasePool<R>(_ body: () -> R) -> R {
    #if canImport(ObjectiveC)
    autoreleasepool(invoking: body)
    #else
    body()
    #endif
}
