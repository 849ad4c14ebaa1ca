/* sqlite_batch: rows by id from an SQLite file, with one query for each request instead of one for each row.
 *
 *     cc sqlite_batch.c $(pkg-config --cflags --libs kvlight sqlite3) -o sqlite_batch && ./sqlite_batch [packages.db]
 *
 * The table lists the packages that are installed on this machine. For each package the program looks up the rows of all its
 * dependencies, and so asks for some rows hundreds of times. It does this first with the usual loop, one SELECT for each row, which is then
 * prepared only once; then through kvlight, which asks for each row once and for a hundred at a time; then again, from memory.
 */
#define _POSIX_C_SOURCE 200809L
#include <kvlight.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIE(...) (fprintf(stderr, "sqlite_batch: " __VA_ARGS__), fputc('\n', stderr), exit(1))
#define BATCH 100

static sqlite3 *database;
static size_t queries;

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        DIE("%s: %s", sql, sqlite3_errmsg(database));
    return statement;
}

static void run(const char *sql)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        DIE("%s: %s", sql, sqlite3_errmsg(database));
}

/* ---- The table: the installed packages, from dpkg --------------------------------------------------------------------- */

static void note_dependencies(sqlite3_stmt *depends, sqlite3_int64 id, char *list)
{
    /* "libc6 (>= 2.34), debconf | debconf-2.0": the first word of each alternative */
    for (char *rest = NULL, *name = strtok_r(list, ",|", &rest); name; name = strtok_r(NULL, ",|", &rest)) {
        name += strspn(name, " ");
        name[strcspn(name, " :(")] = '\0';
        sqlite3_bind_int64(depends, 1, id);
        sqlite3_bind_text(depends, 2, name, -1, SQLITE_TRANSIENT);
        sqlite3_step(depends);
        sqlite3_reset(depends);
    }
}

static void fill(void)
{
    FILE *list = popen("dpkg-query -W -f '${Package}\\t${Version}\\t${Installed-Size}\\t${Depends}\\n'", "r");
    if (!list)
        DIE("dpkg-query does not run");
    run("DROP TABLE IF EXISTS package; DROP TABLE IF EXISTS depends;"
        "CREATE TABLE package (id INTEGER PRIMARY KEY, name TEXT, version TEXT, kilobytes INTEGER);"
        "CREATE TABLE depends (package INTEGER, name TEXT); BEGIN");
    sqlite3_stmt *package = prepare("INSERT INTO package (name, version, kilobytes) VALUES (?, ?, ?)");
    sqlite3_stmt *depends = prepare("INSERT INTO depends VALUES (?, ?)");
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, list) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *field[4] = {line, NULL, NULL, NULL};
        for (int i = 1; i < 4; i++) {
            field[i] = field[i - 1] + strcspn(field[i - 1], "\t");
            if (*field[i])
                *field[i]++ = '\0';
        }
        for (int i = 0; i < 3; i++)
            sqlite3_bind_text(package, i + 1, field[i], -1, SQLITE_TRANSIENT);
        sqlite3_step(package);
        sqlite3_reset(package);
        note_dependencies(depends, sqlite3_last_insert_rowid(database), field[3]);
    }
    free(line);
    sqlite3_finalize(package);
    sqlite3_finalize(depends);
    if (pclose(list) != 0)
        DIE("this machine has no dpkg-query, whose list is the table");
    run("COMMIT; CREATE INDEX by_name ON package (name)");
}

/* The ids to look up, package by package. */
static sqlite3_int64 *ids_to_look_up(size_t *out_n)
{
    sqlite3_stmt *ids = prepare("SELECT package.id FROM depends JOIN package USING (name) ORDER BY depends.package");
    sqlite3_int64 *all = NULL;
    size_t n = 0, room = 0;
    while (sqlite3_step(ids) == SQLITE_ROW) {
        if (n == room)
            all = realloc(all, (room = room ? room * 2 : 1024) * sizeof *all);
        if (!all)
            DIE("no memory");
        all[n++] = sqlite3_column_int64(ids, 0);
    }
    sqlite3_finalize(ids);
    *out_n = n;
    return all;
}

/* A row as text, which is how it is cached. */
static int row_text(sqlite3_stmt *row, char *text, size_t room)
{
    return snprintf(text, room, "%s %s, %lld kB", (const char *)sqlite3_column_text(row, 1), (const char *)sqlite3_column_text(row, 2),
                    (long long)sqlite3_column_int64(row, 3));
}

/* ---- One SELECT a row ------------------------------------------------------------------------------------------------- */

static size_t naively(const sqlite3_int64 *ids, size_t n, int prepared_once)
{
    static const char sql[] = "SELECT id, name, version, kilobytes FROM package WHERE id = ?";
    sqlite3_stmt *select = prepared_once ? prepare(sql) : NULL;
    size_t bytes = 0;
    char text[512];
    for (size_t i = 0; i < n; i++) {
        if (!prepared_once)
            select = prepare(sql);
        queries++;
        sqlite3_bind_int64(select, 1, ids[i]);
        if (sqlite3_step(select) == SQLITE_ROW)
            bytes += (size_t)row_text(select, text, sizeof text);
        sqlite3_reset(select);
        if (!prepared_once)
            sqlite3_finalize(select);
    }
    if (prepared_once)
        sqlite3_finalize(select);
    return bytes;
}

/* ---- One SELECT a request --------------------------------------------------------------------------------------------- */

/* The keys are ids, eight bytes each. tasks.max_running is 1, so the connection has one user at a time. */
static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    size_t n = kvl_request_len(request);
    const kvl_slice_t *keys = kvl_request_keys(request);
    char sql[128 + 2 * BATCH] = "SELECT id, name, version, kilobytes FROM package WHERE id IN (?", text[512];
    for (size_t i = 1; i < n; i++)
        strcat(sql, ",?");
    sqlite3_stmt *select = prepare(strcat(sql, ")"));
    queries++;
    for (size_t i = 0; i < n; i++) {
        sqlite3_int64 id;
        memcpy(&id, keys[i].data, sizeof id);
        sqlite3_bind_int64(select, (int)i + 1, id);
    }
    int step;
    while ((step = sqlite3_step(select)) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(select, 0);
        size_t len = (size_t)row_text(select, text, sizeof text);
        kvl_request_supply_bytes(request, (const uint8_t *)&id, sizeof id, (const uint8_t *)text, len, NULL);
    }
    if (step == SQLITE_DONE) {
        kvl_request_finish_nulls(request); /* the query found no such row */
    } else {
        kvl_error_t *error = NULL;
        const char *why = sqlite3_errmsg(database);
        kvl_error_new(sqlite3_errcode(database), why, strlen(why), 0, &error);
        kvl_request_finish_error(request, error); /* keys that were supplied keep their answers */
        kvl_error_release(error);
    }
    sqlite3_finalize(select);
}

static kvl_tasks_t *start(void)
{
    kvl_config_t *config;
    kvl_tasks_t *tasks;
    kvl_error_t *error;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", 100000);
    kvl_config_set_int(config, "batch.max_keys", BATCH);
    kvl_config_set_int(config, "tasks.max_running", 1);
    kvl_config_set_provider(config, provide, NULL, NULL);
    if (kvl_tasks_new(config, &tasks, &error) != KVL_OK)
        DIE("%s", kvl_error_message(error));
    kvl_config_free(config);
    return tasks;
}

static size_t through_kvlight(kvl_tasks_t *tasks, const sqlite3_int64 *ids, size_t n)
{
    kvl_slice_t *keys = malloc(n * sizeof *keys);
    kvl_results_t *results;
    size_t bytes = 0, stride;
    if (!keys)
        DIE("no memory");
    for (size_t i = 0; i < n; i++)
        keys[i] = (kvl_slice_t){(const uint8_t *)&ids[i], sizeof ids[i]};
    kvl_status_t status = kvl_tasks_fetch_all_wait(tasks, keys, n, NULL, NULL, &results);
    if (status != KVL_OK)
        DIE("%s", kvl_status_message(status));
    if (kvl_results_count(results, KVL_COUNT_FAILED) != 0)
        DIE("%s", kvl_error_message(kvl_results_error_at(results, 0)));
    const char *at = (const char *)kvl_results_array(results, &stride);
    for (size_t i = 0; i < n; i++)
        bytes += ((const kvl_result_t *)(const void *)(at + i * stride))->data_len;
    kvl_results_release(results);
    free(keys);
    return bytes;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "packages.db";
    if (sqlite3_open(path, &database) != SQLITE_OK)
        DIE("%s: %s", path, sqlite3_errmsg(database));
    fill();
    size_t n;
    sqlite3_int64 *ids = ids_to_look_up(&n);
    kvl_tasks_t *tasks = start();
    printf("%zu rows to look up, in %s\n%-28s %9s %9s\n", n, path, "", "queries", "ms");
    size_t bytes[4];
    static const char *const names[] = {"one SELECT a row", "the same, prepared once", "through kvlight, cold", "through kvlight, again"};
    for (int pass = 0; pass < 4; pass++) {
        queries = 0;
        double begun = now_ms();
        bytes[pass] = pass < 2 ? naively(ids, n, pass) : through_kvlight(tasks, ids, n);
        printf("%-28s %9zu %9.2f\n", names[pass], queries, now_ms() - begun);
    }
    kvl_tasks_free(tasks);
    sqlite3_close(database);
    free(ids);
    if (bytes[0] != bytes[1] || bytes[0] != bytes[2] || bytes[0] != bytes[3])
        DIE("the answers differ");
    return 0;
}
