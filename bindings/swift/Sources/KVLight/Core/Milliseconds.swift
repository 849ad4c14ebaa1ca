// Conversion of durations to whole milliseconds, rounded up, within an Int64.

import CKVLight

extension Duration {
    /// At least `least`, at most `Int64.max`.
    package func milliseconds(atLeast least: Int64 = 0) -> Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? least : Int64.max }
        let perMillisecond: Int64 = 1_000_000_000_000_000
        let part = attoseconds > 0 ? (attoseconds - 1) / perMillisecond + 1 : attoseconds / perMillisecond
        let (sum, beyond) = whole.addingReportingOverflow(part)
        return beyond ? Int64.max : max(sum, least)
    }
}

extension Optional where Wrapped == Duration {
    /// `nil` means no timeout.
    var timeoutMilliseconds: Int64 {
        // 0 would mean no timeout, so zero and less becomes the shortest one.
        map { $0.milliseconds(atLeast: 1) } ?? Int64(KVL_FOREVER)
    }
}
