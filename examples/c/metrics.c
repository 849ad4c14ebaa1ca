/* metrics: an engine under load, with its statistics served on the loopback interface.
 *
 *     metrics PORT [PAGE]
 *
 *     /metrics      OpenMetrics text, for a scraper
 *     /stats.json   the same as one JSON object
 *     /             PAGE, by default examples/dashboard/index.html, which draws it live
 *
 * PORT 0 takes any free port; the address is printed. The load is simulated: clients ask for records, some of them popular, and the
 * provider is slow, fails now and then, and finds that some records do not exist. SIGUSR1 takes the provider down, and the next one brings
 * it back, so that the page shows an outage. For a program of your own, only the second half of this file is useful. SIGINT or SIGTERM
 * ends it.
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

/* ---- the load that is made up --------------------------------------------------------------------------------------- */

#define RECORDS 20000

static atomic_int ends, is_down;

static void pause_us(long us)
{
    struct timespec span = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&span, NULL);
}

/* xorshift, with one state for each thread. */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t n = kvl_request_len(request);
    uint64_t state = (uint64_t)(uintptr_t)request ^ (n << 40) ^ (uint64_t)clock() ^ 0x9e3779b97f4a7c15u;
    pause_us(2000 + (long)(draw(&state) % 8 == 0 ? 60000 : draw(&state) % 12000));
    for (size_t i = 0; i < n; i++) {
        uint32_t record;
        memcpy(&record, keys[i].data, sizeof record);
        if (atomic_load(&is_down) || draw(&state) % 50 == 0)
            kvl_request_fail_text(request, i, 503, "the database is busy", 0);
        else if (record % 20 == 7)
            kvl_request_resolve(request, i, kvl_value_null(), NULL);
        else
            kvl_request_resolve_bytes(request, i, (const uint8_t *)"a row of this record", 20, NULL);
    }
    kvl_request_finish(request);
}

static void hear(void *user_data, kvl_results_t *results)
{
    (void)user_data, (void)results;
}

/* Rank r is asked for in proportion to 1/r: the first hundred or so get half of the requests. */
static uint32_t popular(uint64_t *state)
{
    uint64_t bits = draw(state) % 15, rank = (1u << bits) + draw(state) % (1u << bits);
    return (uint32_t)(rank % RECORDS);
}

static void *visit(void *user_data)
{
    kvl_tasks_t *tasks = user_data;
    uint64_t state = 0x2545f4914f6cdd1du;
    while (!atomic_load(&ends)) {
        uint32_t records[16];
        kvl_slice_t keys[16];
        size_t n = 1 + draw(&state) % 16;
        for (size_t i = 0; i < n; i++) {
            records[i] = popular(&state);
            keys[i] = (kvl_slice_t){(const uint8_t *)&records[i], sizeof records[i]};
        }
        kvl_tasks_fetch_all(tasks, keys, n, NULL, NULL, hear, NULL, NULL, NULL);
        pause_us(3000);
    }
    return NULL;
}

static kvl_tasks_t *new_engine(void)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_error_t *error = NULL;
    kvl_config_new(&config);
    kvl_config_set_provider(config, provide, NULL, NULL);
    kvl_config_set_int(config, "cache.capacity", 4000);
    kvl_config_set_int(config, "cache.ttl_ms", 5000);
    kvl_config_set_int(config, "cache.ttl_jitter_ms", 1000);
    kvl_config_set_int(config, "stale.ttl_ms", 3600000);
    kvl_config_set_int(config, "stale.timeout_ms", 100);
    kvl_config_set_real(config, "breaker.failure_ratio", 0.9);
    kvl_config_set_int(config, "breaker.window_ms", 2000);
    kvl_config_set_int(config, "breaker.open_ms", 2000);
    kvl_config_set_int(config, "retry.count", 2);
    kvl_config_set_int(config, "retry.fixed_ms", 50);
    kvl_config_set_int(config, "timeout_ms", 2000);
    if (kvl_tasks_new(config, &tasks, &error) != KVL_OK)
        DIE("%s", kvl_error_message(error));
    kvl_config_free(config);
    return tasks;
}

/* ---- the statistics server ------------------------------------------------------------------------------------------ */

/* A connection and its deadline. There is one deadline for the whole exchange, so that a slow client cannot hold up the others. */
struct connection {
    int socket;
    int64_t until_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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

typedef kvl_status_t text_of(kvl_tasks_t *tasks, kvl_value_t **out_text);

static void answer_text(const struct connection *to, const char *type, text_of *text_of, kvl_tasks_t *tasks)
{
    kvl_value_t *text = NULL;
    kvl_status_t status = text_of(tasks, &text);
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
        const char *why = "The page is not there: metrics PORT PAGE says where it is.\n";
        answer(to, "404 Not Found", "text/plain; charset=utf-8", why, strlen(why));
        return;
    }
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    answer(to, "200 OK", "text/html; charset=utf-8", text, len);
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
        answer_text(to, "application/openmetrics-text; version=1.0.0; charset=utf-8", kvl_tasks_stats_openmetrics, tasks);
    else if (strcmp(path, "/stats.json") == 0)
        answer_text(to, "application/json", kvl_tasks_stats_json, tasks);
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
    atomic_fetch_xor(&is_down, 1);
}

static void end(int signal)
{
    (void)signal;
    atomic_store(&ends, 1);
}

int main(int argc, char **argv)
{
    char *rest = NULL;
    long port = argc == 2 || argc == 3 ? strtol(argv[1], &rest, 10) : -1;
    if (port < 0 || port > 65535 || *rest != '\0') {
        fprintf(stderr, "usage: metrics PORT [PAGE]\n\nServes /metrics, /stats.json and PAGE on the loopback interface.\n");
        return 2;
    }
    const char *page = argc == 3 ? argv[2] : "examples/dashboard/index.html";

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

    kvl_tasks_t *tasks = new_engine();
    pthread_t visitor;
    if (pthread_create(&visitor, NULL, visit, tasks) != 0)
        DIE("no thread");
    printf("http://127.0.0.1:%d/\n", ntohs(at.sin_port));
    fflush(stdout);

    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    while (!atomic_load(&ends)) {
        if (ppoll(&waiting, 1, NULL, &before) <= 0)
            continue;
        struct connection to = {accept4(listener, NULL, NULL, SOCK_CLOEXEC), now_ms() + 2000};
        if (to.socket >= 0) {
            serve(&to, tasks, page);
            close(to.socket);
        }
    }
    pthread_join(visitor, NULL);
    kvl_tasks_free(tasks);
    close(listener);
    return 0;
}
