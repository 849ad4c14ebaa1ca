// Counts the words of the files of a folder, each file once, however often it is requested.
//
//     word-count [--cancel-after MILLISECONDS] FOLDER
//
// Shows a KVLightTasks in a command-line program: `async let`, a task group, results as they arrive, and cancellation.

import Foundation
import KVLight

/// The words of one file.
struct Words: Sendable {
    var count: Int
    var longest: String

    /// Words as `wc -w` counts them: separated by white space.
    init(of text: String) {
        let words = text.split(whereSeparator: \.isWhitespace)
        count = words.count
        longest = words.max { $0.count < $1.count }.map(String.init) ?? ""
    }
}

/// Files are read on the library's provider threads, eight at a time; a file that is not text has no words.
let words = KVLightTasks<URL, Words>(
    config: .init(
        provider: .single { file in
            let data = try Data(contentsOf: file)
            return String(data: data, encoding: .utf8).map(Words.init(of:))
        },
        cache: .init(capacity: 100_000),
        maximumRunningRequests: 8))

func files(in folder: URL) throws -> [URL] {
    let keys: [URLResourceKey] = [.isRegularFileKey]
    guard let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: keys) else { return [] }
    var files: [URL] = []
    for case let file as URL in walk where try file.resourceValues(forKeys: Set(keys)).isRegularFile == true {
        files.append(file)
    }
    return files.sorted { $0.path < $1.path }
}

/// A task group: each child task fetches one file; files that cannot be read count as empty.
func total(of files: [URL]) async throws -> Int {
    try await withThrowingTaskGroup(of: Int.self) { group in
        for file in files {
            group.addTask {
                do {
                    return try await words.fetch(key: file)?.count ?? 0
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    return 0
                }
            }
        }
        return try await group.reduce(0, +)
    }
}

/// Results as they arrive.
func longestWord(in files: [URL]) async throws -> String {
    var longest = ""
    for try await (_, result) in words.stream(keys: files) {
        if let word = try? result.get()?.longest, word.count > longest.count { longest = word }
    }
    return longest
}

func run(_ folder: URL) async throws {
    let files = try files(in: folder)
    // Both fetch every file, and each file is read once.
    async let total = total(of: files)
    async let longest = longestWord(in: files)
    let (count, word) = try await (total, longest)
    print("files   \(files.count)")
    print("total   \(count)")
    print("longest \(word)")
    print("read    \(words.statistics.attempts)")
}

var arguments = Array(CommandLine.arguments.dropFirst())
var patience: Int?
if let i = arguments.firstIndex(of: "--cancel-after"), i + 1 < arguments.count {
    patience = Int(arguments[i + 1])
    arguments.removeSubrange(i...i + 1)
}
guard let path = arguments.first, arguments.count == 1 else {
    print("usage: word-count [--cancel-after MILLISECONDS] FOLDER")
    exit(2)
}

let work = Task { try await run(URL(fileURLWithPath: path)) }
let impatience = patience.map { patience in
    Task {
        try await Task.sleep(for: .milliseconds(patience))
        work.cancel()
    }
}
do {
    try await work.value
} catch is CancellationError {
    print("cancelled after \(words.statistics.attempts) files")
} catch {
    print("word-count: \(error.localizedDescription)")
    exit(1)
}
impatience?.cancel()
await words.close()
