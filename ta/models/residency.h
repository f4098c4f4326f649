/* Which weight segments of a model stay in secure memory. */
#ifndef SZ_RESIDENCY_H
#define SZ_RESIDENCY_H

#include "models/slot.h"

/* Bytes of heap that a model leaves free: for a roster, channels and labels. */
enum { SZ_RESIDENCY_RESERVE = 64 * 1024 };

/* What a model leaves free while it is loaded: also what its golden test compares with lies on the heap. */
size_t sz_residency_reserve(const struct sz_slot *slot);

/* All segments if they fit, else a window and as many as fit, those first that are wanted most often.
 * MODEL_MEMORY: not even the window fits. The slot's graph is open and its table filled. */
enum sz_code sz_residency_decide(struct sz_slot *slot);

/* Gives up one resident segment, or all that it takes to make room for a window where there was none. The
 * inference under way ends. False where there is nothing to give. */
bool sz_residency_shrink(struct sz_slot *slot);

/* Memory may have become free: a streamed segment that can stay from now on, and the buffer for it.
 * SZ_STREAM_NONE: all are resident, or no more fit. */
uint32_t sz_residency_grow(const struct sz_slot *slot, struct sz_buffer *place);

/* Takes over a buffer that holds the segment's plaintext now. Not during an inference. */
void sz_residency_keep(struct sz_slot *slot, uint32_t segment, struct sz_buffer *place);

#endif
