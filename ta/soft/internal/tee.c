#include "tee.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sz_tee tee;

void sz_soft_tee_defaults(struct sz_soft_tee_config *config)
{
    static const TEE_UUID uuid = {
        0x7c3a1f52, 0x5b0e, 0x4c55, {0x9d, 0x2b, 0x3f, 0x6e, 0x0a, 0x8c, 0x41, 0xd7}};

    memset(config, 0, sizeof *config);
    config->uuid = uuid;
    config->heap_size = SZ_SOFT_HEAP_SIZE;
    config->stack_size = SZ_SOFT_STACK_SIZE;
    config->core_heap_size = SZ_SOFT_CORE_HEAP_SIZE;
    config->sandbox = "none: same process";
}

TEE_Result sz_soft_tee_start(const struct sz_soft_tee_config *config)
{
    static void *owned_heap;
    void *heap = config->heap;

    if (tee.started)
        sz_objects_reset();
    free(owned_heap);
    owned_heap = NULL;
    memset(&tee, 0, sizeof tee);
    if (!heap) {
        if (config->heap_size == 0)
            return TEE_ERROR_BAD_PARAMETERS;
        heap = owned_heap = aligned_alloc(SZ_HEAP_ALIGNMENT, (config->heap_size + SZ_HEAP_ALIGNMENT - 1) &
                                                                 ~(size_t)(SZ_HEAP_ALIGNMENT - 1));
        if (!heap)
            return TEE_ERROR_OUT_OF_MEMORY;
    }
    tee.config = *config;
    if (!tee.config.storage.read)
        sz_storage_in_memory(&tee.config.storage);
    sz_heap_init(&tee.heap, heap, config->heap_size);
    tee.started = 1;
    return TEE_SUCCESS;
}

struct sz_tee *sz_tee(void)
{
    if (!tee.started) {
        struct sz_soft_tee_config config;

        sz_soft_tee_defaults(&config);
        if (sz_soft_tee_start(&config) != TEE_SUCCESS)
            abort();
    }
    return &tee;
}

void sz_soft_tee_usage(struct sz_soft_tee_usage *usage)
{
    const struct sz_tee *t = sz_tee();

    usage->heap_used = t->heap.used;
    usage->heap_peak = t->heap.peak;
    usage->heap_size = t->heap.size;
    usage->core_used = t->core_used;
    usage->core_peak = t->core_peak;
    usage->core_size = t->config.core_heap_size;
}

void sz_panic(TEE_Result code, const char *reason)
{
    if (tee.config.panic)
        tee.config.panic(code, reason);
    fprintf(stderr, "TA panicked with code 0x%08x: %s\n", code, reason);
    abort();
}

void TEE_Panic(TEE_Result panicCode)
{
    sz_panic(panicCode, "TEE_Panic");
}

int sz_core_reserve(size_t size)
{
    struct sz_tee *t = sz_tee();

    if (size > t->config.core_heap_size - t->core_used)
        return 0;
    t->core_used += size;
    if (t->core_used > t->core_peak)
        t->core_peak = t->core_used;
    return 1;
}

void sz_core_release(size_t size)
{
    tee.core_used -= size <= tee.core_used ? size : tee.core_used;
}

__attribute__((weak)) void sz_check_stack(void)
{
}
