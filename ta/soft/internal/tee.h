/* State of the software TEE that its files share. */
#ifndef SZ_TEE_H
#define SZ_TEE_H

#include "heap.h"
#include "soft_tee.h"

struct sz_tee {
    int started;
    struct sz_soft_tee_config config;
    struct sz_heap heap;
    size_t core_used, core_peak;
    const void *instance_data;
};

/* The one TEE of this process, started with defaults if nobody did. */
struct sz_tee *sz_tee(void);

/* TEE_Panic with a reason for the log (a programmer's error: never names data). */
_Noreturn void sz_panic(TEE_Result code, const char *reason);

/* OP-TEE's core keeps key objects and crypto states in a heap of its own (CFG_CORE_HEAP_SIZE), shared by all
 * TAs. */
int sz_core_reserve(size_t size);
void sz_core_release(size_t size);

/* Called at the start of every crypto call: the TA's own frames must fit its own stack, although the
 * library's frames come on top of them here and are the core's business there. */
void sz_check_stack(void);

/* HMAC-SHA256, for keys derived inside the TEE. */
void sz_hmac(const uint8_t *key, size_t key_size, const uint8_t *data, size_t size, uint8_t mac[32]);

/* Parts that start afresh with sz_soft_tee_start(). */
void sz_objects_reset(void);

#endif
