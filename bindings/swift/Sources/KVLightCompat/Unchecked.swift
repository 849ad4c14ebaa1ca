// The earlier library's closures are not Sendable, and its programs call them from everywhere.

/// What the program promises to be fit for other threads.
struct Unchecked<Wrapped>: @unchecked Sendable {
    let value: Wrapped

    init(_ value: Wrapped) {
        self.value = value
    }
}
