// The six forms of a provider.

import Foundation
import KVLight

extension KVLightTasksManager {
    public enum DataProvider {
        public typealias MonoprovideCallback = (Result<Element?, Error>) -> Void
        public typealias MultiprovideCallback = (Result<[K: Element?], Error>) -> Void

        public typealias Monoprovide = (K, @escaping MonoprovideCallback) -> Void
        public typealias AsyncMonoprovide = (K) async throws -> Element?
        public typealias SyncMonoprovide = (K) throws -> Element?
        public typealias Multiprovide = ([K], @escaping MultiprovideCallback) -> Void
        public typealias AsyncMultiprovide = ([K]) async throws -> [K: Element?]
        public typealias SyncMultiprovide = ([K]) throws -> [K: Element?]

        case monoprovide(Monoprovide)
        case asyncMonoprovide(AsyncMonoprovide)
        case syncMonoprovide(SyncMonoprovide)
        case multiprovide(maximumBatchCount: UInt = 20, Multiprovide)
        case asyncMultiprovide(maximumBatchCount: UInt = 20, AsyncMultiprovide)
        case syncMultiprovide(maximumBatchCount: UInt = 20, SyncMultiprovide)

        var maximumBatchCount: UInt {
            switch self {
            case .monoprovide, .asyncMonoprovide, .syncMonoprovide: 1
            case .multiprovide(let count, _), .asyncMultiprovide(let count, _), .syncMultiprovide(let count, _): count
            }
        }

        /// Returns the function that answers a request by this provider.
        var answerer: (ManagerRequest<K, Element>) -> Void {
            switch self {
            case .monoprovide(let provide):
                { request in
                    for key in request.keys.prefix(1) {
                        provide(key) { result in request.settle(result.map { [key: $0] }) }
                    }
                }
            case .asyncMonoprovide(let provide):
                { request in
                    request.runTask {
                        var elements: [K: Element?] = [:]
                        for key in request.keys { elements.updateValue(try await provide(key), forKey: key) }
                        return elements
                    }
                }
            case .syncMonoprovide(let provide):
                { request in
                    request.settle(Result {
                        var elements: [K: Element?] = [:]
                        for key in request.keys { elements.updateValue(try provide(key), forKey: key) }
                        return elements
                    })
                }
            case .multiprovide(_, let provide):
                { request in provide(request.keys) { request.settle($0) } }
            case .asyncMultiprovide(_, let provide):
                { request in request.runTask { try await provide(request.keys) } }
            case .syncMultiprovide(_, let provide):
                { request in request.settle(Result { try provide(request.keys) }) }
            }
        }
    }
}

/// A request of the library, with the program's keys.
final class ManagerRequest<K: Hashable, Element>: @unchecked Sendable {
    let keys: [K]
    private let handle: RequestHandle
    private let terms: StoreTerms<Element>

    init(_ handle: RequestHandle, keys table: KeyTable<K>, terms: StoreTerms<Element>) {
        self.handle = handle
        self.terms = terms
        // Every fetch pins its keys until it is settled, so each number has its key.
        keys = (0..<handle.count).compactMap { handle.key($0) { UInt64(keyBytes: $0).flatMap(table.key) } }
    }

    /// Answers the keys. A key without an entry is left open, and the engine treats it as absent.
    func settle(_ result: Result<[K: Element?], Error>) {
        switch result {
        case .success(let elements):
            for (i, key) in keys.enumerated() {
                if let element = elements[key] {
                    handle.resolve(i, element, cost: terms.cost(of: element))
                }
            }
            handle.finish()
        case .failure(let error):
            handle.finish(throwing: error)
        }
    }

    func runTask(_ load: @escaping () async throws -> [K: Element?]) {
        let load = Unchecked(load)
        Task(priority: handle.priority) {
            do {
                self.settle(.success(try await load.value()))
            } catch {
                self.settle(.failure(error))
            }
        }
    }
}
