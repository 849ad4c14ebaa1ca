/* Replaces libFuzzer where every run must try the same inputs: the seeds, and others derived from them by a random generator, COUNT in all.
 * libFuzzer follows the coverage, which differs from run to run once there are threads.
 *
 *     program COUNT SEED FOUND SEEDS...     FOUND is the file to write a failing input to
 *     program FILE                          runs that input again
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SEEDS = 200, LONGEST = 400 };

struct input {
    size_t len;
    uint8_t data[LONGEST];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void));

static struct input seeds[MOST_SEEDS], current;
static const char *found;
static uint64_t state;

/* A random number below `end` (SplitMix64). */
static size_t below(size_t end)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((z ^ (z >> 31)) % end);
}

static void write_input(void)
{
    int file = found == NULL ? -1 : open(found, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (file >= 0 && write(file, current.data, current.len) == (ssize_t)current.len)
        fprintf(stderr, "the input is in %s\n", found);
}

static void on_signal(int signal)
{
    if (signal == SIGALRM)
        fprintf(stderr, "one input takes more than a minute\n");
    write_input();
    _exit(77);
}

static void read_input(const char *path, struct input *input)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    input->len = fread(input->data, 1, LONGEST, file);
    fclose(file);
}

static void insert(size_t at, const uint8_t *data, size_t len)
{
    if (len > LONGEST - current.len)
        len = LONGEST - current.len;
    memmove(current.data + at + len, current.data + at, current.len - at);
    memcpy(current.data + at, data, len);
    current.len += len;
}

static void change(size_t count)
{
    const struct input *other = &seeds[below(count)];
    size_t at = below(current.len + 1), from = below(other->len + 1), len, i;
    uint8_t bytes[8];

    switch (below(7)) {
    case 0: /* the end of another input */
        len = other->len - from < LONGEST - at ? other->len - from : LONGEST - at;
        memcpy(current.data + at, other->data + from, len);
        current.len = at + len;
        break;
    case 1: /* a piece of another input */
        insert(at, other->data + from, below(other->len - from + 1));
        break;
    case 2: /* a piece removed */
        len = below((current.len - at < 16 ? current.len - at : 16) + 1);
        memmove(current.data + at, current.data + at + len, current.len - at - len);
        current.len -= len;
        break;
    case 3: /* new bytes */
        len = 1 + below(sizeof bytes);
        for (i = 0; i < len; i++)
            bytes[i] = (uint8_t)below(256);
        insert(at, bytes, len);
        break;
    default: /* a changed byte */
        if (at < current.len)
            current.data[at] = below(2) ? (uint8_t)below(256) : current.data[at] ^ (uint8_t)(1u << below(8));
    }
}

int main(int argc, char **argv)
{
    size_t runs, run, changes, count = 0;

    if (argc == 2) {
        read_input(argv[1], &current);
        return LLVMFuzzerTestOneInput(current.data, current.len);
    }
    if (argc < 5 || argc - 4 > MOST_SEEDS)
        return 2;
    runs = strtoul(argv[1], NULL, 10);
    state = strtoull(argv[2], NULL, 10);
    found = argv[3];
    for (; count < (size_t)argc - 4; count++)
        read_input(argv[4 + count], &seeds[count]);
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
    __sanitizer_set_death_callback(write_input);
    for (run = 0; run < runs; run++) {
        current = seeds[run < count ? run : below(count)];
        for (changes = run < count ? 0 : 1 + below(8); changes > 0; changes--)
            change(count);
        alarm(60);
        LLVMFuzzerTestOneInput(current.data, current.len);
    }
    printf("%zu inputs\n", runs);
    return 0;
}
