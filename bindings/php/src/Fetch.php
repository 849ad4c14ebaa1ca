<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** A fetch that was started by Tasks::start() or Tasks::startAll(). */
final class Fetch
{
    private Result|array|null $outcome = null;

    /** @internal Created by Tasks. */
    public function __construct(private readonly Tasks $tasks, public readonly CData $handle, private ?\Closure $tell)
    {
    }

    public function __destruct()
    {
        Library::functions()->kvl_fetch_release($this->handle);
    }

    /** Cancels this fetch alone: its waiters get KVL_ERR_CANCELLED. */
    public function cancel(): void
    {
        Library::check(Library::functions()->kvl_fetch_cancel($this->handle));
    }

    public function isDone(): bool
    {
        return $this->outcome !== null;
    }

    /** Waits until the fetch is done; returns its Result, or the list of its Results. */
    public function wait(): Result|array
    {
        while ($this->outcome === null) {
            $this->tasks->wait($this);
        }
        return $this->outcome;
    }

    /** @internal Keeps the outcome, and returns the function to be called with it, if there is one. */
    public function settle(Result|array $outcome): ?\Closure
    {
        $tell = $this->tell;
        $this->tell = null;
        $this->outcome = $outcome;
        return $tell;
    }
}
