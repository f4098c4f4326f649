/* Everything one model occupies in secure memory. Buffers come from TEE_Malloc when the container's header is
 * known, and go back, wiped, together.
 *
 * Weights: either every segment stays in memory, or some stay (residency.h) and the others are streamed
 * through a window for every inference (stream.h). An inference is then a series of steps: it runs as far as
 * it has segments, names those that it wants, and goes on when they were given to it.
 */
#ifndef SZ_SLOT_H
#define SZ_SLOT_H

#include "models/buffer.h"
#include "models/container.h"
#include "tinylib/engine.h"

enum { SZ_FRAME_FRAMING = 128 }; /* bytes of a frame's plaintext beyond the tensor's, at most */

/* What a model that did not fit would have needed, in bytes. */
struct sz_shortage {
    size_t needed;    /* to run with all weights streamed */
    size_t available; /* largest free piece */
    size_t arena;     /* of what is needed: this depends on how the model was planned */
};

struct sz_slot {
    struct sz_model_commitment commitment;
    struct sz_buffer header; /* plaintext of segment 0: the container's views and the graph are in it */
    struct sz_container container;
    struct sz_graph graph;
    struct sz_buffer work;
    struct sz_buffer label;     /* sz_model_label_room() */
    struct sz_buffer arena;     /* the plan's, longer where a frame needs it */
    struct sz_buffer table;     /* struct sz_segment for each of the graph's segments; bytes NULL: not here */
    struct sz_buffer residents; /* struct sz_buffer for each segment; empty: streamed */
    struct sz_buffer window;    /* none where all segments are resident */
    size_t window_used;
    bool inferring; /* between input and result */
    uint32_t op;    /* where the inference goes on */
};

/* Reads the container from slot->header, which was allocated 8 bytes too long, opens and verifies the graph,
 * allocates everything and decides which segments stay. MALFORMED (header), MODEL_GRAPH, MODEL_MEMORY (then
 * *shortage is filled). */
enum sz_code sz_slot_prepare(struct sz_slot *slot, struct sz_shortage *shortage);

/* Wipes and frees everything. A slot that is all zeros is empty. */
void sz_slot_release(struct sz_slot *slot);

/* Where a plaintext belongs whose tensor data is used as input: in the arena, so that the data lies as
 * sz_input_write() wants it. There is room for a frame with its framing, and for the golden test. */
uint8_t *sz_slot_plaintext(const struct sz_slot *slot);

static inline struct sz_segment *sz_slot_table(const struct sz_slot *slot)
{
    return (struct sz_segment *)(void *)slot->table.at;
}

static inline struct sz_buffer *sz_slot_residents(const struct sz_slot *slot)
{
    return (struct sz_buffer *)(void *)slot->residents.at;
}

static inline bool sz_slot_is_resident(const struct sz_slot *slot, uint32_t segment)
{
    return sz_slot_residents(slot)[segment].at != NULL;
}

/* Decrypts segment `index` of the container under this content key to out (length - SZ_SEGMENT_OVERHEAD
 * bytes) and checks digest and tag: wiped unless SZ_OK. MODEL_DIGEST, CRYPTO_FAILED. */
enum sz_code sz_segment_open(const uint8_t key[SZ_AES_KEY_SIZE], uint32_t index,
                             const volatile uint8_t *shared, size_t length,
                             const uint8_t digest[SZ_SHA256_SIZE], uint8_t *out);

#endif
