// The library's sentences about settings, in the names of this package.

import Foundation

enum SettingNames {
    /// The properties of the settings that can contradict each other.
    private static let properties: [Substring: String] = [
        "attempt_timeout_ms": "attemptTimeout",
        "cache.capacity": "capacity",
        "cache.idle_ttl_ms": "idleTimeToLive",
        "cache.ttl_ms": "timeToLive",
        "hedge": "hedging",
        "hedge.after_ms": "hedging",
        "read": "readMode",
        "refresh.after": "refreshAfter",
        "refresh.after_ms": "refreshAge",
        "refresh.jitter": "refreshJitter",
        "stale.timeout_ms": "staleAfter",
        "stale.ttl_ms": "staleFor",
        "tasks.max_running": "maximumRunningRequests",
        "timeout_ms": "timeout",
    ]

    /// The sentence with the names of properties and of ``ReadMode``'s cases in place of the library's, which quotes the names of settings.
    static func inSwift(_ sentence: String) -> String {
        sentence.split(separator: "\"", omittingEmptySubsequences: false).enumerated().map { i, part in
            if i % 2 == 1 { return properties[part] ?? String(part) }
            return part.replacingOccurrences(of: ReadMode.cacheOnly.rawValue, with: "cacheOnly")
                .replacingOccurrences(of: ReadMode.noStore.rawValue, with: "noStore")
        }.joined(separator: "\"")
    }
}
