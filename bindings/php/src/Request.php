<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** The second argument of a provider, to answer keys one by one, or later: the provider then returns nothing. */
final class Request
{
    /** @internal Created by Tasks. */
    public function __construct(private readonly Tasks $tasks, private readonly CData $handle, public readonly array $keys)
    {
    }

    /** Finishes a request that was dropped unfinished, so that no caller waits forever. */
    public function __destruct()
    {
        Library::functions()->kvl_request_release($this->handle);
    }

    /**
     * Answers a key by its position; null: no such record. `$terms` may have ttl_ms, priority, cost, stale_ttl_ms,
     * version, tags. True if the answer was in time.
     */
    public function resolve(int $at, mixed $value, array $terms = []): bool
    {
        return $this->tasks->withValue($value, fn (CData $handle) => Library::check(Library::functions()->kvl_request_resolve(
            $this->handle,
            $at,
            $handle,
            Library::stated($terms),
        ))) === Native::OK;
    }

    /** What the store has of the key at a position, expired or not; null if it has nothing. */
    public function stale(int $at): ?Stale
    {
        [$value, $age, $version] = [Library::place('kvl_value_t *'), Library::place('int64_t'), Library::place('kvl_slice_t')];
        $status = Library::check(Library::functions()->kvl_request_stale($this->handle, $at, $value, $age, $version));
        if ($status === Native::MISS) {
            return null;
        }
        $stated = $version[0]->len === 0 ? '' : \FFI::string($version[0]->data, $version[0]->len);
        return new Stale($status === Native::VALUE ? $this->tasks->taken($value[0]) : null, $age[0], $stated);
    }

    /**
     * Answers the key at a position with what stale() returns: the record has not changed. The same value gets a new TTL, and keeps its
     * version and its tags unless the terms state others. True if the answer was in time; throws an Error with the status Native::MISS if the
     * store has nothing of the key.
     */
    public function notModified(int $at, array $terms = []): bool
    {
        $status = Library::check(Library::functions()->kvl_request_not_modified($this->handle, $at, Library::stated($terms)));
        if ($status === Native::MISS) {
            throw new Error($status, "the store has nothing of the key \"{$this->keys[$at]}\" that could be unmodified");
        }
        return $status === Native::OK;
    }

    /** Fails the key at a position; every waiting caller gets the same error object. */
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

    /** @internal Fails the open keys, unless the request was finished or the cache closed meanwhile: then every waiter has its outcome. */
    public function giveUp(\Throwable $error): void
    {
        try {
            $this->finishError($error);
        } catch (Error) {
            $this->tasks->finished($this);
        }
    }

    /**
     * Answers all keys from [key => value]: a missing key is null, and a Throwable in place of a value fails that key alone.
     * A list of values without keys is refused, since all keys would be remembered as absent; only the key '0' can make a list an answer.
     */
    public function answer(array $rows): void
    {
        if ($rows !== [] && array_is_list($rows) && !in_array('0', $this->keys, true)) {
            throw new \TypeError('kvlight: the provider is to return [key => value], not a list of values');
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

    /** The number of the attempt of the key at a position, from 1. */
    public function attempt(int $at): int
    {
        return Library::functions()->kvl_request_attempt($this->handle, $at);
    }
}
