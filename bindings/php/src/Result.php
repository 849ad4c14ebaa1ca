<?php
declare(strict_types=1);

namespace Kvlight;

/** What became of one key. */
final class Result
{
    public function __construct(
        public readonly string $key,
        public readonly mixed $value,
        public readonly ?\Throwable $error,
        /** Native::VALUE, NULL, MISS, INVALID_KEY, or an error's. */
        public readonly int $status,
        /** Native::SOURCE_*. */
        public readonly int $source,
        public readonly int $attempts,
        /** Milliseconds since it was loaded or put. */
        public readonly int $ageMs = 0,
        /** Milliseconds until its end; -1 for ever, 0 if it is not stored. */
        public readonly int $ttlLeftMs = 0,
        /**
         * Whether its end is over, and it serves because there was nothing better. $error is then what the load failed with, null if it takes too
         * long (stale.timeout_ms).
         */
        public readonly bool $isStale = false,
    ) {
    }

    /** The value, null if there is none; throws what made it fail. */
    public function value(): mixed
    {
        return $this->status >= 0 ? $this->value : throw $this->error;
    }
}
