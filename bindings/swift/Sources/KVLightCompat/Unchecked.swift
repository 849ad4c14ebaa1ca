// The earlier library's closures are not Sendable, and are called from any thread.

/// A value that may be used on other threads by the program's promise.
struct Unchecked<Wrapped>: @unchecked Sendable {
    let value: Wrapped

    init(_ value: Wrapped) {
        self.value = value
    }
}
