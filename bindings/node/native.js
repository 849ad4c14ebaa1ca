// The library's functions and constants, as they stand in kvlight.h. No function of ours is ever handed to it: Node would wait for
// ever in a call that waits for a callback, so everything comes as events of a queue.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const koffi = createRequire(import.meta.url)('koffi');

const VERSION = [0, 1];

function load() {
  const named = process.env.KVL_LIBRARY;
  const beside = fileURLToPath(new URL('../../target/release/libkvlight.so', import.meta.url));
  const candidates = named ? [named] : [`libkvlight.so.${VERSION.join('.')}`, beside];
  for (const path of candidates) {
    try {
      return koffi.load(path);
    } catch {
      // The next one.
    }
  }
  throw new Error(`kvlight: no library found; tried ${candidates.join(', ')}; KVL_LIBRARY names one`);
}

const library = load();

koffi.alias('kvl_status_t', 'int32_t');
for (const name of ['free', 'result', 'results', 'cancel', 'provide']) {
  koffi.alias(`kvl_${name}_fn`, 'void *');
}
for (const name of ['cache', 'config', 'error', 'event', 'fetch', 'options', 'queue', 'request', 'result', 'results', 'slice', 'tasks', 'terms', 'value']) {
  koffi.opaque(`kvl_${name}_t`);
}

// Word for word as in the header; a test compares them.
export const FUNCTIONS = `
uint32_t kvl_version_number(void);
const char *kvl_version_string(void);
const char *kvl_status_name(kvl_status_t status);
const char *kvl_status_message(kvl_status_t status);
size_t kvl_status_count(void);
kvl_status_t kvl_status_at(size_t i);
kvl_status_t kvl_config_new(kvl_config_t **out_config);
kvl_status_t kvl_config_set(kvl_config_t *config, const char *key, const char *value);
kvl_status_t kvl_config_set_int(kvl_config_t *config, const char *key, int64_t value);
kvl_status_t kvl_config_set_real(kvl_config_t *config, const char *key, double value);
const char *kvl_config_problem(const kvl_config_t *config);
kvl_status_t kvl_config_set_provider(kvl_config_t *config, kvl_provide_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_queue(kvl_config_t *config, kvl_queue_t *queue, uint32_t what);
void kvl_config_free(kvl_config_t *config);
kvl_status_t kvl_options_new(kvl_options_t **out_options);
kvl_status_t kvl_options_set(kvl_options_t *options, const char *key, const char *value);
kvl_status_t kvl_options_set_int(kvl_options_t *options, const char *key, int64_t value);
kvl_status_t kvl_options_set_real(kvl_options_t *options, const char *key, double value);
const char *kvl_options_problem(const kvl_options_t *options);
void kvl_options_free(kvl_options_t *options);
kvl_value_t *kvl_value_null(void);
kvl_status_t kvl_value_new_bytes(const uint8_t *data, size_t len, kvl_value_t **out_value);
kvl_status_t kvl_value_new_object_on(kvl_queue_t *queue, void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);
const uint8_t *kvl_value_data(const kvl_value_t *value, size_t *out_len);
void *kvl_value_object(const kvl_value_t *value);
void kvl_value_release(kvl_value_t *value);
kvl_status_t kvl_error_new_object(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_queue_t *queue_or_null, void *object, kvl_free_fn object_free, kvl_error_t **out_error);
const char *kvl_error_message(const kvl_error_t *error);
void *kvl_error_object(const kvl_error_t *error);
void kvl_error_release(kvl_error_t *error);
kvl_status_t kvl_slices_unpack(const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n, kvl_slice_t *out_slices);
kvl_status_t kvl_tasks_new(const kvl_config_t *config, kvl_tasks_t **out_tasks, kvl_error_t **out_error);
kvl_status_t kvl_tasks_cache(kvl_tasks_t *tasks, kvl_cache_t **out_cache);
kvl_status_t kvl_tasks_get(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
kvl_status_t kvl_tasks_fetch(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_result_fn function, void *user_data, kvl_free_fn user_data_free, kvl_value_t **out_value);
kvl_status_t kvl_tasks_fetch_all(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_results_fn function, void *user_data, kvl_free_fn user_data_free, kvl_results_t **out_ready);
kvl_status_t kvl_tasks_stats_json(kvl_tasks_t *tasks, kvl_value_t **out_text);
kvl_status_t kvl_tasks_free(kvl_tasks_t *tasks);
kvl_status_t kvl_cache_put(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t *value, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_remove(kvl_cache_t *cache, const uint8_t *key, size_t key_len);
kvl_status_t kvl_cache_clear(kvl_cache_t *cache);
void kvl_cache_release(kvl_cache_t *cache);
kvl_status_t kvl_fetch_new(kvl_fetch_t **out_fetch);
kvl_status_t kvl_fetch_cancel(kvl_fetch_t *fetch);
void kvl_fetch_release(kvl_fetch_t *fetch);
size_t kvl_results_len(const kvl_results_t *results);
const kvl_result_t *kvl_results_array(const kvl_results_t *results, size_t *out_stride);
size_t kvl_request_len(const kvl_request_t *request);
const kvl_slice_t *kvl_request_keys(const kvl_request_t *request);
uint32_t kvl_request_attempt(const kvl_request_t *request, size_t i);
kvl_status_t kvl_request_on_cancel(kvl_request_t *request, kvl_cancel_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_request_resolve(kvl_request_t *request, size_t i, kvl_value_t *value, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_fail(kvl_request_t *request, size_t i, kvl_error_t *error_or_null);
kvl_status_t kvl_request_finish_nulls(kvl_request_t *request);
kvl_status_t kvl_request_finish_error(kvl_request_t *request, kvl_error_t *error_or_null);
kvl_request_t *kvl_request_retain(kvl_request_t *request);
void kvl_request_release(kvl_request_t *request);
kvl_status_t kvl_queue_new(uint32_t flags, kvl_queue_t **out_queue);
kvl_status_t kvl_queue_fd(kvl_queue_t *queue, int32_t *out_fd);
kvl_status_t kvl_queue_next(kvl_queue_t *queue, int64_t timeout_ms, kvl_event_t *out_event, size_t out_size);
kvl_status_t kvl_queue_free(kvl_queue_t *queue);
`.trim().split('\n');

/** The functions by their names without "kvl_". */
export const C = {};
for (const declaration of FUNCTIONS) {
  const name = /kvl_(\w+)\(/.exec(declaration)[1];
  C[name] = library.func(declaration);
}

// Likewise; statuses come from the library itself.
export const CONSTANTS = {
  QUEUE_NEW_PIPE: 1,
  QUEUE_F_ALL: 7,
  EVENT_RESULT: 1,
  EVENT_RESULTS: 2,
  EVENT_REQUEST: 4,
  EVENT_CANCEL: 5,
  EVENT_DROP: 6,
  TTL_DEFAULT: -2,
  COST_DEFAULT: -1,
  PRIORITY_DEFAULT: -1.7976931348623157e308,
  ERROR_F_PERMANENT: 1,
};

/** Constants by their names without "KVL_". */
export const K = { ...CONSTANTS };
for (let i = 0; i < C.status_count(); i++) {
  const status = C.status_at(i);
  K[C.status_name(status).replace(/^KVL_/, '')] = status;
}

if (Math.floor(C.version_number() / 1000) !== VERSION[0] * 1000 + VERSION[1]) {
  throw new Error(`kvlight: this module is for ${VERSION.join('.')}, and the library is ${C.version_string()}`);
}

// Where the fields of structs are, in bytes; a test compares them with the header.
export const EVENT = { size: 88, kind: 8, flags: 12, user_data: 16, result: 32, results: 40, request: 48 };
export const RESULT = { size: 112, index: 8, data: 40, data_len: 48, object: 56, error: 64, status: 96, source: 100, attempts: 104 };
export const TERMS = { size: 40, ttl_ms: 8, priority: 16, cost: 24, flags: 32 };
const SLICE_SIZE = 16;

/** An error of the library's: `code` is "KVL_ERR_TIMEOUT", `status` its number. What a provider throws arrives as it is. */
export class KvlightError extends Error {
  constructor(status, message) {
    super(message || C.status_message(status));
    this.name = 'KvlightError';
    this.code = C.status_name(status);
    this.status = status;
  }
}

export function check(status, message) {
  if (status < 0) {
    throw new KvlightError(status, message);
  }
  return status;
}

const place = new BigUint64Array(1);

/** The handle that a call writes. */
export function taken(call) {
  place[0] = 0n;
  check(call(place));
  return place[0];
}

/** Copies bytes that the library lends. */
export function bytes(address, length) {
  const copy = length === 0 ? new Uint8Array(0) : koffi.decode(address, 'uint8_t', length);
  return Buffer.from(copy.buffer, copy.byteOffset, copy.byteLength);
}

/** The bytes of a value. */
export function bytesOf(value) {
  const data = C.value_data(value, place);
  return bytes(data, Number(place[0]));
}

/** On which terms a value is stored, as the library reads it; undefined states nothing. */
export function stated(terms) {
  if (terms === undefined) {
    return null;
  }
  const { ttl_ms = K.TTL_DEFAULT, priority = K.PRIORITY_DEFAULT, cost = K.COST_DEFAULT } = terms;
  const struct = Buffer.alloc(TERMS.size);
  struct.writeBigUInt64LE(BigInt(TERMS.size), 0);
  struct.writeBigInt64LE(BigInt(ttl_ms), TERMS.ttl_ms);
  struct.writeDoubleLE(priority, TERMS.priority);
  struct.writeBigInt64LE(BigInt(cost), TERMS.cost);
  return struct;
}

/** Many keys as the library takes them. */
export function slices(keys) {
  const packed = Buffer.concat(keys);
  const cut = Buffer.alloc(SLICE_SIZE * keys.length);
  check(C.slices_unpack(packed, packed.length, Uint32Array.from(keys, (key) => key.length), keys.length, cut));
  // The slices point into it, so it has to live as long.
  cut.packed = packed;
  return cut;
}

export function keysOf(request) {
  const count = Number(C.request_len(request));
  const cut = bytes(C.request_keys(request), SLICE_SIZE * count);
  return Array.from({ length: count }, (_, i) =>
    bytes(cut.readBigUInt64LE(SLICE_SIZE * i), Number(cut.readBigUInt64LE(SLICE_SIZE * i + 8))).toString());
}

/** Copies of results, one buffer each. */
export function resultsOf(results) {
  const count = Number(C.results_len(results));
  if (count === 0) {
    return [];
  }
  const first = C.results_array(results, place);
  const stride = Number(place[0]);
  const all = bytes(first, stride * count);
  return Array.from({ length: count }, (_, i) => all.subarray(stride * i, stride * (i + 1)));
}

/** Writes settings into a configuration or into options. */
export function set(kind, handle, settings) {
  for (const [key, value] of Object.entries(settings)) {
    if (typeof value === 'boolean') {
      C[`${kind}_set_int`](handle, key, value ? 1 : 0);
    } else if (Number.isSafeInteger(value)) {
      C[`${kind}_set_int`](handle, key, value);
    } else if (typeof value === 'number') {
      C[`${kind}_set_real`](handle, key, value);
    } else if (typeof value === 'string') {
      C[`${kind}_set`](handle, key, value);
    } else {
      throw new TypeError(`kvlight: the setting ${key} takes a string, a number or a boolean, not ${typeof value}`);
    }
  }
  const problem = C[`${kind}_problem`](handle);
  if (problem !== null) {
    throw new KvlightError(K.ERR_BAD_VALUE, problem);
  }
}
