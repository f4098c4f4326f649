/* A view of bytes that somebody else owns. */
#ifndef SZ_BYTES_H
#define SZ_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct sz_bytes {
    const uint8_t *at;
    size_t length;
};

#define SZ_BYTES(pointer, size) ((struct sz_bytes){(pointer), (size)})
#define SZ_TEXT(literal) ((struct sz_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

#endif
