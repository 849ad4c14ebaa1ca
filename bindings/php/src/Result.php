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
    ) {
    }

    /** The value, null if there is none; throws what made it fail. */
    public function value(): mixed
    {
        return $this->error === null ? $this->value : throw $this->error;
    }
}
