<?php
declare(strict_types=1);

namespace Kvlight;

/** What a second tier has of a key. */
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
     * An entry, with what is left of its TTL in milliseconds (-1: it does not expire, -2: not known), and a token that stands for this very entry.
     */
    public static function entry(string $data, int $ttlLeftMs = Native::L2_TTL_UNKNOWN, string $token = ''): self
    {
        return new self($data, $ttlLeftMs, $token, false);
    }

    /** Nothing, with the lease if one was granted. */
    public static function nothing(string $token = ''): self
    {
        return new self(null, 0, $token, false);
    }

    /** Nothing, and somebody else has the lease: the key is looked up again, for at most `l2.wait_ms`. */
    public static function leased(): self
    {
        return new self(null, 0, '', true);
    }
}
