<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** What a provider may take as its second argument, to answer keys one by one, or later: then it returns nothing. */
final class Request
{
    /** @internal Tasks makes them. */
    public function __construct(private readonly Tasks $tasks, private readonly CData $handle, public readonly array $keys)
    {
    }

    /** A request that is forgotten is finished, so that nobody waits for ever. */
    public function __destruct()
    {
        Library::functions()->kvl_request_release($this->handle);
    }

    /** Answers the key at a position; null is "there is no such record". `$terms` may have ttl_ms, priority, cost. True if it came in time. */
    public function resolve(int $at, mixed $value, array $terms = []): bool
    {
        return $this->tasks->withValue($value, fn (CData $handle) => Library::check(Library::functions()->kvl_request_resolve(
            $this->handle,
            $at,
            $handle,
            Library::stated($terms),
        ))) === Native::OK;
    }

    /** Fails the key at a position; the very error arrives at everybody who waits. */
    public function fail(int $at, \Throwable $error): bool
    {
        return $this->tasks->withError($error, fn (CData $handle) => Library::check(
            Library::functions()->kvl_request_fail($this->handle, $at, $handle))) === Native::OK;
    }

    /** Finishes: what has no answer is null. */
    public function finish(): void
    {
        Library::check(Library::functions()->kvl_request_finish_nulls($this->handle));
        $this->tasks->finished($this);
    }

    /** Finishes: what has no answer fails. */
    public function finishError(\Throwable $error): void
    {
        $this->tasks->withError($error, fn (CData $handle) => Library::check(
            Library::functions()->kvl_request_finish_error($this->handle, $handle)));
        $this->tasks->finished($this);
    }

    /** @internal Fails what is open, unless it was finished, or the cache closed meanwhile, which has told everybody. */
    public function giveUp(\Throwable $error): void
    {
        try {
            $this->finishError($error);
        } catch (Error) {
            $this->tasks->finished($this);
        }
    }

    /** Answers all keys from [key => value]; what it lacks is null, a Throwable in a value's place fails that key alone. */
    public function answer(array $rows): void
    {
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

    /** Whether nobody waits for it any more. */
    public function isCancelled(): bool
    {
        return Library::functions()->kvl_request_is_cancelled($this->handle) !== Native::CANCEL_NO;
    }

    /** Which attempt the key at a position is in, from 1. */
    public function attempt(int $at): int
    {
        return Library::functions()->kvl_request_attempt($this->handle, $at);
    }
}
