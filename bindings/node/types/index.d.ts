import type { Constants, FetchSettings, Settings } from './settings.js';

export type { Constants, FetchSettings, Settings };

/** The settings of a cache without a provider. */
export type CacheSettings = { [Name in keyof Settings as Name extends `cache.${string}` ? Name : never]?: Settings[Name] };

/** On which terms a value is stored. */
export interface Terms {
  /** Milliseconds; K.TTL_NEVER, K.TTL_DEFAULT; 0: deliver it and do not store it. */
  ttl_ms?: number;
  /** Entries of lower priority make room for it. */
  priority?: number;
  /** What it costs to keep, in bytes. */
  cost?: number;
  /** How long it stays after its end as a fallback, in milliseconds; 0: `stale.ttl_ms`; K.STALE_NEVER: not at all. */
  stale_ttl_ms?: number;
}

/** On which terms, and where, a put stores a value. */
export interface PutTerms extends Terms {
  /** What is stored under the key keeps its end. */
  keep_ttl?: boolean;
  /** Else nothing changes, and the put is false. */
  only_if?: 'absent' | 'present';
}

export interface StoreOptions<V> {
  /** Called with each value that is no Uint8Array once the cache and the fetches hold it no more. */
  dropped?: (value: V) => void;
  /** What a value costs to keep, in bytes; that of a string is twice its length, that of another object 0. */
  cost?: (value: V) => number;
}

declare abstract class Store<V> {
  protected constructor();
  /** What the cache has, without asking the provider; null also if it is known that there is nothing. */
  get(key: string): V | null;
  /** Whether the cache has an answer for the key, "there is none" included. */
  has(key: string): boolean;
  /** Stores a value; null is "known to be absent". True if it got in. */
  put(key: string, value: V | null, terms?: PutTerms): boolean;
  /** Removes what is stored under a key. True if there was something. */
  remove(key: string): boolean;
  /** Gives what is stored under a key another time to live, from now. True if there was something. */
  touch(key: string, terms?: { ttl_ms?: number }): boolean;
  /** Ends what is stored under a key now; it serves as a fallback until it is loaded anew, if `stale.ttl_ms` gives it time for that. */
  expire(key: string): boolean;
  /** Each key with its value, null for what is known to be absent. Loads nothing, and counts as no use. */
  entries(): IterableIterator<[string, V | null]>;
  [Symbol.iterator](): IterableIterator<[string, V | null]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<V | null>;
  /** Writes the entries to a file; returns how many. `dump` turns values that are no Uint8Array into bytes; without it they are left out. */
  save(path: string | URL, options?: { dump?: (value: V) => Uint8Array | undefined }): number;
  /** Stores the entries of such a file, unless their key has an entry; returns how many. `load` is the opposite of `dump`. */
  load(path: string | URL, options?: { load?: (bytes: Buffer) => V | null }): number;
  clear(): void;
  /** How many entries there are. */
  get size(): number;
  /** All that was counted. */
  stats(): any;
}

/** A bounded store with expiry, without a provider. */
export class Cache<V = unknown> extends Store<V> {
  constructor(settings?: CacheSettings & StoreOptions<V>);
  /** Lets go of everything. May be called twice. */
  close(): void;
}

/** What a provider is handed as its second argument, to answer keys one by one, or later: then it returns nothing. */
export interface Request<V> {
  readonly keys: readonly string[];
  /** Nobody waits for it any more, or its time is over. */
  readonly signal: AbortSignal;
  /** Answers the i-th key; null is "there is no such record". True if it came in time. */
  resolve(i: number, value: V | null, terms?: Terms): boolean;
  /** Fails the i-th key; the very error arrives at everybody who waits. */
  fail(i: number, error: unknown): boolean;
  /** Answers all keys and finishes; what the rows lack is null, an Error in a value's place fails that key alone. */
  answer(rows: Answers<V>): void;
  /** Finishes: what has no answer is null. */
  finish(): void;
  /** Finishes: what has no answer fails. */
  finishError(error: unknown): void;
  /** Which attempt the i-th key is in, from 1. */
  attempt(i: number): number;
}

/** What a provider answers with: an Error in a value's place fails that key alone, a key left out is remembered as absent. */
export type Answers<V> = ReadonlyMap<string, V | Error | null | undefined> | { readonly [key: string]: V | Error | null | undefined };

export type Provider<V> = (keys: string[], request: Request<V>) => Answers<V> | void | null | undefined | PromiseLike<Answers<V> | void | null | undefined>;

export interface FetchOptions extends FetchSettings {
  /** Cancels this fetch, and nobody else's. */
  signal?: AbortSignal;
}

/** What came of one key. */
export interface Result<V> {
  key: string;
  value: V | null | undefined;
  /** What made it fail. With `isStale`, what the load failed with: null if it takes too long (`stale.timeout_ms`). */
  error: unknown;
  /** K.VALUE, K.NULL, K.MISS, or an error below 0. */
  status: number;
  /** K.SOURCE_*. */
  source: number;
  /** How many attempts the load took; 0 if there was none. */
  attempts: number;
  /** Milliseconds since it was loaded or put. */
  age_ms: number;
  /** Milliseconds until its end; K.TTL_NEVER; 0 if it is not stored. */
  ttl_left_ms: number;
  /** Its end is over: it serves because there was nothing better. */
  isStale: boolean;
}

/** A cache with a provider behind it. */
export class Tasks<V = unknown> extends Store<V> {
  constructor(settings: Settings & StoreOptions<V> & { provider: Provider<V> });
  /** The value of one key, null if there is none; rejects with what made it fail. `read: 'cache_only'`: undefined on a miss. */
  fetch(key: string, options?: FetchOptions & { read?: 'normal' | 'refresh' | 'no_store' }): Promise<V | null>;
  fetch(key: string, options: FetchOptions): Promise<V | null | undefined>;
  /** The values of many keys in the order asked, null where there is none; rejects with the first error. */
  fetchAll(keys: Iterable<string>, options?: FetchOptions & { read?: 'normal' | 'refresh' | 'no_store' }): Promise<(V | null)[]>;
  fetchAll(keys: Iterable<string>, options: FetchOptions): Promise<(V | null | undefined)[]>;
  /** What came of each key, in the order asked. No single key makes it reject. */
  results(keys: Iterable<string>, options?: FetchOptions): Promise<Result<V>[]>;
  /** Loads keys anew in the background; the old values serve until then, and stay if it fails. */
  refresh(keys: Iterable<string>, options?: FetchSettings): void;
  /** The state of the circuit breaker (`breaker.failure_ratio`, `breaker.consecutive`). */
  get breaker(): 'closed' | 'open' | 'half_open';
  /** Orders the circuit breaker closed or open, whatever the provider does; null leaves it to itself again. */
  forceBreaker(state: 'closed' | 'open' | null): void;
  /** Ends the cache: whoever waits is told KVL_ERR_CLOSED. May be called twice. */
  close(): Promise<void>;
}

/** An error of the library's. What a provider throws arrives as it is. */
export class KvlightError extends Error {
  /** "KVL_ERR_TIMEOUT" */
  readonly code: string;
  readonly status: number;
  /** What the provider's last attempt had failed with when time ran out or the fetch was ended; undefined if no attempt had failed. */
  readonly cause?: unknown;
}

/** Thrown by a provider, or put in a value's place: trying again is pointless, whatever the retry settings say. */
export class PermanentError extends Error {}

/** As PermanentError, where an older value is worth nothing either: no fallback serves in its place, and it leaves the store. */
export class GoneError extends PermanentError {}

/** Thrown by a provider, or put in a value's place: a retry waits at least that long. */
export class RetryAfterError extends Error {
  constructor(message: string, options: { after_ms: number; cause?: unknown });
  readonly after_ms: number;
}

/** Statuses and constants by their names without "KVL_". */
export const K: Constants;

/** The library's. */
export const version: string;
