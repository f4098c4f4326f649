/* The self-test that comes with a model: a frame, and what the publisher's engine made of it. */
#include "models/infer.h"

#include <string.h>

/* Copies the expected tensors, one behind the other: the inference overwrites the plaintext. */
static enum sz_code copy_outputs(const struct sz_graph *graph, struct sz_cbor_reader *r,
                                 struct sz_buffer *expected)
{
    const uint32_t count = graph->header->output_count;
    size_t length = 0, at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t bytes = graph->tensors[graph->header->outputs[i]].bytes;
        if (bytes > r->bytes.length - length) {
            return SZ_MALFORMED; /* more than the golden test has */
        }
        length += bytes;
    }
    if (!sz_buffer_obtain(expected, length)) {
        return SZ_MODEL_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct sz_bytes tensor = sz_cbor_bstr(r);
        if (sz_cbor_error(r) != SZ_OK || tensor.length != graph->tensors[graph->header->outputs[i]].bytes) {
            return SZ_MALFORMED;
        }
        memcpy(expected->at + at, tensor.at, tensor.length);
        at += tensor.length;
    }
    return sz_cbor_done(r);
}

enum sz_code sz_golden_begin(struct sz_slot *slot, size_t length, struct sz_buffer *expected)
{
    const struct sz_bytes golden = SZ_BYTES(sz_slot_plaintext(slot), length);
    struct sz_cbor_reader r = sz_cbor_reader(golden);
    struct sz_bytes input;
    enum sz_code code = sz_cbor_check(golden);
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_array_of(&r, 2);
    input = sz_cbor_bstr(&r);
    sz_cbor_array_of(&r, slot->graph.header->output_count);
    if (sz_cbor_error(&r) != SZ_OK) {
        return SZ_MALFORMED;
    }
    code = copy_outputs(&slot->graph, &r, expected);
    return code == SZ_OK ? sz_slot_begin(slot, input) : code;
}

/* int8 bit for bit, float32 within the tolerance. Differences leave only as pass or fail. */
static bool same_output(const uint8_t *have, struct sz_bytes want, uint8_t dtype, float tolerance)
{
    if (dtype != SZ_F32 || tolerance <= 0) {
        return memcmp(have, want.at, want.length) == 0;
    }
    for (size_t i = 0; i + sizeof(float) <= want.length; i += sizeof(float)) {
        float a, b;
        memcpy(&a, have + i, sizeof a);
        memcpy(&b, want.at + i, sizeof b);
        if (!(a - b <= tolerance && b - a <= tolerance)) {
            return false;
        }
    }
    return true;
}

enum sz_code sz_golden_compare(const struct sz_slot *slot, const struct sz_buffer *expected)
{
    size_t at = 0;
    for (uint32_t i = 0; i < slot->graph.header->output_count; i++) {
        const struct sz_tensor_record *record = NULL;
        const uint8_t *const have =
            sz_graph_output(&slot->graph, i, slot->arena.at, slot->arena.length, &record);
        if (have == NULL || record->bytes > expected->length - at) {
            return SZ_MODEL_GOLDEN;
        }
        if (!same_output(have, SZ_BYTES(expected->at + at, record->bytes), record->dtype,
                         slot->container.tolerance)) {
            return SZ_MODEL_GOLDEN;
        }
        at += record->bytes;
    }
    return SZ_OK;
}
