/* What a program that hosts a TA on the software TEE sets up: budgets, identity, key, storage, what a panic
 * does. smart-zone-ta hosts the product's TA this way; C tests link libtee-internal.a and host the code under
 * test in their own process. Without sz_soft_tee_start() the first TEE_* call starts it with defaults: a Pi
 * 3's budgets, an all-zero hardware unique key, storage in memory. One thread. */
#ifndef SZ_SOFT_TEE_H
#define SZ_SOFT_TEE_H

#include <stddef.h>
#include <stdint.h>

#include "storage_backend.h"
#include "tee_internal_api.h"

#define SZ_SOFT_HUK_SIZE 16

/* Defaults are those of OP-TEE 4.10's port for the Pi 3 (core/arch/arm/plat-rpi3/conf.mk): TZDRAM of
 * 15 MiB less the core's 7 MiB; CFG_CORE_HEAP_SIZE. */
#define SZ_SOFT_SECURE_SIZE (8u << 20)
#define SZ_SOFT_HEAP_SIZE (7u << 20)
#define SZ_SOFT_STACK_SIZE (64u << 10)
#define SZ_SOFT_CORE_HEAP_SIZE (64u << 10)

struct sz_soft_tee_config {
    TEE_UUID uuid;
    uint8_t huk[SZ_SOFT_HUK_SIZE];
    void *heap; /* heap_size bytes, or NULL: allocated */
    size_t heap_size;
    size_t stack_size;
    size_t core_heap_size;
    size_t image_size;                       /* code and data of the TA, for the properties */
    const char *sandbox;                     /* value of the property smartzone.sandbox; must stay valid */
    struct sz_storage_backend storage;       /* all members NULL: storage in memory */
    size_t (*stack_peak)(void);              /* NULL: property smartzone.stack.peak is absent */
    void (*panic)(TEE_Result, const char *); /* must not return; NULL: one line on stderr, then abort() */
};

/* Fills `config` with the defaults. */
void sz_soft_tee_defaults(struct sz_soft_tee_config *config);

/* Starts with `config`, forgetting everything of an earlier start (all handles and the heap; storage in
 * memory stays, sz_storage_in_memory_clear() empties it).
 */
TEE_Result sz_soft_tee_start(const struct sz_soft_tee_config *config);

/* Memory in use and its highest value so far, in bytes. */
struct sz_soft_tee_usage {
    size_t heap_used, heap_peak, heap_size;
    size_t core_used, core_peak, core_size;
};
void sz_soft_tee_usage(struct sz_soft_tee_usage *usage);

#endif
