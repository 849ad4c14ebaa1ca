<?php
declare(strict_types=1);

namespace Kvlight;

/** The result of one key. */
final class Result
{
    public function __construct(
        public readonly string $key,
        public readonly mixed $value,
        public readonly ?\Throwable $error,
        /** Native::VALUE, NULL, MISS, INVALID_KEY, or the status of the error. */
        public readonly int $status,
        /** Where the value is from: Native::SOURCE_*. */
        public readonly int $source,
        public readonly int $attempts,
        /** Milliseconds since the value was loaded, put, or found in the second tier. */
        public readonly int $ageMs = 0,
        /** Milliseconds until the value expires; -1 for never, 0 if it is not stored. */
        public readonly int $ttlLeftMs = 0,
        /**
         * Whether the value has expired and is served as a fallback. $error is then the error of the load, or null if the load took too
         * long (stale.timeout_ms).
         */
        public readonly bool $isStale = false,
    ) {
    }

    /** Returns the value, or null if there is no such record; throws the error of a key that failed. */
    public function value(): mixed
    {
        return $this->status >= 0 ? $this->value : throw $this->error;
    }
}
