// The configuration of the manager.

import Foundation
import KVLight

extension KVLightTasksManager {
    public struct Config {
        /// The order in which waiting keys are loaded.
        public enum PriorityStrategy {
            /// The newest first; if the queue is full, the oldest is evicted.
            case LIFO
            /// The oldest first; if the queue is full, the new one is refused.
            case FIFO
        }

        public let dataProvider: DataProvider
        public let maxNumberOfQueueingTasks: Int
        public let maxNumberOfRunningTasks: Int
        public let retryCount: RetryCount
        public let PriorityStrategy: PriorityStrategy
        public let cacheConfig: MemoryCache<K, Element>.Configuration
        public let cacheStatisticsReport: ((CacheStatistics, CacheRecord) -> Void)?

        public init(
            dataProvider: DataProvider,
            maxNumberOfQueueingTasks: Int = 256,
            maxNumberOfRunningTasks: Int = 4,
            retryCount: RetryCount = 0,
            PriorityStrategy: PriorityStrategy = .LIFO,
            cacheConfig: MemoryCache<K, Element>.Configuration = .defaultConfig,
            cacheStatisticsReport: ((CacheStatistics, CacheRecord) -> Void)? = nil
        ) {
            self.dataProvider = dataProvider
            self.maxNumberOfQueueingTasks = maxNumberOfQueueingTasks
            self.maxNumberOfRunningTasks = maxNumberOfRunningTasks
            self.retryCount = retryCount
            self.PriorityStrategy = PriorityStrategy
            self.cacheConfig = cacheConfig
            self.cacheStatisticsReport = cacheStatisticsReport
        }

        func write(to config: borrowing ConfigHandle, keys: KeyTable<K>) {
            cacheConfig.write(to: config, keys: keys, report: cacheStatisticsReport)
            config.set("tasks.max_running", min(max(maxNumberOfRunningTasks, 1), 65_536))
            config.set("queue.max_keys", min(max(maxNumberOfQueueingTasks, 0), Int(UInt32.max)))
            config.set("queue.overflow", "reject")
            config.set("batch.max_keys", Int(min(max(dataProvider.maximumBatchCount, 1), 1_000_000)))
            config.set("batch.omitted_is_null", true)
            switch self.PriorityStrategy {
            case .LIFO: config.set("queue.order", "lifo")
            case .FIFO: config.set("queue.order", "fifo")
            }
            config.set(retryCount.policy)
        }
    }

    // MARK: Initialisers that leave the rest to the defaults

    public convenience init(dataProvider: DataProvider) {
        self.init(config: Config(dataProvider: dataProvider))
    }

    public convenience init(_ monoprovide: @escaping DataProvider.Monoprovide) {
        self.init(dataProvider: .monoprovide(monoprovide))
    }

    public convenience init(_ asyncMonoprovide: @escaping DataProvider.AsyncMonoprovide) {
        self.init(dataProvider: .asyncMonoprovide(asyncMonoprovide))
    }

    public convenience init(_ syncMonoprovide: @escaping DataProvider.SyncMonoprovide) {
        self.init(dataProvider: .syncMonoprovide(syncMonoprovide))
    }

    public convenience init(maximumBatchCount: UInt = 20, _ multiprovide: @escaping DataProvider.Multiprovide) {
        self.init(dataProvider: .multiprovide(maximumBatchCount: maximumBatchCount, multiprovide))
    }

    public convenience init(maximumBatchCount: UInt = 20, _ asyncMultiprovide: @escaping DataProvider.AsyncMultiprovide) {
        self.init(dataProvider: .asyncMultiprovide(maximumBatchCount: maximumBatchCount, asyncMultiprovide))
    }

    public convenience init(maximumBatchCount: UInt = 20, _ syncMultiprovide: @escaping DataProvider.SyncMultiprovide) {
        self.init(dataProvider: .syncMultiprovide(maximumBatchCount: maximumBatchCount, syncMultiprovide))
    }
}
