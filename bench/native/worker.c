#define _POSIX_C_SOURCE 200809L
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Noreturn void worker_die(const char *what, const char *which)
{
    fprintf(stderr, "%s: %s\n", what, which);
    exit(2);
}

void *worker_read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        worker_die("cannot read", path);
    long end = ftell(file);
    rewind(file);
    if (end < 0)
        worker_die("cannot read", path);
    *length = (size_t)end;
    void *bytes = NULL;
    if (posix_memalign(&bytes, 64, *length > 0 ? *length : 1) != 0)
        worker_die("out of memory for", path);
    if (fread(bytes, 1, *length, file) != *length)
        worker_die("cannot read", path);
    fclose(file);
    return bytes;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run(const struct worker *worker, long count)
{
    printf("times");
    for (long i = 0; i < count; i++) {
        (void)getppid(); /* under emulation: instructions are counted from here ... */
        double start = now_ms();
        worker->infer(worker->context);
        double ms = now_ms() - start;
        (void)getppid(); /* ... to here */
        printf(" %.5f", ms);
    }
    printf("\n");
}

static void write_output(const struct worker *worker, const char *path)
{
    const void *bytes;
    size_t length;
    worker->output(worker->context, &bytes, &length);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        worker_die("cannot write", path);
    printf("written\n");
}

int worker_serve(const struct worker *worker)
{
    char line[4096];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "run ", 4) == 0)
            run(worker, strtol(line + 4, NULL, 10));
        else if (strncmp(line, "output ", 7) == 0)
            write_output(worker, line + 7);
        else if (worker->other == NULL || !worker->other(worker->context, line))
            worker_die("unknown command", line);
        fflush(stdout);
    }
    return 0;
}
