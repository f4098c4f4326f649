#include "models/infer.h"
#include "models/stream.h"

#include <tee_internal_api.h>

enum sz_code sz_slot_begin(struct sz_slot *slot, struct sz_bytes data)
{
    const struct sz_input_shape *const shape = &slot->container.input;
    static const enum sz_input_format formats[] = {SZ_INPUT_U8, SZ_INPUT_I8, SZ_INPUT_F32};
    if (data.length != sz_input_shape_bytes(shape) ||
        sz_input_write(&slot->graph, formats[shape->format - 1], shape->dims, shape->rank, data.at,
                       data.length, slot->arena.at, slot->arena.length) != SZ_ENGINE_OK) {
        return SZ_BAD_FRAME;
    }
    slot->op = 0;
    slot->inferring = true;
    return SZ_OK;
}

enum sz_code sz_slot_advance(struct sz_slot *slot)
{
    const uint32_t operators = slot->graph.header->op_count;
    struct sz_fault fault;
    const enum sz_engine_status status =
        sz_graph_run_ops(&slot->graph, sz_slot_table(slot), slot->container.segment_count, slot->arena.at,
                         slot->arena.length, slot->op, operators - slot->op, &fault);
    if (status != SZ_ENGINE_OK && status != SZ_ENGINE_SEGMENT) {
        return SZ_INFERENCE_FAILED;
    }
    slot->op = status == SZ_ENGINE_OK ? operators : fault.op;
    if (slot->op > operators) {
        return SZ_INFERENCE_FAILED;
    }
    if (sz_stream_wanted(slot) != SZ_STREAM_NONE) {
        return slot->window.at != NULL ? SZ_SEGMENTS_WANTED : SZ_OUT_OF_MEMORY;
    }
    return status == SZ_ENGINE_OK ? SZ_OK : SZ_INFERENCE_FAILED;
}

enum sz_code sz_slot_results(struct sz_slot *slot, struct sz_results *out)
{
    out->count = 0;
    if (slot->container.results_kind == SZ_RESULTS_VECTOR) {
        return SZ_OK;
    }
    return sz_head_results(&slot->graph, sz_slot_table(slot), slot->container.segment_count, slot->arena.at,
                           slot->arena.length, slot->work.at, slot->work.length, out->list, SZ_RESULTS_MAX,
                           &out->count) == SZ_ENGINE_OK
               ? SZ_OK
               : SZ_INFERENCE_FAILED;
}

void sz_slot_end_inference(struct sz_slot *slot)
{
    if (slot->arena.at != NULL) {
        TEE_MemFill(slot->arena.at, 0, slot->arena.length);
        TEE_MemFill(slot->work.at, 0, slot->work.length);
        sz_stream_clear(slot);
    }
    slot->inferring = false;
    slot->op = 0;
}
