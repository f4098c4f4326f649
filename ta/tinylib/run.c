/* Runs checked operators in order. */
#include "check.h"
#include "kernel.h"

static bool is_segment_there(const struct sz_graph *graph, const struct sz_segment *segments, uint16_t index)
{
    return segments[index].bytes != NULL && segments[index].length == graph->segment_bytes[index] &&
           (uintptr_t)segments[index].bytes % SZ_ALIGNMENT == 0;
}

static enum sz_engine_status resolve_inputs(const struct sz_graph *graph, const struct sz_segment *segments,
                                            const uint8_t *arena, struct sz_call *call,
                                            struct sz_fault *fault)
{
    const struct sz_op_record *op = call->op;
    for (uint32_t i = 0; i < op->input_count; i++) {
        if (op->inputs[i] == SZ_NONE)
            continue;
        const struct sz_tensor_record *t = &graph->tensors[op->inputs[i]];
        call->in[i].record = t;
        if (t->place == SZ_ARENA) {
            call->in[i].data = arena + t->offset;
            continue;
        }
        if (!is_segment_there(graph, segments, t->segment)) {
            fault->tensor = op->inputs[i];
            return SZ_ENGINE_SEGMENT;
        }
        call->in[i].data = (const uint8_t *)segments[t->segment].bytes + t->offset;
    }
    return SZ_ENGINE_OK;
}

enum sz_engine_status sz_graph_run_ops(const struct sz_graph *graph, const struct sz_segment *segments,
                                       size_t segment_count, void *arena, size_t arena_length, uint32_t first,
                                       uint32_t count, struct sz_fault *fault)
{
    const struct sz_graph_header *h = graph->header;
    struct sz_fault ignored;
    if (fault == NULL)
        fault = &ignored;
    fault->op = SZ_NONE;
    fault->tensor = SZ_NONE;
    if (arena == NULL || arena_length < h->arena_size || (uintptr_t)arena % SZ_ALIGNMENT != 0)
        return SZ_ENGINE_ARENA;
    if (segment_count != h->segment_count || (segments == NULL && segment_count != 0))
        return SZ_ENGINE_SEGMENT;
    if (first > h->op_count || count > h->op_count - first)
        return SZ_ENGINE_RANGE;
    for (uint32_t i = first; i < first + count; i++) {
        struct sz_call call;
        memset(&call, 0, sizeof(call));
        call.op = &graph->ops[i];
        call.out = &graph->tensors[call.op->outputs[0]];
        call.y = (uint8_t *)arena + call.out->offset;
        enum sz_engine_status status = resolve_inputs(graph, segments, arena, &call, fault);
        bool is_f32 = status == SZ_ENGINE_OK && call.in[0].record->dtype == SZ_F32;
        sz_kernel kernel = is_f32 ? graph->kernels->f32[call.op->code] : graph->kernels->i8[call.op->code];
        if (status == SZ_ENGINE_OK && kernel == NULL)
            status = SZ_ENGINE_OPERATOR;
        if (status != SZ_ENGINE_OK) {
            fault->op = (uint16_t)i;
            return status;
        }
        kernel(&call);
    }
    return SZ_ENGINE_OK;
}

enum sz_engine_status sz_graph_run(const struct sz_graph *graph, const struct sz_segment *segments,
                                   size_t segment_count, void *arena, size_t arena_length,
                                   struct sz_fault *fault)
{
    return sz_graph_run_ops(graph, segments, segment_count, arena, arena_length, 0, graph->header->op_count,
                            fault);
}

bool sz_graph_op_segments(const struct sz_graph *graph, uint32_t op, uint16_t *lowest, uint16_t *highest)
{
    bool any = false;
    if (op >= graph->header->op_count)
        return false;
    const struct sz_op_record *record = &graph->ops[op];
    for (uint32_t i = 0; i < record->input_count; i++) {
        if (record->inputs[i] == SZ_NONE || graph->tensors[record->inputs[i]].place != SZ_WEIGHTS)
            continue;
        uint16_t segment = graph->tensors[record->inputs[i]].segment;
        *lowest = !any || segment < *lowest ? segment : *lowest;
        *highest = !any || segment > *highest ? segment : *highest;
        any = true;
    }
    return any;
}

const void *sz_graph_output(const struct sz_graph *graph, uint32_t index, const void *arena,
                            size_t arena_length, const struct sz_tensor_record **record)
{
    if (index >= graph->header->output_count || arena == NULL || arena_length < graph->header->arena_size)
        return NULL;
    const struct sz_tensor_record *t = &graph->tensors[graph->header->outputs[index]];
    if (record != NULL)
        *record = t;
    return (const uint8_t *)arena + t->offset;
}
