<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

use function count;
use function extension_loaded;
use function in_array;
use function is_array;
use function is_bool;
use function is_float;
use function is_int;
use function is_string;
use function strlen;

/**
 * Finds and loads the library, and converts handles, statuses, terms and bytes.
 *
 * PHP's FFI has two defects. A first-class callable of a function, `$ffi->kvl_f(...)`, crashes PHP 8.2. And an array of pointers from
 * `$ffi->new()` leaks memory when it is freed, for each time that an element was read. So the output parameters of the library's functions are
 * kept for the next call.
 *
 * PHP calls the handler of a signal (pcntl_async_signals) when an internal function returns, at jumps, and at the beginning of a function. PHP 8.2 has a
 * defect there: if the handler throws just before a result, or a value after a jump, becomes an argument, as in `f(g())` and `f($a ?? $b)`, PHP frees
 * an argument that was never set, which is whatever the stack held before. So this package assigns such a value to a variable first, and
 * tests/signals.php checks that. `use function` makes PHP compile strlen() and the like to instructions, which are no calls. And if the handler throws at
 * the jump to `finally` or back from it, PHP leaves `finally` out, or runs it twice. So a `finally` here may run twice, and where it matters the end of
 * `try` does the same. The statements up to the next call or jump are one step.
 */
final class Library
{
    /** The classes that a cache uses. */
    private const CLASSES = [Error::class, Fetch::class, Native::class, Request::class, Result::class, Stale::class, TierEntry::class, TierFound::class,
        TierRequest::class];

    private static ?FFI $ffi = null;
    /** @var array<string, ?CData> output parameters of the library's functions that are not in use, by their type */
    private static array $outs = [];

    /** The library's functions. The first call loads the library. */
    public static function functions(): FFI
    {
        if (self::$ffi === null) {
            // Now, and not when they are first used: a signal handler that calls the cache cannot use a class that PHP is loading at that moment.
            foreach (self::CLASSES as $class) {
                class_exists($class);
            }
            $ffi = self::find();
            self::checkVersion($ffi);
            self::$ffi = $ffi;
        }
        return self::$ffi;
    }

    private static function find(): FFI
    {
        if (!extension_loaded('ffi')) {
            throw new \RuntimeException('kvlight: the extension ffi is missing: enable it in php.ini (extension=ffi)');
        }
        try {
            $version = self::version();
            return FFI::scope('KVLIGHT_' . str_replace('.', '_', $version));
        } catch (FFI\Exception) {
            // The header is not preloaded.
        }
        $header = dirname(__DIR__) . '/kvlight.ffi.h';
        $setting = strtolower((string) ini_get('ffi.enable'));
        if (PHP_SAPI !== 'cli' && !in_array($setting, ['1', 'on', 'yes', 'true'], true)) {
            throw new \RuntimeException('kvlight: FFI is restricted here (ffi.enable=' . ini_get('ffi.enable') . "): set ffi.preload=$header "
                . 'and opcache.preload=' . dirname(__DIR__) . '/preload.php in php.ini, or ffi.enable=1');
        }
        $override = (string) getenv('KVL_LIBRARY');
        $failures = [];
        foreach ($override !== '' ? [$override] : self::defaultPaths() as $path) {
            try {
                $declarations = file_get_contents($header);
                return FFI::cdef($declarations, $path);
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

    private static function checkVersion(FFI $ffi): void
    {
        $number = $ffi->kvl_version_number();
        if (intdiv($number, 1000) !== intdiv(Native::VERSION, 1000)) {
            throw new \RuntimeException('kvlight: this module is for version ' . self::version() . ", but the library has version {$ffi->kvl_version_string()}");
        }
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

    /**
     * Takes an output parameter for a value of a C type, which is `$out[0]`; giveBack() keeps it for the next call. A signal handler that calls the cache in
     * between takes another one.
     */
    public static function take(string $type): CData
    {
        $out = self::$outs[$type] ?? null;
        self::$outs[$type] = null;
        return $out ?? self::functions()->new("{$type}[1]");
    }

    public static function giveBack(string $type, CData $out): void
    {
        self::$outs[$type] = $out;
    }

    /**
     * Calls `$create` with an output parameter for a handle, calls `$use` with the handle and the status, and releases the handle, whatever is thrown.
     * Returns what `$use` returned. The output parameter holds the handle for as long as it has to be released.
     */
    public static function using(string $type, string $release, callable $create, callable $use): mixed
    {
        $ffi = self::functions();
        $out = self::take($type);
        $out[0] = null;
        try {
            $status = $create($out);
            self::check($status);
            $handle = $out[0];
            $result = $use($handle, $status);
            // Forgotten before its release, since a signal handler may throw after that.
            $out[0] = null;
            $ffi->$release($handle);
        } catch (\Throwable $error) {
            $handle = $out[0];
            $out[0] = null;
            $ffi->$release($handle);
            throw $error;
        }
        self::$outs[$type] = $out;
        return $result;
    }

    /** Makes a call with an output parameter for the description of a failure. Throws if the call fails. */
    public static function checkWithError(callable $call): void
    {
        $status = 0;
        self::using(
            'void *',
            'kvl_error_release',
            function (CData $out) use ($call, &$status): int {
                $status = $call($out);
                return Native::OK;
            },
            function (?CData $error) use (&$status): void {
                $message = $error === null ? null : self::functions()->kvl_error_message($error);
                self::check($status, $message);
            },
        );
    }

    /** The bytes of a value. */
    public static function bytes(CData $value): string
    {
        $length = self::take('size_t');
        $data = self::functions()->kvl_value_data($value, $length);
        $bytes = FFI::string($data, $length[0]);
        self::$outs['size_t'] = $length;
        return $bytes;
    }

    /** The bytes at a pointer, which may be null if there are none. */
    public static function text(?CData $data, int $length): string
    {
        return $length === 0 ? '' : FFI::string($data, $length);
    }

    /**
     * Returns keys as strings.
     *
     * @return list<string>
     */
    public static function keys(array $keys): array
    {
        $texts = [];
        foreach ($keys as $key) {
            if (is_string($key)) {
                $texts[] = $key;
            } elseif (is_int($key)) {
                // PHP converts strings that look like numbers to integers where they are keys of an array.
                $texts[] = (string) $key;
            } else {
                throw new \InvalidArgumentException('kvlight: a key is a string or an integer, not ' . self::shown($key));
            }
        }
        return $texts;
    }

    /** Refuses a text with a NUL byte, where the library would read it only up to that byte. */
    public static function checkText(string $what, string $text): void
    {
        if (str_contains($text, "\0")) {
            throw new \InvalidArgumentException("kvlight: $what contains a NUL byte");
        }
    }

    /** A value as it is shown in a message. */
    private static function shown(mixed $value): string
    {
        return match (true) {
            is_string($value) => '"' . addcslashes($value, "\0..\37\"\\") . '"',
            is_scalar($value) => var_export($value, true),
            default => get_debug_type($value),
        };
    }

    /**
     * Returns an array whose first element is a pointer to a kvl_terms_t, or null if there are no terms. Its other elements are what the struct points to:
     * keep the array for as long as the struct is used. Throws for a term that does not exist or has a wrong value.
     *
     * @param array{ttl_ms?: int, priority?: float, cost?: int, stale_ttl_ms?: int, version?: string, tags?: list<string>, keep_ttl?: bool, only_if?: 'absent'|'present'} $terms
     */
    public static function terms(array $terms, bool $isPut = true): array
    {
        if ($terms === []) {
            return [null];
        }
        foreach ($terms as $name => $value) {
            self::checkTerm($name, $value, $isPut);
        }
        $native = self::functions()->new('kvl_terms_t[1]');
        $fields = $native[0];
        $fields->struct_size = FFI::sizeof($fields);
        $fields->ttl_ms = $terms['ttl_ms'] ?? Native::TTL_DEFAULT;
        $fields->priority = $terms['priority'] ?? Native::PRIORITY_DEFAULT;
        $fields->cost = $terms['cost'] ?? Native::COST_DEFAULT;
        $fields->stale_ttl_ms = $terms['stale_ttl_ms'] ?? 0;
        $keepsTtl = ($terms['keep_ttl'] ?? false) ? Native::PUT_F_KEEP_TTL : 0;
        $fields->flags = $keepsTtl | match ($terms['only_if'] ?? null) {
            null => 0,
            'absent' => Native::PUT_F_IF_ABSENT,
            'present' => Native::PUT_F_IF_PRESENT,
        };
        $version = $terms['version'] ?? '';
        $tags = $terms['tags'] ?? [];
        $labels = [$version, ...array_values($tags)];
        if ($labels === ['']) {
            return [$native];
        }
        [$slices, $packed] = self::slices($labels);
        $fields->version = $slices[0]->data;
        $fields->version_len = strlen($version);
        $fields->tags_len = count($labels) - 1;
        $fields->tags = count($labels) === 1 ? null : FFI::addr($slices[1]);
        return [$native, $slices, $packed];
    }

    /** Refuses a term that does not exist or has a wrong value. Null is the same as a term that is left out. */
    private static function checkTerm(int|string $name, mixed $value, bool $isPut): void
    {
        if (!in_array($name, ['ttl_ms', 'priority', 'cost', 'stale_ttl_ms', 'version', 'tags', 'keep_ttl', 'only_if'], true)) {
            throw new \InvalidArgumentException("kvlight: there is no term $name");
        }
        if (!$isPut && ($name === 'keep_ttl' || $name === 'only_if')) {
            throw new \InvalidArgumentException("kvlight: $name is a term of put(), not of an answer");
        }
        if ($value === null) {
            return;
        }
        if ($name === 'version' || $name === 'tags') {
            self::checkLabels($name, $value);
            return;
        }
        $wanted = match ($name) {
            'ttl_ms' => is_int($value) && $value >= Native::TTL_DEFAULT ? null : 'a whole number from -2',
            'stale_ttl_ms', 'cost' => is_int($value) && $value >= -1 ? null : 'a whole number from -1',
            'priority' => is_int($value) || (is_float($value) && !is_nan($value)) ? null : 'a number',
            'keep_ttl' => is_bool($value) ? null : 'true or false',
            'only_if' => $value === 'absent' || $value === 'present' ? null : '"absent" or "present"',
        };
        if ($wanted !== null) {
            $message = "the term $name takes $wanted, not " . self::shown($value);
            throw is_int($value) || is_float($value) ? new Error(Native::ERR_BAD_VALUE, $message) : new \InvalidArgumentException("kvlight: $message");
        }
    }

    private static function checkLabels(string $name, mixed $value): void
    {
        $labels = $name === 'version' ? [$value] : $value;
        if (!is_array($labels)) {
            throw new \InvalidArgumentException('kvlight: the term tags takes a list of strings, not ' . self::shown($labels));
        }
        if (count($labels) > Native::TAGS_MAX) {
            throw new Error(Native::ERR_BAD_VALUE, 'the term tags takes at most ' . Native::TAGS_MAX . ' tags, not ' . count($labels));
        }
        $least = $name === 'version' ? 0 : 1;
        foreach ($labels as $label) {
            if (!is_string($label)) {
                throw new \InvalidArgumentException("kvlight: the term $name takes strings, not " . self::shown($label));
            }
            if (strlen($label) < $least || strlen($label) > Native::LABEL_MAX) {
                throw new Error(Native::ERR_BAD_VALUE, "the term $name takes strings of $least to " . Native::LABEL_MAX . ' bytes, not ' . self::shown($label));
            }
        }
    }

    /** Refuses a TTL that is out of range, or not whole. */
    public static function checkTtl(int|float $ttlMs): void
    {
        self::checkTerm('ttl_ms', $ttlMs, true);
    }

    /**
     * A time of at least 0 in whole milliseconds, rounded up so that a short one does not become 0. A parameter that is only an int would be cut by PHP in
     * programs without strict_types, and -1.5 would become -1, which has a meaning of its own.
     */
    public static function milliseconds(string $what, int|float $time): int
    {
        if (!($time >= 0 && $time < 2 ** 63)) {
            throw new \InvalidArgumentException("kvlight: $what is a number of milliseconds from 0, not $time");
        }
        return is_int($time) ? $time : (int) ceil($time);
    }

    /** Sets settings of a configuration or of options; `$functions` is "kvl_config" or "kvl_options". */
    public static function set(string $functions, CData $handle, array $settings): void
    {
        $ffi = self::functions();
        foreach ($settings as $key => $value) {
            if (!is_string($key)) {
                throw new \InvalidArgumentException('kvlight: settings are [name => value], but this one has no name: ' . self::shown($value));
            }
            self::checkText('the name of a setting', $key);
            if (is_string($value)) {
                self::checkText("the setting $key", $value);
            }
            match (true) {
                // Not as a number, which a setting that takes numbers would accept.
                $value === true => $ffi->{"{$functions}_set"}($handle, $key, 'true'),
                $value === false => $ffi->{"{$functions}_set"}($handle, $key, 'false'),
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
        $ffi = self::functions();
        $packed = implode('', $keys);
        $lengths = $ffi->new("uint32_t[$count]");
        $numbers = array_map('strlen', $keys);
        $bytes = pack('L*', ...$numbers);
        FFI::memcpy($lengths, $bytes, 4 * $count);
        $slices = $ffi->new("kvl_slice_t[$count]");
        $status = $ffi->kvl_slices_unpack($packed, strlen($packed), $lengths, $count, $slices);
        self::check($status);
        return [$slices, $packed];
    }
}
