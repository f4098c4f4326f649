/* Everything one model occupies in secure memory. Buffers come from TEE_Malloc when the container's header is
 * known, and go back, wiped, together. */
#ifndef SZ_SLOT_H
#define SZ_SLOT_H

#include "models/container.h"
#include "tinylib/engine.h"

/* A buffer aligned as the engine needs it. */
struct sz_buffer {
    void *allocation;
    uint8_t *at;
    size_t length;
};

struct sz_slot {
    struct sz_model_commitment commitment;
    struct sz_buffer header; /* plaintext of segment 0: container's views point into it */
    struct sz_container container;
    struct sz_buffer graph_bytes;
    struct sz_graph graph;
    struct sz_buffer work;
    struct sz_buffer weights;
    struct sz_buffer segment_table; /* one struct sz_segment for each of the graph's segments, into weights */
    struct sz_buffer arena;
    struct sz_buffer frame;
};

/* False if secure memory is exhausted. Zeroed. */
bool sz_buffer_allocate(struct sz_buffer *buffer, size_t length);
void sz_buffer_release(struct sz_buffer *buffer); /* wipes */

/* Reads the container from slot->header, opens and verifies the graph, and allocates weights, arena and frame
 * buffer. MALFORMED (header), MODEL_GRAPH, MODEL_MEMORY. */
enum sz_code sz_slot_prepare(struct sz_slot *slot);

/* Where the plaintext of weight segment `index` (0-based) belongs. */
uint8_t *sz_slot_segment(const struct sz_slot *slot, uint32_t index, size_t *length);

/* Wipes and frees everything. A slot that is all zeros is empty. */
void sz_slot_release(struct sz_slot *slot);

/* What a run gave, until it is wiped. */
struct sz_inference {
    struct sz_result results[SZ_RESULTS_MAX];
    size_t count;
};

/* Frame data into the arena, all operators, head. MODEL's own errors are INFERENCE_FAILED; data of the wrong
 * length BAD_FRAME. */
enum sz_code sz_slot_infer(struct sz_slot *slot, const uint8_t *data, size_t length,
                           struct sz_inference *out);

/* Runs the golden test (CDDL golden) whose plaintext this is. MODEL_GOLDEN, MALFORMED, INFERENCE_FAILED. */
enum sz_code sz_slot_golden_test(struct sz_slot *slot, struct sz_bytes golden);

void sz_slot_wipe_activations(struct sz_slot *slot);

#endif
