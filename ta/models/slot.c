#include "models/slot.h"
#include "models/residency.h"
#include "models/results.h"
#include "models/stream.h"

#include <string.h>

enum { GRAPH_ALIGNMENT = 8, ARENA_MOST = 1 << 30 };

void sz_slot_release(struct sz_slot *slot)
{
    struct sz_buffer *const residents = sz_slot_residents(slot);
    for (uint32_t i = 0; residents != NULL && i < slot->container.segment_count; i++) {
        sz_buffer_release(&residents[i]);
    }
    sz_buffer_release(&slot->header);
    sz_buffer_release(&slot->work);
    sz_buffer_release(&slot->label);
    sz_buffer_release(&slot->arena);
    sz_buffer_release(&slot->table);
    sz_buffer_release(&slot->residents);
    sz_buffer_release(&slot->window);
    sz_wipe(slot, sizeof *slot);
}

/* The container's weight segments are the graph's, one for one. */
static enum sz_code make_table(struct sz_slot *slot)
{
    const struct sz_container *const container = &slot->container;
    const uint32_t count = slot->graph.header->segment_count;
    if (count != container->segment_count) {
        return SZ_MODEL_GRAPH;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = 0;
        (void)sz_container_segment(container, i, &size);
        if (slot->graph.segment_bytes[i] != size - SZ_SEGMENT_OVERHEAD) {
            return SZ_MODEL_GRAPH;
        }
    }
    if (!sz_buffer_obtain(&slot->table, count * sizeof(struct sz_segment)) ||
        !sz_buffer_obtain(&slot->residents, count * sizeof(struct sz_buffer))) {
        return SZ_MODEL_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        sz_slot_table(slot)[i] = (struct sz_segment){NULL, slot->graph.segment_bytes[i]};
    }
    return SZ_OK;
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

/* The graph is used where it lies in the header's plaintext, which moves a few bytes for it. */
static enum sz_code read_header(struct sz_slot *slot)
{
    const size_t length = slot->header.length - GRAPH_ALIGNMENT;
    enum sz_code code = sz_container_read(slot->header.at, length, &slot->container);
    size_t before;
    if (code != SZ_OK) {
        return code;
    }
    before = (size_t)(-(uintptr_t)slot->container.graph.at & (GRAPH_ALIGNMENT - 1));
    if (before > 0) {
        memmove(slot->header.at + before, slot->header.at, length);
        code = sz_container_read(slot->header.at + before, length, &slot->container);
    }
    return code;
}

/* Offset in the arena of a plaintext whose tensor data becomes the input: the data then neither begins before
 * the input tensor nor ends before it, whatever comes before the data in the plaintext. */
static size_t plaintext_offset(const struct sz_slot *slot)
{
    const struct sz_tensor_record *const input = &slot->graph.tensors[slot->graph.header->input];
    const size_t data = sz_input_shape_bytes(&slot->container.input);
    return input->offset + (input->bytes > data ? input->bytes - data : 0);
}

uint8_t *sz_slot_plaintext(const struct sz_slot *slot)
{
    return slot->arena.at + plaintext_offset(slot);
}

/* Frames and the golden test are decrypted into the arena, too. */
static size_t arena_length(const struct sz_slot *slot)
{
    const size_t frame = sz_input_shape_bytes(&slot->container.input) + SZ_FRAME_FRAMING;
    const size_t golden = slot->container.golden_size;
    const size_t end = plaintext_offset(slot) + (frame > golden ? frame : golden);
    return end > slot->graph.header->arena_size ? end : slot->graph.header->arena_size;
}

static enum sz_code open_graph(struct sz_slot *slot)
{
    const struct sz_bytes graph = slot->container.graph;
    const size_t work = sz_graph_work_size(graph.at, graph.length);
    const size_t label = 2 * (sz_results_bound(&slot->container) + SZ_LABEL_ROOM);
    if (work == 0) {
        return SZ_MODEL_GRAPH;
    }
    if (!sz_buffer_obtain(&slot->work, work) || !sz_buffer_obtain(&slot->label, label)) {
        return SZ_MODEL_MEMORY;
    }
    return sz_graph_open(&slot->graph, graph.at, graph.length, slot->work.at, slot->work.length, NULL) ==
                       SZ_ENGINE_OK &&
                   agrees(&slot->container, &slot->graph)
               ? SZ_OK
               : SZ_MODEL_GRAPH;
}

enum sz_code sz_slot_prepare(struct sz_slot *slot, struct sz_shortage *shortage)
{
    enum sz_code code = read_header(slot);
    if (code == SZ_OK) {
        code = open_graph(slot);
    }
    if (code == SZ_OK) {
        code = make_table(slot);
    }
    if (code != SZ_OK) {
        return code;
    }
    shortage->arena = slot->graph.header->arena_size;
    if (shortage->arena > ARENA_MOST) {
        return SZ_MODEL_MEMORY;
    }
    shortage->arena = arena_length(slot);
    shortage->needed = slot->header.length + slot->work.length + slot->label.length + slot->table.length +
                       slot->residents.length + shortage->arena + sz_stream_window_needed(slot) +
                       sz_residency_reserve(slot);
    return sz_buffer_obtain(&slot->arena, shortage->arena) ? sz_residency_decide(slot) : SZ_MODEL_MEMORY;
}
