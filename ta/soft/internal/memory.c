/* TEE_Malloc and its kind (GPD_SPE_010 section 4.11), with the hints as OP-TEE's libutee takes them. */
#include <string.h>

#include "tee.h"
#include "tee_internal_api_extensions.h"

/* What allocating nothing returns: not NULL, never to be read (the values are libutee's). */
#define NULL_SIZED ((void *)(uintptr_t)1)
#define NULL_SIZED_NO_SHARE ((void *)(uintptr_t)2)

void *TEE_Malloc(size_t size, uint32_t hint)
{
    void *pointer;

    switch (hint) {
    case TEE_MALLOC_FILL_ZERO:
        if (size == 0)
            return NULL_SIZED;
        pointer = sz_heap_alloc(&sz_tee()->heap, size);
        return pointer ? memset(pointer, 0, size) : NULL;
    case TEE_USER_MEM_HINT_NO_FILL_ZERO:
        return size == 0 ? NULL_SIZED : sz_heap_alloc(&sz_tee()->heap, size);
    case TEE_MALLOC_NO_SHARE:
    case TEE_MALLOC_NO_SHARE | TEE_MALLOC_NO_FILL:
        /* Served from a second pool, TA_NO_SHARE_DATA_SIZE, which is empty unless a TA asks for one. Ours
         * does not. */
        return size == 0 ? NULL_SIZED_NO_SHARE : NULL;
    case TEE_MALLOC_NO_FILL:
        sz_panic(TEE_SUCCESS, "TEE_MALLOC_NO_FILL without TEE_MALLOC_NO_SHARE");
    default:
        return NULL;
    }
}

void *TEE_Realloc(void *buffer, size_t newSize)
{
    struct sz_heap *heap = &sz_tee()->heap;
    size_t size;
    void *larger;

    if (!buffer || buffer == NULL_SIZED)
        return TEE_Malloc(newSize, TEE_MALLOC_FILL_ZERO);
    if (buffer == NULL_SIZED_NO_SHARE)
        return TEE_Malloc(newSize, TEE_MALLOC_NO_SHARE);
    if (newSize == 0) {
        sz_heap_free(heap, buffer);
        return NULL_SIZED;
    }
    size = sz_heap_size_of(heap, buffer);
    larger = sz_heap_alloc(heap, newSize);
    if (!larger)
        return NULL;
    memcpy(larger, buffer, size < newSize ? size : newSize);
    if (newSize > size)
        memset((uint8_t *)larger + size, 0, newSize - size);
    sz_heap_free(heap, buffer);
    return larger;
}

void TEE_Free(void *buffer)
{
    if (buffer && buffer != NULL_SIZED && buffer != NULL_SIZED_NO_SHARE)
        sz_heap_free(&sz_tee()->heap, buffer);
}

void TEE_MemMove(void *dest, const void *src, size_t size)
{
    if (size > 0) {
        memmove(dest, src, size);
    }
}

int32_t TEE_MemCompare(const void *buffer1, const void *buffer2, size_t size)
{
    const volatile uint8_t *a = buffer1;
    const volatile uint8_t *b = buffer2;
    int32_t result = 0;

    /* From the end, so that the first difference has the last word; no branch depends on the bytes. */
    for (size_t i = size; i > 0; i--) {
        int32_t difference = (int32_t)a[i - 1] - (int32_t)b[i - 1];
        int32_t equal = (int32_t)(((uint32_t)difference | (0u - (uint32_t)difference)) >> 31) - 1;

        result = (result & equal) | difference;
    }
    return result;
}

void TEE_MemFill(void *buffer, uint32_t x, size_t size)
{
    volatile uint8_t *bytes = buffer;

    /* volatile: a compiler must not leave out the wiping of a buffer that is not read again */
    if (size >= 64) {
        memset(buffer, (int)(x & 0xff), size);
        __asm__ volatile("" : : "r"(buffer) : "memory");
        return;
    }
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)x;
}

void TEE_SetInstanceData(const void *instanceData)
{
    sz_tee()->instance_data = instanceData;
}

const void *TEE_GetInstanceData(void)
{
    return sz_tee()->instance_data;
}

/* The default knows no shared memory: everything is the TA's own. smart-zone-ta replaces it. */
__attribute__((weak)) TEE_Result TEE_CheckMemoryAccessRights(uint32_t accessFlags, void *buffer, size_t size)
{
    (void)accessFlags;
    return buffer || size == 0 ? TEE_SUCCESS : TEE_ERROR_ACCESS_DENIED;
}
