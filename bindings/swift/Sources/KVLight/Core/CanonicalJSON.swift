// The text that identifies a Codable key: JSON that is the same for equal keys.
//
// JSONEncoder's output can differ for equal keys: it writes strings as they are spelled, 0 and -0 differently, and the elements of a set in any
// order. Here strings are composed, zero has no sign, and names and unordered elements are sorted. JSONDecoder can read the result. This
// encoder is also the faster one.

import Foundation

enum CanonicalJSON {
    /// The text of a key, and whether decoding it gives exactly that key rather than an equal one with another spelling.
    static func text(of key: some Encodable) throws -> (bytes: [UInt8], isExact: Bool) {
        let state = State()
        let node = try state.node(of: key, at: [])
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        node.write(to: &bytes)
        return (bytes, state.isExact)
    }

    /// A part of the encoded value, kept until the whole value is known and can be sorted.
    fileprivate final class Node {
        enum Content {
            /// A container without members or elements so far; written as `{}`.
            case nothing
            case text([UInt8])
            case list([Node])
            case object([(name: [UInt8], node: Node)])
        }

        var content = Content.nothing

        init() {}
        init(_ text: [UInt8]) { content = .text(text) }
        init(_ text: String) { content = .text(Array(text.utf8)) }

        func append(_ node: Node) {
            var nodes: [Node] = if case .list(let nodes) = content { nodes } else { [] }
            content = .nothing
            nodes.append(node)
            content = .list(nodes)
        }

        func add(_ node: Node, named name: [UInt8]) {
            var members: [(name: [UInt8], node: Node)] = if case .object(let members) = content { members } else { [] }
            content = .nothing
            // The last value of a name is kept, as in a dictionary.
            members.removeAll { $0.name == name }
            members.append((name, node))
            content = .object(members)
        }

        /// The member with this name, which is added if there is none. As in JSONEncoder, a nested container that a type asks for twice is one
        /// container: otherwise what was encoded into it first would not be part of the key.
        func member(named name: [UInt8]) -> Node {
            if case .object(let members) = content, let member = members.first(where: { $0.name == name }) { return member.node }
            let node = Node()
            add(node, named: name)
            return node
        }

        /// Sorts the elements by their texts, in groups of `width`: one for a set, two for the keys and values of a dictionary.
        func sort(inGroupsOf width: Int) {
            guard case .list(let nodes) = content, nodes.count > width, nodes.count % width == 0 else { return }
            let groups = stride(from: 0, to: nodes.count, by: width).map { start in
                var text: [UInt8] = []
                nodes[start].write(to: &text)
                return (text: text, nodes: nodes[start..<start + width])
            }
            content = .list(groups.sorted { $0.text.lexicographicallyPrecedes($1.text) }.flatMap(\.nodes))
        }

        func write(to bytes: inout [UInt8]) {
            switch content {
            case .nothing:
                bytes.append(contentsOf: "{}".utf8)
            case .text(let text):
                bytes.append(contentsOf: text)
            case .list(let nodes):
                bytes.append(UInt8(ascii: "["))
                for (i, node) in nodes.enumerated() {
                    if i > 0 { bytes.append(UInt8(ascii: ",")) }
                    node.write(to: &bytes)
                }
                bytes.append(UInt8(ascii: "]"))
            case .object(let members):
                bytes.append(UInt8(ascii: "{"))
                for (i, member) in members.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }).enumerated() {
                    if i > 0 { bytes.append(UInt8(ascii: ",")) }
                    bytes.append(contentsOf: member.name)
                    bytes.append(UInt8(ascii: ":"))
                    member.node.write(to: &bytes)
                }
                bytes.append(UInt8(ascii: "}"))
            }
        }
    }

    /// The state of one encoding.
    fileprivate final class State {
        var isExact = true

        func node<Value: Encodable>(of value: Value, at path: [any CodingKey]) throws -> Node {
            // Types that JSONDecoder decodes by its own rules.
            switch value {
            case let text as String: return Node(quoted(text))
            case let data as Data: return Node(quoted(data.base64EncodedString()))
            case let address as URL:
                // A relative URL is decoded as the absolute one, which is not equal to it.
                if address.baseURL != nil { isExact = false }
                return Node(quoted(address.absoluteString))
            case let number as Decimal: return Node("\(number)")
            default: break
            }
            let node = Node()
            try value.encode(to: Writer(node: node, state: self, codingPath: path))
            if let unordered = value as? any Unordered { node.sort(inGroupsOf: unordered.width) }
            return node
        }

        func node(of number: some BinaryFloatingPoint & LosslessStringConvertible) -> Node {
            if number.isNaN { return Node(quoted("nan")) }
            if number.isInfinite { return Node(quoted(number < 0 ? "-inf" : "inf")) }
            if number == 0 {
                if number.sign == .minus { isExact = false }
                return Node("0")
            }
            return Node(number.description)
        }

        func quoted(_ text: String) -> [UInt8] {
            let composed = text.composedKeyText
            if !composed.isExact { isExact = false }
            var bytes: [UInt8] = [UInt8(ascii: "\"")]
            for byte in composed.text.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0..<0x20:
                    bytes.append(contentsOf: "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8)
                default:
                    bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
            return bytes
        }
    }

    private struct Writer: Encoder {
        let node: Node
        let state: State
        let codingPath: [any CodingKey]
        var userInfo: [CodingUserInfoKey: Any] { [:] }

        func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
            KeyedEncodingContainer(Members(node: node, state: state, codingPath: codingPath))
        }

        func unkeyedContainer() -> any UnkeyedEncodingContainer {
            if case .nothing = node.content { node.content = .list([]) }
            return Elements(node: node, state: state, codingPath: codingPath)
        }

        func singleValueContainer() -> any SingleValueEncodingContainer {
            Single(node: node, state: state, codingPath: codingPath)
        }
    }

    private struct Single: SingleValueEncodingContainer {
        let node: Node
        let state: State
        let codingPath: [any CodingKey]

        mutating func encodeNil() { node.content = .text(Array("null".utf8)) }
        mutating func encode(_ value: Bool) { node.content = .text(Array("\(value)".utf8)) }
        mutating func encode(_ value: String) { node.content = .text(state.quoted(value)) }
        mutating func encode(_ value: Double) { node.content = state.node(of: value).content }
        mutating func encode(_ value: Float) { node.content = state.node(of: value).content }
        mutating func encode<T: Encodable & BinaryInteger>(_ value: T) { node.content = .text(Array("\(value)".utf8)) }
        mutating func encode<T: Encodable>(_ value: T) throws { node.content = try state.node(of: value, at: codingPath).content }
    }

    private struct Elements: UnkeyedEncodingContainer {
        let node: Node
        let state: State
        let codingPath: [any CodingKey]
        var count: Int { if case .list(let nodes) = node.content { nodes.count } else { 0 } }

        mutating func encodeNil() { node.append(Node("null")) }
        mutating func encode(_ value: Bool) { node.append(Node("\(value)")) }
        mutating func encode(_ value: String) { node.append(Node(state.quoted(value))) }
        mutating func encode(_ value: Double) { node.append(state.node(of: value)) }
        mutating func encode(_ value: Float) { node.append(state.node(of: value)) }
        mutating func encode<T: Encodable & BinaryInteger>(_ value: T) { node.append(Node("\(value)")) }
        mutating func encode<T: Encodable>(_ value: T) throws { node.append(try state.node(of: value, at: codingPath)) }

        mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
            nested().container(keyedBy: type)
        }

        mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }
        mutating func superEncoder() -> any Encoder { nested() }

        private func nested() -> Writer {
            let inner = Node()
            node.append(inner)
            return Writer(node: inner, state: state, codingPath: codingPath)
        }
    }

    private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let node: Node
        let state: State
        let codingPath: [any CodingKey]

        mutating func encodeNil(forKey key: Key) { add(Node("null"), key) }
        mutating func encode(_ value: Bool, forKey key: Key) { add(Node("\(value)"), key) }
        mutating func encode(_ value: String, forKey key: Key) { add(Node(state.quoted(value)), key) }
        mutating func encode(_ value: Double, forKey key: Key) { add(state.node(of: value), key) }
        mutating func encode(_ value: Float, forKey key: Key) { add(state.node(of: value), key) }
        mutating func encode<T: Encodable & BinaryInteger>(_ value: T, forKey key: Key) { add(Node("\(value)"), key) }

        mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
            add(try state.node(of: value, at: codingPath + [key]), key)
        }

        mutating func nestedContainer<Inner: CodingKey>(keyedBy type: Inner.Type, forKey key: Key) -> KeyedEncodingContainer<Inner> {
            nested(key).container(keyedBy: type)
        }

        mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { nested(key).unkeyedContainer() }
        mutating func superEncoder() -> any Encoder { nested(named: "super") }
        mutating func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

        private func add(_ inner: Node, _ key: Key) {
            node.add(inner, named: state.quoted(key.stringValue))
        }

        private func nested(_ key: Key) -> Writer { nested(named: key.stringValue) }

        private func nested(named name: String) -> Writer {
            Writer(node: node.member(named: state.quoted(name)), state: state, codingPath: codingPath)
        }
    }
}

/// A type that is encoded as a list but has no order.
private protocol Unordered {
    /// The number of elements of the list that belong together.
    var width: Int { get }
}

extension Set: Unordered {
    fileprivate var width: Int { 1 }
}

/// A dictionary is encoded as a list of keys and values in turn, unless its keys are `String`, `Int` or `CodingKeyRepresentable`.
extension Dictionary: Unordered {
    fileprivate var width: Int { 2 }
}

extension String {
    /// The text in its composed form, in which equal strings have equal bytes, and whether the text was in this form already.
    var composedKeyText: (text: String, isExact: Bool) {
        if utf8.allSatisfy({ $0 < 0x80 }) { return (self, true) }
        let composed = precomposedStringWithCanonicalMapping
        return (composed, composed.utf8.elementsEqual(utf8))
    }
}
