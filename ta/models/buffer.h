/* Pieces of the secure heap, aligned as the engine needs them. */
#ifndef SZ_BUFFER_H
#define SZ_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SZ_BUFFER_ALIGNMENT = 64 };

struct sz_buffer {
    void *allocation;
    uint8_t *at;
    size_t length;
};

/* False if secure memory is exhausted. Zeroed. */
bool sz_buffer_allocate(struct sz_buffer *buffer, size_t length);

/* As sz_buffer_allocate(), and where memory is short the running model gives up segments that it can as well
 * stream. */
bool sz_buffer_obtain(struct sz_buffer *buffer, size_t length);

void sz_buffer_release(struct sz_buffer *buffer); /* wipes */

/* The length rounded up to the alignment. */
static inline size_t sz_buffer_aligned(size_t length)
{
    return (length + SZ_BUFFER_ALIGNMENT - 1) & ~(size_t)(SZ_BUFFER_ALIGNMENT - 1);
}

/* The largest buffer that could be had now, to within 4 KiB. */
size_t sz_buffer_largest(void);

#endif
