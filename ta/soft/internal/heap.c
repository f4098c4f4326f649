#include "heap.h"

#include "tee.h"

#if defined(__SANITIZE_ADDRESS__)
#define SZ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SZ_ASAN 1
#endif
#endif
#ifdef SZ_ASAN
/* The sanitizer sees one big array: tell it which parts of it are allocated. */
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) __asan_poison_memory_region((p), (n))
#define SHOW(p, n) __asan_unpoison_memory_region((p), (n))
#define UNCHECKED __attribute__((no_sanitize("address")))
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#define UNCHECKED
#endif

#define FREE_MARK 0x46524545u
#define USED_MARK 0x55534544u

/* Precedes every block; blocks lie one after the other to the end of the array. */
struct block {
    uint32_t mark;
    uint32_t size;     /* of the block with this header, a multiple of SZ_HEAP_ALIGNMENT */
    uint32_t previous; /* size of the block before, 0 for the first */
    uint32_t asked;    /* bytes the caller asked for */
};
_Static_assert(sizeof(struct block) == SZ_HEAP_ALIGNMENT, "payload must stay aligned");

UNCHECKED static struct block *after(const struct sz_heap *heap, struct block *block)
{
    uint8_t *next = (uint8_t *)block + block->size;

    return next < heap->base + heap->size ? (struct block *)(void *)next : NULL;
}

UNCHECKED static void check(const struct block *block)
{
    if (block->mark != FREE_MARK && block->mark != USED_MARK)
        sz_panic(TEE_ERROR_BAD_STATE, "the heap's bookkeeping was overwritten");
}

UNCHECKED void sz_heap_init(struct sz_heap *heap, void *base, size_t size)
{
    struct block *first = base;

    size &= ~(size_t)(SZ_HEAP_ALIGNMENT - 1);
    heap->base = base;
    heap->size = size;
    heap->used = heap->peak = 0;
    SHOW(base, size);
    first->mark = FREE_MARK;
    first->size = (uint32_t)size;
    first->previous = 0;
    first->asked = 0;
    HIDE(base, size);
}

UNCHECKED void *sz_heap_alloc(struct sz_heap *heap, size_t asked)
{
    size_t size;
    struct block *block;

    if (asked == 0 || asked > heap->size - sizeof(struct block))
        return NULL;
    size = sizeof(struct block) + ((asked + SZ_HEAP_ALIGNMENT - 1) & ~(size_t)(SZ_HEAP_ALIGNMENT - 1));
    for (block = (struct block *)(void *)heap->base; block; block = after(heap, block)) {
        check(block);
        if (block->mark == FREE_MARK && block->size >= size)
            break;
    }
    if (!block)
        return NULL;
    if (block->size - size > sizeof(struct block)) {
        struct block *rest = (struct block *)(void *)((uint8_t *)block + size);
        struct block *next = after(heap, block);

        rest->mark = FREE_MARK;
        rest->size = block->size - (uint32_t)size;
        rest->previous = (uint32_t)size;
        rest->asked = 0;
        if (next)
            next->previous = rest->size;
        block->size = (uint32_t)size;
    }
    block->mark = USED_MARK;
    block->asked = (uint32_t)asked;
    heap->used += block->size;
    if (heap->used > heap->peak)
        heap->peak = heap->used;
    SHOW(block + 1, asked);
    return block + 1;
}

UNCHECKED static struct block *block_of(const struct sz_heap *heap, const void *pointer)
{
    const uint8_t *p = pointer;
    struct block *block;

    if (p < heap->base + sizeof(struct block) || p >= heap->base + heap->size ||
        (size_t)(p - heap->base) % SZ_HEAP_ALIGNMENT != 0)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a pointer that is not of this heap");
    block = (struct block *)((uintptr_t)p - sizeof(struct block));
    if (block->mark != USED_MARK)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "freed twice, or the heap's bookkeeping was overwritten");
    return block;
}

UNCHECKED static void join(const struct sz_heap *heap, struct block *block, struct block *next)
{
    struct block *beyond = after(heap, next);

    block->size += next->size;
    next->mark = 0;
    if (beyond)
        beyond->previous = block->size;
}

UNCHECKED void sz_heap_free(struct sz_heap *heap, void *pointer)
{
    struct block *block = block_of(heap, pointer);
    struct block *next = after(heap, block);

    heap->used -= block->size;
    block->mark = FREE_MARK;
    HIDE(block, block->size);
    if (next) {
        check(next);
        if (next->mark == FREE_MARK)
            join(heap, block, next);
    }
    if (block->previous) {
        struct block *previous = (struct block *)(void *)((uint8_t *)block - block->previous);

        check(previous);
        if (previous->mark == FREE_MARK)
            join(heap, previous, block);
    }
}

UNCHECKED size_t sz_heap_size_of(const struct sz_heap *heap, const void *pointer)
{
    return block_of(heap, pointer)->asked;
}
