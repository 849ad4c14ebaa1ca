// Compiled into the module of the library whose interface KVLightCompat has, when bench.sh measures that library as well: an initialiser
// that is not public there, and on other systems than Apple's what the library expects of them.

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

/// Ticks are nanoseconds.
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
