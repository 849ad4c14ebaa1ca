<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

use function count;
use function is_array;
use function is_object;
use function is_string;
use function strlen;

/** A cache with a provider. */
final class Tasks
{
    use Uncopyable;

    /** The kind of an event that was handled. The library's kinds begin at 1. */
    private const HANDLED = 0;

    private const LATE_PROVIDER = 'a provider that had answered all its keys';

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
    private ?CData $cache = null;
    private bool $isClosed = false;
    /** the event that was taken from the queue last; its kind is HANDLED once it was handled */
    private readonly CData $event;
    private readonly CData $eventAt;
    private readonly int $eventSize;
    /** whether poll() is reading what the event points to; the only code of the program that can run then is a signal handler */
    private bool $isReading = false;
    /** the output parameters of lookup(), unless they are in use */
    private ?array $outs = null;
    private int $lastId = 0;
    /** whether a fetch without options begins with a lookup in this process's cache, as get() makes it */
    private readonly bool $readsStoreFirst;
    /** how many nested poll() calls are handling an event */
    private int $polls = 0;
    /** @var array<int, array{Fetch, ?\Closure}> by ID, with the function to call with the outcome, until their last event */
    private array $fetches = [];
    /** @var array<int, mixed> values by ID, until the library reports that it dropped them */
    private array $objects = [];
    /** @var \WeakMap<object, int> how often each object is in $objects; only counted if there is `dropped` */
    private readonly \WeakMap $counts;
    /** the ID of the last drop that was counted in $counts */
    private int $lastDrop = 0;
    /** @var array<int, \Throwable> errors of providers by ID, until the library reports that it dropped them */
    private array $errors = [];
    /** @var \WeakMap<Request, bool> requests that are not finished */
    private readonly \WeakMap $open;
    /** @var array<int, array{Request, int}> the calls of the provider that have not returned, each with the stack that it is on: stack() */
    private array $calls = [];

    /**
     * @param callable $provider is called with a list of keys and the Request. It returns [key => value]; or null, to answer through the Request, also later.
     * @param array $settings those of docs/CONFIGURATION.md, by name.
     * @param ?callable $dropped is called with each value that is not a string once neither the cache nor a fetch holds it any longer: with an object once it
     *                           is stored under no key any more, with any other value as often as it was stored.
     * @param ?callable $onError is called with exceptions of functions passed to start(), of `$dropped`, of the second tier, and of a provider that had answered
     *                           all its keys. Without it they are logged.
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
        if ($l2Url !== null) {
            Library::checkText('l2Url', $l2Url);
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
        $this->counts = new \WeakMap();
        $this->event = $this->ffi->new('kvl_event_t');
        $this->eventAt = FFI::addr($this->event);
        $this->eventSize = FFI::sizeof($this->event);

        $queue = Library::take('kvl_queue_t *');
        $tasks = Library::take('kvl_tasks_t *');
        $cache = Library::take('kvl_cache_t *');
        $queue[0] = $tasks[0] = $cache[0] = null;
        try {
            Library::using(
                'kvl_config_t *',
                'kvl_config_free',
                fn ($out) => $this->ffi->kvl_config_new($out),
                fn (CData $config) => $this->create($config, $settings, $queue, $tasks, $cache),
            );
            [$this->queue, $this->tasks, $this->cache] = [$queue[0], $tasks[0], $cache[0]];
        } catch (\Throwable $error) {
            // PHP calls no destructor of an object whose constructor has thrown.
            [$this->queue, $this->tasks, $this->cache] = [$queue[0], $tasks[0], $cache[0]];
            $this->free();
            throw $error;
        }
        Library::giveBack('kvl_queue_t *', $queue);
        Library::giveBack('kvl_tasks_t *', $tasks);
        Library::giveBack('kvl_cache_t *', $cache);
    }

    private function create(CData $config, array $settings, CData $queue, CData $tasks, CData $cache): void
    {
        Library::set('kvl_config', $config, $settings);
        $status = $this->ffi->kvl_queue_new(0, $queue);
        Library::check($status);
        $status = $this->ffi->kvl_config_set_queue($config, $queue[0], Native::QUEUE_F_ALL | Native::QUEUE_F_L2);
        Library::check($status);
        if ($this->secondTier !== null) {
            $isServer = $this->secondTier instanceof RedisTier;
            $abilities = Native::L2_F_OBJECTS | ($isServer || $this->secondTier->isConditional() ? Native::L2_F_CONDITIONAL : 0)
                | ($isServer || $this->secondTier->grantsLeases() ? Native::L2_F_LEASES : 0);
            $status = $this->ffi->kvl_config_set_l2($config, $abilities, null, 0, null);
            Library::check($status);
        }
        $status = $this->ffi->kvl_config_set_provider($config, null, 0, null);
        Library::check($status);
        Library::checkWithError(fn (CData $error) => $this->ffi->kvl_tasks_new($config, $tasks, $error));
        $status = $this->ffi->kvl_tasks_cache($tasks[0], $cache);
        Library::check($status);
        $this->readsStoreFirst = $this->ffi->kvl_tasks_reads_store_first($tasks[0]) !== 0;
        if ($this->secondTier instanceof RedisTier) {
            $this->secondTier->attach($tasks[0]);
        }
    }

    /** Frees the cache without calling functions of the program, whose objects may no longer exist. */
    public function __destruct()
    {
        if (!$this->isCopy && $this->queue !== null) {
            $this->free();
        }
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
        $fetch = $this->start($key, options: $options);
        return $this->await($fetch)->value();
    }

    /** Returns the values of many keys, in the order of the keys, with null where there is no such record; throws the first error. */
    public function fetchAll(array $keys, array $options = []): array
    {
        $results = $this->results($keys, $options);
        return array_map(static fn (Result $result) => $result->value(), $results);
    }

    /** Returns the result of each key, in the order of the keys. The error of a key is in its Result and is not thrown. */
    public function results(array $keys, array $options = []): array
    {
        $fetch = $this->startAll($keys, options: $options);
        return $this->await($fetch);
    }

    /** Starts to fetch one key; poll() calls `$onResult` with its Result. Options are the settings that are "per fetch". */
    public function start(string $key, ?callable $onResult = null, array $options = []): Fetch
    {
        return $this->startFetch([$key], $onResult, $options, fn (CData $tasks, ?CData $options, CData $fetch, int $id) => $this->ffi->kvl_tasks_fetch(
            $tasks, $key, strlen($key), $options, $fetch, null, $id, null, null));
    }

    /** Starts to fetch many keys; poll() calls `$onResult` once, with the list of their Results. */
    public function startAll(array $keys, ?callable $onResult = null, array $options = []): Fetch
    {
        $keys = Library::keys($keys);
        [$slices, $packed] = Library::slices($keys);
        return $this->startFetch($keys, $onResult, $options, fn (CData $tasks, ?CData $options, CData $fetch, int $id) => $this->ffi->kvl_tasks_fetch_all(
            $tasks, $slices, count($keys), $options, $fetch, null, $id, null, null));
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
        $native = Library::terms($terms);
        $cache = $this->cache();
        $status = $this->withValue($value, fn (CData $handle) => $this->ffi->kvl_cache_put($cache, $key, strlen($key), $handle, $native[0]));
        Library::check($status);
        if ($this->polls === 0) {
            $this->poll();
        }
        return $status === Native::OK;
    }

    /** Gives an entry a new TTL. Returns whether there was an entry. */
    public function touch(string $key, int|float $ttlMs = Native::TTL_DEFAULT): bool
    {
        Library::checkTtl($ttlMs);
        $cache = $this->cache();
        $status = $this->ffi->kvl_cache_touch($cache, $key, strlen($key), $ttlMs);
        return Library::check($status) === Native::OK;
    }

    /**
     * Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if stale.ttl_ms is set. Returns
     * whether there was an entry. From a second tier the entry is removed.
     */
    public function expire(string $key): bool
    {
        $cache = $this->cache();
        $status = $this->ffi->kvl_cache_expire($cache, $key, strlen($key));
        return Library::check($status) === Native::OK;
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

    /** Expires all entries, as expire() does for a key. Running loads do not store their answers. A second tier is cleared, for all processes. */
    public function expireAll(): void
    {
        $cache = $this->cache();
        $status = $this->ffi->kvl_cache_expire_all($cache);
        Library::check($status);
    }

    private function changeTagged(string $function, string $tag): int
    {
        $cache = $this->cache();
        $count = Library::take('size_t');
        $status = $this->ffi->$function($cache, $tag, strlen($tag), $count);
        Library::check($status);
        $number = $count[0];
        Library::giveBack('size_t', $count);
        return $number;
    }

    /** Reloads keys in the background, while poll() is called; the current values are served until then, and stay if the reload fails. */
    public function refresh(array $keys, array $options = []): void
    {
        $keys = Library::keys($keys);
        $tasks = $this->tasks();
        [$slices, $packed] = Library::slices($keys);
        $status = $this->withOptions($options, fn (?CData $nativeOptions) => $this->ffi->kvl_tasks_refresh($tasks, $slices, count($keys), $nativeOptions));
        Library::check($status);
    }

    /** Tells the cache that another process has changed these keys: their values leave this process, and running loads of them do not store their answers. */
    public function invalidate(array $keys): void
    {
        $keys = Library::keys($keys);
        $tasks = $this->tasks();
        [$slices, $packed] = Library::slices($keys);
        $status = $this->ffi->kvl_tasks_invalidate($tasks, $slices, count($keys), 0);
        Library::check($status);
    }

    /** Tells the cache that another process may have changed any key: everything leaves this process. */
    public function invalidateAll(): void
    {
        $tasks = $this->tasks();
        $status = $this->ffi->kvl_tasks_invalidate($tasks, null, 0, Native::INVALIDATE_F_ALL);
        Library::check($status);
    }

    /** The state of the circuit breaker (breaker.failure_ratio, breaker.consecutive): "closed", "open" or "half_open". */
    public function breaker(): string
    {
        $tasks = $this->tasks();
        return match ($this->ffi->kvl_tasks_breaker_state($tasks)) {
            Native::BREAKER_CLOSED => 'closed',
            Native::BREAKER_OPEN => 'open',
            Native::BREAKER_HALF_OPEN => 'half_open',
        };
    }

    /** Forces the circuit breaker "closed" or "open", whatever the provider does; null returns it to automatic operation. */
    public function forceBreaker(?string $state): void
    {
        $force = match ($state) {
            null => Native::BREAKER_FORCE_NONE,
            'closed' => Native::BREAKER_FORCE_CLOSED,
            'open' => Native::BREAKER_FORCE_OPEN,
            default => throw new \InvalidArgumentException('kvlight: forceBreaker() takes "closed", "open", or null for automatic operation'),
        };
        $tasks = $this->tasks();
        $status = $this->ffi->kvl_tasks_breaker_force($tasks, $force);
        Library::check($status);
    }

    /** Removes an entry. Returns whether there was one. */
    public function remove(string $key): bool
    {
        $cache = $this->cache();
        $status = $this->ffi->kvl_cache_remove($cache, $key, strlen($key));
        return Library::check($status) === Native::OK;
    }

    /** Removes all entries. */
    public function clear(): void
    {
        $cache = $this->cache();
        $status = $this->ffi->kvl_cache_clear($cache);
        Library::check($status);
    }

    /**
     * Iterates over the entries: `foreach ($tasks->entries() as $key => $value)`, with null for a key known to be absent. A key that stays in
     * the cache throughout appears exactly once, whatever the loop changes. Nothing is loaded, or counted as used.
     */
    public function entries(): \Generator
    {
        $cache = $this->cache();
        $out = Library::take('kvl_iterator_t *');
        $out[0] = null;
        try {
            $status = $this->ffi->kvl_iterator_new($cache, $out);
            Library::check($status);
            $iterator = $out[0];
            $entry = $this->ffi->new('kvl_result_t');
            $entryAt = FFI::addr($entry);
            $size = FFI::sizeof($entry);
            while (true) {
                $status = $this->ffi->kvl_iterator_next($iterator, $entryAt, $size);
                if (Library::check($status) === Native::EMPTY) {
                    return;
                }
                $result = $this->result($entry);
                yield $result->key => $result->value;
            }
        } finally {
            $iterator = $out[0];
            $out[0] = null;
            $this->ffi->kvl_iterator_free($iterator);
            Library::giveBack('kvl_iterator_t *', $out);
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
        Library::checkText('the path', $path);
        $cache = $this->cache();
        $done = $this->ffi->new('kvl_transfer_t');
        $doneAt = FFI::addr($done);
        $size = FFI::sizeof($done);
        Library::checkWithError(fn (CData $error) => $this->ffi->$function($cache, $path, null, 0, $doneAt, $size, $error));
        return $done->entries;
    }

    /** Returns the statistics, as arrays: docs/STATISTICS.md. */
    public function stats(): array
    {
        $tasks = $this->tasks();
        $text = Library::using(
            'kvl_value_t *',
            'kvl_value_release',
            fn ($out) => $this->ffi->kvl_tasks_stats_json($tasks, $out),
            Library::bytes(...),
        );
        return json_decode($text, true, flags: JSON_THROW_ON_ERROR);
    }

    /**
     * Handles the events in the queue, and returns their number. Waits up to `$timeoutMs` for the first event, or without a limit if that is -1; by default
     * it does not wait. Exceptions of the program's functions go to `onError`, those of a provider to the waiters of its keys.
     */
    public function poll(int|float $timeoutMs = 0): int
    {
        $timeoutMs = $timeoutMs === Native::FOREVER ? $timeoutMs : Library::milliseconds('timeoutMs', $timeoutMs);
        if ($this->isReading) {
            throw new Error(Native::ERR_REENTRANT, 'a signal handler waited or polled while an event was read: let it set a variable, and call the cache later');
        }
        $event = $this->event;
        $count = 0;
        while ($this->queue !== null) {
            $waitMs = $count === 0 ? $timeoutMs : 0;
            $polls = $this->polls;
            $this->polls = $polls + 1;
            try {
                $status = Native::OK;
                // If a signal handler threw before an event was handled, that event is still there.
                if ($event->kind === self::HANDLED) {
                    $status = $this->ffi->kvl_queue_next($this->queue, $waitMs, $this->eventAt, $this->eventSize);
                }
                // If a signal handler polled since then, it handled the event.
                if ($status === Native::OK && $event->kind !== self::HANDLED) {
                    $this->isReading = true;
                    $count++;
                    $this->handle($event);
                }
                // Also here, since a signal handler that throws may make PHP leave out `finally`: Library.
                [$this->polls, $this->isReading] = [$polls, false];
            } finally {
                [$this->polls, $this->isReading] = [$polls, false];
            }
            if (Library::check($status) !== Native::OK) {
                break;
            }
        }
        return $count;
    }

    /**
     * Polls until the second tier has everything that was put and loaded before, for at most `$timeoutMs` milliseconds, or longer if a method of the
     * second tier is running then, which is not interrupted. Returns whether it has everything.
     */
    public function syncSecondTier(int|float $timeoutMs): bool
    {
        if (is_nan($timeoutMs)) {
            throw new \InvalidArgumentException('kvlight: timeoutMs is a number of milliseconds, not NAN');
        }
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
        $out = Library::take('int32_t');
        $status = $this->ffi->kvl_queue_fd($this->queue, $out);
        Library::check($status);
        $descriptor = $out[0];
        Library::giveBack('int32_t', $out);
        return $descriptor;
    }

    /** Closes the cache: fetches in progress fail with KVL_ERR_CLOSED, and `dropped` is called with the values. May be called twice. */
    public function close(): void
    {
        if ($this->tasks !== null) {
            $status = $this->ffi->kvl_tasks_close($this->tasks, Native::CLOSE_CANCEL, 0, null, 0, null);
            Library::check($status);
            while (!$this->isClosed) {
                $this->poll(100);
            }
        }
        $status = $this->freeEngine();
        Library::check($status);
        $this->poll();
        $this->free();
    }

    /** @internal One step of waiting for a fetch: Fetch calls this until the fetch is done. */
    public function waitStep(Fetch $fetch): void
    {
        if ($this->calls !== []) {
            if ($this->poll() > 0) {
                return;
            }
            $this->refuseEndlessWait($fetch);
        }
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

    /**
     * Throws if a wait can never end: the providers below it on this stack return only after it, and one of them is to load a key of the fetch, or they hold
     * all slots that a key of the fetch could wait for (rule F21).
     */
    private function refuseEndlessWait(Fetch $fetch): void
    {
        $stack = $this->stack();
        $wanted = $fetch->keys();
        $slots = $timedOut = 0;
        foreach ($this->calls as [$request, $where]) {
            if ($where !== $stack || !$request->isOpen()) {
                continue;
            }
            $reason = $request->cancelReason();
            $reason === Native::CANCEL_TIMEOUT ? $timedOut++ : $slots++;
            if ($reason !== Native::CANCEL_NO) {
                continue; // a fetch of its keys makes another request now
            }
            $open = $request->openKeys();
            foreach ($wanted as $key) {
                if (isset($open[$key])) {
                    throw new Error(Native::ERR_REENTRANT, "this wait could never end: the provider that is to load the key \"$key\" waits for it");
                }
            }
        }
        if ($slots + $timedOut === 0) {
            return;
        }
        $now = $this->stats()['now'];
        // Requests that have timed out hold slots only beyond the number that tasks.max_abandoned allows.
        $slots += max(0, $timedOut - $now['abandoned']);
        if ($slots >= $now['concurrency_limit'] && $now['queued'] + $now['deferred'] > 0) {
            throw new Error(Native::ERR_REENTRANT, "this wait could never end: the providers that wait for each other hold all $slots slots (tasks.max_running)");
        }
    }

    /** A number of the stack that this runs on: each fiber has one. */
    private function stack(): int
    {
        $fiber = \Fiber::getCurrent();
        return $fiber === null ? 0 : spl_object_id($fiber);
    }

    /** Waits for a fetch that nobody else has, and cancels it if the wait is refused or interrupted. */
    private function await(Fetch $fetch): Result|array
    {
        try {
            return $fetch->wait();
        } catch (\Throwable $error) {
            $this->ffi->kvl_fetch_cancel($fetch->handle);
            throw $error;
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
            $null = $this->ffi->kvl_value_null();
            return $use($null);
        }
        $this->tasks();
        if (is_string($value)) {
            return Library::using(
                'kvl_value_t *',
                'kvl_value_release',
                fn ($out) => $this->ffi->kvl_value_new_bytes($value, strlen($value), $out),
                $use,
            );
        }
        $id = ++$this->lastId;
        return Library::using('kvl_value_t *', 'kvl_value_release', function (CData $out) use ($id, $value): int {
            $isCounted = $this->dropped !== null && is_object($value);
            $count = $isCounted ? $this->counts[$value] ?? 0 : 0;
            // Noted before the call: a signal handler may throw as soon as that returns.
            if ($isCounted) {
                $this->counts[$value] = $count + 1;
            }
            $this->objects[$id] = $value;
            $status = $this->ffi->kvl_value_new_object_on($this->queue, $id, 0, null, $out);
            if ($status < 0) {
                unset($this->objects[$id]);
                if ($isCounted) {
                    $this->counts[$value] = $count;
                }
            }
            return $status;
        }, $use);
    }

    /** @internal Calls a function with a handle of an error. */
    public function withError(\Throwable $error, callable $use): mixed
    {
        $this->tasks();
        $message = $error->getMessage();
        $flags = ($error instanceof Permanent ? Native::ERROR_F_PERMANENT : 0) | ($error instanceof Gone ? Native::ERROR_F_NO_STALE : 0);
        $id = ++$this->lastId;
        return Library::using('kvl_error_t *', 'kvl_error_release', function (CData $out) use ($id, $error, $message, $flags): int {
            $this->errors[$id] = $error;
            return $this->ffi->kvl_error_new_object(0, $message, strlen($message), $flags, $this->queue, $id, null, $out);
        }, function (CData $handle) use ($error, $use): mixed {
            if ($error instanceof RetryAfter) {
                $this->ffi->kvl_error_set_retry_after($handle, $error->afterMs);
            }
            return $use($handle);
        });
    }

    private function free(): void
    {
        // None of these calls waits for code of the program, which runs only in poll(). In a forked child they do nothing.
        $this->freeEngine();
        [$queue, $this->queue] = [$this->queue, null];
        $this->ffi->kvl_queue_free($queue);
    }

    /** Frees the engine and its entries. Each handle is forgotten before its call: a signal handler may throw after that, or call this. */
    private function freeEngine(): int
    {
        $this->stopServer();
        [$cache, $this->cache, $tasks, $this->tasks] = [$this->cache, null, $this->tasks, null];
        $this->ffi->kvl_cache_release($cache);
        return $this->ffi->kvl_tasks_free($tasks);
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

    private function cache(): CData
    {
        return $this->cache ?? throw new Error(Native::ERR_CLOSED);
    }

    private function lookup(string $key, ?int &$status): mixed
    {
        $tasks = $this->tasks ?? $this->tasks();
        $outs = $this->outs ?? [Library::take('kvl_value_t *'), Library::take('size_t')];
        $this->outs = null;
        [$out, $length] = $outs;
        try {
            $status = $this->ffi->kvl_tasks_get($tasks, $key, strlen($key), $out);
            if ($status === Native::VALUE) {
                $value = $out[0];
                $id = $this->ffi->kvl_value_object($value);
                if ($id !== 0) {
                    $found = $this->objects[$id];
                } else {
                    $data = $this->ffi->kvl_value_data($value, $length);
                    $found = FFI::string($data, $length[0]);
                }
                $out[0] = null; // as in Library::using()
                $this->ffi->kvl_value_release($value);
                $this->outs = $outs;
                return $found;
            }
            $this->outs = $outs;
            Library::check($status);
            return null;
        } catch (\Throwable $error) {
            $value = $out[0];
            $out[0] = null;
            $this->ffi->kvl_value_release($value);
            throw $error;
        }
    }

    /** @internal The object or the string of a value handle. */
    public function valueOf(CData $value): mixed
    {
        $id = $this->ffi->kvl_value_object($value);
        return $id === 0 ? Library::bytes($value) : $this->objects[$id];
    }

    private function startFetch(array $keys, ?callable $onResult, array $settings, callable $call): Fetch
    {
        $tasks = $this->tasks();
        $function = $onResult === null ? null : $onResult(...);
        return $this->withOptions($settings, function (?CData $options) use ($tasks, $keys, $function, $call): Fetch {
            $id = ++$this->lastId;
            $fetch = null;
            $out = Library::take('kvl_fetch_t *');
            $out[0] = null;
            try {
                $status = $this->ffi->kvl_fetch_new($out);
                Library::check($status);
                $fetch = new Fetch($this, $out[0], $keys);
                $this->fetches[$id] = [$fetch, $function];
                $status = $call($tasks, $options, $fetch->handle, $id);
                Library::check($status);
                Library::giveBack('kvl_fetch_t *', $out);
                return $fetch;
            } catch (\Throwable $error) {
                // The call may have begun the fetch before a signal handler threw. The caller does not receive the fetch, and its event finds no receiver.
                unset($this->fetches[$id]);
                if ($fetch === null) {
                    $this->ffi->kvl_fetch_release($out[0]);
                } else {
                    $this->ffi->kvl_fetch_cancel($fetch->handle);
                }
                throw $error;
            }
        });
    }

    private function withOptions(array $settings, callable $use): mixed
    {
        if ($settings === []) {
            return $use(null);
        }
        return Library::using('kvl_options_t *', 'kvl_options_free', fn ($out) => $this->ffi->kvl_options_new($out), function (CData $options) use ($settings, $use): mixed {
            Library::set('kvl_options', $options, $settings);
            return $use($options);
        });
    }

    /** Handles one event. Each of these functions reads all that the event points to, then calls taken(), then the program's code, which may poll. */
    private function handle(CData $event): void
    {
        match ($event->kind) {
            Native::EVENT_RESULT, Native::EVENT_RESULTS => $this->settle($event),
            Native::EVENT_REQUEST => $this->startRequest($event),
            Native::EVENT_L2 => $this->serve($event),
            Native::EVENT_DROP => $this->drop($event),
            Native::EVENT_CLOSED => $this->noteClosed(),
            default => $this->taken(),
        };
    }

    /**
     * Notes that the event is handled. If a signal handler throws before that, the event is handled again, so what comes before must have no effect that
     * matters a second time. In the statements after it, up to the next call or jump, no signal handler runs.
     */
    private function taken(): void
    {
        $this->event->kind = self::HANDLED;
        $this->isReading = false;
    }

    private function noteClosed(): void
    {
        $this->isClosed = true;
        $this->taken();
    }

    private function settle(CData $event): void
    {
        $id = $event->user_data;
        $outcome = $event->kind === Native::EVENT_RESULT ? $this->result($event->result) : $this->allResults($event->results);
        [$fetch, $onResult] = $this->fetches[$id] ?? [null, null];
        $fetch?->settle($outcome);
        $this->taken();
        unset($this->fetches[$id]);
        if ($onResult !== null) {
            try {
                $onResult($outcome);
            } catch (\Throwable $error) {
                $this->report($error);
            }
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
        $key = FFI::string($result->key, $result->key_len);
        $error = $result->error === null ? null : $this->error($result->error);
        return new Result($key, $value, $error, $status, $result->source, $result->attempts, $result->age_ms, $result->ttl_left_ms,
            ($result->flags & Native::F_STALE) !== 0);
    }

    private function error(CData $error): \Throwable
    {
        $id = $this->ffi->kvl_error_object($error);
        if ($id !== 0) {
            return $this->errors[$id];
        }
        $cause = $this->ffi->kvl_error_cause($error);
        $previous = $cause === null ? null : $this->error($cause);
        $status = $this->ffi->kvl_error_status($error);
        $message = $this->ffi->kvl_error_message($error);
        return new Error($status, $message, $previous);
    }

    private function allResults(CData $results): array
    {
        $list = [];
        for ($i = 0, $count = $this->ffi->kvl_results_len($results); $i < $count; $i++) {
            $result = $this->ffi->kvl_results_at($results, $i);
            $list[] = $this->result($result);
        }
        return $list;
    }

    private function startRequest(CData $event): void
    {
        $handle = $event->request;
        $keys = [];
        $slices = $this->ffi->kvl_request_keys($handle);
        for ($i = 0, $count = $this->ffi->kvl_request_len($handle); $i < $count; $i++) {
            $slice = $slices[$i];
            $keys[] = FFI::string($slice->data, $slice->len);
        }
        $call = ++$this->lastId;
        $stack = $this->stack();
        $request = new Request($this, $handle, $keys);
        $request->retain();
        $this->taken();
        try {
            $this->open[$request] = true;
            $this->calls[$call] = [$request, $stack];
            $rows = ($this->provider)($keys, $request);
            unset($this->calls[$call]); // also here, as in poll()
        } catch (\Throwable $error) {
            if (!$request->failOpenKeys($error)) {
                $this->report($error, self::LATE_PROVIDER);
            }
            return;
        } finally {
            unset($this->calls[$call]);
        }
        try {
            if (is_array($rows)) {
                $request->answer($rows);
            } elseif ($rows !== null) {
                throw new \TypeError('kvlight: the provider must return [key => value], or null to answer through the request, not ' . get_debug_type($rows));
            }
        } catch (\Throwable $error) {
            if ($request->failOpenKeys($error)) {
                return;
            }
            if (!$error instanceof \TypeError && !$error instanceof Error) {
                throw $error; // nothing but a signal handler throws anything else
            }
            if ($error->getCode() !== Native::ERR_CLOSED) { // the provider may close the cache after its answers
                $this->report($error, self::LATE_PROVIDER);
            }
        }
    }

    private function serve(CData $event): void
    {
        $report = fn (\Throwable $error) => $this->report($error, 'the second tier');
        $request = new TierRequest($this, $event->l2_request, $this->secondTier, $this->dump, $this->load, $report);
        $this->taken();
        $request->serve();
    }

    private function drop(CData $event): void
    {
        $id = $event->user_data;
        $value = $this->objects[$id] ?? null;
        if ($this->dropped === null || $value === null) {
            $this->taken();
            unset($this->objects[$id], $this->errors[$id]);
            return;
        }
        if (is_object($value) && $this->lastDrop !== $id) {
            $left = $this->counts[$value] - 1;
            $this->counts[$value] = $left;
            $this->lastDrop = $id; // so that it is counted once if the event is handled again
        }
        $left = is_object($value) ? $this->counts[$value] : 0;
        $this->taken();
        unset($this->objects[$id]);
        if ($left === 0) {
            try {
                ($this->dropped)($value);
            } catch (\Throwable $error) {
                $this->report($error);
            }
        }
    }
}
