// The first program of README.md in Swift.

import KVLight

let capitals = KVLightTasks<String, String> { names in
    Dictionary(uniqueKeysWithValues: names.map { ($0, $0 == "France" ? "Paris" : nil) })
}
for name in ["France", "Atlantis", "France"] {
    print("\(name): \(try await capitals[name] ?? "")")
}
