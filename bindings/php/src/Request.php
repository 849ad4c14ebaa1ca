<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

use function array_is_list;
use function count;

/** The second argument of a provider. A provider that returns nothing answers through it, key by key and at any time. */
final class Request
{
    use Uncopyable;

    private bool $isRetained = false;
    private bool $isFinished = false;
    /** @var array<int, true> by the index of a key: whether it has an answer */
    private array $answered = [];

    /** @internal Created by Tasks. */
    public function __construct(private readonly Tasks $tasks, private readonly CData $handle, public readonly array $keys)
    {
    }

    /** Releases the request. If it was never finished, its open keys fail, so that no caller waits forever. */
    public function __destruct()
    {
        if ($this->isRetained && !$this->isCopy) {
            Library::functions()->kvl_request_release($this->handle);
        }
    }

    /** @internal Keeps the request until this object is destroyed. */
    public function retain(): void
    {
        $ffi = Library::functions();
        // A signal handler may throw right after the call, but not before it: PHP calls handlers when a call returns, and at jumps.
        $this->isRetained = true;
        $ffi->kvl_request_retain($this->handle);
    }

    /**
     * Answers the key at an index; null means that there is no such record. `$terms` may have ttl_ms, priority, cost, stale_ttl_ms, version, tags.
     * Returns whether the answer was in time and the first one for the key.
     */
    public function resolve(int $at, mixed $value, array $terms = []): bool
    {
        $native = Library::terms($terms, isPut: false);
        $ffi = Library::functions();
        $status = $this->tasks->withValue($value, fn (CData $handle) => $ffi->kvl_request_resolve($this->handle, $at, $handle, $native[0]));
        return $this->isTaken($at, $status);
    }

    /** The stored entry of the key at an index, expired or not; null if there is none. */
    public function stale(int $at): ?Stale
    {
        $age = Library::take('int64_t');
        $version = Library::take('kvl_slice_t');
        $stale = Library::using(
            'kvl_value_t *',
            'kvl_value_release',
            fn ($out) => Library::functions()->kvl_request_stale($this->handle, $at, $out, $age, $version),
            function (?CData $value, int $status) use ($age, $version): ?Stale {
                if ($status === Native::MISS) {
                    return null;
                }
                $text = Library::text($version[0]->data, $version[0]->len);
                $content = $status === Native::VALUE ? $this->tasks->valueOf($value) : null;
                return new Stale($content, $age[0], $text);
            },
        );
        Library::giveBack('int64_t', $age);
        Library::giveBack('kvl_slice_t', $version);
        return $stale;
    }

    /**
     * Answers the key at an index with the value that stale() returns: the record has not changed. The value gets a new TTL, and keeps its version
     * and tags unless the terms state others. Returns whether the answer was in time and the first one for the key; throws an Error with the status
     * Native::MISS if there is no entry.
     */
    public function notModified(int $at, array $terms = []): bool
    {
        $native = Library::terms($terms, isPut: false);
        $status = Library::functions()->kvl_request_not_modified($this->handle, $at, $native[0]);
        if ($status === Native::MISS) {
            throw new Error($status, "notModified() needs an entry, and the store has none for the key \"{$this->keys[$at]}\"");
        }
        return $this->isTaken($at, $status);
    }

    /**
     * Fails the key at an index. Every waiting caller gets the same error object. Returns whether the answer was in time and the first one for the
     * key.
     */
    public function fail(int $at, \Throwable $error): bool
    {
        $ffi = Library::functions();
        $status = $this->tasks->withError($error, fn (CData $handle) => $ffi->kvl_request_fail($this->handle, $at, $handle));
        return $this->isTaken($at, $status);
    }

    /** Notes what became of an answer. Returns whether it was in time and the first one for the key. */
    private function isTaken(int $at, int $status): bool
    {
        if ($status === Native::ERR_ALREADY_ANSWERED) {
            return false;
        }
        Library::check($status);
        $this->answered[$at] = true;
        return $status === Native::OK;
    }

    /** Finishes the request: keys without an answer are null. Has no effect on a finished request. */
    public function finish(): void
    {
        $status = Library::functions()->kvl_request_finish_nulls($this->handle);
        $this->noteFinish($status);
    }

    /** Finishes the request: keys without an answer fail with the error. Has no effect on a finished request. */
    public function finishError(\Throwable $error): void
    {
        $ffi = Library::functions();
        $status = $this->tasks->withError($error, fn (CData $handle) => $ffi->kvl_request_finish_error($this->handle, $handle));
        $this->noteFinish($status);
    }

    private function noteFinish(int $status): void
    {
        if ($status !== Native::ERR_ALREADY_ANSWERED) {
            Library::check($status);
        }
        $this->isFinished = true;
        $this->tasks->finished($this);
    }

    /** @internal Fails the open keys. Returns false if all keys were answered before: no caller receives the error. */
    public function failOpenKeys(\Throwable $error): bool
    {
        $isOpen = $this->isOpen();
        try {
            $this->finishError($error);
        } catch (Error) {
            // The cache is closed: every caller has its outcome already.
            $this->tasks->finished($this);
        }
        return $isOpen;
    }

    /** @internal Whether a key has no answer yet. */
    public function isOpen(): bool
    {
        return !$this->isFinished && count($this->answered) < count($this->keys);
    }

    /** @internal The keys without an answer, each as a key of the array. */
    public function openKeys(): array
    {
        $open = array_diff_key($this->keys, $this->answered);
        return array_flip($open);
    }

    /**
     * Answers all keys from [key => value]: a missing key is null, and a Throwable in place of a value fails that key alone.
     * Throws for a list of values, since keys would be cached as absent. A list can be right only if each of its indexes is a key that was asked for.
     */
    public function answer(array $rows): void
    {
        if ($rows !== [] && array_is_list($rows) && $this->isListOfValues($rows)) {
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

    /** Whether a list has an index that is none of the keys. */
    private function isListOfValues(array $rows): bool
    {
        $asked = array_flip($this->keys);
        $others = array_diff_key($rows, $asked);
        return $others !== [];
    }

    /** Whether no caller waits for the request any longer. */
    public function isCancelled(): bool
    {
        return $this->cancelReason() !== Native::CANCEL_NO;
    }

    /** @internal Why no caller waits for the request any longer: Native::CANCEL_*. */
    public function cancelReason(): int
    {
        return Library::functions()->kvl_request_is_cancelled($this->handle);
    }

    /** The number of the attempt of the key at an index, from 1. */
    public function attempt(int $at): int
    {
        return Library::functions()->kvl_request_attempt($this->handle, $at);
    }
}
