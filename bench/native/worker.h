/*
 * What the bench's native workers share: files, time, and the protocol on standard input and output. A worker
 * says `ready` when it has loaded its model, then answers one line to each command:
 *
 *     run N          times T1 T2 ... TN        milliseconds of N inferences on the same input
 *     output PATH    written                   the last inference's output, raw, to a file
 *
 * and ends with its standard input.
 */
#ifndef SZ_BENCH_WORKER_H
#define SZ_BENCH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker {
    void *context;
    /* Ends the program itself where it fails. */
    void (*infer)(void *context);
    void (*output)(void *context, const void **bytes, size_t *length);
    /* Answers any other command; false if it does not know it. May be NULL. */
    bool (*other)(void *context, const char *command);
};

_Noreturn void worker_die(const char *what, const char *which);
/* The whole file, 64-byte aligned, in memory that stays. */
void *worker_read_file(const char *path, size_t *length);
int worker_serve(const struct worker *worker);

#endif
