/* Linked into programs under the race detector. The detector starts its own thread with the program's first one; programs that count
 * threads do so after that. */
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
