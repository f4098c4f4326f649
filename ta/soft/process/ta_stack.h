/* The TA's own stack, of the size the TA was built with, between inaccessible pages. */
#ifndef SZ_TA_STACK_H
#define SZ_TA_STACK_H

#include <stddef.h>

/* In OP-TEE the crypto runs on the core's stack. Here libcrypto's frames lie on the TA's, so that much is
 * added; the TA's own part is checked at every crypto call instead (sz_check_stack). Measured:
 * 6 KiB (libcrypto 3.0 on x86-64; test/soft-tee.test.ts prints it). */
#define SZ_STACK_MARGIN (32u << 10)

/* Maps a stack for `size` bytes of the TA's own frames. 0, or -1. */
int sz_ta_stack_map(size_t size);

/* The mapping, for mlock. */
void *sz_ta_stack_memory(size_t *size);

/* Runs `function` on it and returns when it returned. */
void sz_ta_stack_run(void (*function)(void));

/* The deepest use so far in bytes, with libcrypto's frames. */
size_t sz_ta_stack_peak(void);

#endif
