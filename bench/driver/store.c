/* store: lookups and writes, of kvlight and its peers in turn in one process.
 *
 *     store WORK FORM THREADS KEYS ROUNDS SECONDS [subjects]
 *
 * WORK    resident  all keys fit; drawn by Zipf 0.99
 *         tenth     room for a tenth of the keys; drawn by Zipf 0.99; missed keys are put
 *         uniform   all keys fit; drawn evenly
 *         churn     every key is new: a miss, a put, and an eviction
 *         careful   like resident, with a time to live, a validator and statistics
 *         tail      like resident, while another thread puts new keys: the time that one lookup in 1,000 exceeds. THREADS is ignored
 *         trace     no time: the share of hits, with room for a tenth of the keys; FORM names the trace (traces.h)
 *         bytes     no time: heap bytes per entry when full
 * FORM    retained (a reference is taken and released), copied, batch (64 keys a call; the peers: 64 calls), view (read through a
 *         reader of the thread; the peers: like retained)
 *
 * Every subject has the same keys, drawn in the same order, and the same capacity. The popularity of keys is independent of the
 * order in which they were stored. If all keys fit, a run with a miss ends the bench, since misses would be cheap.
 *
 * Prints, per round and subject, `run SUBJECT NANOSECONDS`, and `lost SUBJECT` for each run that is discarded because a thread did
 * not have a processor throughout; such a run is repeated, a few times at most. No round begins after SECONDS, so that fewer rounds
 * count on a busy machine. At the end `share SUBJECT PART`: the share of hits.
 * For `bytes`: `run SUBJECT BYTES`.
 */
#include "common.h"
#include "traces.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

typedef int get_fn(void *cache, const uint8_t *key, size_t key_len, void **out_value);
typedef int get_into_fn(void *cache, const uint8_t *key, size_t key_len, uint8_t *buf, size_t cap, size_t *out_len);
typedef int put_fn(void *cache, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len);

enum { MOST_THREADS = 2 };

struct subject {
    const char *name;
    void *(*make)(size_t capacity, int careful);
    get_fn *get;
    get_into_fn *get_into;
    put_fn *put;
    size_t (*len)(void *cache);
    void (*free)(void *cache);
    void (*release)(void *value);
    void *cache;
    kvl_reader_t *readers[MOST_THREADS]; /* kvlight's, one for each thread */
    size_t turn[MOST_THREADS]; /* each thread's position among the draws; they begin as far apart as possible */
    size_t asked, hit; /* in the timed runs */
    double ns; /* processor time of an operation in the last run */
};

#define PEER(name)                                                                                                       \
    void *name##_new(size_t capacity, int careful);                                                                      \
    get_fn name##_get;                                                                                                   \
    get_into_fn name##_get_into;                                                                                         \
    put_fn name##_put;                                                                                                   \
    size_t name##_len(void *cache);                                                                                      \
    void name##_free(void *cache);
PEER(quick)
PEER(moka)
PEER(lru)
PEER(lrus)
PEER(papaya)
PEER(floor)
void peer_value_release(void *value);

enum { DRAWS = 1 << 20 };

/* ---- kvlight behind the same functions -------------------------------------------------------------------------- */

static uint32_t accept(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)key;
    return key_len > 0;
}

static void *kvl_new_with(const char *policy, size_t capacity, int careful)
{
    kvl_config_t *config;
    kvl_cache_t *cache;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", (int64_t)capacity);
    if (kvl_config_set(config, "cache.policy", policy) != KVL_OK)
        DIE("cache.policy");
    if (careful) {
        kvl_config_set_int(config, "cache.ttl_ms", 3600000);
        kvl_config_set_validator(config, accept, NULL, NULL);
    }
    if (kvl_cache_new(config, &cache, NULL) != KVL_OK)
        DIE("kvl_cache_new");
    kvl_config_free(config);
    return cache;
}

static void *kvl_new(size_t capacity, int careful)
{
    return kvl_new_with("lru", capacity, careful);
}

static void *s3fifo_new(size_t capacity, int careful)
{
    return kvl_new_with("s3fifo", capacity, careful);
}

static int kvl_get(void *cache, const uint8_t *key, size_t key_len, void **out_value)
{
    return kvl_cache_get(cache, key, key_len, (kvl_value_t **)out_value);
}

static int kvl_get_into(void *cache, const uint8_t *key, size_t key_len, uint8_t *buf, size_t cap, size_t *out_len)
{
    return kvl_cache_get_into(cache, key, key_len, buf, cap, out_len);
}

static int kvl_put(void *cache, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len)
{
    return kvl_cache_put_bytes(cache, key, key_len, data, len, NULL);
}

static size_t kvl_len(void *cache)
{
    return kvl_cache_len(cache);
}

static void kvl_free(void *cache)
{
    kvl_cache_release(cache);
}

static void kvl_release(void *value)
{
    kvl_value_release(value);
}

#define SUBJECT(prefix, title, release)                                                                                  \
    {title, prefix##_new, prefix##_get, prefix##_get_into, prefix##_put, prefix##_len, prefix##_free, release, NULL, {NULL}, {0}, 0, 0, 0}

/* The first is kvlight. `subject == subjects` below means that it is kvlight, which has batches, readers, a validator and statistics. */
static struct subject subjects[] = {
    SUBJECT(kvl, "kvlight", kvl_release),
    SUBJECT(quick, "quick_cache", peer_value_release),
    SUBJECT(moka, "moka", peer_value_release),
    SUBJECT(lru, "lru_mutex", peer_value_release),
    SUBJECT(lrus, "lru_sharded", peer_value_release),
    SUBJECT(papaya, "papaya", peer_value_release),
    SUBJECT(floor, "hashbrown", peer_value_release),
    {"kvlight_s3fifo", s3fifo_new, kvl_get, kvl_get_into, kvl_put, kvl_len, kvl_free, kvl_release, NULL, {NULL}, {0}, 0, 0, 0},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static size_t key_count;
/* In the order of their use, so that reading the next key does not miss the processor's caches. */
static uint8_t (*drawn)[KEY_LEN];
static uint8_t value[VALUE_LEN];

static uint32_t *shuffled(size_t count)
{
    uint32_t *numbers = malloc(count * sizeof *numbers);
    if (!numbers)
        DIE("out of memory");
    for (size_t i = 0; i < count; i++)
        numbers[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = mixed(i ^ 0x2545f491u) % (i + 1);
        uint32_t kept = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = kept;
    }
    return numbers;
}

static void draw_keys(int zipf)
{
    drawn = malloc(DRAWS * sizeof *drawn);
    double *sums = zipf ? malloc(key_count * sizeof *sums) : NULL;
    if (!drawn || (zipf && !sums))
        DIE("out of memory");
    /* The most popular key is a random one, not the one that was stored first. */
    uint32_t *by_rank = zipf ? shuffled(key_count) : NULL;
    double sum = 0;
    for (size_t i = 0; zipf && i < key_count; i++)
        sums[i] = sum += 1 / pow((double)(i + 1), 0.99);
    for (size_t i = 0; i < DRAWS; i++) {
        uint64_t random = mixed(i ^ 0x5bd1e995u);
        make_key(drawn[i], zipf ? by_rank[rank_of(sums, key_count, random)] : random % key_count);
    }
    free(by_rank);
    free(sums);
}

/* ---- runs ------------------------------------------------------------------------------------------------------- */

enum form { RETAINED, COPIED, BATCH, VIEW };
enum work { RESIDENT, TENTH, UNIFORM, CHURN, CAREFUL, TAIL, TRACE, BYTES };
static enum form form;
static enum work work;
static int threads;

/* Each of these functions makes `ops` lookups and returns the number of hits. */

static size_t run_retained(struct subject *subject, int thread, size_t ops)
{
    size_t turn = subject->turn[thread], hits = 0;
    for (size_t i = 0; i < ops; i++) {
        const uint8_t *key = drawn[turn++ % DRAWS];
        void *found;
        if (subject->get(subject->cache, key, KEY_LEN, &found) == KVL_VALUE) {
            subject->release(found);
            hits++;
        } else if (work == TENTH) {
            subject->put(subject->cache, key, KEY_LEN, value, VALUE_LEN);
        }
    }
    subject->turn[thread] = turn;
    return hits;
}

static size_t run_copied(struct subject *subject, int thread, size_t ops)
{
    size_t turn = subject->turn[thread], hits = 0;
    uint8_t buffer[VALUE_LEN];
    for (size_t i = 0; i < ops; i++) {
        const uint8_t *key = drawn[turn++ % DRAWS];
        size_t len;
        if (subject->get_into(subject->cache, key, KEY_LEN, buffer, sizeof buffer, &len) == KVL_VALUE)
            hits++;
        else if (work == TENTH)
            subject->put(subject->cache, key, KEY_LEN, value, VALUE_LEN);
    }
    subject->turn[thread] = turn;
    return hits;
}

/* What kvlight does inside is done here for the peers: the key is validated, and the outcome counted, for each thread separately. */
static uint32_t (*volatile judge)(void *user_data, const uint8_t *key, size_t key_len) = accept;
static struct {
    _Alignas(128) volatile uint64_t hits;
    volatile uint64_t misses;
} counted[MOST_THREADS];

static size_t run_careful(struct subject *subject, int thread, size_t ops)
{
    size_t turn = subject->turn[thread], hits = 0;
    for (size_t i = 0; i < ops; i++) {
        const uint8_t *key = drawn[turn++ % DRAWS];
        void *found;
        if (!judge(NULL, key, KEY_LEN))
            continue;
        if (subject->get(subject->cache, key, KEY_LEN, &found) == KVL_VALUE) {
            counted[thread].hits++;
            subject->release(found);
            hits++;
        } else {
            counted[thread].misses++;
        }
    }
    subject->turn[thread] = turn;
    return hits;
}

/* kvlight looks 64 keys up in one call, the peers in 64 calls. All of them then hold 64 values, and release these. */
static size_t run_batches(struct subject *subject, int thread, size_t ops)
{
    enum { MOST = 64 };
    size_t turn = subject->turn[thread], hits = 0;
    void *found[MOST];
    kvl_slice_t asked[MOST];
    kvl_status_t statuses[MOST];
    for (size_t done = 0; done < ops; done += MOST) {
        if (subject == subjects) {
            for (size_t i = 0; i < MOST; i++)
                asked[i] = (kvl_slice_t){drawn[turn++ % DRAWS], KEY_LEN};
            kvl_cache_get_many(subject->cache, asked, MOST, (kvl_value_t **)found, statuses);
            for (size_t i = 0; i < MOST; i++)
                hits += statuses[i] == KVL_VALUE;
            kvl_value_release_many((kvl_value_t **)found, MOST);
        } else {
            for (size_t i = 0; i < MOST; i++)
                hits += subject->get(subject->cache, drawn[turn++ % DRAWS], KEY_LEN, &found[i]) == KVL_VALUE;
            for (size_t i = 0; i < MOST; i++)
                subject->release(found[i]);
        }
    }
    subject->turn[thread] = turn;
    return hits;
}

/* A value is used in place: its first byte is read. */
static size_t run_views(struct subject *subject, int thread, size_t ops)
{
    size_t turn = subject->turn[thread], hits = 0;
    volatile uint8_t first;
    kvl_reader_t *reader = subject->readers[thread];
    for (size_t i = 0; i < ops; i++) {
        const uint8_t *key = drawn[turn++ % DRAWS];
        const uint8_t *data;
        size_t len;
        if (kvl_reader_get(reader, key, KEY_LEN, &data, &len, NULL) == KVL_VALUE) {
            first = data[0];
            hits++;
        }
    }
    (void)first;
    kvl_reader_done(reader);
    subject->turn[thread] = turn;
    return hits;
}

static size_t run_churn(struct subject *subject, int thread, size_t ops)
{
    size_t turn = subject->turn[thread], hits = 0;
    for (size_t i = 0; i < ops; i++) {
        uint8_t key[KEY_LEN];
        make_key(key, ((uint64_t)thread + 1) << 40 | turn++);
        void *found;
        if (subject->get(subject->cache, key, KEY_LEN, &found) == KVL_VALUE) {
            subject->release(found);
            hits++;
        } else {
            subject->put(subject->cache, key, KEY_LEN, value, VALUE_LEN);
        }
    }
    subject->turn[thread] = turn;
    return hits;
}

static size_t run(struct subject *subject, int thread, size_t ops)
{
    if (work == CHURN)
        return run_churn(subject, thread, ops);
    if (work == CAREFUL && subject != subjects)
        return run_careful(subject, thread, ops);
    if (form == VIEW && subject == subjects)
        return run_views(subject, thread, ops);
    if (form == BATCH)
        return run_batches(subject, thread, ops);
    return form == COPIED ? run_copied(subject, thread, ops) : run_retained(subject, thread, ops);
}

static int all_fit(void)
{
    return work == RESIDENT || work == UNIFORM || work == CAREFUL;
}

enum { WARMING = 16384, STEP = 64 }; /* whole batches */

struct runner {
    struct subject *subject;
    int thread;
    size_t ops, hits;
    atomic_int *ready;
    struct watch passed;
};

static void *run_one(void *argument)
{
    struct runner *runner = argument;
    run(runner->subject, runner->thread, WARMING); /* the processor's caches hold the data of the last subject */
    nanosleep(&(struct timespec){0, 200000}, NULL); /* a thread that has slept is not the next to be preempted */
    run(runner->subject, runner->thread, runner->ops); /* the sleep let other processes use the caches */
    atomic_fetch_add(runner->ready, 1);
    while (atomic_load(runner->ready) < threads)
        ;
    struct watch begin = watch_begin();
    runner->hits = run(runner->subject, runner->thread, runner->ops);
    runner->passed = watch_end(begin);
    return NULL;
}

/* Nanoseconds per operation of one thread, or 0 if a thread did not have a processor throughout. */
static double measure(struct subject *subject)
{
    /* For about a millisecond, after an untimed run as long: on a shared machine, few longer runs are undisturbed. */
    size_t ops = subject->ns > 0 ? (size_t)(1200000 / subject->ns) / STEP * STEP : 4096;
    ops = ops < 512 ? 512 : ops > 2 * WARMING ? 2 * WARMING : ops;
    atomic_int ready = 0;
    struct runner runners[MOST_THREADS];
    pthread_t others[MOST_THREADS];
    for (int i = 0; i < threads; i++) {
        runners[i] = (struct runner){subject, i, ops, 0, &ready, {0, 0, 0}};
        if (i > 0 && pthread_create(&others[i], NULL, run_one, &runners[i]) != 0)
            DIE("no thread");
    }
    run_one(&runners[0]);
    uint64_t wall = 0;
    int counts = 1;
    for (int i = 0; i < threads; i++) {
        if (i > 0)
            pthread_join(others[i], NULL);
        counts &= had_its_processor(runners[i].passed, threads == 1);
        wall = runners[i].passed.wall > wall ? runners[i].passed.wall : wall;
        subject->asked += ops;
        subject->hit += runners[i].hits;
        if (all_fit() && runners[i].hits != ops)
            DIE("%s lost a key for which it had room", subject->name);
        if (work == CHURN && runners[i].hits != 0)
            DIE("%s knew a key that was never put", subject->name);
    }
    subject->ns = (double)runners[0].passed.cpu / (double)ops;
    return counts ? (double)wall / (double)ops : 0;
}

/* ---- the tail: one thread reads, and one puts new keys until it is stopped ------------------------------------------ */

enum { TAIL_LOOKUPS = 20000 };
static atomic_int stop_churning;

static void *churn_on(void *argument)
{
    struct subject *subject = argument;
    while (!atomic_load_explicit(&stop_churning, memory_order_relaxed))
        run_churn(subject, 1, STEP);
    return NULL;
}

static int by_length(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

/* The 99.9th percentile of lookups, in nanoseconds, including the reading of the clock before and after; 0 if the reader did not have a
   processor throughout. Missed keys are put, so that popular keys are stored again. */
static double measure_tail(struct subject *subject)
{
    static uint32_t took[TAIL_LOOKUPS];
    pthread_t other;
    atomic_store(&stop_churning, 0);
    if (pthread_create(&other, NULL, churn_on, subject) != 0)
        DIE("no thread");
    run_retained(subject, 0, WARMING);
    struct watch begin = watch_begin();
    for (size_t i = 0; i < TAIL_LOOKUPS; i++) {
        const uint8_t *key = drawn[subject->turn[0]++ % DRAWS];
        void *found;
        uint64_t before = clock_ns(CLOCK_MONOTONIC);
        int status = subject->get(subject->cache, key, KEY_LEN, &found);
        if (status == KVL_VALUE)
            subject->release(found);
        uint64_t after = clock_ns(CLOCK_MONOTONIC);
        took[i] = after - before > UINT32_MAX ? UINT32_MAX : (uint32_t)(after - before);
        if (status != KVL_VALUE)
            subject->put(subject->cache, key, KEY_LEN, value, VALUE_LEN);
    }
    int counts = had_its_processor(watch_end(begin), 0);
    atomic_store(&stop_churning, 1);
    pthread_join(other, NULL);
    qsort(took, TAIL_LOOKUPS, sizeof *took, by_length);
    return counts ? took[TAIL_LOOKUPS - TAIL_LOOKUPS / 1000] : 0;
}

static void fill(struct subject *subject, size_t capacity)
{
    subject->cache = subject->make(capacity, work == CAREFUL);
    for (size_t thread = 0; thread < MOST_THREADS; thread++)
        subject->turn[thread] = thread * DRAWS / MOST_THREADS;
    for (size_t i = 0; i < key_count; i++) {
        uint8_t key[KEY_LEN];
        make_key(key, i);
        subject->put(subject->cache, key, KEY_LEN, value, VALUE_LEN);
    }
    for (int thread = 0; thread < MOST_THREADS && form == VIEW && subject == subjects; thread++)
        if (kvl_reader_new(subject->cache, &subject->readers[thread]) != KVL_OK)
            DIE("kvl_reader_new");
    /* Some peers record uses and process them later. len() makes them do so now, so that no run pays for the filling. */
    subject->len(subject->cache);
    /* With room for a tenth, the set of stored keys becomes stable only after some time. */
    for (int thread = 0; thread < MOST_THREADS && work == TENTH; thread++)
        run(subject, thread, 4 * key_count);
}

static void print_bytes(struct subject *subject, size_t capacity)
{
    struct mallinfo2 before = mallinfo2();
    fill(subject, capacity);
    size_t len = subject->len(subject->cache);
    struct mallinfo2 after = mallinfo2();
    double bytes = (double)(after.uordblks + after.hblkhd) - (double)(before.uordblks + before.hblkhd);
    printf("run %s %.1f\n", subject->name, bytes / (double)len);
    subject->free(subject->cache);
}

static void print_share(struct subject *subject, struct trace trace, size_t capacity)
{
    subject->cache = subject->make(capacity, 0);
    size_t hits = 0;
    for (size_t i = 0; i < trace.len; i++) {
        uint8_t key[KEY_LEN];
        void *found;
        make_key(key, trace.keys[i]);
        if (subject->get(subject->cache, key, KEY_LEN, &found) == KVL_VALUE) {
            subject->release(found);
            hits++;
        } else {
            subject->put(subject->cache, key, KEY_LEN, value, VALUE_LEN);
        }
    }
    printf("share %s %.4f\n", subject->name, (double)hits / (double)trace.len);
    subject->free(subject->cache);
}

static int chosen(const char *list, const char *name)
{
    const char *at = list ? strstr(list, name) : NULL;
    return !list || (at && (at[strlen(name)] == ',' || at[strlen(name)] == '\0'));
}

static int number_of(const char *name, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    DIE("unknown: %s", name);
}

int main(int argc, char **argv)
{
    if (argc < 7)
        DIE("usage: store WORK FORM THREADS KEYS ROUNDS SECONDS [subjects]");
    work = (enum work)number_of(argv[1], (const char *const[]){"resident", "tenth", "uniform", "churn", "careful", "tail", "trace", "bytes", NULL});
    if (work == TRACE) {
        size_t keys = strtoul(argv[4], NULL, 10);
        struct trace trace = trace_make(argv[2], keys, keys / 10);
        for (int i = 0; i < SUBJECTS; i++)
            if (chosen(argc > 7 ? argv[7] : NULL, subjects[i].name))
                print_share(&subjects[i], trace, keys / 10);
        free(trace.keys);
        return 0;
    }
    form = (enum form)number_of(argv[2], (const char *const[]){"retained", "copied", "batch", "view", NULL});
    threads = atoi(argv[3]);
    if (threads < 1 || threads > MOST_THREADS)
        DIE("THREADS is from 1 to %d, not %s", MOST_THREADS, argv[3]);
    key_count = strtoul(argv[4], NULL, 10);
    size_t rounds = strtoul(argv[5], NULL, 10);
    uint64_t most_ns = strtoul(argv[6], NULL, 10) * 1000000000u;
    const char *list = argc > 7 ? argv[7] : NULL;
    memset(value, 7, sizeof value);
    draw_keys(work != UNIFORM && work != CHURN);

    /* Shards are never filled evenly: if all keys have to fit, there is room for a quarter more. */
    size_t capacity = work == TENTH ? key_count / 10 : work == CHURN || work == TAIL || work == BYTES ? key_count : key_count + key_count / 4 + 1024;
    for (int i = 0; i < SUBJECTS; i++) {
        if (!chosen(list, subjects[i].name))
            continue;
        if (work == BYTES)
            print_bytes(&subjects[i], capacity);
        else
            fill(&subjects[i], capacity);
    }
    uint64_t began = clock_ns(CLOCK_MONOTONIC);
    for (size_t round = 0; round < rounds && work != BYTES && clock_ns(CLOCK_MONOTONIC) - began < most_ns; round++) {
        printf("round\n");
        for (size_t i = 0; i < SUBJECTS; i++) {
            struct subject *subject = &subjects[(i + round) % SUBJECTS];
            if (!subject->cache)
                continue;
            double ns = 0;
            for (int attempt = 0; attempt < 8 && ns == 0; attempt++)
                if ((ns = work == TAIL ? measure_tail(subject) : measure(subject)) == 0)
                    printf("lost %s\n", subject->name);
            if (ns > 0)
                printf("run %s %.3f\n", subject->name, ns);
        }
        fflush(stdout);
    }
    for (int i = 0; i < SUBJECTS && work != BYTES; i++) {
        if (!subjects[i].cache)
            continue;
        if (subjects[i].asked > 0)
            printf("share %s %.4f\n", subjects[i].name, (double)subjects[i].hit / (double)subjects[i].asked);
        for (int thread = 0; thread < MOST_THREADS; thread++)
            kvl_reader_free(subjects[i].readers[thread]);
        subjects[i].free(subjects[i].cache);
    }
    free(drawn);
    return 0;
}
