/* One inference on a slot, step by step, and what it gave. */
#ifndef SZ_INFER_H
#define SZ_INFER_H

#include "models/slot.h"

/* What a run gave, until it is wiped. */
struct sz_results {
    struct sz_result list[SZ_RESULTS_MAX];
    size_t count;
};

/* Frame data becomes the input; an earlier inference is forgotten. data: in the plaintext at
 * sz_slot_plaintext(). BAD_FRAME: another length, or the graph does not take it. */
enum sz_code sz_slot_begin(struct sz_slot *slot, struct sz_bytes data);

/* Runs as far as there are segments. SZ_OK: the outputs are in the arena. SEGMENTS_WANTED: to be called again
 * when the window has got sz_stream_wanted(). INFERENCE_FAILED; OUT_OF_MEMORY (the model gave segments away
 * and no window could be had for them). */
enum sz_code sz_slot_advance(struct sz_slot *slot);

/* What the outputs mean; nothing for vectors. */
enum sz_code sz_slot_results(struct sz_slot *slot, struct sz_results *out);

/* Wipes activations and window. */
void sz_slot_end_inference(struct sz_slot *slot);

/* What the golden test (CDDL golden) must give: the output tensors. The plaintext is at sz_slot_plaintext()
 * and is overwritten by the inference that begins: *expected is a copy. MALFORMED, BAD_FRAME,
 * MODEL_MEMORY. */
enum sz_code sz_golden_begin(struct sz_slot *slot, size_t length, struct sz_buffer *expected);

/* The outputs in the arena are those expected: MODEL_GOLDEN if not. */
enum sz_code sz_golden_compare(const struct sz_slot *slot, const struct sz_buffer *expected);

#endif
