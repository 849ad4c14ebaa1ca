/* What the tests need from the system, under the same names on all systems: pauses, counts of threads and of descriptors, memory in use,
 * and waiting for a queue. */
#ifndef KVL_TESTS_SYSTEM_H
#define KVL_TESTS_SYSTEM_H

#include <kvlight.h>
#include <stddef.h>
#include <time.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <psapi.h>
#include <tlhelp32.h>
/* check.h has a macro of this name. */
#undef TEXT
#else
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#endif

/* mallinfo2 exists since glibc 2.33; other C libraries do not report the memory in use. */
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
#include <malloc.h>
#define TELLS_MEMORY 1
#else
#define TELLS_MEMORY 0
#endif

/* The bytes that the program has allocated and not freed, or always 0 if the C library does not say. */
static inline size_t bytes_in_use(void)
{
#if TELLS_MEMORY
    struct mallinfo2 memory = mallinfo2();

    /* Large blocks are mapped one by one and counted separately. */
    return memory.uordblks + memory.hblkhd;
#else
    return 0;
#endif
}

/* The bytes of memory that the process occupies, or always 0 if the system does not say. */
static inline size_t resident_bytes(void)
{
#ifdef _WIN32
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};

    return K32GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory) ? memory.WorkingSetSize : 0;
#else
    size_t all = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%zu %zu", &all, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
#endif
}

/* Sleeps for at least the given time. */
static inline void pause_for_us(long microseconds)
{
#ifdef _WIN32
    Sleep((DWORD)((microseconds + 999) / 1000));
#else
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};

    nanosleep(&pause, NULL);
#endif
}

#ifndef _WIN32
/* The number of entries of a folder, with "." and ".."; -1 if it cannot be read. */
static inline int files_in(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;

    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}
#endif

/* The number of threads of the process, plus a constant: only differences mean something. */
static inline int count_threads(void)
{
#ifdef _WIN32
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 one = {.dwSize = sizeof one};
    int count = 0;
    BOOL more;

    for (more = Thread32First(all, &one); more; more = Thread32Next(all, &one))
        count += one.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return count;
#else
    return files_in("/proc/self/task");
#endif
}

/* The number of descriptors or handles of the process, plus a constant: only differences mean something. */
static inline int count_descriptors(void)
{
#ifdef _WIN32
    DWORD count = 0;

    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
#else
    return files_in("/proc/self/fd");
#endif
}

/* Waits, for a minute or somewhat longer, until count_threads() returns the given number. Returns whether it does. The system may list a
 * thread for a moment after it was joined, and the library does not join threads that run code of the program. */
static inline int threads_come_to(int wanted)
{
    int i;

    for (i = 0; i < 60000 && count_threads() != wanted; i++)
        pause_for_us(1000);
    return count_threads() == wanted;
}

/* Waits until the queue has an event, as an event loop does. Returns 1 if it has, 0 if none arrived in time, -1 if waiting failed. */
static inline int wait_for_queue(kvl_queue_t *queue, int timeout_ms)
{
#ifdef _WIN32
    void *event = NULL;

    if (kvl_queue_handle(queue, &event) != KVL_OK)
        return -1;
    return WaitForSingleObject(event, timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms) == WAIT_OBJECT_0;
#else
    struct pollfd wait = {-1, POLLIN, 0};

    if (kvl_queue_fd(queue, &wait.fd) != KVL_OK)
        return -1;
    return poll(&wait, 1, timeout_ms);
#endif
}

#endif
