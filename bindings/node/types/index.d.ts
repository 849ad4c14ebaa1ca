import type { Constants, FetchSettings, Settings } from './settings.js';

export type { Constants, FetchSettings, Settings };

/** The settings of a cache without a provider. */
export type CacheSettings = { [Name in keyof Settings as Name extends `cache.${string}` ? Name : never]?: Settings[Name] };

/** How a value is stored. */
export interface Terms {
  /**
   * Milliseconds until the value expires, K.TTL_NEVER or K.TTL_DEFAULT. With 0 the value is delivered but not stored, and an existing entry is
   * removed.
   */
  ttl_ms?: number;
  /** Entries of lower priority are evicted first. */
  priority?: number;
  /** The cost of the value, in bytes. */
  cost?: number;
  /** How long the value is kept as a fallback after it expires, in milliseconds. 0 stands for `stale.ttl_ms`, K.STALE_NEVER for not at all. */
  stale_ttl_ms?: number;
  /** The version of the record, for example an ETag: `request.stale(i)` returns it. */
  version?: string;
  /** Names by which removeTag() and expireTag() find the entry. */
  tags?: readonly string[];
}

/** The stored entry of a key that a provider is to load. */
export interface Stale<V> {
  /** null if the key is known to be absent. */
  value: V | null;
  /** Milliseconds since the value was loaded, put, or found in the second tier. */
  age_ms: number;
  /** The version that was stored with the value; '' if there was none. */
  version: string;
}

/** How, and under which condition, a put stores a value. */
export interface PutTerms extends Terms {
  /** Whether an existing entry keeps its time of expiry. */
  keep_ttl?: boolean;
  /** Stores only if the key is absent or present; otherwise nothing changes and put() returns false. */
  only_if?: 'absent' | 'present';
}

export interface StoreOptions<V> {
  /**
   * Called with each value that is not a Uint8Array once neither the cache nor a fetch holds it any longer. If many wait for that, it is called inside
   * calls that store others.
   */
  dropped?: (value: V) => void;
  /** The cost of a value in bytes. Default: twice the length of a string, and 0 for any other object. */
  cost?: (value: V) => number;
}

declare abstract class Store<V> {
  protected constructor();
  /** The stored value; null if the key is known to be absent or not in the cache. Never calls the provider. */
  get(key: string): V | null;
  /** Whether the cache has an entry of the key: a value, or that the key is known to be absent. */
  has(key: string): boolean;
  /** Stores a value; null stores the key as known to be absent. Returns whether it was stored. */
  put(key: string, value: V | null, terms?: PutTerms): boolean;
  /** Removes an entry. Returns whether there was one. */
  remove(key: string): boolean;
  /** Gives an entry a new TTL, counted from now. Returns whether there was an entry. */
  touch(key: string, terms?: { ttl_ms?: number }): boolean;
  /** Expires an entry now; it is kept as a fallback until it is reloaded, if `stale.ttl_ms` is set. From a second tier the entry is
   * removed. Returns whether there was an entry. */
  expire(key: string): boolean;
  /** Removes all entries with a tag, and returns their number. A running load does not store its answer if that has the tag. */
  removeTag(tag: string): number;
  /** Expires all entries with a tag, as expire() does for a key, and returns their number. */
  expireTag(tag: string): number;
  /** Expires all entries, as expire() does for a key. Running loads do not store their answers. A second tier is cleared, for all processes. */
  expireAll(): void;
  /** Iterates over the entries as [key, value], with null for a key known to be absent. Loads nothing, and does not count as a use. */
  entries(): IterableIterator<[string, V | null]>;
  [Symbol.iterator](): IterableIterator<[string, V | null]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<V | null>;
  /**
   * Writes the entries to a file and returns their number. `dump` turns values other than Uint8Arrays into bytes; without it, and where it returns
   * undefined, they are left out.
   */
  save(path: string | URL, options?: { dump?: (value: V) => Uint8Array | undefined }): number;
  /**
   * Stores the entries of a saved file whose keys have no entry yet, and returns their number. `load` reverses `dump`; where it returns undefined, the
   * entry is left out.
   */
  load(path: string | URL, options?: { load?: (bytes: Buffer) => V | null | undefined }): number;
  clear(): void;
  /** The number of entries. */
  get size(): number;
  /** The statistics: docs/STATISTICS.md. */
  stats(): any;
}

/** A bounded store with expiry, without a provider. */
export class Cache<V = unknown> extends Store<V> {
  constructor(settings?: CacheSettings & StoreOptions<V>);
  /** Releases all entries. May be called twice. */
  close(): void;
  [Symbol.dispose](): void;
}

/** The second argument of a provider. A provider that returns nothing answers through it, key by key and at any time. */
export interface Request<V> {
  /** In the order of their indexes; cannot be changed, unlike the provider's first argument. */
  readonly keys: readonly string[];
  /** Aborted once no caller waits for the answers any longer, or the attempt has timed out. */
  readonly signal: AbortSignal;
  /** Answers the i-th key; null means that there is no such record. Returns whether the answer was in time and the first one for the key. */
  resolve(i: number, value: V | null, terms?: Terms): boolean;
  /** The stored entry of the i-th key, expired or not; null if there is none. */
  stale(i: number): Stale<V> | null;
  /**
   * Answers the i-th key with the value that stale() returns, which gets a new TTL: the record has not changed. Returns whether the answer was in time and
   * the first one for the key; throws if there is no entry.
   */
  notModified(i: number, terms?: Terms): boolean;
  /** Fails the i-th key. Every waiting caller gets the same error object. Returns whether the answer was in time and the first one for the key. */
  fail(i: number, error: unknown): boolean;
  /**
   * Answers all keys and finishes: a missing key is null, and an Error in place of a value fails that key alone. Keys that were answered before keep those
   * answers.
   */
  answer(rows: Answers<V>): void;
  /** Finishes the request: keys without an answer are null. Has no effect on a finished request. */
  finish(): void;
  /** Finishes the request: keys without an answer fail with the error. Has no effect on a finished request. */
  finishError(error: unknown): void;
  /** The number of the i-th key's attempt, from 1. */
  attempt(i: number): number;
}

/** A provider's answers: an Error in place of a value fails that key alone, and a key left out is cached as absent. */
export type Answers<V> = ReadonlyMap<string, V | Error | null | undefined> | { readonly [key: string]: V | Error | null | undefined };

/**
 * Loads keys. A provider that takes the request may return nothing and answer through it; one that does not must return its answers. If a provider returns
 * nothing and declares exactly one parameter without a default (its `length` is 1), its keys fail at once; with any other parameters, the request ends
 * when it is answered or garbage collected. A provider must not wait for a fetch of one of its own keys from the same Tasks, which would wait for the
 * provider until the fetch times out.
 */
export type Provider<V> = (keys: string[], request: Request<V>) => Answers<V> | void | null | undefined | PromiseLike<Answers<V> | void | null | undefined>;

export interface FetchOptions extends FetchSettings {
  /** Cancels this fetch alone. */
  signal?: AbortSignal | null;
}

/** What became of one key of a fetch. */
export interface Result<V> {
  key: string;
  /** null if there is no such record or the key failed; undefined for a miss that `read: 'cache_only'` did not load. */
  value: V | null | undefined;
  /** The error of a key that failed. With `isStale`, the error of the load, or null if it took too long (`stale.timeout_ms`). */
  error: unknown;
  /** K.VALUE, K.NULL, K.MISS, or an error below 0. */
  status: number;
  /** Where the value is from: K.SOURCE_*. */
  source: number;
  /** The number of attempts of the load; 0 if there was none. */
  attempts: number;
  /** Milliseconds since the value was loaded, put, or found in the second tier. */
  age_ms: number;
  /** Milliseconds until the value expires; K.TTL_NEVER; 0 if it is not stored. */
  ttl_left_ms: number;
  /** Whether the value has expired and is served as a fallback. */
  isStale: boolean;
}

/** What is to be stored under a key of a second tier. */
export interface TierEntry {
  key: string;
  /** To be stored as it is. */
  data: Uint8Array;
  /** Milliseconds from now on; K.TTL_NEVER: it does not expire. An entry that is kept longer never expires, since each hit begins its TTL anew. */
  ttl_ms: number;
  /** For a fill: the token that the read of the key gave; empty for a write. */
  token: Uint8Array;
}

/**
 * What a second tier answers for a key. If it has an entry: the `data` of the entry, the milliseconds that are left of its TTL (K.TTL_NEVER if it does
 * not expire; left out if that is not known), and a token that stands for this very entry. If it has none: a token if this reader was granted the
 * lease, or `isLeased` if another reader has it.
 */
export type TierFound = { data: Uint8Array; ttl_left_ms?: number; token?: Uint8Array } | { token?: Uint8Array; isLeased?: boolean };

/**
 * A store in which keys are looked up before the provider is asked for them, and which receives what was loaded and put. Several processes may
 * share one. If a function throws, or returns something wrong, no caller sees that: after a `read` the provider is asked, a `write`, `remove` or
 * `clear` is repeated, and the process emits a warning.
 */
export interface SecondTier {
  /** Whether `fill` stores an entry only if its token still belongs to the key. */
  readonly isConditional?: boolean;
  /** Whether `read` gives a token for a key that is not there, to one reader at a time. */
  readonly grantsLeases?: boolean;
  /** Looks keys up. A Uint8Array stands for `{ data }`; an Error fails its key; a key left out was not found. */
  read(keys: string[]): TierRead | PromiseLike<TierRead>;
  /** Stores what was loaded. With `isConditional`, stores only an entry whose token still belongs to its key; returns for each whether it was stored. */
  fill(entries: TierEntry[]): boolean[] | void | PromiseLike<boolean[] | void>;
  /** Stores what was put. */
  write(entries: TierEntry[]): unknown;
  /** Removes keys, whether they are there or not. */
  remove(keys: string[]): unknown;
  /** Removes all keys. */
  clear(): unknown;
}

export type TierRead = ReadonlyMap<string, TierFound | Uint8Array | Error | null | undefined>;

export interface TierOptions<V> {
  /** Asked before the provider. */
  secondTier?: SecondTier;
  /** Instead of `secondTier`: a Redis or Valkey server, as in "redis://user:password@host:6379/0?prefix=shop". Needs libkvlight_redis. */
  l2Url?: string;
  /** Makes bytes of a value that is not a Uint8Array, for the second tier, like `v8.serialize`. Without it such values stay in this process. */
  dump?: (value: V) => Uint8Array;
  /** Reverses `dump`, like `v8.deserialize`. */
  load?: (bytes: Uint8Array) => V;
}

/** The state of the connection to the server of `l2Url`. The members of kvl_redis_state that are not named here are counters. */
export interface L2State {
  connected: boolean;
  listening: boolean;
  /** What is wrong and how to fix it, without keys, values and passwords. */
  problem: string | null;
  [counter: string]: unknown;
}

/** A cache with a provider behind it. */
export class Tasks<V = unknown> extends Store<V> {
  constructor(settings: Settings & StoreOptions<V> & TierOptions<V> & { provider: Provider<V> });
  /** The value of one key, null if there is no such record; rejects if the key fails. `read: 'cache_only'`: undefined on a miss. */
  fetch(key: string, options?: FetchOptions & { read?: 'normal' | 'refresh' | 'no_store' }): Promise<V | null>;
  fetch(key: string, options: FetchOptions): Promise<V | null | undefined>;
  /** The values of many keys, in the order of the keys, null where there is no such record; rejects with the first error. */
  fetchAll(keys: Iterable<string>, options?: FetchOptions & { read?: 'normal' | 'refresh' | 'no_store' }): Promise<(V | null)[]>;
  fetchAll(keys: Iterable<string>, options: FetchOptions): Promise<(V | null | undefined)[]>;
  /**
   * The result of each key, in the order of the keys. The failure of a key is in its result. This rejects only if the arguments are of another kind,
   * the signal is aborted already, or the cache is closed.
   */
  results(keys: Iterable<string>, options?: FetchOptions): Promise<Result<V>[]>;
  /** Reloads keys in the background; the current values are served until then, and stay if the reload fails. */
  refresh(keys: Iterable<string>, options?: FetchSettings): void;
  /** Says that another process has changed these keys: their values leave this process, and answers of running loads are not stored. */
  invalidate(keys: Iterable<string>): void;
  /** Says that another process may have changed any key: all values leave this process. */
  invalidateAll(): void;
  /** The state of the circuit breaker (`breaker.failure_ratio`, `breaker.consecutive`). */
  get breaker(): 'closed' | 'open' | 'half_open';
  /** Forces the circuit breaker closed or open, whatever the provider does; null returns it to automatic operation. */
  forceBreaker(state: 'closed' | 'open' | null): void;
  /** The state of the connection to the server of `l2Url`. */
  l2State(): L2State;
  /** Closes the cache: waiting callers get KVL_ERR_CLOSED, and `dropped` is called with every value. May be called twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An error of the library. What a provider throws reaches callers unchanged. */
export class KvlightError extends Error {
  /** The name of the status, such as "KVL_ERR_TIMEOUT". */
  readonly code: string;
  readonly status: number;
  /** The error of the last attempt, if one failed before the fetch timed out or was ended; otherwise undefined. */
  readonly cause?: unknown;
}

/** Thrown by a provider, or returned in place of a value: the key is not retried, whatever the retry settings say. */
export class PermanentError extends Error {}

/** Like PermanentError, and an older value of the key is invalid too: the store removes it, and it does not serve as a fallback (stale.ttl_ms). */
export class GoneError extends PermanentError {}

/** Thrown by a provider, or returned in place of a value: a retry waits at least `after_ms`. */
export class RetryAfterError extends Error {
  constructor(message: string, options: { after_ms: number; cause?: unknown });
  readonly after_ms: number;
}

/** Statuses and constants by their names without "KVL_". */
export const K: Constants;

/** The version of the library. */
export const version: string;
