<?php
declare(strict_types=1);

namespace Kvlight;

/** Thrown by a provider, or returned in place of a value, to make a retry wait at least `$afterMs`, like HTTP's Retry-After. */
class RetryAfter extends \RuntimeException
{
    public readonly int $afterMs;

    public function __construct(string $message, int|float $afterMs, ?\Throwable $previous = null)
    {
        $this->afterMs = Library::milliseconds('afterMs', $afterMs);
        parent::__construct($message, 0, $previous);
    }
}
