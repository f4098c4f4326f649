#include "models/slot.h"

#include <string.h>
#include <tee_internal_api.h>

enum { ALIGNMENT = 64, FRAME_FRAMING = 128 };

bool sz_buffer_allocate(struct sz_buffer *buffer, size_t length)
{
    uintptr_t address;
    if (length > SIZE_MAX - ALIGNMENT) {
        return false;
    }
    buffer->allocation = TEE_Malloc(length + ALIGNMENT, TEE_MALLOC_FILL_ZERO);
    if (buffer->allocation == NULL) {
        return false;
    }
    address = ((uintptr_t)buffer->allocation + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    buffer->at = (uint8_t *)address;
    buffer->length = length;
    return true;
}

void sz_buffer_release(struct sz_buffer *buffer)
{
    if (buffer->allocation != NULL) {
        sz_wipe(buffer->at, buffer->length);
        TEE_Free(buffer->allocation);
    }
    *buffer = (struct sz_buffer){0};
}

static const struct sz_segment *segment_table(const struct sz_slot *slot)
{
    return (const struct sz_segment *)(const void *)slot->segment_table.at;
}

void sz_slot_release(struct sz_slot *slot)
{
    sz_buffer_release(&slot->header);
    sz_buffer_release(&slot->graph_bytes);
    sz_buffer_release(&slot->work);
    sz_buffer_release(&slot->weights);
    sz_buffer_release(&slot->segment_table);
    sz_buffer_release(&slot->arena);
    sz_buffer_release(&slot->frame);
    sz_wipe(slot, sizeof *slot);
}

static size_t aligned(size_t length)
{
    return (length + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* The container's weight segments are the graph's, one for one; each starts aligned in the weights' buffer.
 */
static enum sz_code place_segments(struct sz_slot *slot)
{
    const struct sz_container *const container = &slot->container;
    const uint32_t count = slot->graph.header->segment_count;
    struct sz_segment *table;
    size_t at = 0;
    if (count != container->segment_count) {
        return SZ_MODEL_GRAPH;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = 0;
        (void)sz_container_segment(container, i, &size);
        if (slot->graph.segment_bytes[i] != size - SZ_SEGMENT_OVERHEAD) {
            return SZ_MODEL_GRAPH;
        }
        at += aligned(size - SZ_SEGMENT_OVERHEAD); /* at most 1024 * SZ_BUFFER_IN: no overflow */
    }
    if (!sz_buffer_allocate(&slot->weights, at) ||
        !sz_buffer_allocate(&slot->segment_table, count * sizeof *table)) {
        return SZ_MODEL_MEMORY;
    }
    table = (struct sz_segment *)(void *)slot->segment_table.at;
    at = 0;
    for (uint32_t i = 0; i < count; i++) {
        table[i] = (struct sz_segment){slot->weights.at + at, slot->graph.segment_bytes[i]};
        at += aligned(slot->graph.segment_bytes[i]);
    }
    return SZ_OK;
}

uint8_t *sz_slot_segment(const struct sz_slot *slot, uint32_t index, size_t *length)
{
    const size_t at = (size_t)((const uint8_t *)segment_table(slot)[index].bytes - slot->weights.at);
    *length = segment_table(slot)[index].length;
    return slot->weights.at + at;
}

/* The header's schema says the same as the graph: input elements and head. An opened graph has an output. */
static bool agrees(const struct sz_container *container, const struct sz_graph *graph)
{
    const struct sz_head_record *const head = &graph->header->head;
    const struct sz_tensor_record *const input = &graph->tensors[graph->header->input];
    const struct sz_tensor_record *const output = &graph->tensors[graph->header->outputs[0]];
    const size_t size = container->input.format == 3 ? 4 : 1;
    const size_t elements = sz_input_shape_bytes(&container->input) / size;
    const size_t wanted = input->bytes / (input->dtype == SZ_F32 ? sizeof(float) : 1);
    if (elements != wanted || (container->input.format == 2 && input->dtype != SZ_I8)) {
        return false;
    }
    if ((uint32_t)head->kind != container->results_kind) {
        return false;
    }
    return head->kind == SZ_HEAD_VECTOR ? output->bytes <= container->results_most
                                        : head->max_results == container->results_most;
}

enum sz_code sz_slot_prepare(struct sz_slot *slot)
{
    enum sz_code code = sz_container_read(slot->header.at, slot->header.length, &slot->container);
    const struct sz_container *const container = &slot->container;
    size_t work;
    if (code != SZ_OK) {
        return code;
    }
    if (!sz_buffer_allocate(&slot->graph_bytes, container->graph.length)) {
        return SZ_MODEL_MEMORY;
    }
    memcpy(slot->graph_bytes.at, container->graph.at, container->graph.length);
    work = sz_graph_work_size(slot->graph_bytes.at, slot->graph_bytes.length);
    if (work == 0) {
        return SZ_MODEL_GRAPH;
    }
    if (!sz_buffer_allocate(&slot->work, work)) {
        return SZ_MODEL_MEMORY;
    }
    if (sz_graph_open(&slot->graph, slot->graph_bytes.at, slot->graph_bytes.length, slot->work.at,
                      slot->work.length, NULL) != SZ_ENGINE_OK ||
        !agrees(container, &slot->graph)) {
        return SZ_MODEL_GRAPH;
    }
    if (!sz_buffer_allocate(&slot->arena, slot->graph.header->arena_size) ||
        !sz_buffer_allocate(&slot->frame, sz_input_shape_bytes(&container->input) + FRAME_FRAMING)) {
        return SZ_MODEL_MEMORY;
    }
    return place_segments(slot);
}

/* Writes the input and runs all operators. */
static enum sz_code run(struct sz_slot *slot, const uint8_t *data, size_t length)
{
    const struct sz_input_shape *const shape = &slot->container.input;
    static const enum sz_input_format formats[] = {SZ_INPUT_U8, SZ_INPUT_I8, SZ_INPUT_F32};
    if (length != sz_input_shape_bytes(shape)) {
        return SZ_BAD_FRAME;
    }
    if (sz_input_write(&slot->graph, formats[shape->format - 1], shape->dims, shape->rank, data, length,
                       slot->arena.at, slot->arena.length) != SZ_ENGINE_OK) {
        return SZ_BAD_FRAME;
    }
    return sz_graph_run(&slot->graph, segment_table(slot), slot->container.segment_count, slot->arena.at,
                        slot->arena.length, NULL) == SZ_ENGINE_OK
               ? SZ_OK
               : SZ_INFERENCE_FAILED;
}

enum sz_code sz_slot_infer(struct sz_slot *slot, const uint8_t *data, size_t length, struct sz_inference *out)
{
    const enum sz_code code = run(slot, data, length);
    out->count = 0;
    if (code != SZ_OK || slot->container.results_kind == SZ_RESULTS_VECTOR) {
        return code;
    }
    return sz_head_results(&slot->graph, segment_table(slot), slot->container.segment_count, slot->arena.at,
                           slot->arena.length, slot->work.at, slot->work.length, out->results, SZ_RESULTS_MAX,
                           &out->count) == SZ_ENGINE_OK
               ? SZ_OK
               : SZ_INFERENCE_FAILED;
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

enum sz_code sz_slot_golden_test(struct sz_slot *slot, struct sz_bytes golden)
{
    struct sz_cbor_reader r = sz_cbor_reader(golden);
    struct sz_bytes input;
    enum sz_code code = sz_cbor_check(golden);
    size_t count;
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_array_of(&r, 2);
    input = sz_cbor_bstr(&r);
    count = sz_cbor_array(&r);
    if (sz_cbor_error(&r) != SZ_OK || count != slot->graph.header->output_count) {
        return SZ_MALFORMED;
    }
    code = run(slot, input.at, input.length);
    for (size_t i = 0; i < count && code == SZ_OK; i++) {
        const struct sz_tensor_record *record = NULL;
        const uint8_t *have =
            sz_graph_output(&slot->graph, (uint32_t)i, slot->arena.at, slot->arena.length, &record);
        const struct sz_bytes want = sz_cbor_bstr(&r);
        if (sz_cbor_error(&r) != SZ_OK || have == NULL || want.length != record->bytes) {
            code = SZ_MALFORMED;
        } else if (!same_output(have, want, record->dtype, slot->container.tolerance)) {
            code = SZ_MODEL_GOLDEN;
        }
    }
    sz_slot_wipe_activations(slot);
    return code == SZ_OK ? sz_cbor_done(&r) : code;
}

void sz_slot_wipe_activations(struct sz_slot *slot)
{
    if (slot->arena.at != NULL) {
        TEE_MemFill(slot->arena.at, 0, slot->arena.length);
        TEE_MemFill(slot->frame.at, 0, slot->frame.length);
        TEE_MemFill(slot->work.at, 0, slot->work.length);
    }
}
