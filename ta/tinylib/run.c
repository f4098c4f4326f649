/* Runs checked operators in order. */
#include "check.h"
#include "run_packed.h"

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

/* The target's own where it has one. */
static sz_kernel plain_kernel(const struct sz_graph *graph, uint8_t code, uint8_t dtype)
{
    const struct sz_kernel_table *reference = &sz_kernels_reference;
    sz_kernel kernel = dtype == SZ_F32 ? reference->f32[code] : reference->i8[code];
    if (graph->native != NULL) {
        const struct sz_kernel_table *plain = &graph->native->plain;
        sz_kernel faster = dtype == SZ_F32 ? plain->f32[code] : plain->i8[code];
        kernel = faster != NULL ? faster : kernel;
    }
    return kernel;
}

static enum sz_engine_status run_op(const struct sz_graph *graph, const struct sz_segment *segments,
                                    uint8_t *arena, const struct sz_op_record *op, struct sz_fault *fault)
{
    struct sz_call call;
    memset(&call, 0, sizeof(call));
    call.op = op;
    call.out = &graph->tensors[op->outputs[0]];
    call.y = arena + call.out->offset;
    if (op->scratch != SZ_NONE) {
        call.scratch = arena + graph->tensors[op->scratch].offset;
        call.scratch_length = graph->tensors[op->scratch].bytes;
    }
    enum sz_engine_status status = resolve_inputs(graph, segments, arena, &call, fault);
    if (status != SZ_ENGINE_OK)
        return status;
    uint8_t layout =
        op->input_count > 1 && call.in[1].record != NULL ? call.in[1].record->layout : SZ_LAYOUT_PLAIN;
    if (layout == SZ_LAYOUT_PANELS) {
        sz_run_panels(graph->native, &call);
    } else if (layout == SZ_LAYOUT_DEPTHWISE) {
        sz_run_depthwise(graph->native, &call);
    } else {
        sz_kernel kernel = plain_kernel(graph, op->code, call.in[0].record->dtype);
        if (kernel == NULL)
            return SZ_ENGINE_OPERATOR;
        kernel(&call);
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
        enum sz_engine_status status = run_op(graph, segments, arena, &graph->ops[i], fault);
        if (status != SZ_ENGINE_OK) {
            fault->op = (uint16_t)i;
            return status;
        }
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
