/* Shared memory of this process: sealed memfds that the TA's process maps too. */
#ifndef SZ_CLIENT_MEMORY_H
#define SZ_CLIENT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "tee_client_api.h"

struct sz_memory {
    int fd;
    uint32_t id; /* unique in this process */
    void *mapping;
    size_t size; /* of the mapping, at least 1 */
};

/* 0, or -1 when there is no memory. */
int sz_memory_make(struct sz_memory *memory, size_t size);
void sz_memory_free(struct sz_memory *memory);

/* The memory behind a TEEC_SharedMemory. */
struct sz_memory sz_memory_of(const TEEC_SharedMemory *shared);

/* For registered memory the client's own buffer and the shared one are two: what differs is copied before and
 * after. */
int sz_memory_has_shadow(const TEEC_SharedMemory *shared);

#endif
