<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/** A cache with a provider. */
final class Tasks
{
    /** Settings for callbacks, which the library might call on its own threads. */
    private const REFUSED = [
        'validator' => 'check keys before you fetch them',
        'cost' => 'state a value\'s cost in its answer: $request->resolve($at, $value, [\'cost\' => …])',
        'removal_listener' => '`dropped` is called with values that nobody holds any more',
        'record_listener' => 'stats() counts lookups',
    ];

    private readonly FFI $ffi;
    private readonly \Closure $provider;
    private readonly ?\Closure $dropped;
    private readonly ?\Closure $onError;
    private readonly ?\Closure $wait;
    private ?CData $queue = null;
    private ?CData $tasks = null;
    private bool $isClosed = false;
    private readonly CData $event;
    private readonly CData $eventAt;
    private readonly int $eventSize;
    private int $lastId = 0;
    /** whether a fetch without options looks in the store first */
    private readonly bool $looksFirst;
    /** the number of poll() calls that are running the program's code */
    private int $polls = 0;
    /** @var array<int, Fetch> by id, until their last event */
    private array $fetches = [];
    /** @var array<int, mixed> values by id, until the library reports that they were dropped */
    private array $objects = [];
    /** @var array<int, \Throwable> errors of providers, likewise */
    private array $errors = [];
    /** @var \WeakMap<Request, bool> requests without an answer yet */
    private readonly \WeakMap $open;

    /**
     * @param callable $provider is called with a list of keys and the Request; returns [key => value], or nothing to answer later.
     * @param array $settings those of docs/CONFIGURATION.md, by name.
     * @param ?callable $dropped is called with each value that is not a string when neither the cache nor a fetch holds it any longer.
     * @param ?callable $onError is called with exceptions of functions passed to start() and of `$dropped`; without it they are logged.
     * @param ?callable $wait for event loops: is called repeatedly with a Fetch that is not done, and lets other code and poll() run.
     *                        Without it, waiting polls.
     */
    public function __construct(
        callable $provider,
        array $settings = [],
        ?callable $dropped = null,
        string $delivery = 'queue',
        ?callable $onError = null,
        ?callable $wait = null,
    ) {
        foreach (array_intersect_key(self::REFUSED, $settings) as $name => $instead) {
            throw new \InvalidArgumentException("kvlight: PHP cannot lend the library a function ($name): $instead");
        }
        if ($delivery !== 'queue') {
            throw new \InvalidArgumentException('kvlight: a call from another thread would crash PHP; delivery is "queue", which poll() drains');
        }
        $this->ffi = Library::functions();
        $this->provider = $provider(...);
        $this->dropped = $dropped === null ? null : $dropped(...);
        $this->onError = $onError === null ? null : $onError(...);
        $this->wait = $wait === null ? null : $wait(...);
        $this->open = new \WeakMap();
        $this->looksFirst = ($settings['read'] ?? 'normal') === 'normal';
        $this->event = $this->ffi->new('kvl_event_t');
        $this->eventAt = FFI::addr($this->event);
        $this->eventSize = FFI::sizeof($this->event);

        $config = Library::taken('kvl_config_t', fn ($out) => $this->ffi->kvl_config_new($out));
        try {
            Library::set('kvl_config', $config, $settings);
            $this->queue = Library::taken('kvl_queue_t', fn ($out) => $this->ffi->kvl_queue_new(0, $out));
            Library::check($this->ffi->kvl_config_set_queue($config, $this->queue, Native::QUEUE_F_ALL));
            Library::check($this->ffi->kvl_config_set_provider($config, null, 0, null));
            $why = Library::place('kvl_error_t *');
            $out = Library::place('kvl_tasks_t *');
            $status = $this->ffi->kvl_tasks_new($config, $out, $why);
            if ($status < 0) {
                $message = $why[0] === null ? null : $this->ffi->kvl_error_message($why[0]);
                $this->ffi->kvl_error_release($why[0]);
                throw new Error($status, $message);
            }
            $this->tasks = $out[0];
        } finally {
            $this->ffi->kvl_config_free($config);
        }
    }

    /** Closes the cache without calling functions of the program, since their objects may no longer exist. */
    public function __destruct()
    {
        $this->free();
    }

    /** Waits for the value of one key, null if there is no such record; throws the error of a key that fails. */
    public function fetch(string $key, array $options = []): mixed
    {
        if ($options === [] && $this->looksFirst) {
            $value = $this->look($key, $status);
            if ($status !== Native::MISS) {
                return $value;
            }
        }
        return $this->start($key, options: $options)->wait()->value();
    }

    /** The values of many keys, in the order of the keys, null where there is no such record; throws the first error. */
    public function fetchAll(array $keys, array $options = []): array
    {
        return array_map(static fn (Result $result) => $result->value(), $this->results($keys, $options));
    }

    /** The result of each key, in the order of the keys. Does not throw the error of a single key. */
    public function results(array $keys, array $options = []): array
    {
        return $this->startAll($keys, options: $options)->wait();
    }

    /** Starts to fetch one key; poll() calls `$tell` with its Result. Options are the settings that are "per fetch". */
    public function start(string $key, ?callable $tell = null, array $options = []): Fetch
    {
        return $this->begin($tell, $options, fn ($options, $fetch, $id) => $this->ffi->kvl_tasks_fetch(
            $this->tasks(), $key, strlen($key), $options, $fetch, null, $id, null, null));
    }

    /** Starts to fetch many keys; poll() calls `$tell` with the list of their Results. */
    public function startAll(array $keys, ?callable $tell = null, array $options = []): Fetch
    {
        // PHP turns array keys that look like numbers into integers.
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        return $this->begin($tell, $options, fn ($options, $fetch, $id) => $this->ffi->kvl_tasks_fetch_all(
            $this->tasks(), $slices, count($keys), $options, $fetch, null, $id, null, null));
    }

    /** The stored value, without asking the provider; null if the key is known to be absent or not in the cache. */
    public function get(string $key): mixed
    {
        return $this->look($key, $status);
    }

    /**
     * Stores a value; null stores the key as known to be absent. True if it was stored. Polls unless a poll is in progress, so that a
     * program that only stores also releases removed values.
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
            Library::stated($terms),
        )));
        if ($this->polls === 0) {
            $this->poll();
        }
        return $status === Native::OK;
    }

    /** Gives an entry a new TTL. True if there was an entry. */
    public function touch(string $key, int $ttlMs = Native::TTL_DEFAULT): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_touch($cache, $key, strlen($key), $ttlMs)) === Native::OK;
    }

    /**
     * Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if stale.ttl_ms is set. True if
     * there was an entry.
     */
    public function expire(string $key): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_expire($cache, $key, strlen($key))) === Native::OK;
    }

    /** Removes all entries with a tag, and returns their number. Running loads do not store an answer with it. */
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
        $count = Library::place('size_t');
        $this->withCache(fn (CData $cache) => $this->ffi->$function($cache, $tag, strlen($tag), $count));
        return $count[0];
    }

    /** Reloads keys in the background, while poll() is called; the current values are served until then, and stay if the reload fails. */
    public function refresh(array $keys, array $options = []): void
    {
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        $this->withOptions($options, fn (?CData $stated) => Library::check(
            $this->ffi->kvl_tasks_refresh($this->tasks(), $slices, count($keys), $stated)));
    }

    /** Another process has changed these keys: their values leave this process, and the answers of running loads of them are not stored. */
    public function invalidate(array $keys): void
    {
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        Library::check($this->ffi->kvl_tasks_invalidate($this->tasks(), $slices, count($keys), 0));
    }

    /** Another process may have changed any key: everything leaves this process. */
    public function invalidateAll(): void
    {
        Library::check($this->ffi->kvl_tasks_invalidate($this->tasks(), null, 0, Native::INVALIDATE_F_ALL));
    }

    /** The state of the circuit breaker (breaker.failure_ratio, breaker.consecutive): "closed", "open" or "half_open". */
    public function breaker(): string
    {
        return ['closed', 'open', 'half_open'][$this->ffi->kvl_tasks_breaker_state($this->tasks())];
    }

    /** Forces the circuit breaker "closed" or "open", whatever the provider does; null returns it to automatic operation. */
    public function forceBreaker(?string $state): void
    {
        Library::check($this->ffi->kvl_tasks_breaker_force($this->tasks(), match ($state) {
            null => Native::BREAKER_FORCE_NONE,
            'closed' => Native::BREAKER_FORCE_CLOSED,
            'open' => Native::BREAKER_FORCE_OPEN,
            default => throw new \InvalidArgumentException('kvlight: the circuit breaker is forced "closed" or "open", or left to itself: null'),
        }));
    }

    /** Removes an entry. True if there was one. */
    public function remove(string $key): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_remove($cache, $key, strlen($key))) === Native::OK;
    }

    public function clear(): void
    {
        $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_clear($cache));
    }

    /**
     * Iterates over the entries: `foreach ($tasks->entries() as $key => $value)`, with null for a key known to be absent. A key that is in the
     * cache throughout appears exactly once, whatever the loop changes. Nothing is loaded, or counted as used. Keys are strings.
     */
    public function entries(): \Generator
    {
        $iterator = Library::taken(
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
     * Writes the entries to a file, and returns the number of them. An existing file is replaced once the new one is complete. Values that are
     * not strings are left out: a cache that is to be saved should hold the results of serialize() or json_encode().
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
        $why = Library::place('kvl_error_t *');
        $cache = Library::taken('kvl_cache_t', fn ($out) => $this->ffi->kvl_tasks_cache($this->tasks(), $out));
        $status = $this->ffi->$function($cache, $path, null, 0, FFI::addr($done), FFI::sizeof($done), $why);
        $this->ffi->kvl_cache_release($cache);
        if ($status < 0) {
            $error = new Error($status, $this->ffi->kvl_error_message($why[0]));
            $this->ffi->kvl_error_release($why[0]);
            throw $error;
        }
        return $done->entries;
    }

    /** The statistics as arrays: docs/STATISTICS.md. */
    public function stats(): array
    {
        $text = Library::taken('kvl_value_t', fn ($out) => $this->ffi->kvl_tasks_stats_json($this->tasks(), $out));
        $stats = json_decode(Library::bytes($text), true, flags: JSON_THROW_ON_ERROR);
        $this->ffi->kvl_value_release($text);
        return $stats;
    }

    /**
     * Handles the events in the queue; waits up to `$timeoutMs` for the first one (0: not at all). Returns the number of events. Exceptions
     * of the program's functions go to `onError`, those of a provider to the waiters of its keys.
     */
    public function poll(int $timeoutMs = 0): int
    {
        $count = 0;
        while ($this->queue !== null) {
            $patience = $count === 0 ? $timeoutMs : 0;
            if (Library::check($this->ffi->kvl_queue_next($this->queue, $patience, $this->eventAt, $this->eventSize)) === Native::EMPTY) {
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

    /** A descriptor that is readable while poll() has work to do; fopen("php://fd/$number", 'r') makes a stream of it. */
    public function fd(): int
    {
        $this->tasks();
        $place = Library::place('int32_t');
        Library::check($this->ffi->kvl_queue_fd($this->queue, $place));
        return $place[0];
    }

    /** Closes the cache: open fetches end with KVL_ERR_CLOSED in this call, and `dropped` is called with all values. May be repeated. */
    public function close(): void
    {
        if ($this->tasks !== null) {
            Library::check($this->ffi->kvl_tasks_close($this->tasks, Native::CLOSE_CANCEL, 0, null, 0, null));
            while (!$this->isClosed) {
                $this->poll(100);
            }
        }
        // A function that poll() called may have closed it too.
        if ($this->tasks !== null) {
            Library::check($this->ffi->kvl_tasks_free($this->tasks));
            $this->tasks = null;
        }
        $this->poll();
        $this->free();
    }

    /** @internal Waits once for a fetch that is not done. */
    public function wait(Fetch $fetch): void
    {
        if ($this->wait !== null) {
            ($this->wait)($fetch);
            return;
        }
        if (\Fiber::getCurrent() === null || count($this->open) === 0) {
            // In slices, so that PHP can handle signals.
            $this->poll(100);
        } elseif ($this->poll() === 0) {
            // Another fiber that has the request can continue only if this one does not block.
            \Fiber::suspend();
        }
    }

    /** @internal Counts a request as finished. Until then, or until it is dropped, it counts as open. */
    public function finished(Request $request): void
    {
        unset($this->open[$request]);
    }

    /** @internal Calls a function with a handle of a value: strings become bytes, null stays null, other values are objects in PHP. */
    public function withValue(mixed $value, callable $use): mixed
    {
        if ($value === null) {
            return $use($this->ffi->kvl_value_null());
        }
        $this->tasks();
        if (is_string($value)) {
            $handle = Library::taken('kvl_value_t', fn ($out) => $this->ffi->kvl_value_new_bytes($value, strlen($value), $out));
        } else {
            $id = ++$this->lastId;
            $handle = Library::taken('kvl_value_t', fn ($out) => $this->ffi->kvl_value_new_object_on($this->queue, $id, 0, null, $out));
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
        $handle = Library::taken('kvl_error_t', fn ($out) => $this->ffi->kvl_error_new_object(
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
        // Neither call waits for code of the program, which runs only in poll(). In a forked child both do nothing.
        $this->ffi->kvl_tasks_free($this->tasks);
        $this->ffi->kvl_queue_free($this->queue);
        $this->tasks = $this->queue = null;
    }

    private function tasks(): CData
    {
        return $this->tasks ?? throw new Error(Native::ERR_CLOSED);
    }

    private function look(string $key, ?int &$status): mixed
    {
        $place = Library::place('kvl_value_t *');
        $status = $this->ffi->kvl_tasks_get($this->tasks ?? $this->tasks(), $key, strlen($key), $place);
        if ($status !== Native::VALUE) {
            Library::check($status);
            return null;
        }
        return $this->taken($place[0]);
    }

    /** @internal The object or the string of a value of the library, which is released. */
    public function taken(CData $value): mixed
    {
        $id = $this->ffi->kvl_value_object($value);
        $found = $id === 0 ? Library::bytes($value) : $this->objects[$id];
        $this->ffi->kvl_value_release($value);
        return $found;
    }

    private function withCache(callable $use): int
    {
        $cache = Library::taken('kvl_cache_t', fn ($out) => $this->ffi->kvl_tasks_cache($this->tasks(), $out));
        try {
            return Library::check($use($cache));
        } finally {
            $this->ffi->kvl_cache_release($cache);
        }
    }

    private function begin(?callable $tell, array $settings, callable $call): Fetch
    {
        return $this->withOptions($settings, function (?CData $options) use ($tell, $call): Fetch {
            $handle = Library::taken('kvl_fetch_t', fn ($out) => $this->ffi->kvl_fetch_new($out));
            $fetch = new Fetch($this, $handle, $tell === null ? null : $tell(...));
            $id = ++$this->lastId;
            Library::check($call($options, $handle, $id));
            $this->fetches[$id] = $fetch;
            return $fetch;
        });
    }

    private function withOptions(array $settings, callable $use): mixed
    {
        $options = $settings === [] ? null : Library::taken('kvl_options_t', fn ($out) => $this->ffi->kvl_options_new($out));
        try {
            if ($options !== null) {
                Library::set('kvl_options', $options, $settings);
            }
            return $use($options);
        } finally {
            $this->ffi->kvl_options_free($options);
        }
    }

    /** Handles one event. All memory that it borrows is read before code of the program runs, since that code may poll too. */
    private function handle(CData $event): void
    {
        match ($event->kind) {
            Native::EVENT_RESULT => $this->settle($event->user_data, $this->result($event->result)),
            Native::EVENT_RESULTS => $this->settle($event->user_data, $this->all($event->results)),
            Native::EVENT_REQUEST => $this->ask($event->request),
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

    private function report(\Throwable $error): void
    {
        try {
            if ($this->onError !== null) {
                ($this->onError)($error);
                return;
            }
        } catch (\Throwable $another) {
            error_log("kvlight: onError threw $another");
        }
        error_log("kvlight: a function given to start(), or `dropped`, threw $error");
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

    private function all(CData $results): array
    {
        $list = [];
        for ($i = 0, $count = $this->ffi->kvl_results_len($results); $i < $count; $i++) {
            $list[] = $this->result($this->ffi->kvl_results_at($results, $i));
        }
        return $list;
    }

    private function ask(CData $handle): void
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
            $request->giveUp($error);
        }
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
