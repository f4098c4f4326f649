#include "models/results.h"

static void put_result(const struct sz_container *container, struct sz_cbor_writer *w,
                       const struct sz_result *result, bool box)
{
    const struct sz_bytes name = sz_container_label(container, result->class_index);
    sz_cbor_put_array(w, box ? 4 : 3);
    sz_cbor_put_uint(w, result->class_index);
    sz_cbor_put_tstr(w, name.at, name.length);
    sz_cbor_put_float(w, result->score);
    if (box) { /* corners become corner and size */
        sz_cbor_put_array(w, 4);
        sz_cbor_put_float(w, result->box[0]);
        sz_cbor_put_float(w, result->box[1]);
        sz_cbor_put_float(w, result->box[2] - result->box[0]);
        sz_cbor_put_float(w, result->box[3] - result->box[1]);
    }
}

static void put_vector(const struct sz_slot *slot, struct sz_cbor_writer *w)
{
    const struct sz_tensor_record *record = NULL;
    const uint8_t *const bytes =
        sz_graph_output(&slot->graph, 0, slot->arena.at, slot->arena.length, &record);
    const bool fits = bytes != NULL && record->bytes <= slot->container.results_most;
    sz_cbor_put_array(w, 3);
    sz_cbor_put_uint(w, SZ_RESULTS_VECTOR);
    sz_cbor_put_uint(w, fits && record->dtype == SZ_F32 ? 3 : 2);
    sz_cbor_put_bstr(w, bytes, fits ? record->bytes : 0);
}

void sz_results_write(const struct sz_slot *slot, const struct sz_results *results, struct sz_cbor_writer *w)
{
    const uint32_t kind = slot->container.results_kind;
    if (kind == SZ_RESULTS_VECTOR) {
        put_vector(slot, w);
        return;
    }
    sz_cbor_put_array(w, 2);
    sz_cbor_put_uint(w, kind);
    if (kind == SZ_RESULTS_RECONSTRUCTION) {
        sz_cbor_put_float(w, results->count > 0 ? results->list[0].score : 0);
        return;
    }
    sz_cbor_put_array(w, results->count);
    for (size_t i = 0; i < results->count; i++) {
        put_result(&slot->container, w, &results->list[i], kind == SZ_RESULTS_DETECTIONS);
    }
}

size_t sz_results_bound(const struct sz_container *c)
{
    enum { HEADS = 8, CLASS = 3, NAME_HEAD = 2, FLOAT = 5, BOX = 1 + 4 * FLOAT };
    const size_t each = 1 + CLASS + NAME_HEAD + c->label_longest + FLOAT;
    switch (c->results_kind) {
    case SZ_RESULTS_TOP_K:
        return HEADS + c->results_most * each;
    case SZ_RESULTS_DETECTIONS:
        return HEADS + c->results_most * (each + BOX);
    case SZ_RESULTS_VECTOR:
        return HEADS + c->results_most;
    default:
        return HEADS + FLOAT;
    }
}
