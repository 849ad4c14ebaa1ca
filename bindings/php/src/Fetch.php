<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** A fetch that was started by Tasks::start() or Tasks::startAll(). */
final class Fetch
{
    use Uncopyable;

    private Result|array|null $outcome = null;

    /**
     * @internal Created by Tasks.
     *
     * @param list<string> $keys
     */
    public function __construct(private readonly Tasks $tasks, public readonly CData $handle, private readonly array $keys)
    {
    }

    public function __destruct()
    {
        if (!$this->isCopy) {
            Library::functions()->kvl_fetch_release($this->handle);
        }
    }

    /** Cancels this fetch alone, which then fails with KVL_ERR_CANCELLED. */
    public function cancel(): void
    {
        $status = Library::functions()->kvl_fetch_cancel($this->handle);
        Library::check($status);
    }

    public function isDone(): bool
    {
        return $this->outcome !== null;
    }

    /**
     * Waits until the fetch is done. Returns its Result, or the list of its Results. Throws an Error with the status Native::ERR_REENTRANT for a wait
     * inside a provider that could never end.
     */
    public function wait(): Result|array
    {
        while ($this->outcome === null) {
            $this->tasks->waitStep($this);
        }
        return $this->outcome;
    }

    /** @internal Sets the outcome. */
    public function settle(Result|array $outcome): void
    {
        $this->outcome = $outcome;
    }

    /** @internal The keys that were asked for. */
    public function keys(): array
    {
        return $this->keys;
    }
}
