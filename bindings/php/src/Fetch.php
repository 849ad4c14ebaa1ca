<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** A fetch that was started by Tasks::start() or Tasks::startAll(). */
final class Fetch
{
    private Result|array|null $outcome = null;

    /** @internal Created by Tasks. */
    public function __construct(private readonly Tasks $tasks, public readonly CData $handle, private ?\Closure $onResult)
    {
    }

    public function __destruct()
    {
        Library::functions()->kvl_fetch_release($this->handle);
    }

    /** Cancels this fetch alone, which then fails with KVL_ERR_CANCELLED. */
    public function cancel(): void
    {
        Library::check(Library::functions()->kvl_fetch_cancel($this->handle));
    }

    public function isDone(): bool
    {
        return $this->outcome !== null;
    }

    /** Waits until the fetch is done. Returns its Result, or the list of its Results. */
    public function wait(): Result|array
    {
        while ($this->outcome === null) {
            $this->tasks->waitStep($this);
        }
        return $this->outcome;
    }

    /** @internal Sets the outcome. Returns the function to call with it, or null. */
    public function settle(Result|array $outcome): ?\Closure
    {
        $onResult = $this->onResult;
        $this->onResult = null;
        $this->outcome = $outcome;
        return $onResult;
    }
}
