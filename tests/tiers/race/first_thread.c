/* Linked into programs under the race detector, which starts a thread of its own when the program starts its first one. This starts one
 * before `main`, so that the detector's thread is there before a program counts threads. */
#include <pthread.h>
#include <stddef.h>

static void *nothing(void *user_data)
{
    return user_data;
}

__attribute__((constructor)) static void start_one(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
}
