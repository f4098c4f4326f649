/* Closes the TA's process off: no network, no files, no new privileges, no debugger, no core dumps, no swap,
 * a user of its own. What the machine does not allow is left out and named. */
#ifndef SZ_SANDBOX_H
#define SZ_SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

struct sz_sandbox {
    char applied[92]; /* names, separated by spaces; one with "-" before it could not be applied. The TA keeps
                         96 bytes */
};

/* Before anything secret is in memory. `uid`: the user to become when started by root. */
void sz_sandbox_enter(struct sz_sandbox *sandbox, uid_t uid);

/* Keeps `size` bytes out of swap. */
void sz_sandbox_lock_memory(struct sz_sandbox *sandbox, void *memory, size_t size);

/* The system calls that remain (seccomp.c). Last step. */
void sz_sandbox_restrict_calls(struct sz_sandbox *sandbox);

void sz_sandbox_note(struct sz_sandbox *sandbox, const char *name, int applied);

/* 0 when the filter is in force. */
int sz_seccomp_install(void);

#endif
