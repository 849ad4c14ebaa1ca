// How long an entry lives.

import CKVLight

/// How long an entry may be served.
public struct TimeToLive: Hashable, Sendable {
    package let milliseconds: Int64

    /// What the configuration says.
    public static let `default` = TimeToLive(milliseconds: Int64(KVL_TTL_DEFAULT))
    /// Until something else removes it.
    public static let never = TimeToLive(milliseconds: Int64(KVL_TTL_NEVER))
    /// Not at all: it is handed out and not stored, and what was stored is removed.
    public static let notStored = TimeToLive(milliseconds: 0)

    /// That long, in whole milliseconds, rounded up. Zero and less is ``notStored``.
    public static func after(_ duration: Duration) -> TimeToLive {
        TimeToLive(milliseconds: duration.milliseconds())
    }

    /// `seconds(60)`.
    public static func seconds(_ seconds: Int) -> TimeToLive { after(.seconds(seconds)) }

    /// `milliseconds(250)`.
    public static func milliseconds(_ milliseconds: Int) -> TimeToLive { after(.milliseconds(milliseconds)) }

    /// Of a configuration, where there is no default to fall back to.
    var configured: Int64 { self == .default ? Int64(KVL_TTL_NEVER) : milliseconds }
}
