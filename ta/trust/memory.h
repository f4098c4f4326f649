/* Secure heap for what cannot wait: requests, rosters, signatures to be checked. */
#ifndef SZ_MEMORY_H
#define SZ_MEMORY_H

#include <stddef.h>

/* Zeroed; given back with TEE_Free(). Where memory is short the oldest labels kept for repeats go first, then
 * the running model streams more of its weights. NULL: there is still not enough. */
void *sz_memory_take(size_t length);

#endif
