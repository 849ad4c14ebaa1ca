// When bench.sh also measures the library whose interface KVLightCompat has, it compiles this file into that library's module. The file
// adds a public initialiser that the library lacks and, on systems other than Apple's, replacements for what it uses of Apple's.

import Foundation

extension KVLightTasksManager.Config {
    public init(
        dataProvider: KVLightTasksManager.DataProvider, maxNumberOfQueueingTasks: Int, cacheConfig: MemoryCache<K, Element>.Configuration
    ) {
        self.init(
            dataProvider: dataProvider, maxNumberOfQueueingTasks: maxNumberOfQueueingTasks, maxNumberOfRunningTasks: 4, retryCount: 0,
            cacheConfig: cacheConfig)
    }
}

#if !canImport(Darwin)
let NSEC_PER_SEC: UInt64 = 1_000_000_000

struct mach_timebase_info_data_t {
    var numer: UInt32 = 1
    var denom: UInt32 = 1
}

/// A tick is a nanosecond here, so both parts of the ratio stay 1.
func mach_timebase_info(_ info: inout mach_timebase_info_data_t) {
    info = mach_timebase_info_data_t()
}

func mach_absolute_time() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * NSEC_PER_SEC + UInt64(time.tv_nsec)
}

struct os_unfair_lock {
    fileprivate let lock = NSLock()
}

func os_unfair_lock_lock(_ lock: inout os_unfair_lock) {
    lock.lock.lock()
}

func os_unfair_lock_unlock(_ lock: inout os_unfair_lock) {
    lock.lock.unlock()
}
#endif
