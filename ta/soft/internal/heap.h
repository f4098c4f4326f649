/* The TA's heap: a fixed array, as in OP-TEE (TA_DATA_SIZE), so that what does not fit there does not fit
 * here. First fit with coalescing; bookkeeping is in the array and counts as used. Damaged bookkeeping, a
 * double free or a pointer from elsewhere ends the TA. */
#ifndef SZ_HEAP_H
#define SZ_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define SZ_HEAP_ALIGNMENT 16u

struct sz_heap {
    uint8_t *base;
    size_t size;
    size_t used; /* bytes, with bookkeeping */
    size_t peak;
};

/* `base` is aligned to SZ_HEAP_ALIGNMENT. */
void sz_heap_init(struct sz_heap *heap, void *base, size_t size);
/* Uninitialised memory, or NULL when no block is large enough. size > 0. */
void *sz_heap_alloc(struct sz_heap *heap, size_t size);
void sz_heap_free(struct sz_heap *heap, void *pointer);
/* The size asked for when `pointer` was allocated. */
size_t sz_heap_size_of(const struct sz_heap *heap, const void *pointer);

#endif
