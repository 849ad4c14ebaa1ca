<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/**
 * Finds the library, and turns its handles, statuses and bytes into PHP's.
 *
 * Its functions are only ever called by name: a first-class callable of one, `$ffi->kvl_f(...)`, crashes PHP 8.2.
 */
final class Library
{
    private static ?FFI $ffi = null;
    private static ?FFI\CType $termsType = null;

    /** The library's functions: one load for all. */
    public static function functions(): FFI
    {
        return self::$ffi ??= self::load();
    }

    private static function load(): FFI
    {
        if (!extension_loaded('ffi')) {
            throw new \RuntimeException('kvlight: the extension ffi is missing');
        }
        $named = getenv('KVL_LIBRARY');
        $version = Header::VERSION_MAJOR . '.' . Header::VERSION_MINOR;
        $beside = dirname(__DIR__, 3) . '/target/release/libkvlight.so';
        $candidates = $named !== false ? [$named] : ["libkvlight.so.$version", $beside];
        foreach ($candidates as $path) {
            try {
                $ffi = FFI::cdef(Header::DECLARATIONS, $path);
            } catch (FFI\Exception) {
                continue;
            }
            if (intdiv($ffi->kvl_version_number(), 1000) !== intdiv(Header::VERSION_NUMBER, 1000)) {
                throw new \RuntimeException("kvlight: this module is for $version, and the library is {$ffi->kvl_version_string()}");
            }
            return $ffi;
        }
        throw new \RuntimeException('kvlight: no library found; tried ' . implode(', ', $candidates) . '; KVL_LIBRARY names one');
    }

    /** Throws if a status is an error; else returns it. */
    public static function check(int $status, ?string $message = null): int
    {
        return $status < 0 ? throw new Error($status, $message) : $status;
    }

    /** The handle of the given type that a call writes, and the call's status if it is asked for. */
    public static function taken(string $type, callable $call, ?int &$status = null): ?CData
    {
        $out = self::functions()->new("$type *[1]");
        $status = self::check($call($out));
        return $out[0];
    }

    /** The bytes of a value. */
    public static function bytes(CData $value): string
    {
        $length = self::functions()->new('size_t[1]');
        return FFI::string(self::functions()->kvl_value_data($value, $length), $length[0]);
    }

    /** On which terms a value is stored, as the library reads it; an empty array states nothing. */
    public static function stated(array $terms): ?CData
    {
        if ($terms === []) {
            return null;
        }
        $ffi = self::functions();
        $struct = $ffi->new(self::$termsType ??= $ffi->type('kvl_terms_t'));
        $struct->struct_size = FFI::sizeof($struct);
        $struct->ttl_ms = $terms['ttl_ms'] ?? Header::TTL_DEFAULT;
        $struct->priority = $terms['priority'] ?? Header::PRIORITY_DEFAULT;
        $struct->cost = $terms['cost'] ?? Header::COST_DEFAULT;
        return FFI::addr($struct);
    }

    /** Writes settings into a configuration or into options; `$functions` is "kvl_config" or "kvl_options". */
    public static function set(string $functions, CData $handle, array $settings): void
    {
        $ffi = self::functions();
        foreach ($settings as $key => $value) {
            match (true) {
                is_bool($value) => $ffi->{"{$functions}_set_int"}($handle, $key, (int) $value),
                is_int($value) => $ffi->{"{$functions}_set_int"}($handle, $key, $value),
                is_float($value) => $ffi->{"{$functions}_set_real"}($handle, $key, $value),
                is_string($value) => $ffi->{"{$functions}_set"}($handle, $key, $value),
                default => throw new \InvalidArgumentException(
                    "kvlight: the setting $key takes a string, a number or a boolean, not " . get_debug_type($value)),
            };
        }
        $problem = $ffi->{"{$functions}_problem"}($handle);
        if ($problem !== null) {
            throw new Error(Header::ERR_BAD_VALUE, $problem);
        }
    }

    /** Many keys as the library takes them: slices that lie in the returned bytes, which must be kept as long. */
    public static function slices(array $keys): array
    {
        $count = count($keys);
        if ($count === 0) {
            return [null, ''];
        }
        $packed = implode('', $keys);
        $lengths = self::functions()->new("uint32_t[$count]");
        FFI::memcpy($lengths, pack('L*', ...array_map('strlen', $keys)), 4 * $count);
        $slices = self::functions()->new("kvl_slice_t[$count]");
        self::check(self::functions()->kvl_slices_unpack($packed, strlen($packed), $lengths, $count, $slices));
        return [$slices, $packed];
    }
}
