<?php
declare(strict_types=1);

namespace Kvlight;

/** What is to be stored under a key of a second tier. */
final class TierEntry
{
    public function __construct(
        public readonly string $key,
        /** To be stored as it is. */
        public readonly string $data,
        /** Milliseconds from now on; -1: it does not expire. An entry that is kept longer never expires, since each hit begins its TTL anew. */
        public readonly int $ttlMs,
        /** For fill(): the token that the read of the key returned. */
        public readonly string $token,
    ) {
    }
}
