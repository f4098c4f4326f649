/* The running model, and its results as a label carries them. */
#include "models/running.h"

#include <string.h>

static struct sz_slot running;
static struct sz_inference last;

void sz_running_replace(const struct sz_slot *slot)
{
    sz_slot_release(&running);
    running = *slot;
}

void sz_model_release(void)
{
    sz_model_load_abort();
    sz_slot_release(&running);
    sz_wipe(&last, sizeof last);
}

bool sz_model_active(void)
{
    return running.commitment.sequence != 0;
}

const uint8_t *sz_model_digest(void)
{
    return running.commitment.manifest_digest;
}

const struct sz_input_shape *sz_model_input(void)
{
    return &running.container.input;
}

uint8_t *sz_model_frame_buffer(size_t *capacity)
{
    *capacity = running.frame.length;
    return running.frame.at;
}

enum sz_code sz_model_infer(const uint8_t *data, size_t length)
{
    if (!sz_model_active()) {
        return SZ_NO_MODEL;
    }
    return sz_slot_infer(&running, data, length, &last);
}

void sz_model_wipe_inference(void)
{
    sz_slot_wipe_activations(&running);
    sz_wipe(&last, sizeof last);
}

void sz_model_memory(size_t *model, size_t *arena)
{
    *arena = running.arena.length;
    *model = running.header.length + running.graph_bytes.length + running.work.length +
             running.weights.length + running.arena.length + running.frame.length;
}

static void put_result(struct sz_cbor_writer *w, const struct sz_result *result, bool box)
{
    const struct sz_bytes name = sz_container_label(&running.container, result->class_index);
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

static void put_vector(struct sz_cbor_writer *w)
{
    const struct sz_tensor_record *record = NULL;
    const uint8_t *const bytes =
        sz_graph_output(&running.graph, 0, running.arena.at, running.arena.length, &record);
    const bool fits = bytes != NULL && record->bytes <= running.container.results_most;
    sz_cbor_put_array(w, 3);
    sz_cbor_put_uint(w, SZ_RESULTS_VECTOR);
    sz_cbor_put_uint(w, fits && record->dtype == SZ_F32 ? 3 : 2);
    sz_cbor_put_bstr(w, bytes, fits ? record->bytes : 0);
}

void sz_model_write_results(struct sz_cbor_writer *w)
{
    const uint32_t kind = running.container.results_kind;
    if (kind == SZ_RESULTS_VECTOR) {
        put_vector(w);
        return;
    }
    sz_cbor_put_array(w, 2);
    sz_cbor_put_uint(w, kind);
    if (kind == SZ_RESULTS_RECONSTRUCTION) {
        sz_cbor_put_float(w, last.count > 0 ? last.results[0].score : 0);
        return;
    }
    sz_cbor_put_array(w, last.count);
    for (size_t i = 0; i < last.count; i++) {
        put_result(w, &last.results[i], kind == SZ_RESULTS_DETECTIONS);
    }
}

size_t sz_model_results_bound(void)
{
    enum { HEADS = 8, CLASS = 3, NAME_HEAD = 2, FLOAT = 5, BOX = 1 + 4 * FLOAT };
    const struct sz_container *const c = &running.container;
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
