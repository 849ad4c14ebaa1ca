<?php
declare(strict_types=1);

namespace Kvlight;

use FFI\CData;

/** A fetch that was begun by Tasks::start() or Tasks::startAll(). */
final class Fetch
{
    private Result|array|null $outcome = null;

    /** @internal Tasks makes them. */
    public function __construct(private readonly Tasks $tasks, public readonly CData $handle, private readonly ?\Closure $tell)
    {
    }

    public function __destruct()
    {
        Library::functions()->kvl_fetch_release($this->handle);
    }

    /** Tells those who wait for it that it is cancelled, and nobody else. */
    public function cancel(): void
    {
        Library::check(Library::functions()->kvl_fetch_cancel($this->handle));
    }

    public function isDone(): bool
    {
        return $this->outcome !== null;
    }

    /** Polls until it is done; returns its Result, or the list of all its Results. */
    public function wait(): Result|array
    {
        while ($this->outcome === null) {
            // In slices, so that PHP can attend to signals.
            $this->tasks->poll(100);
        }
        return $this->outcome;
    }

    /** @internal */
    public function settle(Result|array $outcome): void
    {
        $this->outcome = $outcome;
        if ($this->tell !== null) {
            ($this->tell)($outcome);
        }
    }
}
