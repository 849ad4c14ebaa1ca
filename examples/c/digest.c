/* digest: the digests of all files of a folder, through kvlight.
 *
 *     digest [--list] DIR
 *
 * Keys are paths. The provider receives up to 64 of them in a request and reads the files on provider threads; a file that
 * cannot be read fails its own key only. The first pass finds nothing in the cache, the second everything; the third reloads half of
 * the files, asking for each twice, next to a fetch that is cancelled. --list prints digest and path of each file as sha256sum
 * does, instead of the table.
 */
#define _XOPEN_SOURCE 700
#include <kvlight.h>

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sha256.h"

#define DIE(...) (fprintf(stderr, "digest: " __VA_ARGS__), fputc('\n', stderr), exit(1))

/* ---- the provider: reads files --------------------------------------------------------------------------------- */

static atomic_size_t requests;

static kvl_status_t answer_file(kvl_request_t *request, size_t i, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return kvl_request_fail_text(request, i, errno, strerror(errno), KVL_ERROR_F_PERMANENT);
    struct sha256 hash;
    sha256_begin(&hash);
    static _Thread_local uint8_t buffer[1 << 16];
    size_t len;
    while ((len = fread(buffer, 1, sizeof buffer, file)) > 0)
        sha256_add(&hash, buffer, len);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    if (error)
        return kvl_request_fail_text(request, i, error, strerror(error), KVL_ERROR_F_PERMANENT);
    uint8_t digest[SHA256_LEN];
    sha256_end(&hash, digest);
    return kvl_request_resolve_bytes(request, i, digest, sizeof digest, NULL);
}

static void read_files(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    atomic_fetch_add(&requests, 1);
    const kvl_slice_t *keys = kvl_request_keys(request);
    for (size_t i = 0; i < kvl_request_len(request); i++) {
        char path[KVL_KEY_MAX + 1];
        memcpy(path, keys[i].data, keys[i].len);
        path[keys[i].len] = '\0';
        answer_file(request, i, path);
        if (kvl_request_is_cancelled(request))
            break; /* the request is no longer wanted; the library finishes the other keys */
    }
    kvl_request_finish(request);
}

/* ---- the files ------------------------------------------------------------------------------------------------- */

static kvl_slice_t *files;
static size_t file_count, file_room;

static int add_file(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)at;
    /* fopen() follows links, so a broken link is a file that cannot be read. */
    if (type != FTW_SLN && type != FTW_NS && !S_ISREG(info->st_mode) && !S_ISLNK(info->st_mode))
        return 0;
    size_t len = strlen(path);
    if (len > KVL_KEY_MAX)
        return 0;
    if (file_count == file_room) {
        file_room = file_room ? 2 * file_room : 1024;
        files = realloc(files, file_room * sizeof *files);
        if (!files)
            DIE("out of memory");
    }
    uint8_t *copy = malloc(len + 1);
    if (!copy)
        DIE("out of memory");
    memcpy(copy, path, len + 1);
    files[file_count++] = (kvl_slice_t){.data = copy, .len = len};
    return 0;
}

/* ---- a pass: one fetch of many keys, waited for ------------------------------------------------------------------ */

struct pass {
    const char *name;
    pthread_mutex_t lock;
    pthread_cond_t over;
    kvl_results_t *results;
    double seconds;
    size_t requests;
};

static int shows_progress;

static void on_progress(void *user_data, size_t done, size_t failed, size_t total)
{
    struct pass *pass = user_data;
    if (shows_progress)
        fprintf(stderr, "\r%-28s %zu of %zu, %zu failed ", pass->name, done, total, failed);
}

static void on_results(void *user_data, kvl_results_t *results)
{
    struct pass *pass = user_data;
    pthread_mutex_lock(&pass->lock);
    pass->results = kvl_results_retain(results);
    pthread_cond_signal(&pass->over);
    pthread_mutex_unlock(&pass->lock);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct pass *pass, kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options)
{
    double began = now();
    size_t before = atomic_load(&requests);
    pthread_mutex_init(&pass->lock, NULL);
    pthread_cond_init(&pass->over, NULL);
    kvl_status_t status = kvl_tasks_fetch_all(tasks, keys, n, options, NULL, on_results, pass, NULL, &pass->results);
    if (status < 0)
        DIE("%s: %s", pass->name, kvl_status_message(status));
    pthread_mutex_lock(&pass->lock);
    while (!pass->results)
        pthread_cond_wait(&pass->over, &pass->lock);
    pthread_mutex_unlock(&pass->lock);
    pass->seconds = now() - began;
    pass->requests = atomic_load(&requests) - before;
    if (shows_progress)
        fprintf(stderr, "\r%60s\r", "");
}

static void end(struct pass *pass)
{
    kvl_results_release(pass->results);
    pthread_mutex_destroy(&pass->lock);
    pthread_cond_destroy(&pass->over);
}

/* ---- a fetch that is cancelled ----------------------------------------------------------------------------------- */

static atomic_size_t cancelled;

static void on_cancelled(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    if (result->status == KVL_ERR_CANCELLED)
        atomic_fetch_add(&cancelled, 1);
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

static void print_list(const struct pass *pass)
{
    for (size_t i = 0; i < kvl_results_len(pass->results); i++) {
        const kvl_result_t *r = kvl_results_at(pass->results, i);
        if (r->status != KVL_VALUE)
            continue;
        for (size_t b = 0; b < r->data_len; b++)
            printf("%02x", r->data[b]);
        printf("  ");
        fwrite(r->key, 1, r->key_len, stdout);
        putchar('\n');
    }
}

static void print_failures(const struct pass *pass)
{
    struct kind {
        int64_t code;
        size_t count;
        const char *message;
    } kinds[16];
    size_t n = 0;
    for (size_t i = 0; i < kvl_results_len(pass->results); i++) {
        const kvl_result_t *r = kvl_results_at(pass->results, i);
        if (r->status >= 0)
            continue;
        size_t k = 0;
        while (k < n && kinds[k].code != kvl_error_code(r->error))
            k++;
        if (k == n && n < sizeof kinds / sizeof *kinds)
            kinds[n++] = (struct kind){kvl_error_code(r->error), 0, kvl_error_message(r->error)};
        if (k < n)
            kinds[k].count++;
    }
    for (size_t k = 0; k < n; k++)
        printf("  %8zu  %s\n", kinds[k].count, kinds[k].message);
    if (n == 0)
        printf("  %8d\n", 0);
}

static void print_table(const struct pass *passes, size_t n, kvl_tasks_t *tasks)
{
    printf("\n%-28s %9s %9s %9s %9s %9s %9s\n", "pass", "keys", "ms", "requests", "hits", "joined", "failed");
    for (size_t i = 0; i < n; i++) {
        const kvl_results_t *r = passes[i].results;
        printf("%-28s %9zu %9.1f %9zu %9zu %9zu %9zu\n", passes[i].name, kvl_results_len(r), passes[i].seconds * 1e3, passes[i].requests,
               kvl_results_count(r, KVL_COUNT_FROM_STORE), kvl_results_count(r, KVL_COUNT_JOINED), kvl_results_count(r, KVL_COUNT_FAILED));
    }
    kvl_stats_t stats;
    kvl_tasks_stats(tasks, &stats, sizeof stats);
    printf("\n  %8zu  files\n  %8zu  requests of up to 64 files\n", file_count, atomic_load(&requests));
    printf("  %8llu  digests in memory, which cost %llu bytes\n", (unsigned long long)stats.entries, (unsigned long long)stats.cost);
    printf("  %8llu  hits, %llu misses\n", (unsigned long long)stats.hits, (unsigned long long)stats.misses);
    printf("  %8zu  positions of the cancelled fetch that ended as cancelled\n", atomic_load(&cancelled));
    printf("\nfailures of the first pass, by kind\n");
    print_failures(&passes[0]);
}

int main(int argc, char **argv)
{
    int list = argc > 1 && strcmp(argv[1], "--list") == 0;
    if (argc != 2 + list || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fprintf(stderr, "usage: digest [--list] DIR\n\nPrints how kvlight loads and keeps the SHA-256 digests of the files below DIR;\n"
                        "with --list the digests themselves, as sha256sum does.\n");
        return argc == 2 && argv[1][0] == '-' ? 0 : 2;
    }
    const char *dir = argv[1 + list];
    if (nftw(dir, add_file, 64, FTW_PHYS) != 0)
        DIE("%s: %s", dir, strerror(errno));
    shows_progress = isatty(STDERR_FILENO);

    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_options_t *options = NULL, *reload = NULL;
    kvl_error_t *error = NULL;
    kvl_fetch_t *fetch = NULL;

    kvl_config_new(&config);
    kvl_config_set_provider(config, read_files, NULL, NULL);
    kvl_config_set_int(config, "cache.capacity", (int64_t)file_count + 1);
    kvl_config_set_int(config, "batch.max_keys", 64);
    kvl_config_set_int(config, "tasks.max_running", 4);
    if (kvl_tasks_new(config, &tasks, &error) != KVL_OK)
        DIE("%s", kvl_error_message(error));

    kvl_options_new(&options);
    kvl_options_set_progress(options, on_progress, 100);
    kvl_options_new(&reload);
    kvl_options_set_progress(reload, on_progress, 100);
    kvl_options_set(reload, "read", "refresh");

    struct pass passes[3] = {{.name = "all absent"}, {.name = "all resident"}, {.name = "half of them twice, reloaded"}};
    run(&passes[0], tasks, files, file_count, options);
    run(&passes[1], tasks, files, file_count, options);

    /* Half of the files twice, next to a fetch of the same files that is cancelled at once. The cancelled fetch gets CANCELLED, and
       the pass loses nothing. */
    size_t half = file_count / 2;
    kvl_slice_t *twice = calloc(2 * half + 1, sizeof *twice);
    if (!twice)
        DIE("out of memory");
    memcpy(twice, files, half * sizeof *twice);
    memcpy(twice + half, files, half * sizeof *twice);
    kvl_fetch_new(&fetch);
    kvl_tasks_fetch_each(tasks, files, half, reload, fetch, on_cancelled, NULL, NULL);
    kvl_fetch_cancel(fetch);
    run(&passes[2], tasks, twice, 2 * half, reload);
    kvl_fetch_wait(fetch, KVL_FOREVER);

    if (list)
        print_list(&passes[0]);
    else
        print_table(passes, 3, tasks);

    kvl_fetch_release(fetch);
    for (size_t i = 0; i < 3; i++)
        end(&passes[i]);
    kvl_tasks_free(tasks);
    kvl_options_free(options);
    kvl_options_free(reload);
    kvl_config_free(config);
    free(twice);
    for (size_t i = 0; i < file_count; i++)
        free((void *)files[i].data);
    free(files);
    return 0;
}
