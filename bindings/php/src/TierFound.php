<?php
declare(strict_types=1);

namespace Kvlight;

use function is_int;

/** The result of looking a key up in a second tier. */
final class TierFound
{
    private function __construct(
        public readonly ?string $data,
        public readonly int $ttlLeftMs,
        public readonly string $token,
        public readonly bool $isLeased,
    ) {
    }

    /**
     * An entry, with the rest of its TTL in milliseconds (-1: the second tier does not expire it; -2: not known; in either
     * case the TTL with which it was written begins anew), and a token that identifies this version of it.
     */
    public static function entry(string $data, int|float $ttlLeftMs = Native::L2_TTL_UNKNOWN, string $token = ''): self
    {
        if (!is_int($ttlLeftMs)) {
            throw new \InvalidArgumentException("kvlight: ttlLeftMs is a whole number, not $ttlLeftMs");
        }
        return new self($data, $ttlLeftMs, $token, false);
    }

    /** No entry, with the lease if one was granted. */
    public static function nothing(string $token = ''): self
    {
        return new self(null, 0, $token, false);
    }

    /** No entry, and another process has the lease: the key is looked up again, for at most `l2.wait_ms`. */
    public static function leased(): self
    {
        return new self(null, 0, '', true);
    }
}
