<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/** A cache with a provider. */
final class Tasks
{
    /** Callbacks that the library would call on its own threads, and what to use instead. */
    private const UNSUPPORTED = [
        'validator' => 'check keys before you fetch them',
        'cost' => 'pass the cost of a value with its answer: $request->resolve($at, $value, [\'cost\' => …])',
        'removal_listener' => '`dropped` is called with each value that is not a string once neither the cache nor a fetch holds it',
        'record_listener' => 'stats() counts lookups',
    ];

    private readonly FFI $ffi;
    private readonly \Closure $provider;
    private readonly ?\Closure $dropped;
    private readonly ?\Closure $onError;
    private readonly ?\Closure $wait;
    private readonly SecondTier|RedisTier|null $secondTier;
    private readonly ?\Closure $dump;
    private readonly ?\Closure $load;
    private ?CData $queue = null;
    private ?CData $tasks = null;
    private bool $isClosed = false;
    private readonly CData $event;
    private readonly CData $eventAt;
    private readonly int $eventSize;
    private int $lastId = 0;
    /** whether a fetch without options begins with a lookup in this process's cache, as get() makes it */
    private readonly bool $readsStoreFirst;
    /** how many nested poll() calls are handling an event */
    private int $polls = 0;
    /** @var array<int, Fetch> by ID, until their last event */
    private array $fetches = [];
    /** @var array<int, mixed> values by ID, until the library reports that it dropped them */
    private array $objects = [];
    /** @var array<int, \Throwable> errors of providers by ID, likewise */
    private array $errors = [];
    /** @var \WeakMap<Request, bool> requests that are not finished */
    private readonly \WeakMap $open;

    /**
     * @param callable $provider is called with a list of keys and the Request. It returns [key => value]; or null, to answer through the Request, also later.
     * @param array $settings those of docs/CONFIGURATION.md, by name.
     * @param ?callable $dropped is called with each value that is not a string once neither the cache nor a fetch holds it any longer.
     * @param ?callable $onError is called with exceptions of functions passed to start(), of `$dropped` and of the second tier. Without it they are logged.
     * @param ?callable $wait for event loops: is called repeatedly with a Fetch that is not done, and lets other code and poll() run. Without it,
     *                        a wait polls.
     * @param ?SecondTier $secondTier is a store in which keys are looked up before the provider is called, and which other processes may share.
     * @param ?callable $dump converts a value that is not a string to a string for the second tier, and `$load` converts it back: serialize(...) and
     *                        unserialize(...). Without them such values stay in this process.
     * @param ?string $l2Url instead of `$secondTier`: a Redis or Valkey server, as in redis://user:password@host:6379/0?prefix=shop. It needs
     *                       libkvlight_redis; the options of the URL are those of kvlight_redis.h.
     */
    public function __construct(
        callable $provider,
        array $settings = [],
        ?callable $dropped = null,
        string $delivery = 'queue',
        ?callable $onError = null,
        ?callable $wait = null,
        ?SecondTier $secondTier = null,
        ?callable $dump = null,
        ?callable $load = null,
        ?string $l2Url = null,
    ) {
        if ($secondTier !== null && $l2Url !== null) {
            throw new \InvalidArgumentException('kvlight: secondTier and l2Url exclude each other: there is one second tier');
        }
        if (($dump === null) !== ($load === null) || ($dump !== null && $secondTier === null && $l2Url === null)) {
            throw new \InvalidArgumentException('kvlight: dump and load go together, with a secondTier or an l2Url: load reads what dump wrote');
        }
        foreach (array_intersect_key(self::UNSUPPORTED, $settings) as $name => $instead) {
            throw new \InvalidArgumentException("kvlight: $name is not available in PHP, whose functions cannot run on other threads: $instead");
        }
        if ($delivery !== 'queue') {
            throw new \InvalidArgumentException('kvlight: delivery must be "queue", which poll() reads: a call from another thread would crash PHP');
        }
        $this->ffi = Library::functions();
        $this->provider = $provider(...);
        $this->dropped = $dropped === null ? null : $dropped(...);
        $this->onError = $onError === null ? null : $onError(...);
        $this->wait = $wait === null ? null : $wait(...);
        $this->secondTier = $l2Url === null ? $secondTier : new RedisTier($l2Url);
        $this->dump = $dump === null ? null : $dump(...);
        $this->load = $load === null ? null : $load(...);
        $this->open = new \WeakMap();
        $this->event = $this->ffi->new('kvl_event_t');
        $this->eventAt = FFI::addr($this->event);
        $this->eventSize = FFI::sizeof($this->event);

        $config = Library::output('kvl_config_t', fn ($out) => $this->ffi->kvl_config_new($out));
        try {
            Library::set('kvl_config', $config, $settings);
            $this->queue = Library::output('kvl_queue_t', fn ($out) => $this->ffi->kvl_queue_new(0, $out));
            Library::check($this->ffi->kvl_config_set_queue($config, $this->queue, Native::QUEUE_F_ALL | Native::QUEUE_F_L2));
            if ($this->secondTier !== null) {
                $isServer = $this->secondTier instanceof RedisTier;
                $abilities = Native::L2_F_OBJECTS | ($isServer || $secondTier->isConditional() ? Native::L2_F_CONDITIONAL : 0)
                    | ($isServer || $secondTier->grantsLeases() ? Native::L2_F_LEASES : 0);
                Library::check($this->ffi->kvl_config_set_l2($config, $abilities, null, 0, null));
            }
            Library::check($this->ffi->kvl_config_set_provider($config, null, 0, null));
            $nativeError = Library::variable('kvl_error_t *');
            $out = Library::variable('kvl_tasks_t *');
            $status = $this->ffi->kvl_tasks_new($config, $out, $nativeError);
            if ($status < 0) {
                $message = $nativeError[0] === null ? null : $this->ffi->kvl_error_message($nativeError[0]);
                $this->ffi->kvl_error_release($nativeError[0]);
                throw new Error($status, $message);
            }
            $this->tasks = $out[0];
            $this->readsStoreFirst = $this->ffi->kvl_tasks_reads_store_first($this->tasks) !== 0;
            if ($this->secondTier instanceof RedisTier) {
                $this->secondTier->attach($this->tasks);
            }
        } finally {
            $this->ffi->kvl_config_free($config);
        }
    }

    /** Frees the cache without calling functions of the program, whose objects may no longer exist. */
    public function __destruct()
    {
        $this->free();
    }

    /** Waits for the value of one key, and returns it, or null if there is no such record; throws the error of a key that fails. */
    public function fetch(string $key, array $options = []): mixed
    {
        if ($options === [] && $this->readsStoreFirst) {
            $value = $this->lookup($key, $status);
            if ($status !== Native::MISS) {
                return $value;
            }
        }
        return $this->start($key, options: $options)->wait()->value();
    }

    /** Returns the values of many keys, in the order of the keys, with null where there is no such record; throws the first error. */
    public function fetchAll(array $keys, array $options = []): array
    {
        return array_map(static fn (Result $result) => $result->value(), $this->results($keys, $options));
    }

    /** Returns the result of each key, in the order of the keys. The error of a key is in its Result and is not thrown. */
    public function results(array $keys, array $options = []): array
    {
        return $this->startAll($keys, options: $options)->wait();
    }

    /** Starts to fetch one key; poll() calls `$onResult` with its Result. Options are the settings that are "per fetch". */
    public function start(string $key, ?callable $onResult = null, array $options = []): Fetch
    {
        return $this->startFetch($onResult, $options, fn ($options, $fetch, $id) => $this->ffi->kvl_tasks_fetch(
            $this->tasks(), $key, strlen($key), $options, $fetch, null, $id, null, null));
    }

    /** Starts to fetch many keys; poll() calls `$onResult` once, with the list of their Results. */
    public function startAll(array $keys, ?callable $onResult = null, array $options = []): Fetch
    {
        // Keys that look like numbers may be integers here: PHP converts them where they are keys of an array.
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        return $this->startFetch($onResult, $options, fn ($options, $fetch, $id) => $this->ffi->kvl_tasks_fetch_all(
            $this->tasks(), $slices, count($keys), $options, $fetch, null, $id, null, null));
    }

    /** The stored value; null if the key is not in the cache, or known to be absent. Never calls the provider. */
    public function get(string $key): mixed
    {
        return $this->lookup($key, $status);
    }

    /**
     * Stores a value; null stores the key as known to be absent. Returns whether it was stored. Polls unless a poll is in progress, so
     * that a program that makes only puts releases dropped values too.
     *
     * @param array{ttl_ms?: int, priority?: float, cost?: int, stale_ttl_ms?: int, version?: string, tags?: list<string>, keep_ttl?: bool, only_if?: 'absent'|'present'} $terms
     */
    public function put(string $key, mixed $value, array $terms = []): bool
    {
        $status = $this->withValue($value, fn (CData $handle) => $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_put(
            $cache,
            $key,
            strlen($key),
            $handle,
            Library::terms($terms),
        )));
        if ($this->polls === 0) {
            $this->poll();
        }
        return $status === Native::OK;
    }

    /** Gives an entry a new TTL. Returns whether there was an entry. */
    public function touch(string $key, int $ttlMs = Native::TTL_DEFAULT): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_touch($cache, $key, strlen($key), $ttlMs)) === Native::OK;
    }

    /**
     * Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if stale.ttl_ms is set. Returns
     * whether there was an entry.
     */
    public function expire(string $key): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_expire($cache, $key, strlen($key))) === Native::OK;
    }

    /** Removes all entries with a tag, and returns their number. A running load does not store its answer if that has the tag. */
    public function removeTag(string $tag): int
    {
        return $this->changeTagged('kvl_cache_remove_tag', $tag);
    }

    /** Expires all entries with a tag, as expire() does for a key, and returns their number. */
    public function expireTag(string $tag): int
    {
        return $this->changeTagged('kvl_cache_expire_tag', $tag);
    }

    /** Expires all entries, as expire() does for a key. Running loads do not store their answers. */
    public function expireAll(): void
    {
        $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_expire_all($cache));
    }

    private function changeTagged(string $function, string $tag): int
    {
        $count = Library::variable('size_t');
        $this->withCache(fn (CData $cache) => $this->ffi->$function($cache, $tag, strlen($tag), $count));
        return $count[0];
    }

    /** Reloads keys in the background, while poll() is called; the current values are served until then, and stay if the reload fails. */
    public function refresh(array $keys, array $options = []): void
    {
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        $this->withOptions($options, fn (?CData $nativeOptions) => Library::check(
            $this->ffi->kvl_tasks_refresh($this->tasks(), $slices, count($keys), $nativeOptions)));
    }

    /** Tells the cache that another process has changed these keys: their values leave this process, and running loads of them do not store their answers. */
    public function invalidate(array $keys): void
    {
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        Library::check($this->ffi->kvl_tasks_invalidate($this->tasks(), $slices, count($keys), 0));
    }

    /** Tells the cache that another process may have changed any key: everything leaves this process. */
    public function invalidateAll(): void
    {
        Library::check($this->ffi->kvl_tasks_invalidate($this->tasks(), null, 0, Native::INVALIDATE_F_ALL));
    }

    /** The state of the circuit breaker (breaker.failure_ratio, breaker.consecutive): "closed", "open" or "half_open". */
    public function breaker(): string
    {
        return match ($this->ffi->kvl_tasks_breaker_state($this->tasks())) {
            Native::BREAKER_CLOSED => 'closed',
            Native::BREAKER_OPEN => 'open',
            Native::BREAKER_HALF_OPEN => 'half_open',
        };
    }

    /** Forces the circuit breaker "closed" or "open", whatever the provider does; null returns it to automatic operation. */
    public function forceBreaker(?string $state): void
    {
        Library::check($this->ffi->kvl_tasks_breaker_force($this->tasks(), match ($state) {
            null => Native::BREAKER_FORCE_NONE,
            'closed' => Native::BREAKER_FORCE_CLOSED,
            'open' => Native::BREAKER_FORCE_OPEN,
            default => throw new \InvalidArgumentException('kvlight: forceBreaker() takes "closed", "open", or null for automatic operation'),
        }));
    }

    /** Removes an entry. Returns whether there was one. */
    public function remove(string $key): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_remove($cache, $key, strlen($key))) === Native::OK;
    }

    /** Removes all entries. */
    public function clear(): void
    {
        $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_clear($cache));
    }

    /**
     * Iterates over the entries: `foreach ($tasks->entries() as $key => $value)`, with null for a key known to be absent. A key that stays in
     * the cache throughout appears exactly once, whatever the loop changes. Nothing is loaded, or counted as used.
     */
    public function entries(): \Generator
    {
        $iterator = Library::output(
            'kvl_iterator_t',
            fn ($out) => $this->withCache(fn (CData $cache) => $this->ffi->kvl_iterator_new($cache, $out)),
        );
        $entry = $this->ffi->new('kvl_result_t');
        $entryAt = FFI::addr($entry);
        try {
            while (Library::check($this->ffi->kvl_iterator_next($iterator, $entryAt, FFI::sizeof($entry))) !== Native::EMPTY) {
                $result = $this->result($entry);
                yield $result->key => $result->value;
            }
        } finally {
            $this->ffi->kvl_iterator_free($iterator);
        }
    }

    /**
     * Writes the entries to a file, with their remaining TTLs, and returns their number. An existing file is replaced once the new one is complete.
     * Values that are not strings are left out: to save a cache, store the results of serialize() or json_encode() in it.
     */
    public function save(string $path): int
    {
        return $this->transfer('kvl_cache_save', $path);
    }

    /** Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored. */
    public function load(string $path): int
    {
        return $this->transfer('kvl_cache_load', $path);
    }

    private function transfer(string $function, string $path): int
    {
        $done = $this->ffi->new('kvl_transfer_t');
        $nativeError = Library::variable('kvl_error_t *');
        $cache = Library::output('kvl_cache_t', fn ($out) => $this->ffi->kvl_tasks_cache($this->tasks(), $out));
        $status = $this->ffi->$function($cache, $path, null, 0, FFI::addr($done), FFI::sizeof($done), $nativeError);
        $this->ffi->kvl_cache_release($cache);
        if ($status < 0) {
            $error = new Error($status, $this->ffi->kvl_error_message($nativeError[0]));
            $this->ffi->kvl_error_release($nativeError[0]);
            throw $error;
        }
        return $done->entries;
    }

    /** Returns the statistics, as arrays: docs/STATISTICS.md. */
    public function stats(): array
    {
        $text = Library::output('kvl_value_t', fn ($out) => $this->ffi->kvl_tasks_stats_json($this->tasks(), $out));
        $stats = json_decode(Library::bytes($text), true, flags: JSON_THROW_ON_ERROR);
        $this->ffi->kvl_value_release($text);
        return $stats;
    }

    /**
     * Handles the events in the queue, and returns their number. Waits up to `$timeoutMs` for the first event; by default it does not wait. Exceptions
     * of the program's functions go to `onError`, those of a provider to the waiters of its keys.
     */
    public function poll(int $timeoutMs = 0): int
    {
        $count = 0;
        while ($this->queue !== null) {
            $waitMs = $count === 0 ? $timeoutMs : 0;
            if (Library::check($this->ffi->kvl_queue_next($this->queue, $waitMs, $this->eventAt, $this->eventSize)) === Native::EMPTY) {
                break;
            }
            $count++;
            $this->polls++;
            try {
                $this->handle($this->event);
            } finally {
                $this->polls--;
            }
        }
        return $count;
    }

    /**
     * Polls until the second tier has everything that was put and loaded before, for at most `$timeoutMs` milliseconds, or longer if a method of the
     * second tier is running then, which is not interrupted. Returns whether it has everything.
     */
    public function syncSecondTier(int $timeoutMs): bool
    {
        $end = hrtime(true) + $timeoutMs * 1_000_000;
        $this->poll(); // serves requests that are in the queue already: these are not counted as pending
        while (($isPending = $this->stats()['now']['l2_pending'] > 0) && hrtime(true) < $end) {
            $this->poll(10);
        }
        return !$isPending;
    }

    /**
     * The state of the connection to the server of `l2Url`: whether it is connected, and if not, what is wrong and how to fix it. It has the members of
     * kvl_redis_state.
     */
    public function l2State(): array
    {
        return $this->secondTier instanceof RedisTier ? $this->secondTier->state() : throw new \LogicException('kvlight: these Tasks have no l2Url');
    }

    /** A descriptor that is readable while poll() has work to do; fopen("php://fd/$number", 'r') makes it a stream. */
    public function fd(): int
    {
        $this->tasks();
        $out = Library::variable('int32_t');
        Library::check($this->ffi->kvl_queue_fd($this->queue, $out));
        return $out[0];
    }

    /** Closes the cache: fetches in progress fail with KVL_ERR_CLOSED, and `dropped` is called with the values. May be called twice. */
    public function close(): void
    {
        if ($this->tasks !== null) {
            Library::check($this->ffi->kvl_tasks_close($this->tasks, Native::CLOSE_CANCEL, 0, null, 0, null));
            while (!$this->isClosed) {
                $this->poll(100);
            }
        }
        // A function that poll() called may have closed the cache too.
        if ($this->tasks !== null) {
            $this->stopServer();
            Library::check($this->ffi->kvl_tasks_free($this->tasks));
            $this->tasks = null;
        }
        $this->poll();
        $this->free();
    }

    /** @internal One step of waiting for a fetch, which may not be done afterwards: Fetch calls this in a loop. */
    public function waitStep(Fetch $fetch): void
    {
        if ($this->wait !== null) {
            ($this->wait)($fetch);
            return;
        }
        if (\Fiber::getCurrent() === null || count($this->open) === 0) {
            // At most 100 ms at a time, so that PHP can handle signals in between.
            $this->poll(100);
        } elseif ($this->poll() === 0) {
            // The fiber that is to answer an open request can continue only if this one does not block.
            \Fiber::suspend();
        }
    }

    /** @internal Notes that a request is finished: it is no longer open. */
    public function finished(Request $request): void
    {
        unset($this->open[$request]);
    }

    /** @internal Calls a function with a handle of a value. A string becomes bytes, null stays null, and anything else becomes an object that stays in PHP. */
    public function withValue(mixed $value, callable $use): mixed
    {
        if ($value === null) {
            return $use($this->ffi->kvl_value_null());
        }
        $this->tasks();
        if (is_string($value)) {
            $handle = Library::output('kvl_value_t', fn ($out) => $this->ffi->kvl_value_new_bytes($value, strlen($value), $out));
        } else {
            $id = ++$this->lastId;
            $handle = Library::output('kvl_value_t', fn ($out) => $this->ffi->kvl_value_new_object_on($this->queue, $id, 0, null, $out));
            $this->objects[$id] = $value;
        }
        try {
            return $use($handle);
        } finally {
            $this->ffi->kvl_value_release($handle);
        }
    }

    /** @internal Calls a function with a handle of an error. */
    public function withError(\Throwable $error, callable $use): mixed
    {
        $this->tasks();
        $message = $error->getMessage();
        $flags = ($error instanceof Permanent ? Native::ERROR_F_PERMANENT : 0) | ($error instanceof Gone ? Native::ERROR_F_NO_STALE : 0);
        $id = ++$this->lastId;
        $handle = Library::output('kvl_error_t', fn ($out) => $this->ffi->kvl_error_new_object(
            0, $message, strlen($message), $flags, $this->queue, $id, null, $out));
        $this->errors[$id] = $error;
        if ($error instanceof RetryAfter) {
            $this->ffi->kvl_error_set_retry_after($handle, $error->afterMs);
        }
        try {
            return $use($handle);
        } finally {
            $this->ffi->kvl_error_release($handle);
        }
    }

    private function free(): void
    {
        // None of these calls waits for code of the program, which runs only in poll(). In a forked child they do nothing.
        $this->stopServer();
        $this->ffi->kvl_tasks_free($this->tasks);
        $this->ffi->kvl_queue_free($this->queue);
        $this->tasks = $this->queue = null;
    }

    /** Ends the connection to a server, if there is one. Call this before the engine is freed, which the connection uses. */
    private function stopServer(): void
    {
        if (($this->secondTier ?? null) instanceof RedisTier) {
            $this->secondTier->stop();
        }
    }

    private function tasks(): CData
    {
        return $this->tasks ?? throw new Error(Native::ERR_CLOSED);
    }

    private function lookup(string $key, ?int &$status): mixed
    {
        $out = Library::variable('kvl_value_t *');
        $status = $this->ffi->kvl_tasks_get($this->tasks ?? $this->tasks(), $key, strlen($key), $out);
        if ($status !== Native::VALUE) {
            Library::check($status);
            return null;
        }
        return $this->takeValue($out[0]);
    }

    /** @internal Returns the object or the string of a value handle, and releases the handle. */
    public function takeValue(CData $value): mixed
    {
        $id = $this->ffi->kvl_value_object($value);
        $found = $id === 0 ? Library::bytes($value) : $this->objects[$id];
        $this->ffi->kvl_value_release($value);
        return $found;
    }

    private function withCache(callable $use): int
    {
        $cache = Library::output('kvl_cache_t', fn ($out) => $this->ffi->kvl_tasks_cache($this->tasks(), $out));
        try {
            return Library::check($use($cache));
        } finally {
            $this->ffi->kvl_cache_release($cache);
        }
    }

    private function startFetch(?callable $onResult, array $settings, callable $call): Fetch
    {
        return $this->withOptions($settings, function (?CData $options) use ($onResult, $call): Fetch {
            $handle = Library::output('kvl_fetch_t', fn ($out) => $this->ffi->kvl_fetch_new($out));
            $fetch = new Fetch($this, $handle, $onResult === null ? null : $onResult(...));
            $id = ++$this->lastId;
            Library::check($call($options, $handle, $id));
            $this->fetches[$id] = $fetch;
            return $fetch;
        });
    }

    private function withOptions(array $settings, callable $use): mixed
    {
        $options = $settings === [] ? null : Library::output('kvl_options_t', fn ($out) => $this->ffi->kvl_options_new($out));
        try {
            if ($options !== null) {
                Library::set('kvl_options', $options, $settings);
            }
            return $use($options);
        } finally {
            $this->ffi->kvl_options_free($options);
        }
    }

    /** Handles one event. Reads the memory that it points to before it calls code of the program: that code may poll, which overwrites the event. */
    private function handle(CData $event): void
    {
        match ($event->kind) {
            Native::EVENT_RESULT => $this->settle($event->user_data, $this->result($event->result)),
            Native::EVENT_RESULTS => $this->settle($event->user_data, $this->allResults($event->results)),
            Native::EVENT_REQUEST => $this->startRequest($event->request),
            Native::EVENT_L2 => $this->serve($event->l2_request),
            Native::EVENT_DROP => $this->drop($event->user_data),
            Native::EVENT_CLOSED => $this->isClosed = true,
            default => null,
        };
    }

    private function settle(int $id, Result|array $outcome): void
    {
        $fetch = $this->fetches[$id];
        unset($this->fetches[$id]);
        $this->callBack($fetch->settle($outcome), $outcome);
    }

    /** Calls a function of the program, and reports its exception. */
    private function callBack(?\Closure $function, mixed $argument): void
    {
        if ($function === null) {
            return;
        }
        try {
            $function($argument);
        } catch (\Throwable $error) {
            $this->report($error);
        }
    }

    private function report(\Throwable $error, string $what = 'a function given to start() or `dropped`'): void
    {
        try {
            if ($this->onError !== null) {
                ($this->onError)($error);
                return;
            }
        } catch (\Throwable $another) {
            error_log("kvlight: onError threw $another");
        }
        error_log("kvlight: $what threw $error");
    }

    private function result(CData $result): Result
    {
        $status = $result->status;
        $value = match (true) {
            $status !== Native::VALUE => null,
            $result->object !== 0 => $this->objects[$result->object],
            default => FFI::string($result->data, $result->data_len),
        };
        $error = $result->error === null ? null : $this->error($result->error);
        return new Result(FFI::string($result->key, $result->key_len), $value, $error, $status, $result->source, $result->attempts,
            $result->age_ms, $result->ttl_left_ms, ($result->flags & Native::F_STALE) !== 0);
    }

    private function error(CData $error): \Throwable
    {
        $id = $this->ffi->kvl_error_object($error);
        if ($id !== 0) {
            return $this->errors[$id];
        }
        $cause = $this->ffi->kvl_error_cause($error);
        $previous = $cause === null ? null : $this->error($cause);
        return new Error($this->ffi->kvl_error_status($error), $this->ffi->kvl_error_message($error), $previous);
    }

    private function allResults(CData $results): array
    {
        $list = [];
        for ($i = 0, $count = $this->ffi->kvl_results_len($results); $i < $count; $i++) {
            $list[] = $this->result($this->ffi->kvl_results_at($results, $i));
        }
        return $list;
    }

    private function startRequest(CData $handle): void
    {
        $keys = [];
        $slices = $this->ffi->kvl_request_keys($handle);
        for ($i = 0, $count = $this->ffi->kvl_request_len($handle); $i < $count; $i++) {
            $slice = $slices[$i];
            $keys[] = FFI::string($slice->data, $slice->len);
        }
        $request = new Request($this, $this->ffi->kvl_request_retain($handle), $keys);
        $this->open[$request] = true;
        try {
            $rows = ($this->provider)($keys, $request);
            if ($rows !== null) {
                $request->answer($rows);
            }
        } catch (\Throwable $error) {
            $request->failOpenKeys($error);
        }
    }

    private function serve(CData $handle): void
    {
        $report = fn (\Throwable $error) => $this->report($error, 'the second tier');
        (new TierRequest($this, $handle, $this->secondTier, $this->dump, $this->load, $report))->serve();
    }

    private function drop(int $id): void
    {
        $value = $this->objects[$id] ?? null;
        unset($this->objects[$id], $this->errors[$id]);
        if ($value !== null) {
            $this->callBack($this->dropped, $value);
        }
    }
}
