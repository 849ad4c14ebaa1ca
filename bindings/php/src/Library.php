<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/**
 * Finds the library, and converts handles, statuses and bytes between it and PHP.
 *
 * Two defects of PHP's FFI: a first-class callable of a function, `$ffi->kvl_f(...)`, crashes PHP 8.2; and each read of an element of
 * an array whose type was parsed by `$ffi->new()` leaks that type as soon as the array is freed. The variables that the library
 * writes to are therefore created once and kept.
 */
final class Library
{
    private static ?FFI $ffi = null;
    /** @var array<string, CData> variables that functions write to, by their type */
    private static array $places = [];
    private static ?CData $terms = null;
    private static ?CData $termsAt = null;
    /** what the version and the tags of the terms point at */
    private static ?array $labels = null;

    /** The library's functions; the library is loaded once. */
    public static function functions(): FFI
    {
        return self::$ffi ??= self::checked(self::find());
    }

    private static function find(): FFI
    {
        if (!extension_loaded('ffi')) {
            throw new \RuntimeException('kvlight: the extension ffi is missing: enable it in php.ini (extension=ffi)');
        }
        try {
            return FFI::scope('KVLIGHT_' . str_replace('.', '_', self::version()));
        } catch (FFI\Exception) {
            // ffi.preload does not name it.
        }
        $header = dirname(__DIR__) . '/kvlight.ffi.h';
        if (PHP_SAPI !== 'cli' && !in_array(strtolower((string) ini_get('ffi.enable')), ['1', 'on', 'yes', 'true'], true)) {
            throw new \RuntimeException('kvlight: FFI is restricted here (ffi.enable=' . ini_get('ffi.enable') . "): set ffi.preload=$header "
                . 'and opcache.preload=' . dirname(__DIR__) . '/preload.php in php.ini, or ffi.enable=1');
        }
        $named = getenv('KVL_LIBRARY');
        $failures = [];
        foreach ($named !== false ? [$named] : self::usualPlaces() as $path) {
            try {
                return FFI::cdef(file_get_contents($header), $path);
            } catch (FFI\Exception $failure) {
                $failures[] = "$path ({$failure->getMessage()})";
            }
        }
        throw new \RuntimeException('kvlight: no library found; tried ' . implode(', ', $failures) . '; KVL_LIBRARY names one');
    }

    /** In the package; where the system looks for libraries; in the checkout that contains these files. */
    private static function usualPlaces(): array
    {
        $inside = dirname(__DIR__) . '/lib/libkvlight.so';
        $others = ['libkvlight.so.' . self::version(), dirname(__DIR__, 3) . '/target/release/libkvlight.so'];
        return is_file($inside) ? [$inside, ...$others] : $others;
    }

    private static function checked(FFI $ffi): FFI
    {
        if (intdiv($ffi->kvl_version_number(), 1000) !== intdiv(Native::VERSION, 1000)) {
            throw new \RuntimeException('kvlight: this module is for ' . self::version() . ", and the library is {$ffi->kvl_version_string()}");
        }
        return $ffi;
    }

    /** The major and minor version, such as "0.2". */
    private static function version(): string
    {
        return intdiv(Native::VERSION, 1_000_000) . '.' . intdiv(Native::VERSION, 1000) % 1000;
    }

    /** Throws if a status is an error; otherwise returns it. */
    public static function check(int $status, ?string $message = null): int
    {
        return $status < 0 ? throw new Error($status, $message) : $status;
    }

    /** A variable of a type, to be passed to functions as a pointer: `$place[0]` is its value until the next use of the same type. */
    public static function place(string $type): CData
    {
        return self::$places[$type] ??= self::functions()->new("{$type}[1]");
    }

    /** Returns the handle of the given type that a call writes. */
    public static function taken(string $type, callable $call): CData
    {
        $place = self::place("$type *");
        self::check($call($place));
        return $place[0];
    }

    /** The bytes of a value. */
    public static function bytes(CData $value): string
    {
        $length = self::place('size_t');
        $data = self::functions()->kvl_value_data($value, $length);
        return FFI::string($data, $length[0]);
    }

    /**
     * Converts the terms of a value for the library; the result is valid for the next call.
     *
     * @param array{ttl_ms?: int, priority?: float, cost?: int, stale_ttl_ms?: int, version?: string, tags?: list<string>, keep_ttl?: bool, only_if?: 'absent'|'present'} $terms
     */
    public static function stated(array $terms): ?CData
    {
        if ($terms === []) {
            return null;
        }
        $unknown = array_diff_key($terms, array_flip(['ttl_ms', 'priority', 'cost', 'stale_ttl_ms', 'version', 'tags', 'keep_ttl', 'only_if']));
        if ($unknown !== []) {
            throw new \InvalidArgumentException('kvlight: there is no term ' . implode(', ', array_keys($unknown)));
        }
        self::$terms ??= self::functions()->new('kvl_terms_t');
        self::$termsAt ??= FFI::addr(self::$terms);
        self::$terms->struct_size = FFI::sizeof(self::$terms);
        self::$terms->ttl_ms = $terms['ttl_ms'] ?? Native::TTL_DEFAULT;
        self::$terms->priority = $terms['priority'] ?? Native::PRIORITY_DEFAULT;
        self::$terms->cost = $terms['cost'] ?? Native::COST_DEFAULT;
        self::$terms->stale_ttl_ms = $terms['stale_ttl_ms'] ?? 0;
        self::$terms->flags = (($terms['keep_ttl'] ?? false) ? Native::PUT_F_KEEP_TTL : 0) | match ($terms['only_if'] ?? null) {
            null => 0,
            'absent' => Native::PUT_F_IF_ABSENT,
            'present' => Native::PUT_F_IF_PRESENT,
            default => throw new \InvalidArgumentException('kvlight: only_if is "absent" or "present"'),
        };
        self::stateLabels($terms['version'] ?? '', $terms['tags'] ?? []);
        return self::$termsAt;
    }

    /** Writes the version and the tags into the terms. */
    private static function stateLabels(mixed $version, mixed $tags): void
    {
        if (!is_array($tags)) {
            throw new \InvalidArgumentException('kvlight: tags is a list of strings, not ' . get_debug_type($tags));
        }
        $labels = [$version, ...array_values($tags)];
        foreach ($labels as $label) {
            if (!is_string($label)) {
                throw new \InvalidArgumentException('kvlight: versions and tags are strings, not ' . get_debug_type($label));
            }
        }
        self::$labels = $labels === [''] ? null : self::slices($labels);
        $slices = self::$labels[0] ?? null;
        self::$terms->version = $slices === null ? null : $slices[0]->data;
        self::$terms->version_len = strlen($version);
        self::$terms->tags = count($labels) === 1 ? null : FFI::addr($slices[1]);
        self::$terms->tags_len = count($labels) - 1;
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
            throw new Error(Native::ERR_BAD_VALUE, $problem);
        }
    }

    /** Converts many keys for the library: slices that point into the returned bytes, which must be kept as long as the slices. */
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
