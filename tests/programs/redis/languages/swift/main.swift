// A process with an engine of the Swift package and an `l2URL`, driven by commands on its input, like worker.c: `worker URL`. The commands `leave`
// and `drop` end the engine and its connection, but not the process: by a close, and by giving up the last reference to the engine.

import Foundation
import KVLight

struct Row: Sendable {
    let from: String
}

/// What the provider answers.
final class Answer: @unchecked Sendable {
    private let lock = NSLock()
    private var text = "nobody"

    var current: String {
        get { lock.withLock { text } }
        set { lock.withLock { text = newValue } }
    }
}

func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

let answer = Answer()
var config = KVLightTasks<String, Row>.Config(
    provider: .batch { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, Row(from: answer.current)) }) }, timeout: .seconds(20))
config.cache.timeToLive = .seconds(3600)
do {
    var sharing = try Sharing<Row>(
        l2URL: CommandLine.arguments[1], encode: { Array($0.from.utf8) }, decode: { Row(from: String(decoding: $0, as: UTF8.self)) })
    sharing.timeout = .seconds(10)
    config.sharing = sharing
} catch {
    say("refused \(error)")
    exit(0)
}
var tasks: KVLightTasks<String, Row>? = KVLightTasks(config: config)
say("ready")
while let line = readLine() {
    let words = line.split(separator: " ").map(String.init)
    switch words[0] {
    case "fetch":
        let row = try await tasks?.fetch(key: words[1])
        say("done \(words[1]) 0 - \(row?.from ?? "-")")
    case "put":
        tasks?.cache.set(element: Row(from: words[2]), for: words[1])
        say("ok 0")
    case "auto":
        answer.current = words[1]
        say("ok 0")
    case "state":
        say("state \(try tasks?.secondTierState() ?? "null")")
    case "leave":
        await tasks?.close()
        say("ok 0")
    case "drop":
        tasks = nil
        say("ok 0")
    default:
        break
    }
}
