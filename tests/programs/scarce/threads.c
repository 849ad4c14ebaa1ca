/* Threads that the system refuses to start, and the signal mask of new threads (rules L08a, L09a). */
#define _GNU_SOURCE
#include "../c/engine.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* The numbers of threads that were refused, that were started, and that were started with a wrong signal mask. */
static atomic_int refused, started, wrongly_masked;
/* The number of threads that may still be started. */
static atomic_int allowed = 1 << 30;

/* Replaces libc's function for the library's threads too. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    create_fn *real;
    sigset_t blocked;

    memcpy(&real, &symbol, sizeof real);
    if (allowed-- <= 0) {
        allowed++;
        refused++;
        return EAGAIN;
    }
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    started++;
    if (sigismember(&blocked, SIGUSR1) != 1 || sigismember(&blocked, SIGTERM) != 1 || sigismember(&blocked, SIGSEGV) != 0)
        wrongly_masked++;
    return real(thread, attributes, body, argument);
}

static void allow_none(void)
{
    allowed = 0;
    refused = 0;
}

static void allow_any(void)
{
    allowed = 1 << 30;
}

static void l08a_the_mask_is_set_before_a_thread_starts(void)
{
    struct fixture fixture;
    kvl_value_t *value = NULL;
    sigset_t blocked;

    started = wrongly_masked = 0;
    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    free_engine(&fixture);
    /* The timer, the dispatcher and a provider thread. */
    CHECK(started == 3 && wrongly_masked == 0);
    /* The starting thread has its own mask again. */
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0);
    CHECK(sigismember(&blocked, SIGUSR1) == 0 && sigismember(&blocked, SIGTERM) == 0);
}

static void l09a_a_call_that_needs_a_thread_returns_no_thread(void)
{
    struct fixture fixture;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_runtime_t *runtime = NULL;
    kvl_queue_t *queue = NULL;
    int i;

    for (i = 0; i < 2; i++) {
        allow_none();
        allowed = i; /* the timer's thread is started, the dispatcher's is not */
        STATUS(kvl_tasks_new(config, &fixture.tasks, NULL), KVL_ERR_NO_THREAD);
        CHECK(fixture.tasks == NULL && refused == 1);
    }
    allow_none();
    STATUS(kvl_runtime_new(&runtime), KVL_ERR_NO_THREAD);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_queue_set_wake(queue, count_provider_free, &fixture, NULL), KVL_ERR_NO_THREAD);
    STATUS(kvl_queue_free(queue), KVL_OK);
    allow_any();
    kvl_config_free(config);
    fixture_destroy(&fixture);
}

static void l09a_a_request_without_a_thread_fails_and_the_next_is_served(int first_fetches)
{
    struct fixture fixture;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    char key[32];
    int i;

    create_engine(&fixture, fixture_init(&fixture));
    allow_none();
    for (i = 0; i < first_fetches; i++) {
        snprintf(key, sizeof key, "refused %d", i);
        STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY(key), NULL, NULL, &value, &error), KVL_ERR_NO_THREAD);
        STATUS(kvl_error_status(error), KVL_ERR_NO_THREAD);
        kvl_error_release(error);
    }
    CHECK(refused == first_fetches && fixture.calls == 0);
    allow_any();
    for (i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "served %d", i);
        STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY(key), NULL, NULL, &value, NULL), KVL_VALUE);
        kvl_value_release(value);
    }
    CHECK(fixture.calls == 10);
    free_engine(&fixture);
}

/* Each request that fails frees its slot for the next, which gets no thread either. */
static void l09a_many_requests_without_a_thread_fail_one_after_the_other(void)
{
    enum { KEYS = 20000 };
    static char names[KEYS][32];
    static kvl_slice_t keys[KEYS];
    struct fixture fixture;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_results_t *results = NULL;
    size_t i;

    STATUS(kvl_config_set_int(config, "tasks.max_running", 2), KVL_OK);
    create_engine(&fixture, config);
    for (i = 0; i < KEYS; i++) {
        keys[i].len = (size_t)snprintf(names[i], sizeof names[i], "k%zu", i);
        keys[i].data = (const uint8_t *)names[i];
    }
    allow_none();
    STATUS(kvl_tasks_fetch_all_wait(fixture.tasks, keys, KEYS, NULL, NULL, &results), KVL_OK);
    CHECK(kvl_results_count_status(results, KVL_ERR_NO_THREAD) == KEYS);
    allow_any();
    kvl_results_release(results);
    free_engine(&fixture);
}

static struct fixture *gate;
static int waiting, opened;

/* Blocks the provider's first call until the gate is opened. */
static void hold_the_thread(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    if (fixture->calls == 1) {
        waiting++;
        pthread_cond_broadcast(&fixture->changed);
        while (!opened)
            pthread_cond_wait(&fixture->changed, &fixture->lock);
    }
    pthread_mutex_unlock(&fixture->lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&gate->lock);
    opened = 1;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void l09a_a_request_without_a_thread_waits_for_a_running_thread(int may_start_again)
{
    struct fixture fixture;
    struct recorder first, second;

    create_engine(&fixture, fixture_init(&fixture));
    gate = &fixture;
    waiting = opened = 0;
    fixture.first = hold_the_thread;
    fetch_recorded(&first, &fixture, "first", NULL, NULL);
    CHECK(wait_for(&fixture, &waiting, 1));
    allow_none();
    fetch_recorded(&second, &fixture, "second", NULL, NULL);
    CHECK(refused == 1);
    if (may_start_again) {
        /* The running thread is busy, so another start is attempted. */
        allow_any();
        wait_for_free(&second);
        CHECK(first.events == 0);
        open_gate();
    } else {
        open_gate();
        wait_for_free(&second);
    }
    wait_for_free(&first);
    allow_any();
    STATUS(first.status, KVL_VALUE);
    STATUS(second.status, KVL_VALUE);
    CHECK(fixture.calls == 2);
    free_engine(&fixture);
}

/* The waiting request is served by the thread that ran the request of the other engine. */
static void l09a_a_request_without_a_thread_waits_for_a_thread_of_another_engine(void)
{
    struct fixture one, other;
    struct recorder first, second;
    kvl_runtime_t *runtime = NULL;
    kvl_config_t *config;
    kvl_value_t *value = NULL;

    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    config = fixture_init(&one);
    STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
    create_engine(&one, config);
    config = fixture_init(&other);
    STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
    create_engine(&other, config);
    allow_none();
    allowed = 1; /* the dispatcher's thread is running already */
    gate = &one;
    waiting = opened = 0;
    one.first = hold_the_thread;
    fetch_recorded(&first, &one, "first", NULL, NULL);
    CHECK(wait_for(&one, &waiting, 1));
    fetch_recorded(&second, &other, "second", NULL, NULL);
    CHECK(refused == 1);
    open_gate();
    wait_for_free(&first);
    wait_for_free(&second);
    STATUS(first.status, KVL_VALUE);
    STATUS(second.status, KVL_VALUE);
    allow_any();
    free_engine(&one);
    STATUS(kvl_tasks_fetch_wait(other.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    free_engine(&other);
    STATUS(kvl_runtime_free(runtime), KVL_OK);
}

int main(void)
{
    silence_unused_warnings();
    l08a_the_mask_is_set_before_a_thread_starts();
    l09a_a_call_that_needs_a_thread_returns_no_thread();
    l09a_a_request_without_a_thread_fails_and_the_next_is_served(1);
    l09a_a_request_without_a_thread_fails_and_the_next_is_served(3);
    l09a_many_requests_without_a_thread_fail_one_after_the_other();
    l09a_a_request_without_a_thread_waits_for_a_running_thread(0);
    l09a_a_request_without_a_thread_waits_for_a_running_thread(1);
    l09a_a_request_without_a_thread_waits_for_a_thread_of_another_engine();
    DONE();
}
