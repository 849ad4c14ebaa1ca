/* libuv_loop: kvlight in an event loop, everything on one thread.
 *
 *     cc libuv_loop.c $(pkg-config --cflags --libs kvlight libuv) -o libuv_loop && ./libuv_loop FILE ...
 *
 * Keys are paths, values are file sizes. The loop watches the queue's descriptor. When it is readable, kvl_queue_poll() runs
 * the callbacks, including the provider, which starts a libuv request for each file and answers when that completes. No thread of
 * kvlight ever calls into this program, so nothing here needs a lock.
 */
#define _XOPEN_SOURCE 700
#include <kvlight.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define DIE(...) (fprintf(stderr, "libuv_loop: " __VA_ARGS__), fputc('\n', stderr), exit(1))
#define CHECK(call) check((call), #call)

static void check(kvl_status_t status, const char *call)
{
    if (status < 0)
        DIE("%s: %s", call, kvl_status_message(status));
}

struct program {
    uv_loop_t *loop;
    uv_poll_t readable;
    kvl_queue_t *queue;
    kvl_tasks_t *tasks;
    kvl_slice_t *keys;
    size_t n;
    int round;
    size_t asked; /* how many keys the provider was asked for in this round */
};

/* ---- The provider: one uv_fs_stat a key ------------------------------------------------------------------------------- */

struct stat_of_key {
    uv_fs_t fs;
    kvl_request_t *request; /* retained: the last release finishes it */
    size_t i;
};

static void on_stat(uv_fs_t *fs)
{
    struct stat_of_key *is = fs->data;
    char text[32];
    if (fs->result == UV_ENOENT)
        kvl_request_resolve(is->request, is->i, kvl_value_null(), NULL);
    else if (fs->result < 0)
        kvl_request_fail_text(is->request, is->i, fs->result, uv_strerror((int)fs->result), KVL_ERROR_F_PERMANENT);
    else
        kvl_request_resolve_bytes(is->request, is->i, (const uint8_t *)text,
                                  (size_t)sprintf(text, "%llu bytes", (unsigned long long)fs->statbuf.st_size), NULL);
    kvl_request_release(is->request);
    uv_fs_req_cleanup(fs);
    free(is);
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct program *program = user_data;
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t i, n = kvl_request_len(request);
    for (i = 0; i < n; i++) {
        struct stat_of_key *is = malloc(sizeof *is);
        char path[4096];
        if (!is)
            DIE("no memory");
        snprintf(path, sizeof path, "%.*s", (int)keys[i].len, (const char *)keys[i].data);
        is->fs.data = is;
        is->request = kvl_request_retain(request);
        is->i = i;
        program->asked++;
        if (uv_fs_stat(program->loop, &is->fs, path, on_stat) < 0)
            DIE("uv_fs_stat is refused");
    }
}

/* ---- The fetches, and the end ------------------------------------------------------------------------------------------ */

static void ask(struct program *program);

static void on_closed(void *user_data)
{
    struct program *program = user_data;
    /* The engine's last event. Stops the watcher, so that the loop ends and main() frees everything. */
    uv_close((uv_handle_t *)&program->readable, NULL);
}

static void on_results(void *user_data, kvl_results_t *results)
{
    struct program *program = user_data;
    size_t i;
    printf("round %d: %zu files, %zu of them asked of the loop\n", program->round, kvl_results_len(results), program->asked);
    for (i = 0; program->round == 1 && i < kvl_results_len(results); i++) {
        const kvl_result_t *result = kvl_results_at(results, i);
        const char *text = result->status < 0 ? kvl_error_message(result->error) : result->data ? (const char *)result->data : "absent";
        printf("  %.*s: %.*s\n", (int)result->key_len, (const char *)result->key, result->data ? (int)result->data_len : (int)strlen(text), text);
    }
    if (++program->round <= 2)
        ask(program);
    else
        CHECK(kvl_tasks_close(program->tasks, KVL_CLOSE_CANCEL, 0, on_closed, program, NULL));
}

static void ask(struct program *program)
{
    program->asked = 0;
    CHECK(kvl_tasks_fetch_all(program->tasks, program->keys, program->n, NULL, NULL, on_results, program, NULL, NULL));
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct program *program = handle->data;
    (void)events;
    if (status < 0)
        DIE("%s", uv_strerror(status));
    /* Runs a bounded number of callbacks: if there are more, the descriptor stays readable. */
    CHECK(kvl_queue_poll(program->queue, 256, 0, NULL));
}

int main(int argc, char **argv)
{
    static const char *const examples[] = {"/etc/passwd", "/etc/hostname", "/no/such/file", "/etc/passwd"};
    struct program program = {0};
    kvl_config_t *config;
    kvl_error_t *error;
    int32_t fd;
    size_t i;

    program.loop = uv_default_loop();
    program.n = argc > 1 ? (size_t)argc - 1 : sizeof examples / sizeof *examples;
    program.keys = calloc(program.n, sizeof *program.keys);
    if (!program.keys)
        DIE("no memory");
    for (i = 0; i < program.n; i++) {
        const char *path = argc > 1 ? argv[i + 1] : examples[i];
        program.keys[i].data = (const uint8_t *)path;
        program.keys[i].len = strlen(path);
    }

    CHECK(kvl_queue_new(KVL_QUEUE_NEW_PIPE, &program.queue));
    CHECK(kvl_config_new(&config));
    CHECK(kvl_config_set(config, "timeout_ms", "5000"));
    CHECK(kvl_config_set_provider(config, provide, &program, NULL));
    CHECK(kvl_config_set_queue(config, program.queue, KVL_QUEUE_F_ALL));
    if (kvl_tasks_new(config, &program.tasks, &error) != KVL_OK)
        DIE("%s", kvl_error_message(error));
    kvl_config_free(config);

    CHECK(kvl_queue_fd(program.queue, &fd));
    program.readable.data = &program;
    if (uv_poll_init(program.loop, &program.readable, fd) < 0 || uv_poll_start(&program.readable, UV_READABLE, on_readable) < 0)
        DIE("libuv cannot watch the queue's descriptor");

    program.round = 1;
    ask(&program);
    uv_run(program.loop, UV_RUN_DEFAULT);

    CHECK(kvl_tasks_free(program.tasks)); /* closed already, so this does not wait */
    CHECK(kvl_queue_free(program.queue));
    free(program.keys);
    return uv_loop_close(program.loop) == 0 ? 0 : 1;
}
