<?php
declare(strict_types=1);

namespace Kvlight;

/** What the store has of a key that a provider is asked for. */
final class Stale
{
    public function __construct(
        /** null if the key is known to be absent. */
        public readonly mixed $value,
        /** Milliseconds since the value was loaded or put. */
        public readonly int $ageMs,
        /** The version that was stated with the value; '' if none was. */
        public readonly string $version,
    ) {
    }
}
