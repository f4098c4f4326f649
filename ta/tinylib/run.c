/* Runs checked operators in order. */
#include "bands.h"
#include "run_packed.h"

bool sz_is_segment_there(const struct sz_graph *graph, const struct sz_segment *segments, uint16_t index)
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
        if (!sz_is_segment_there(graph, segments, t->segment)) {
            fault->tensor = op->inputs[i];
            return SZ_ENGINE_SEGMENT;
        }
        call->in[i].data = (const uint8_t *)segments[t->segment].bytes + t->offset;
    }
    return SZ_ENGINE_OK;
}

sz_kernel sz_plain_kernel(const struct sz_graph *graph, uint8_t code, uint8_t dtype)
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

enum sz_engine_status sz_prepare_call(const struct sz_graph *graph, const struct sz_segment *segments,
                                      uint8_t *arena, const struct sz_op_record *op, struct sz_call *call,
                                      struct sz_fault *fault)
{
    memset(call, 0, sizeof(*call));
    call->op = op;
    call->out = &graph->tensors[op->outputs[0]];
    call->y = arena + call->out->offset;
    if (op->scratch != SZ_NONE) {
        call->scratch = arena + graph->tensors[op->scratch].offset;
        call->scratch_length = graph->tensors[op->scratch].bytes;
    }
    return resolve_inputs(graph, segments, arena, call, fault);
}

static enum sz_engine_status run_op(const struct sz_graph *graph, const struct sz_segment *segments,
                                    uint8_t *arena, const struct sz_op_record *op, struct sz_fault *fault)
{
    struct sz_call call;
    enum sz_engine_status status = sz_prepare_call(graph, segments, arena, op, &call, fault);
    if (status != SZ_ENGINE_OK)
        return status;
    uint8_t layout =
        op->input_count > 1 && call.in[1].record != NULL ? call.in[1].record->layout : SZ_LAYOUT_PLAIN;
    if (layout == SZ_LAYOUT_PANELS && op->code == SZ_OP_CONV_2D && call.out->dtype == SZ_F32 &&
        graph->native->convolve_f32 != NULL && graph->native->convolve_f32(&call))
        return SZ_ENGINE_OK;
    if (layout == SZ_LAYOUT_PANELS) {
        sz_run_panels(graph->native, &call, 0, sz_panels_rows(&call));
    } else if (layout == SZ_LAYOUT_DEPTHWISE) {
        sz_run_depthwise(graph->native, &call);
    } else {
        sz_kernel kernel = sz_plain_kernel(graph, op->code, call.in[0].record->dtype);
        if (kernel == NULL)
            return SZ_ENGINE_OPERATOR;
        kernel(&call);
    }
    return SZ_ENGINE_OK;
}

/* The operators that run in bands, as if they were one: all their segments must be there. */
static enum sz_engine_status run_stage(const struct sz_graph *graph, const struct sz_segment *segments,
                                       uint8_t *arena, struct sz_fault *fault)
{
    struct sz_call call;
    for (uint32_t i = 0; i < graph->header->band_ops; i++) {
        enum sz_engine_status status = sz_prepare_call(graph, segments, arena, &graph->ops[i], &call, fault);
        if (status != SZ_ENGINE_OK)
            return status;
    }
    sz_run_bands(graph, segments, arena);
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
    if (first < h->band_ops && count > 0) {
        if (first != 0 || count < h->band_ops)
            return SZ_ENGINE_RANGE;
        enum sz_engine_status status = run_stage(graph, segments, arena, fault);
        if (status != SZ_ENGINE_OK) {
            fault->op = 0;
            return status;
        }
        first += h->band_ops;
        count -= h->band_ops;
    }
    for (uint32_t i = first; i < first + count; i++) {
        enum sz_engine_status status = run_op(graph, segments, arena, &graph->ops[i], fault);
        if (status != SZ_ENGINE_OK) {
            fault->op = (uint16_t)i;
            return status;
        }
    }
    return SZ_ENGINE_OK;
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
