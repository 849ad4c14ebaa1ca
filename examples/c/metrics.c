/* metrics: two engines under the same load, with the statistics of one served on the loopback interface, and a comparison of both.
 *
 *     metrics PORT [PAGE [SECONDS]]
 *
 *     /metrics            OpenMetrics text, for a scraper
 *     /stats.json         the same as one JSON object
 *     /comparison.json    what the callers of both engines see
 *     /                   PAGE, by default examples/dashboard/index.html, which draws all of it live
 *
 * PORT 0 takes any free port; the address is printed. The load is simulated: clients ask for records, some of them popular, and the
 * provider is slow, fails now and then, and finds that some records do not exist. The engine whose statistics are served has kvlight's
 * resilience settings; the other has none of them. Both get the same fetches at the same time, and their providers fail together: of every
 * 4 x SECONDS the last SECONDS are an outage (default 10; with 0 there is none). The first SIGUSR1 ends this schedule and takes both providers
 * down; each further one changes their state. SIGINT or SIGTERM ends the program.
 *
 * For a program of your own, only the second half of this file is useful.
 */
#define _GNU_SOURCE
#include <kvlight.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DIE(...) (fprintf(stderr, "metrics: " __VA_ARGS__), fputc('\n', stderr), exit(1))

/* ---- the simulated load --------------------------------------------------------------------------------------------- */

#define RECORDS 3000
enum { RESILIENT, PLAIN, ENGINES };

/* A histogram of waiting times: each bucket's upper bound is a fifth above the one before. */
enum { BUCKETS = 64, FIRST_US = 100 };

/* One engine, and what its callers see. `calls` counts calls of its provider; `waits` counts fetches by waiting time; the others count keys. */
struct subject {
    kvl_tasks_t *tasks;
    atomic_ulong calls, keys, failed, stale;
    atomic_ulong waits[BUCKETS];
};

static struct subject subjects[ENGINES];
static uint64_t bounds_us[BUCKETS];
static atomic_int ends, is_down, is_by_hand;
static int outage_s = 10;

static void pause_us(long us)
{
    struct timespec span = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&span, NULL);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t now_ms(void) { return now_us() / 1000; }

/* The next number of xorshift; each caller passes its own state. */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct subject *subject = user_data;
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t n = kvl_request_len(request);
    uint64_t state = (uint64_t)(uintptr_t)request ^ (n << 40) ^ (uint64_t)now_us() ^ 0x9e3779b97f4a7c15u;
    int fails = atomic_load(&is_down);
    atomic_fetch_add(&subject->calls, 1);
    /* A provider in trouble is slow, and then it fails. */
    pause_us(fails ? 300000 : 2000 + (long)(draw(&state) % 32 == 0 ? 150000 : draw(&state) % 12000));
    for (size_t i = 0; i < n; i++) {
        uint32_t record;
        memcpy(&record, keys[i].data, sizeof record);
        if (fails || draw(&state) % 200 == 0)
            kvl_request_fail_text(request, i, 503, "the database is busy", 0);
        else if (record % 20 == 7)
            kvl_request_resolve(request, i, kvl_value_null(), NULL);
        else
            kvl_request_resolve_bytes(request, i, (const uint8_t *)"a row of this record", 20, NULL);
    }
    kvl_request_finish(request);
}

/* One fetch: its engine, and when it began. */
struct visit {
    struct subject *subject;
    int64_t since_us;
};

static void note(void *user_data, kvl_results_t *results)
{
    struct visit *visit = user_data;
    uint64_t waited = (uint64_t)(now_us() - visit->since_us);
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && bounds_us[bucket] < waited)
        bucket++;
    atomic_fetch_add(&visit->subject->waits[bucket], 1);
    atomic_fetch_add(&visit->subject->keys, kvl_results_len(results));
    atomic_fetch_add(&visit->subject->failed, kvl_results_error_len(results));
    atomic_fetch_add(&visit->subject->stale, kvl_results_count(results, KVL_COUNT_STALE));
}

/* Draws a record, with a probability approximately proportional to 1/rank: the 63 most popular records are half of all keys asked for. */
static uint32_t popular(uint64_t *state)
{
    uint64_t bits = draw(state) % 12, rank = (1u << bits) + draw(state) % (1u << bits);
    return (uint32_t)(rank % RECORDS);
}

static void *visit_both(void *user_data)
{
    (void)user_data;
    uint64_t state = 0x2545f4914f6cdd1du;
    while (!atomic_load(&ends)) {
        uint32_t records[16];
        kvl_slice_t keys[16];
        size_t n = 1 + draw(&state) % 16;
        for (size_t i = 0; i < n; i++) {
            records[i] = popular(&state);
            keys[i] = (kvl_slice_t){(const uint8_t *)&records[i], sizeof records[i]};
        }
        for (size_t engine = 0; engine < ENGINES; engine++) {
            struct visit *visit = malloc(sizeof *visit);
            if (visit == NULL)
                continue;
            *visit = (struct visit){&subjects[engine], now_us()};
            /* The library frees the visit, also if it refuses the fetch. */
            kvl_tasks_fetch_all(subjects[engine].tasks, keys, n, NULL, NULL, note, visit, free, NULL);
        }
        pause_us(3000);
    }
    return NULL;
}

/* Takes both providers down now and then, until SIGUSR1 takes over. */
static void *schedule_outages(void *user_data)
{
    (void)user_data;
    int64_t since_ms = now_ms();
    while (!atomic_load(&ends)) {
        if (outage_s > 0 && !atomic_load(&is_by_hand))
            atomic_store(&is_down, (now_ms() - since_ms) / 1000 % (4 * outage_s) >= 3 * outage_s);
        pause_us(50000);
    }
    return NULL;
}

static kvl_tasks_t *new_engine(size_t which)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_error_t *error = NULL;
    kvl_config_new(&config);
    kvl_config_set_provider(config, provide, &subjects[which], NULL);
    kvl_config_set_int(config, "cache.capacity", 4000);
    kvl_config_set_int(config, "cache.ttl_ms", 5000);
    kvl_config_set_int(config, "cache.ttl_jitter_ms", 1000);
    kvl_config_set_int(config, "tasks.max_running", 16);
    kvl_config_set_int(config, "timeout_ms", 2000);
    if (which == RESILIENT) {
        kvl_config_set_int(config, "stale.ttl_ms", 3600000);
        kvl_config_set_int(config, "stale.timeout_ms", 50);
        kvl_config_set_real(config, "refresh.after", 0.8);
        kvl_config_set_int(config, "retry.count", 2);
        kvl_config_set_int(config, "retry.fixed_ms", 50);
        kvl_config_set_real(config, "breaker.failure_ratio", 0.9);
        kvl_config_set_int(config, "breaker.min_requests", 5);
        kvl_config_set_int(config, "breaker.window_ms", 1000);
        kvl_config_set_int(config, "breaker.open_ms", 2000);
        kvl_config_set_real(config, "hedge.percentile", 0.95);
        kvl_config_set(config, "tasks.limit", "adaptive");
        kvl_config_set_int(config, "tasks.min_running", 4);
        kvl_config_set_int(config, "rate.requests_per_s", 200);
        kvl_config_set_int(config, "rate.burst", 8);
    }
    if (kvl_tasks_new(config, &tasks, &error) != KVL_OK)
        DIE("%s", kvl_error_message(error));
    kvl_config_free(config);
    return tasks;
}

/* Writes, as JSON, what the callers of both engines see; returns the length of the text. */
static size_t write_comparison(char *text, size_t room)
{
    static const char *const names[ENGINES] = {"with", "without"};
    size_t len = (size_t)snprintf(text, room, "{\"down\": %d", atomic_load(&is_down));
    for (size_t engine = 0; engine < ENGINES; engine++) {
        struct subject *subject = &subjects[engine];
        len += (size_t)snprintf(text + len, room - len, ", \"%s\": {\"calls\": %lu, \"keys\": %lu, \"failed\": %lu, \"stale\": %lu, \"wait_us\": [",
                                names[engine], atomic_load(&subject->calls), atomic_load(&subject->keys), atomic_load(&subject->failed),
                                atomic_load(&subject->stale));
        for (size_t bucket = 0; bucket < BUCKETS; bucket++)
            len += (size_t)snprintf(text + len, room - len, "%s[%llu, %lu]", bucket == 0 ? "" : ", ", (unsigned long long)bounds_us[bucket],
                                    atomic_load(&subject->waits[bucket]));
        len += (size_t)snprintf(text + len, room - len, "]}");
    }
    return len + (size_t)snprintf(text + len, room - len, "}");
}

/* ---- the statistics server ------------------------------------------------------------------------------------------ */

/* A connection and its deadline. There is one deadline for the whole exchange, so that a slow client cannot hold up the others. */
struct connection {
    int socket;
    int64_t until_ms;
};

/* Waits until the socket is ready; returns 0 if the deadline passes first. */
static int is_ready(const struct connection *with, short event)
{
    struct pollfd waiting = {.fd = with->socket, .events = event};
    for (;;) {
        int64_t left = with->until_ms - now_ms();
        int ready = left > 0 ? poll(&waiting, 1, (int)left) : 0;
        if (ready >= 0 || errno != EINTR)
            return ready > 0;
    }
}

static void send_all(const struct connection *to, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0 && is_ready(to, POLLOUT)) {
        ssize_t sent = send(to->socket, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (sent <= 0)
            return;
        at += sent;
        len -= (size_t)sent;
    }
}

static void answer(const struct connection *to, const char *status, const char *type, const void *body, size_t len)
{
    char head[256];
    int head_len = snprintf(head, sizeof head,
                            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
                            status, type, len);
    send_all(to, head, (size_t)head_len);
    send_all(to, body, len);
}

typedef kvl_status_t write_stats(kvl_tasks_t *tasks, kvl_value_t **out_text);

static void answer_stats(const struct connection *to, const char *type, write_stats *write, kvl_tasks_t *tasks)
{
    kvl_value_t *text = NULL;
    kvl_status_t status = write(tasks, &text);
    if (status != KVL_OK) {
        const char *why = kvl_status_message(status);
        answer(to, "500 Internal Server Error", "text/plain; charset=utf-8", why, strlen(why));
        return;
    }
    size_t len = 0;
    const uint8_t *data = kvl_value_data(text, &len);
    answer(to, "200 OK", type, data, len);
    kvl_value_release(text);
}

static void answer_page(const struct connection *to, const char *page)
{
    static char text[1 << 18];
    FILE *file = fopen(page, "rb");
    if (!file) {
        const char *why = "The page was not found. State its path: metrics PORT PAGE\n";
        answer(to, "404 Not Found", "text/plain; charset=utf-8", why, strlen(why));
        return;
    }
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    answer(to, "200 OK", "text/html; charset=utf-8", text, len);
}

static void answer_comparison(const struct connection *to)
{
    static char text[ENGINES * (BUCKETS * 48 + 256)];
    size_t len = write_comparison(text, sizeof text);
    answer(to, "200 OK", "application/json", text, len);
}

/* Copies the path of a GET request to `path`; returns 0 for any other request. */
static int read_path(const struct connection *from, char *path, size_t room)
{
    char head[4096];
    size_t len = 0;
    while (len < sizeof head - 1 && is_ready(from, POLLIN)) {
        ssize_t got = recv(from->socket, head + len, sizeof head - 1 - len, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return 0;
        len += (size_t)got;
        head[len] = '\0';
        if (strstr(head, "\r\n\r\n"))
            break;
    }
    size_t end = strncmp(head, "GET /", 5) == 0 ? 4 + strcspn(head + 4, " ?\r\n") : 0;
    if (end == 0 || end - 4 >= room)
        return 0;
    memcpy(path, head + 4, end - 4);
    path[end - 4] = '\0';
    return 1;
}

static void serve(const struct connection *to, kvl_tasks_t *tasks, const char *page)
{
    char path[64];
    if (!read_path(to, path, sizeof path))
        answer(to, "400 Bad Request", "text/plain", "", 0);
    else if (strcmp(path, "/metrics") == 0)
        answer_stats(to, "application/openmetrics-text; version=1.0.0; charset=utf-8", kvl_tasks_stats_openmetrics, tasks);
    else if (strcmp(path, "/stats.json") == 0)
        answer_stats(to, "application/json", kvl_tasks_stats_json, tasks);
    else if (strcmp(path, "/comparison.json") == 0)
        answer_comparison(to);
    else if (strcmp(path, "/favicon.ico") == 0)
        answer(to, "204 No Content", "image/x-icon", "", 0); /* browsers ask for it */
    else if (strcmp(path, "/") == 0)
        answer_page(to, page);
    else
        answer(to, "404 Not Found", "text/plain", "", 0);
}

static void end_or_start_outage(int signal)
{
    (void)signal;
    /* The first signal begins an outage, even if the schedule has one at the time. */
    if (atomic_exchange(&is_by_hand, 1) == 0)
        atomic_store(&is_down, 1);
    else
        atomic_fetch_xor(&is_down, 1);
}

static void end(int signal)
{
    (void)signal;
    atomic_store(&ends, 1);
}

int main(int argc, char **argv)
{
    char *rest = "", *rest_of_seconds = "";
    long port = argc >= 2 && argc <= 4 ? strtol(argv[1], &rest, 10) : -1, seconds = argc == 4 ? strtol(argv[3], &rest_of_seconds, 10) : outage_s;
    if (port < 0 || port > 65535 || *rest != '\0' || seconds < 0 || seconds > 3600 || *rest_of_seconds != '\0') {
        fprintf(stderr, "usage: metrics PORT [PAGE [SECONDS]]\n\nServes /metrics, /stats.json, /comparison.json and PAGE on the loopback interface.\n"
                        "The provider is down for SECONDS out of four times as many; 0: never.\n");
        return 2;
    }
    const char *page = argc >= 3 ? argv[2] : "examples/dashboard/index.html";
    outage_s = (int)seconds;
    bounds_us[0] = FIRST_US;
    for (size_t bucket = 1; bucket < BUCKETS; bucket++)
        bounds_us[bucket] = bounds_us[bucket - 1] * 6 / 5;

    /* Signals are blocked in all threads, and unblocked in this one while it waits for connections. */
    sigset_t handled, before;
    sigemptyset(&handled);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &handled, &before);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = end_or_start_outage;
    sigaction(SIGUSR1, &action, NULL);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &at_len) != 0)
        DIE("port %ld: %s", port, strerror(errno));

    for (size_t engine = 0; engine < ENGINES; engine++)
        subjects[engine].tasks = new_engine(engine);
    pthread_t visitor, scheduler;
    if (pthread_create(&visitor, NULL, visit_both, NULL) != 0 || pthread_create(&scheduler, NULL, schedule_outages, NULL) != 0)
        DIE("no thread");
    printf("http://127.0.0.1:%d/\n", ntohs(at.sin_port));
    fflush(stdout);

    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    while (!atomic_load(&ends)) {
        if (ppoll(&waiting, 1, NULL, &before) <= 0)
            continue;
        struct connection to = {accept4(listener, NULL, NULL, SOCK_CLOEXEC), now_ms() + 2000};
        if (to.socket >= 0) {
            serve(&to, subjects[RESILIENT].tasks, page);
            close(to.socket);
        }
    }
    pthread_join(visitor, NULL);
    pthread_join(scheduler, NULL);
    for (size_t engine = 0; engine < ENGINES; engine++)
        kvl_tasks_free(subjects[engine].tasks);
    close(listener);
    return 0;
}
