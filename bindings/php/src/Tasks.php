<?php
declare(strict_types=1);

namespace Kvlight;

use FFI;
use FFI\CData;

/** A cache with a provider behind it. */
final class Tasks
{
    /** What the library would have to call, maybe on a thread of its own. */
    private const REFUSED = [
        'validator' => 'check keys before you fetch them',
        'cost' => 'state a value\'s cost in its answer: $request->resolve($at, $value, [\'cost\' => …])',
        'removal_listener' => '`dropped` hears of values that nobody holds any more',
        'record_listener' => 'stats() counts lookups',
    ];

    private readonly FFI $ffi;
    private readonly \Closure $provider;
    private readonly ?\Closure $dropped;
    private ?CData $queue = null;
    private ?CData $tasks = null;
    private readonly CData $event;
    private int $lastId = 0;
    /** @var array<int, Fetch> by id, until their last event */
    private array $fetches = [];
    /** @var array<int, mixed> values by id, until nobody holds them */
    private array $objects = [];
    /** @var array<int, \Throwable> what providers failed with, likewise */
    private array $errors = [];

    /**
     * @param callable $provider is given a list of keys, and the Request; returns [key => value], or nothing: then it answers later.
     * @param array $settings those of docs/CONFIGURATION.md; any value that is no string is kept as it is.
     * @param ?callable $dropped is given each value that is no string once cache and fetches hold it no more.
     */
    public function __construct(callable $provider, array $settings = [], ?callable $dropped = null, string $delivery = 'queue')
    {
        foreach (array_intersect_key(self::REFUSED, $settings) as $name => $instead) {
            throw new \InvalidArgumentException("kvlight: PHP cannot lend the library a function ($name): $instead");
        }
        if ($delivery !== 'queue') {
            throw new \InvalidArgumentException('kvlight: a call from another thread would crash PHP; delivery is "queue", which poll() drains');
        }
        $this->ffi = Library::functions();
        $this->provider = $provider(...);
        $this->dropped = $dropped === null ? null : $dropped(...);
        $this->event = $this->ffi->new('kvl_event_t');

        $config = Library::taken('kvl_config_t', fn ($out) => $this->ffi->kvl_config_new($out));
        try {
            Library::set('kvl_config', $config, $settings);
            $this->queue = Library::taken('kvl_queue_t', fn ($out) => $this->ffi->kvl_queue_new(0, $out));
            Library::check($this->ffi->kvl_config_set_queue($config, $this->queue, Header::QUEUE_F_ALL));
            Library::check($this->ffi->kvl_config_set_provider($config, null, 0, null));
            $this->tasks = Library::taken('kvl_tasks_t', fn ($out) => $this->ffi->kvl_tasks_new($config, $out, null));
        } finally {
            $this->ffi->kvl_config_free($config);
        }
    }

    /** Ends the cache without telling anybody, since objects that would hear of it may be gone. */
    public function __destruct()
    {
        $this->free();
    }

    /** The value of one key, null if there is none; waits for it, and throws what made it fail. */
    public function fetch(string $key, array $options = []): mixed
    {
        if ($options === []) {
            [$status, $value] = $this->look($key);
            if ($status !== Header::MISS) {
                return $value;
            }
        }
        return $this->start($key, options: $options)->wait()->value();
    }

    /** The values of many keys in the order asked, null where there is none; throws the first error. */
    public function fetchAll(array $keys, array $options = []): array
    {
        return array_map(fn (Result $result) => $result->value(), $this->results($keys, $options));
    }

    /** What came of each key, in the order asked; throws nothing that befell a single key. */
    public function results(array $keys, array $options = []): array
    {
        return $this->startAll($keys, options: $options)->wait();
    }

    /** Begins to fetch one key; poll() calls `$tell` with its Result. Options are the settings that are "per fetch". */
    public function start(string $key, ?callable $tell = null, array $options = []): Fetch
    {
        return $this->begin($tell, $options, fn ($options, $fetch, $id) => $this->ffi->kvl_tasks_fetch(
            $this->open(), $key, strlen($key), $options, $fetch, null, $id, null, null));
    }

    /** Begins to fetch many keys; poll() calls `$tell` with the list of all their Results. */
    public function startAll(array $keys, ?callable $tell = null, array $options = []): Fetch
    {
        // Keys of arrays that look like numbers have become numbers.
        $keys = array_map(strval(...), array_values($keys));
        [$slices, $packed] = Library::slices($keys);
        return $this->begin($tell, $options, fn ($options, $fetch, $id) => $this->ffi->kvl_tasks_fetch_all(
            $this->open(), $slices, count($keys), $options, $fetch, null, $id, null, null));
    }

    /** What the cache has, without asking the provider; null also if it is known that there is nothing. */
    public function get(string $key): mixed
    {
        return $this->look($key)[1];
    }

    /** Stores a value; null is "known to be absent". `$terms` may have ttl_ms, priority, cost. True if it got in. */
    public function put(string $key, mixed $value, array $terms = []): bool
    {
        return $this->withValue($value, fn (CData $handle) => $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_put(
            $cache,
            $key,
            strlen($key),
            $handle,
            Library::stated($terms),
        ))) === Header::OK;
    }

    /** Removes what is stored under a key. True if there was something. */
    public function remove(string $key): bool
    {
        return $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_remove($cache, $key, strlen($key))) === Header::OK;
    }

    public function clear(): void
    {
        $this->withCache(fn (CData $cache) => $this->ffi->kvl_cache_clear($cache));
    }

    /** All that was counted, as arrays. */
    public function stats(): array
    {
        $text = Library::taken('kvl_value_t', fn ($out) => $this->ffi->kvl_tasks_stats_json($this->open(), $out));
        $stats = json_decode(Library::bytes($text), true, flags: JSON_THROW_ON_ERROR);
        $this->ffi->kvl_value_release($text);
        return $stats;
    }

    /** Handles what waits; waits for the first event for up to `$timeoutMs` (0: not at all). Returns how many there were. */
    public function poll(int $timeoutMs = 0): int
    {
        $count = 0;
        while ($this->queue !== null) {
            $patience = $count === 0 ? $timeoutMs : 0;
            if (Library::check($this->ffi->kvl_queue_next($this->queue, $patience, FFI::addr($this->event), FFI::sizeof($this->event))) === Header::EMPTY) {
                break;
            }
            $count++;
            $this->handle($this->event);
        }
        return $count;
    }

    /** A descriptor that is readable while poll() has something to do. */
    public function fd(): int
    {
        $this->open();
        $out = $this->ffi->new('int32_t[1]');
        Library::check($this->ffi->kvl_queue_fd($this->queue, $out));
        return $out[0];
    }

    /** Ends the cache: whoever waits is told KVL_ERR_CLOSED, here, and `dropped` hears of all values. May be called twice. */
    public function close(): void
    {
        if ($this->tasks !== null) {
            Library::check($this->ffi->kvl_tasks_free($this->tasks));
            $this->tasks = null;
        }
        $this->poll();
        $this->free();
    }

    /** @internal Calls with a handle of a value: strings are bytes, null is null, all else is an object that stays in PHP. */
    public function withValue(mixed $value, callable $use): mixed
    {
        if ($value === null) {
            return $use($this->ffi->kvl_value_null());
        }
        $this->open();
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

    /** @internal Calls with a handle of an error. */
    public function withError(\Throwable $error, callable $use): mixed
    {
        $this->open();
        $message = $error->getMessage();
        $flags = $error instanceof Permanent ? Header::ERROR_F_PERMANENT : 0;
        $id = ++$this->lastId;
        $handle = Library::taken('kvl_error_t', fn ($out) => $this->ffi->kvl_error_new_object(
            0, $message, strlen($message), $flags, $this->queue, $id, null, $out));
        $this->errors[$id] = $error;
        try {
            return $use($handle);
        } finally {
            $this->ffi->kvl_error_release($handle);
        }
    }

    private function free(): void
    {
        // Neither waits for code of ours, since all of it runs in poll(). In a forked child both do nothing.
        $this->ffi->kvl_tasks_free($this->tasks);
        $this->ffi->kvl_queue_free($this->queue);
        $this->tasks = $this->queue = null;
    }

    private function open(): CData
    {
        return $this->tasks ?? throw new Error(Header::ERR_CLOSED);
    }

    private function look(string $key): array
    {
        $value = Library::taken('kvl_value_t', fn ($out) => $this->ffi->kvl_tasks_get($this->open(), $key, strlen($key), $out), $status);
        if ($status !== Header::VALUE) {
            return [$status, null];
        }
        $id = $this->ffi->kvl_value_object($value);
        $found = $id === 0 ? Library::bytes($value) : $this->objects[$id];
        $this->ffi->kvl_value_release($value);
        return [$status, $found];
    }

    private function withCache(callable $use): int
    {
        $cache = Library::taken('kvl_cache_t', fn ($out) => $this->ffi->kvl_tasks_cache($this->open(), $out));
        try {
            return Library::check($use($cache));
        } finally {
            $this->ffi->kvl_cache_release($cache);
        }
    }

    private function begin(?callable $tell, array $settings, callable $call): Fetch
    {
        $options = $settings === [] ? null : Library::taken('kvl_options_t', fn ($out) => $this->ffi->kvl_options_new($out));
        try {
            if ($options !== null) {
                Library::set('kvl_options', $options, $settings);
            }
            $handle = Library::taken('kvl_fetch_t', fn ($out) => $this->ffi->kvl_fetch_new($out));
            $fetch = new Fetch($this, $handle, $tell === null ? null : $tell(...));
            $id = ++$this->lastId;
            Library::check($call($options, $handle, $id));
            $this->fetches[$id] = $fetch;
            return $fetch;
        } finally {
            $this->ffi->kvl_options_free($options);
        }
    }

    /** All that an event borrows is read before code of the program's runs: that code may poll, too. */
    private function handle(CData $event): void
    {
        match ($event->kind) {
            Header::EVENT_RESULT => $this->settle($event->user_data, $this->result($event->result)),
            Header::EVENT_RESULTS => $this->settle($event->user_data, $this->all($event->results)),
            Header::EVENT_REQUEST => $this->ask($event->request),
            Header::EVENT_DROP => $this->drop($event->user_data),
            default => null,
        };
    }

    private function settle(int $id, Result|array $outcome): void
    {
        $fetch = $this->fetches[$id];
        unset($this->fetches[$id]);
        $fetch->settle($outcome);
    }

    private function result(CData $result): Result
    {
        $status = $result->status;
        $value = match (true) {
            $status !== Header::VALUE => null,
            $result->object !== 0 => $this->objects[$result->object],
            default => FFI::string($result->data, $result->data_len),
        };
        $error = $status < 0 ? $this->error($result->error) : null;
        return new Result(FFI::string($result->key, $result->key_len), $value, $error, $status, $result->source, $result->attempts);
    }

    private function error(CData $error): \Throwable
    {
        $id = $this->ffi->kvl_error_object($error);
        return $id !== 0 ? $this->errors[$id] : new Error($this->ffi->kvl_error_status($error), $this->ffi->kvl_error_message($error));
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
            $keys[] = FFI::string($slices[$i]->data, $slices[$i]->len);
        }
        $request = new Request($this, $this->ffi->kvl_request_retain($handle), $keys);
        try {
            $rows = ($this->provider)($keys, $request);
            if ($rows !== null) {
                $request->answer($rows);
            }
        } catch (\Throwable $error) {
            if ($this->tasks !== null) {
                $request->finishError($error);
            }
        }
    }

    private function drop(int $id): void
    {
        $value = $this->objects[$id] ?? null;
        unset($this->objects[$id], $this->errors[$id]);
        if ($value !== null && $this->dropped !== null) {
            ($this->dropped)($value);
        }
    }
}
