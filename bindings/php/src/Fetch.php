<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** A fetch that was begun by Tasks::start() or Tasks::startAll(). */
final class Fetch
{
    private Result|array|null $outcome = null;

    /** @internal Tasks makes them. */
    public function __construct(private readonly Tasks $tasks, public readonly CData $handle, private ?\Closure $tell)
    {
    }

    public function __destruct()
    {
        Library::functions()->kvl_fetch_release($this->handle);
    }

    /** Ends it for those who wait for this fetch, with KVL_ERR_CANCELLED, and for nobody else. */
    public function cancel(): void
    {
        Library::check(Library::functions()->kvl_fetch_cancel($this->handle));
    }

    public function isDone(): bool
    {
        return $this->outcome !== null;
    }

    /** Waits until it is done; returns its Result, or the list of all its Results. */
    public function wait(): Result|array
    {
        while ($this->outcome === null) {
            $this->tasks->wait($this);
        }
        return $this->outcome;
    }

    /** @internal What is to be called with the outcome, if anything is. */
    public function settle(Result|array $outcome): ?\Closure
    {
        $tell = $this->tell;
        $this->tell = null;
        $this->outcome = $outcome;
        return $tell;
    }
}
