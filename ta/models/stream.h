/* Weights that do not stay in memory pass through a window, each time an inference comes to them.
 *
 * The window is filled from its start. What does not fit behind the rest makes all of it give way but what
 * the present operator reads, which moves to the start. So the order in which an inference wants segments
 * follows from the graph and the sizes alone: it says nothing of the frame, and can be told in advance. */
#ifndef SZ_STREAM_H
#define SZ_STREAM_H

#include "models/slot.h"

enum { SZ_STREAM_NONE = UINT32_MAX };

/* Bytes of window that any operator, and any segment by itself, can need at most. */
size_t sz_stream_window_needed(const struct sz_slot *slot);

/* The segment (0-based) that the inference wants now; SZ_STREAM_NONE: it has what it needs. */
uint32_t sz_stream_wanted(const struct sz_slot *slot);

/* Decrypts segment `segment`, the one that is wanted, into the window. MODEL_DIGEST, CRYPTO_FAILED. */
enum sz_code sz_stream_take(struct sz_slot *slot, uint32_t segment, const volatile uint8_t *shared,
                            size_t length);

/* Empties the window and wipes it. */
void sz_stream_clear(struct sz_slot *slot);

/* Tells in advance what an inference will want. */
struct sz_stream_walk {
    const struct sz_slot *slot;
    uint8_t in_window[SZ_CONTAINER_MAX_SEGMENTS / 8];
    size_t used;
    uint32_t op;
};

void sz_stream_walk_now(struct sz_stream_walk *walk, const struct sz_slot *slot);   /* from here on */
void sz_stream_walk_whole(struct sz_stream_walk *walk, const struct sz_slot *slot); /* a whole inference */
uint32_t sz_stream_walk_next(struct sz_stream_walk *walk); /* a segment, or SZ_STREAM_NONE */

#endif
