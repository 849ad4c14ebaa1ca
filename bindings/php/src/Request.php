<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** The second argument of a provider. A provider that returns nothing answers through it, key by key and at any time. */
final class Request
{
    /** @internal Created by Tasks. */
    public function __construct(private readonly Tasks $tasks, private readonly CData $handle, public readonly array $keys)
    {
    }

    /** Releases the request. If it was never finished, its open keys fail, so that no caller waits forever. */
    public function __destruct()
    {
        Library::functions()->kvl_request_release($this->handle);
    }

    /**
     * Answers the key at an index; null means that there is no such record. `$terms` may have ttl_ms, priority, cost, stale_ttl_ms, version, tags.
     * Returns whether the answer was in time.
     */
    public function resolve(int $at, mixed $value, array $terms = []): bool
    {
        return $this->tasks->withValue($value, fn (CData $handle) => Library::check(Library::functions()->kvl_request_resolve(
            $this->handle,
            $at,
            $handle,
            Library::terms($terms),
        ))) === Native::OK;
    }

    /** The stored entry of the key at an index, expired or not; null if there is none. */
    public function stale(int $at): ?Stale
    {
        [$value, $age, $version] = [Library::variable('kvl_value_t *'), Library::variable('int64_t'), Library::variable('kvl_slice_t')];
        $status = Library::check(Library::functions()->kvl_request_stale($this->handle, $at, $value, $age, $version));
        if ($status === Native::MISS) {
            return null;
        }
        $versionText = $version[0]->len === 0 ? '' : \FFI::string($version[0]->data, $version[0]->len);
        return new Stale($status === Native::VALUE ? $this->tasks->takeValue($value[0]) : null, $age[0], $versionText);
    }

    /**
     * Answers the key at an index with the value that stale() returns: the record has not changed. The value gets a new TTL, and keeps its version
     * and tags unless the terms state others. Returns whether the answer was in time; throws an Error with the status Native::MISS if there is
     * no entry.
     */
    public function notModified(int $at, array $terms = []): bool
    {
        $status = Library::check(Library::functions()->kvl_request_not_modified($this->handle, $at, Library::terms($terms)));
        if ($status === Native::MISS) {
            throw new Error($status, "notModified() needs an entry, and the store has none for the key \"{$this->keys[$at]}\"");
        }
        return $status === Native::OK;
    }

    /** Fails the key at an index. Every waiting caller gets the same error object. Returns whether the answer was in time. */
    public function fail(int $at, \Throwable $error): bool
    {
        return $this->tasks->withError($error, fn (CData $handle) => Library::check(
            Library::functions()->kvl_request_fail($this->handle, $at, $handle))) === Native::OK;
    }

    /** Finishes the request: keys without an answer are null. */
    public function finish(): void
    {
        Library::check(Library::functions()->kvl_request_finish_nulls($this->handle));
        $this->tasks->finished($this);
    }

    /** Finishes the request: keys without an answer fail with the error. */
    public function finishError(\Throwable $error): void
    {
        $this->tasks->withError($error, fn (CData $handle) => Library::check(
            Library::functions()->kvl_request_finish_error($this->handle, $handle)));
        $this->tasks->finished($this);
    }

    /** @internal Fails the open keys. If the request is finished or the cache closed, every waiter has its outcome already. */
    public function failOpenKeys(\Throwable $error): void
    {
        try {
            $this->finishError($error);
        } catch (Error) {
            $this->tasks->finished($this);
        }
    }

    /**
     * Answers all keys from [key => value]: a missing key is null, and a Throwable in place of a value fails that key alone.
     * Throws for a list of values, since every key would be cached as absent. Only if the key '0' was asked for can a list be right.
     */
    public function answer(array $rows): void
    {
        if ($rows !== [] && array_is_list($rows) && !in_array('0', $this->keys, true)) {
            throw new \TypeError('kvlight: the provider must return [key => value], not a list of values');
        }
        foreach ($this->keys as $at => $key) {
            $row = $rows[$key] ?? null;
            if ($row instanceof \Throwable) {
                $this->fail($at, $row);
            } elseif ($row !== null) {
                $this->resolve($at, $row);
            }
        }
        $this->finish();
    }

    /** Whether no caller waits for the request any longer. */
    public function isCancelled(): bool
    {
        return Library::functions()->kvl_request_is_cancelled($this->handle) !== Native::CANCEL_NO;
    }

    /** The number of the attempt of the key at an index, from 1. */
    public function attempt(int $at): int
    {
        return Library::functions()->kvl_request_attempt($this->handle, $at);
    }
}
