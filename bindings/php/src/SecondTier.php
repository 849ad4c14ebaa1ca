<?php
declare(strict_types=1);

namespace Kvlight;

/**
 * A store behind the cache that several processes may share: a cache server, a database, a folder. Keys that are not in the cache are looked up in it
 * before the provider is called, and it receives what was loaded and put. poll() calls its methods, also inside a fetch() that waits. A method
 * that throws, or returns something unexpected, has failed: after a read the provider is called, and a write, a removal or a clear is sent again. No
 * caller of the cache sees the exception; it is passed to `onError`. What waits to be written when a script ends is lost: call Tasks::syncSecondTier()
 * before.
 */
interface SecondTier
{
    /** Whether fill() stores an entry only if its token still belongs to the key. */
    public function isConditional(): bool;

    /**
     * Whether read() grants a lease (a token) for a key without an entry, to one reader at a time. With isConditional() too, no older load replaces a
     * newer write.
     */
    public function grantsLeases(): bool;

    /**
     * Looks keys up. A string in place of a TierFound is the data of an entry; a Throwable fails its key; a key left out was not found.
     *
     * @param list<string> $keys
     * @return array<string, TierFound|string|\Throwable|null>
     */
    public function read(array $keys): array;

    /**
     * Stores what was loaded: if isConditional(), only the entries whose token still belongs to their key. Returns for each entry whether it was stored;
     * null: all were.
     *
     * @param list<TierEntry> $entries
     * @return ?list<bool>
     */
    public function fill(array $entries): ?array;

    /**
     * Stores what was put.
     *
     * @param list<TierEntry> $entries
     */
    public function write(array $entries): void;

    /**
     * Removes keys, some of which may not exist.
     *
     * @param list<string> $keys
     */
    public function remove(array $keys): void;

    /** Removes all keys. */
    public function clear(): void;
}
