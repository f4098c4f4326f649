/* Between loading and running. */
#ifndef SZ_RUNNING_H
#define SZ_RUNNING_H

#include "models/slot.h"

/* Takes over the slot's buffers; the former model's are wiped and freed. */
void sz_running_replace(const struct sz_slot *slot);

/* The running model gives up resident segments, so that memory becomes free. An inference under way ends.
 * False: it has nothing to give. */
bool sz_running_shrink(void);

/* The running model goes, wiped: the caller needs all of its memory. */
void sz_running_release(void);

/* Where memory is free for one more of the running model's streamed segments, it is wanted: its index in the
 * container. UINT32_MAX: none. */
uint32_t sz_running_grow_wanted(void);

/* The segment that sz_running_grow_wanted() named. MODEL_ORDER (another), MODEL_DIGEST, MODEL_UNKNOWN (none
 * is wanted). */
enum sz_code sz_running_grow(uint32_t index, const volatile uint8_t *shared, size_t length);

#endif
