// The earlier library's closures are not Sendable, and are called from any thread.

/// A value that the program has promised is safe to use on other threads.
struct Unchecked<Wrapped>: @unchecked Sendable {
    let value: Wrapped

    init(_ value: Wrapped) {
        self.value = value
    }
}
