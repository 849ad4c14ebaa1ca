<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/**
 * Finds and loads the library, and converts handles, statuses and bytes.
 *
 * PHP's FFI has two defects. A first-class callable of a function, `$ffi->kvl_f(...)`, crashes PHP 8.2. And an array of pointers from
 * `$ffi->new()` leaks memory when it is freed, for each time that an element was read. So the output parameters of the library's functions are
 * created once and kept.
 */
final class Library
{
    private static ?FFI $ffi = null;
    /** @var array<string, CData> output parameters of the library's functions, by their type */
    private static array $outs = [];
    private static ?CData $terms = null;
    private static ?CData $termsAt = null;
    /** the memory that the version and the tags of the terms point to */
    private static ?array $labels = null;

    /** The library's functions. The first call loads the library. */
    public static function functions(): FFI
    {
        return self::$ffi ??= self::checkVersion(self::find());
    }

    private static function find(): FFI
    {
        if (!extension_loaded('ffi')) {
            throw new \RuntimeException('kvlight: the extension ffi is missing: enable it in php.ini (extension=ffi)');
        }
        try {
            return FFI::scope('KVLIGHT_' . str_replace('.', '_', self::version()));
        } catch (FFI\Exception) {
            // The header is not preloaded.
        }
        $header = dirname(__DIR__) . '/kvlight.ffi.h';
        if (PHP_SAPI !== 'cli' && !in_array(strtolower((string) ini_get('ffi.enable')), ['1', 'on', 'yes', 'true'], true)) {
            throw new \RuntimeException('kvlight: FFI is restricted here (ffi.enable=' . ini_get('ffi.enable') . "): set ffi.preload=$header "
                . 'and opcache.preload=' . dirname(__DIR__) . '/preload.php in php.ini, or ffi.enable=1');
        }
        $override = getenv('KVL_LIBRARY');
        $failures = [];
        foreach ($override !== false ? [$override] : self::defaultPaths() as $path) {
            try {
                return FFI::cdef(file_get_contents($header), $path);
            } catch (FFI\Exception $failure) {
                $failures[] = "$path ({$failure->getMessage()})";
            }
        }
        throw new \RuntimeException('kvlight: no library found; tried ' . implode(', ', $failures) . '; set KVL_LIBRARY to the path of the library');
    }

    /** Where the library may be: in the package, on the system's library path, or in the checkout that contains these files. */
    private static function defaultPaths(): array
    {
        $inPackage = dirname(__DIR__) . '/lib/libkvlight.so';
        $others = ['libkvlight.so.' . self::version(), dirname(__DIR__, 3) . '/target/release/libkvlight.so'];
        return is_file($inPackage) ? [$inPackage, ...$others] : $others;
    }

    private static function checkVersion(FFI $ffi): FFI
    {
        if (intdiv($ffi->kvl_version_number(), 1000) !== intdiv(Native::VERSION, 1000)) {
            throw new \RuntimeException('kvlight: this module is for version ' . self::version() . ", but the library has version {$ffi->kvl_version_string()}");
        }
        return $ffi;
    }

    /** The major and minor version, such as "0.2". */
    public static function version(): string
    {
        return intdiv(Native::VERSION, 1_000_000) . '.' . intdiv(Native::VERSION, 1000) % 1000;
    }

    /** Returns a status, or throws the Error that it stands for. */
    public static function check(int $status, ?string $message = null): int
    {
        return $status < 0 ? throw new Error($status, $message) : $status;
    }

    /** The shared output parameter for values of a C type. Its value, `$out[0]`, is valid until the same output parameter is used again. */
    public static function variable(string $type): CData
    {
        return self::$outs[$type] ??= self::functions()->new("{$type}[1]");
    }

    /** Returns the handle of the given type that a call writes to its output parameter. */
    public static function output(string $type, callable $call): CData
    {
        $out = self::variable("$type *");
        self::check($call($out));
        return $out[0];
    }

    /** The bytes of a value. */
    public static function bytes(CData $value): string
    {
        $length = self::variable('size_t');
        $data = self::functions()->kvl_value_data($value, $length);
        return FFI::string($data, $length[0]);
    }

    /**
     * Returns terms as a pointer to a kvl_terms_t, which is valid until the next call of this function; null if there are none.
     *
     * @param array{ttl_ms?: int, priority?: float, cost?: int, stale_ttl_ms?: int, version?: string, tags?: list<string>, keep_ttl?: bool, only_if?: 'absent'|'present'} $terms
     */
    public static function terms(array $terms): ?CData
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
            default => throw new \InvalidArgumentException('kvlight: only_if must be "absent" or "present"'),
        };
        self::setLabels($terms['version'] ?? '', $terms['tags'] ?? []);
        return self::$termsAt;
    }

    /** Sets the version and the tags of self::$terms. */
    private static function setLabels(mixed $version, mixed $tags): void
    {
        if (!is_array($tags)) {
            throw new \InvalidArgumentException('kvlight: tags must be a list of strings, not ' . get_debug_type($tags));
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

    /** Sets settings of a configuration or of options; `$functions` is "kvl_config" or "kvl_options". */
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

    /** Returns a kvl_slice_t array of keys (null without keys), and the string that the slices point into: keep it for as long as they are used. */
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
