/* What the library does to its process: signals, stacks, forks (rules L06a, L08a). */
#define _GNU_SOURCE
#include "engine.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Library threads must leave `faults` unblocked, and must block `others`. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
static const int others[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE, SIGALRM };

/* The number of signals that this thread blocks but must not, or must block but does not. */
static int wrong_signals(void)
{
    sigset_t blocked;
    size_t i;
    int wrong = pthread_sigmask(SIG_SETMASK, NULL, &blocked) != 0;

    for (i = 0; i < COUNT(faults); i++)
        wrong += sigismember(&blocked, faults[i]) != 0;
    for (i = 0; i < COUNT(others); i++)
        wrong += sigismember(&blocked, others[i]) != 1;
    return wrong;
}

static size_t stack_size(void)
{
    pthread_attr_t attributes;
    size_t size = 0;

    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    CHECK(pthread_attr_getstacksize(&attributes, &size) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    return size;
}

/* ---- signals --------------------------------------------------------------------------------------------------------- */

static _Thread_local volatile sig_atomic_t handled;
static int signal_checks;

static void handle(int signal)
{
    (void)signal;
    handled++;
}

static void check_signals(void)
{
    CHECK(wrong_signals() == 0);
    /* Raised by the thread itself, as a fault is. If the signal were blocked it would stay pending. */
    handled = 0;
    CHECK(raise(SIGILL) == 0 && handled == 1);
    signal_checks++;
}

static void check_signals_in_provider(struct fixture *fixture)
{
    (void)fixture;
    check_signals();
}

static void check_signals_in_callback(struct recorder *recorder)
{
    (void)recorder;
    check_signals();
}

static void check_signals_when_woken(void *user_data)
{
    struct fixture *fixture = user_data;

    check_signals();
    pthread_mutex_lock(&fixture->lock);
    fixture->freed++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void l08a_library_threads_block_all_signals_except_faults(void)
{
    struct sigaction action, before;
    struct fixture fixture, woken;
    struct recorder recorder;
    kvl_queue_t *queue = NULL;
    kvl_value_t *value = NULL;
    kvl_event_t event;
    int drops = 0;

    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    CHECK(sigaction(SIGILL, &action, &before) == 0);

    create_engine(&fixture, fixture_init(&fixture));
    fixture.first = check_signals_in_provider;
    recorder_init(&recorder, &fixture);
    recorder.first = check_signals_in_callback;
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, NULL), KVL_PENDING);
    wait_for_free(&recorder);
    free_engine(&fixture);

    kvl_config_free(fixture_init(&woken));
    CHECK(wait_for(&woken, &woken.freed, 1));
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_queue_set_wake(queue, check_signals_when_woken, &woken, NULL), KVL_OK);
    STATUS(kvl_value_new_object_on(queue, &drops, 1, NULL, &value), KVL_OK);
    kvl_value_release(value);
    CHECK(wait_for(&woken, &woken.freed, 2));
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_DROP && event.user_data == &drops);
    STATUS(kvl_queue_free(queue), KVL_OK);
    fixture_destroy(&woken);
    CHECK(signal_checks == 3);
    CHECK(sigaction(SIGILL, &before, NULL) == 0);
}

/* ---- stacks ---------------------------------------------------------------------------------------------------------- */

/* The stack size of the provider's thread, in bytes. */
static size_t measured;

static void measure(struct fixture *fixture)
{
    (void)fixture;
    measured = stack_size();
}

static size_t stack_of(kvl_config_t *config, struct fixture *fixture)
{
    kvl_value_t *value = NULL;

    create_engine(fixture, config);
    fixture->first = measure;
    STATUS(kvl_tasks_fetch_wait(fixture->tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    free_engine(fixture);
    return measured;
}

static void l08a_a_provider_thread_has_the_configured_stack(void)
{
    static const int64_t sizes[] = { 1 << 20, 24 << 20, 3 << 20 };
    struct fixture fixture;
    kvl_config_t *config;
    kvl_runtime_t *runtime = NULL;
    size_t i, size;

    CHECK(stack_of(fixture_init(&fixture), &fixture) >= (size_t)8 << 20);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    for (i = 0; i < 2 * COUNT(sizes); i++) {
        const int64_t wanted = sizes[i % COUNT(sizes)];
        config = fixture_init(&fixture);
        STATUS(kvl_config_set_int(config, "tasks.stack_bytes", wanted), KVL_OK);
        if (i >= COUNT(sizes))
            STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
        size = stack_of(config, &fixture);
        CHECK(size >= (size_t)wanted && size < (size_t)wanted + (1 << 20));
    }
    STATUS(kvl_runtime_free(runtime), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "tasks.stack_bytes", 1000), KVL_ERR_BAD_VALUE);
    kvl_config_free(config);
}

/* ---- forks ----------------------------------------------------------------------------------------------------------- */

/* Runs `child` in a fork. Returns how many checks failed there. */
static unsigned char in_a_fork(unsigned char (*child)(void *), void *argument)
{
    unsigned char wrong = 255;
    int answers[2];
    pid_t pid;

    CHECK(pipe(answers) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        /* Ends the child after a minute if it waits for a lock that a thread of the parent held. */
        alarm(60);
        wrong = child(argument);
        /* Killed, instead of exiting, because a leak checker would report the memory copied from the parent. */
        if (write(answers[1], &wrong, 1) == 1)
            raise(SIGKILL);
        _exit(1);
    }
    close(answers[1]);
    if (pid < 0 || read(answers[0], &wrong, 1) != 1)
        wrong = 255;
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(answers[0]);
    return wrong;
}

struct bound {
    kvl_queue_t *queue;
    kvl_value_t *value, *silent; /* `silent` has no destructor: an event reports its end */
    kvl_error_t *error;
    int freed;
};

static void count_object_free(void *object)
{
    ++*(int *)object;
}

static unsigned char release_in_the_child(void *argument)
{
    struct bound *bound = argument;
    kvl_event_t event;
    kvl_value_t *value = NULL;
    int32_t fd;
    unsigned char wrong = 0;

    kvl_value_release(bound->value);
    wrong = (unsigned char)(wrong + (bound->freed != 1));
    kvl_error_release(bound->error);
    wrong = (unsigned char)(wrong + (bound->freed != 2));
    kvl_value_release(bound->silent);
    FORKED(kvl_queue_next(bound->queue, 0, &event, sizeof event));
    FORKED(kvl_queue_poll(bound->queue, 1, 0, NULL));
    FORKED(kvl_queue_fd(bound->queue, &fd));
    FORKED(kvl_queue_set_wake(bound->queue, NULL, NULL, NULL));
    FORKED(kvl_queue_wake(bound->queue));
    wrong = (unsigned char)(wrong + (kvl_queue_len(bound->queue) != 0));
    FORKED(kvl_value_new_object_on(bound->queue, &bound->freed, 1, NULL, &value));
    FORKED(kvl_queue_free(bound->queue));
    return wrong;
}

static int is_readable(int fd)
{
    struct pollfd wait = { fd, POLLIN, 0 };
    return poll(&wait, 1, 0) == 1;
}

static void l06a_an_object_bound_to_a_queue_is_freed_in_the_child_where_it_is_released(uint32_t flags)
{
    static int object;
    struct bound bound;
    kvl_event_t event;
    int32_t fd = -1;

    memset(&bound, 0, sizeof bound);
    STATUS(kvl_queue_new(flags, &bound.queue), KVL_OK);
    STATUS(kvl_queue_fd(bound.queue, &fd), KVL_OK);
    STATUS(kvl_value_new_object_on(bound.queue, &bound.freed, 1, count_object_free, &bound.value), KVL_OK);
    STATUS(kvl_value_new_object_on(bound.queue, &object, 1, NULL, &bound.silent), KVL_OK);
    STATUS(kvl_error_new_object(1, "no", 2, 0, bound.queue, &bound.freed, count_object_free, &bound.error), KVL_OK);

    CHECK(in_a_fork(release_in_the_child, &bound) == 0);
    CHECK(!is_readable(fd) && bound.freed == 0);
    STATUS(kvl_queue_next(bound.queue, 0, &event, sizeof event), KVL_EMPTY);

    /* The parent's queue still works. */
    kvl_value_release(bound.value);
    kvl_error_release(bound.error);
    kvl_value_release(bound.silent);
    CHECK(is_readable(fd) && bound.freed == 0);
    STATUS(kvl_queue_next(bound.queue, 0, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_DROP && event.user_data == &object && bound.freed == 2);
    STATUS(kvl_queue_next(bound.queue, 0, &event, sizeof event), KVL_EMPTY);
    CHECK(!is_readable(fd));
    STATUS(kvl_queue_free(bound.queue), KVL_OK);
}

/* The parent's handles return FORKED, even inside a callback, and new handles work. */
static unsigned char in_the_child_of_a_callback(void *argument)
{
    struct fixture *parents = argument;
    unsigned char wrong = 0;
    kvl_value_t *value = NULL;
    kvl_queue_t *queue = NULL;
    kvl_event_t event;
    sigset_t blocked;

    FORKED(kvl_tasks_fetch_wait(parents->tasks, KEY("k"), NULL, NULL, &value, NULL));
    FORKED(kvl_tasks_free(parents->tasks));
    wrong = (unsigned char)(wrong + (kvl_queue_new(0, &queue) != KVL_OK));
    wrong = (unsigned char)(wrong + (kvl_queue_next(queue, 0, &event, sizeof event) != KVL_EMPTY));
    wrong = (unsigned char)(wrong + (kvl_queue_free(queue) != KVL_OK));
    /* The program blocks SIGUSR2 on the thread that creates the engine. */
    wrong = (unsigned char)(wrong + (pthread_sigmask(SIG_SETMASK, NULL, &blocked) != 0));
    wrong = (unsigned char)(wrong + (sigismember(&blocked, SIGTERM) != 0) + (sigismember(&blocked, SIGUSR2) != 1));
#ifndef KVL_RACE /* parking_lot, which replaces std's locks in that build, keeps a table of the parent's threads */
    {
        struct fixture child;
        kvl_config_t *config = fixture_init(&child);

        wrong = (unsigned char)(wrong + (kvl_tasks_new(config, &child.tasks, NULL) != KVL_OK));
        kvl_config_free(config);
        wrong = (unsigned char)(wrong + (kvl_tasks_fetch_wait(child.tasks, KEY("k"), NULL, NULL, &value, NULL) != KVL_VALUE));
        kvl_value_release(value);
        wrong = (unsigned char)(wrong + (kvl_tasks_free(child.tasks) != KVL_OK) + (child.freed != 1));
    }
#endif
    return wrong;
}

static unsigned char wrong_in_provider, wrong_in_callback;

static void fork_in_provider(struct fixture *fixture)
{
    wrong_in_provider = in_a_fork(in_the_child_of_a_callback, fixture);
}

static void fork_in_callback(struct recorder *recorder)
{
    wrong_in_callback = in_a_fork(in_the_child_of_a_callback, recorder->fixture);
}

static void l06a_a_fork_inside_a_callback_leaves_both_processes_working(void)
{
    struct fixture fixture;
    struct recorder recorder;
    sigset_t blocked, before;

    CHECK(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SIGUSR2) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
    create_engine(&fixture, fixture_init(&fixture));
    fixture.first = fork_in_provider;
    recorder_init(&recorder, &fixture);
    recorder.first = fork_in_callback;
    wrong_in_provider = wrong_in_callback = 255;
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, NULL), KVL_PENDING);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_VALUE);
    CHECK(wrong_in_provider == 0 && wrong_in_callback == 0);
    free_engine(&fixture);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

int main(void)
{
    silence_unused_warnings();
    l08a_library_threads_block_all_signals_except_faults();
    l08a_a_provider_thread_has_the_configured_stack();
    l06a_an_object_bound_to_a_queue_is_freed_in_the_child_where_it_is_released(0);
    l06a_an_object_bound_to_a_queue_is_freed_in_the_child_where_it_is_released(KVL_QUEUE_NEW_PIPE);
    l06a_a_fork_inside_a_callback_leaves_both_processes_working();
    DONE();
}
