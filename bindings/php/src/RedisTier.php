<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/**
 * @internal The second tier of `l2Url`: a connection to a Redis or Valkey server. libkvlight_redis serves the requests.
 *
 * That library is linked with libkvlight; the loader takes the copy that Library has loaded, since it has the same name.
 */
final class RedisTier
{
    use Uncopyable;

    private const DECLARATIONS = <<<'C'
        typedef struct { size_t index; const uint8_t *data; size_t len; int64_t ttl_left_ms; const uint8_t *token; size_t token_len; } kvl_redis_found_t;
        int32_t kvl_redis_open(const char *url, const void *library, void **out_redis, void **out_error);
        int32_t kvl_redis_serve(void *redis, void *request, kvl_redis_found_t **out_found, size_t *out_len);
        void kvl_redis_found_free(kvl_redis_found_t *found, size_t len);
        int32_t kvl_redis_attach(void *redis, void *tasks);
        int32_t kvl_redis_state(const void *redis, void **out_text);
        void kvl_redis_stop(void *redis);
        void kvl_redis_free(void *redis);
        C;

    private static ?FFI $loaded = null;

    private readonly FFI $ffi;
    /** null once it is freed. That may be before the Tasks are: PHP destroys a cycle, or what a script leaves at its end, in any order. */
    private ?CData $redis = null;
    private readonly CData $found;
    private readonly CData $count;

    public function __construct(string $url)
    {
        Library::functions();
        $this->ffi = self::$loaded ??= self::load();
        $redis = Library::take('void *');
        $redis[0] = null;
        try {
            Library::checkWithError(fn (CData $error) => $this->ffi->kvl_redis_open($url, null, $redis, $error));
            $this->found = $this->ffi->new('kvl_redis_found_t *[1]');
            $this->count = $this->ffi->new('size_t[1]');
            $this->redis = $redis[0];
        } catch (\Throwable $error) {
            // PHP calls no destructor of an object whose constructor has thrown.
            if ($redis[0] !== null) {
                $this->ffi->kvl_redis_free($redis[0]);
            }
            throw $error;
        }
        Library::giveBack('void *', $redis);
    }

    /** Frees the connection; does nothing in a forked child. */
    public function __destruct()
    {
        if (!$this->isCopy && $this->redis !== null) {
            [$redis, $this->redis] = [$this->redis, null];
            $this->ffi->kvl_redis_free($redis);
        }
    }

    private static function load(): FFI
    {
        $failures = [];
        foreach (self::paths() as $path) {
            try {
                return FFI::cdef(self::DECLARATIONS, $path);
            } catch (FFI\Exception $failure) {
                $failures[] = "$path ({$failure->getMessage()})";
            }
        }
        throw new \RuntimeException('kvlight: l2Url needs libkvlight_redis, which cannot be loaded: tried ' . implode(', ', $failures)
            . ". Build it by `make redis` in kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path.");
    }

    /** Where libkvlight_redis may be: as KVL_REDIS_LIBRARY says; else in the package, on the system's library path, or in the checkout with these files. */
    private static function paths(): array
    {
        $override = getenv('KVL_REDIS_LIBRARY');
        if ($override !== false && $override !== '') {
            return [$override];
        }
        $inPackage = dirname(__DIR__) . '/lib/libkvlight_redis.so';
        $others = ['libkvlight_redis.so.' . Library::version(), dirname(__DIR__, 3) . '/target/redis/release/libkvlight_redis.so'];
        return is_file($inPackage) ? [$inPackage, ...$others] : $others;
    }

    /** From now on until stop(), what other processes write is invalidated in the engine. */
    public function attach(CData $tasks): void
    {
        $status = $this->ffi->kvl_redis_attach($this->redis, $tasks);
        Library::check($status);
    }

    /** Ends the connection, and waits for its thread. Afterwards it does not use the engine. */
    public function stop(): void
    {
        if ($this->redis !== null) {
            $this->ffi->kvl_redis_stop($this->redis);
        }
    }

    /**
     * Serves a request, and waits for the server.
     *
     * @return ?array<int, TierFound> the objects that were found, by the places of their keys; null if that failed
     */
    public function serve(CData $request): ?array
    {
        if ($this->redis === null || $this->ffi->kvl_redis_serve($this->redis, $request, $this->found, $this->count) < 0) {
            return null;
        }
        $found = $this->found[0];
        $count = $this->count[0];
        $all = [];
        try {
            for ($nth = 0; $nth < $count; $nth++) {
                $one = $found[$nth];
                $token = Library::text($one->token, $one->token_len);
                $data = Library::text($one->data, $one->len);
                $all[$one->index] = TierFound::entry($data, $one->ttl_left_ms, $token);
            }
        } finally {
            if ($count > 0) {
                [$length, $count] = [$count, 0];
                $this->ffi->kvl_redis_found_free($found, $length);
            }
        }
        return $all;
    }

    /** The state of the connection: the members of kvl_redis_state. */
    public function state(): array
    {
        if ($this->redis === null) {
            throw new Error(Native::ERR_CLOSED);
        }
        $library = Library::functions();
        $out = Library::take('void *');
        $out[0] = null;
        try {
            $status = $this->ffi->kvl_redis_state($this->redis, $out);
            Library::check($status);
            $handle = $library->cast('kvl_value_t *', $out[0]);
            $text = Library::bytes($handle);
        } finally {
            $handle = $out[0];
            $out[0] = null;
            $library->kvl_value_release($handle);
            Library::giveBack('void *', $out);
        }
        return json_decode($text, true, flags: JSON_THROW_ON_ERROR);
    }
}
