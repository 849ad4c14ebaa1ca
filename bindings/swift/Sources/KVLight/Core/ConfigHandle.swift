// A configuration of the library, and the options of one fetch.

import CKVLight

/// A Swift function as the user data of a C callback: a provider, a validator, a listener.
package final class Hook<Function> {
    package let function: Function

    package init(_ function: Function) {
        self.function = function
    }
}

package typealias RequestHook = Hook<(OpaquePointer) -> Void>
package typealias ValidateHook = Hook<(UnsafeRawBufferPointer) -> Bool>
package typealias RecordHook = Hook<(kvl_status_t, UnsafeRawBufferPointer) -> Void>
package typealias RemovalHook = Hook<(kvl_result_t, kvl_cause_t) -> Void>

package struct ConfigHandle: ~Copyable {
    package let raw: OpaquePointer?

    package init() {
        Library.isChecked
        var made: OpaquePointer?
        let status = kvl_config_new(&made)
        precondition(status == KVL_OK, "no memory for a configuration")
        raw = made
    }

    deinit {
        kvl_config_free(raw)
    }

    package func set(_ key: String, _ value: Int64) {
        check(kvl_config_set_int(raw, key, value))
    }

    package func set(_ key: String, _ value: Int) {
        set(key, Int64(value))
    }

    package func set(_ key: String, _ value: Bool) {
        set(key, value ? 1 : 0)
    }

    package func set(_ key: String, _ value: Double) {
        check(kvl_config_set_real(raw, key, value))
    }

    package func set(_ key: String, _ value: String) {
        check(kvl_config_set(raw, key, value))
    }

    package func setProvider(_ provide: @escaping (OpaquePointer) -> Void) {
        let call: kvl_provide_fn = { hook, request in
            guard let request else { return }
            inAutoreleasePool { borrowed(hook, as: RequestHook.self).function(request) }
        }
        check(kvl_config_set_provider(raw, call, retained(RequestHook(provide)), releaseObject))
    }

    /// `serve` receives a borrowed request, on a thread of the library.
    func setSecondTier(_ abilities: UInt32, _ serve: @escaping (OpaquePointer) -> Void) {
        let call: kvl_l2_fn = { hook, request in
            guard let request else { return }
            inAutoreleasePool { borrowed(hook, as: RequestHook.self).function(request) }
        }
        check(kvl_config_set_l2(raw, abilities, call, retained(RequestHook(serve)), releaseObject))
    }

    package func setValidator(_ validate: @escaping (UnsafeRawBufferPointer) -> Bool) {
        let call: kvl_validate_fn = { hook, key, count in
            borrowed(hook, as: ValidateHook.self).function(UnsafeRawBufferPointer(start: key, count: count)) ? 1 : 0
        }
        check(kvl_config_set_validator(raw, call, retained(ValidateHook(validate)), releaseObject))
    }

    package func setRecordListener(_ listen: @escaping (kvl_status_t, UnsafeRawBufferPointer) -> Void) {
        let call: kvl_record_fn = { hook, record, key, count in
            borrowed(hook, as: RecordHook.self).function(record, UnsafeRawBufferPointer(start: key, count: count))
        }
        check(kvl_config_set_record_listener(raw, call, retained(RecordHook(listen)), releaseObject))
    }

    package func setRemovalListener(_ listen: @escaping (kvl_result_t, kvl_cause_t) -> Void) {
        let call: kvl_removal_fn = { hook, entry, cause in
            guard let entry else { return }
            inAutoreleasePool { borrowed(hook, as: RemovalHook.self).function(entry.pointee, cause) }
        }
        check(kvl_config_set_removal_listener(raw, call, retained(RemovalHook(listen)), releaseObject))
    }

    /// Why no engine can be created with these settings, though each is valid; `nil` if one can. Call this before the provider is set:
    /// without a provider, `kvl_tasks_new` checks the settings and starts nothing.
    func contradiction() -> String? {
        var (made, why): (OpaquePointer?, OpaquePointer?)
        let status = kvl_tasks_new(raw, &made, &why)
        defer { kvl_error_release(why) }
        return status == KVL_ERR_BAD_VALUE ? kvl_error_message(why).map { SettingNames.inSwift(String(cString: $0)) } : nil
    }

    func setClock(_ clock: ManualClock) {
        check(kvl_config_set_clock(raw, clock.raw))
    }

    package func set(_ retry: RetryPolicy) {
        let raw = self.raw
        retry.write(
            integer: { kvl_config_set_int(raw, $0, $1) }, real: { kvl_config_set_real(raw, $0, $1) },
            word: { kvl_config_set(raw, $0, $1) })
        check(kvl_config_problem(raw) == nil ? KVL_OK : KVL_ERR_BAD_VALUE)
    }

    /// Every value has been clamped to its range, so a rejected setting is a bug in this module.
    private func check(_ status: kvl_status_t) {
        precondition(status == KVL_OK, kvl_config_problem(raw).map { String(cString: $0) } ?? "a setting was refused")
    }
}

package struct OptionsHandle: ~Copyable {
    /// `nil` if nothing differs from the engine's settings.
    package let raw: OpaquePointer?

    package init(_ options: FetchOptions = FetchOptions()) {
        guard options.differs else {
            raw = nil
            return
        }
        var made: OpaquePointer?
        let status = kvl_options_new(&made)
        precondition(status == KVL_OK, "no memory for options")
        raw = made
        options.write(to: OptionsWriter(raw: made))
    }

    deinit {
        kvl_options_free(raw)
    }
}

/// Writes the options of one fetch while their handle is created.
struct OptionsWriter {
    fileprivate let raw: OpaquePointer?

    func set(_ key: String, _ value: Int64) {
        check(kvl_options_set_int(raw, key, value))
    }

    func set(_ key: String, _ value: Double) {
        check(kvl_options_set_real(raw, key, value))
    }

    func set(_ key: String, _ value: String) {
        check(kvl_options_set(raw, key, value))
    }

    func setProgress(every step: Int) {
        check(kvl_options_set_progress(raw, receiveProgress, max(step, 1)))
    }

    private func check(_ status: kvl_status_t) {
        precondition(status == KVL_OK, kvl_options_problem(raw).map { String(cString: $0) } ?? "an option was refused")
    }
}
