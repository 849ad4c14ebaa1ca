// The first program of README.md in Swift, with the C functions alone.

import CKVLight

/// A C function pointer: it captures nothing.
let findCapitals: kvl_provide_fn = { _, request in
    let keys = UnsafeBufferPointer(start: kvl_request_keys(request), count: kvl_request_len(request))
    for (i, key) in keys.enumerated() where text(key.data, key.len) == "France" {
        _ = Array("Paris".utf8).withUnsafeBufferPointer { kvl_request_resolve_bytes(request, i, $0.baseAddress, $0.count, nil) }
    }
    kvl_request_finish_nulls(request)
}

func text(_ data: UnsafePointer<UInt8>?, _ count: Int) -> String {
    String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self)
}

var config: OpaquePointer?
var tasks: OpaquePointer?
kvl_config_new(&config)
kvl_config_set_provider(config, findCapitals, nil, nil)
guard kvl_tasks_new(config, &tasks, nil) == KVL_OK else { fatalError("no engine") }
for country in ["France", "Atlantis", "France"] {
    var capital: OpaquePointer?
    let key = Array(country.utf8)
    guard kvl_tasks_fetch_wait(tasks, key, key.count, nil, nil, &capital, nil) >= 0 else { fatalError("no answer") }
    var count = 0
    let data = kvl_value_data(capital, &count)
    print("\(country): \(text(data, count))")
    kvl_value_release(capital)
}
kvl_config_free(config)
kvl_tasks_free(tasks)
