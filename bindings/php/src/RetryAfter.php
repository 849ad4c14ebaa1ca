<?php
declare(strict_types=1);

namespace Kvlight;

/** Thrown by a provider, or returned in place of a value, to make a retry wait at least `$afterMs`, like HTTP's Retry-After. */
class RetryAfter extends \RuntimeException
{
    public function __construct(string $message, public readonly int $afterMs, ?\Throwable $previous = null)
    {
        if ($afterMs < 0) {
            throw new \InvalidArgumentException('kvlight: afterMs must be at least 0');
        }
        parent::__construct($message, 0, $previous);
    }
}
