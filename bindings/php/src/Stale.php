<?php
declare(strict_types=1);

namespace Kvlight;

/** The stored entry of a key that a provider is to load. */
final class Stale
{
    public function __construct(
        /** null if the key is known to be absent. */
        public readonly mixed $value,
        /** Milliseconds since the value was loaded, put, or found in the second tier. */
        public readonly int $ageMs,
        /** The version that was stored with the value; '' if there was none. */
        public readonly string $version,
    ) {
    }
}
