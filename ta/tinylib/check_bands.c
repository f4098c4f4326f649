/* A stage that runs in bands (bands.h): what its operators are, that its memory is apart, that its line
 * buffers suffice. The operators themselves have been checked like any other. */
#include "bands.h"
#include "run_packed.h"
#include "window.h"

static const struct sz_tensor_record *output_of(const struct sz_graph *graph, uint32_t op)
{
    return &graph->tensors[graph->ops[op].outputs[0]];
}

static bool is_line(const struct sz_graph *graph, uint16_t tensor)
{
    return graph->tensors[tensor].layout == SZ_LAYOUT_LINES;
}

/* Line buffers of operators before; or, for a convolution, something from outside the stage. */
static bool is_input_valid(const struct sz_graph *graph, const uint8_t *valid, uint32_t i, uint16_t tensor)
{
    uint32_t producer = sz_band_producer(graph, tensor);
    if (is_line(graph, tensor))
        return producer < i;
    return graph->ops[i].code == SZ_OP_CONV_2D && producer == graph->header->band_ops && valid[tensor];
}

/* One row of y from rows of x: packed convolutions and functions of one or two values. */
static bool is_kind_valid(const struct sz_graph *graph, uint32_t i)
{
    const struct sz_op_record *op = &graph->ops[i];
    const struct sz_tensor_record *x = &graph->tensors[op->inputs[0]];
    const struct sz_tensor_record *w = op->input_count > 1 ? &graph->tensors[op->inputs[1]] : NULL;
    switch (op->code) {
    case SZ_OP_CONV_2D:
        if (w->layout != SZ_LAYOUT_PANELS || w->dims[0] != output_of(graph, i)->dims[3])
            return false;
        return x->layout == SZ_LAYOUT_PLAIN ||
               (w->dims[1] == 1 && w->dims[2] == 1 &&
                sz_is_panels_direct(
                    x->dtype == SZ_I8 ? &graph->native->packing_i8 : &graph->native->packing_f32, op, x, w));
    case SZ_OP_DEPTHWISE_2D:
        return w->layout == SZ_LAYOUT_DEPTHWISE;
    case SZ_OP_ADD:
        return sz_same_shape(x, w);
    case SZ_OP_LOGISTIC:
    case SZ_OP_TANH:
    case SZ_OP_RELU:
    case SZ_OP_LEAKY_RELU:
    case SZ_OP_HARD_SWISH:
        return true;
    default:
        return false;
    }
}

static bool is_op_valid(const struct sz_graph *graph, const uint8_t *valid, uint32_t i)
{
    const struct sz_op_record *op = &graph->ops[i];
    const struct sz_tensor_record *y = output_of(graph, i);
    bool last = i + 1u == graph->header->band_ops;
    const struct sz_tensor_record *x = &graph->tensors[op->inputs[0]];
    if (y->rank != 4 || y->dims[0] != 1 || y->dims[1] > SZ_MAX_BAND_ROWS || x->dims[1] > SZ_MAX_BAND_ROWS ||
        (y->layout == SZ_LAYOUT_LINES) == last)
        return false;
    if (sz_band_producer(graph, op->outputs[0]) != i || valid[op->outputs[0]])
        return false; /* computed twice */
    if (!is_kind_valid(graph, i) || !is_input_valid(graph, valid, i, op->inputs[0]))
        return false;
    return op->code != SZ_OP_ADD ||
           (is_line(graph, op->inputs[1]) && is_input_valid(graph, valid, i, op->inputs[1]));
}

/* Whole slots, as many as a depthwise window covers; and what a depthwise convolution reads nobody else does:
 * it puts padding into the slots of rows below the picture. */
static bool are_lines_valid(const struct sz_graph *graph, uint16_t tensor)
{
    struct sz_lines lines = sz_lines_of(graph, tensor);
    uint32_t readers = 0, depthwise = 0;
    for (uint32_t i = 0; i < graph->header->band_ops; i++) {
        const struct sz_op_record *op = &graph->ops[i];
        if (op->inputs[0] == tensor || (op->code == SZ_OP_ADD && op->inputs[1] == tensor))
            readers++;
        if (op->inputs[0] != tensor || op->code != SZ_OP_DEPTHWISE_2D)
            continue;
        uint64_t span =
            ((uint64_t)graph->tensors[op->inputs[1]].dims[1] - 1) * (uint64_t)op->ints[SZ_DILATION_H] + 1;
        depthwise++;
        if (lines.slots < span)
            return false;
    }
    return lines.slots > 0 && (depthwise == 0 || readers == 1);
}

/* Line buffers without padding may share memory: the rows in them are followed below. */
static bool may_share(const struct sz_graph *graph, uint16_t a, uint16_t b)
{
    struct sz_lines first, second;
    if (!is_line(graph, a) || !is_line(graph, b))
        return false;
    first = sz_lines_of(graph, a);
    second = sz_lines_of(graph, b);
    return first.pitch == first.inner && second.pitch == second.inner;
}

/* Apart from that, and from its output, which may follow the rows that are read of what is there as a whole,
 * what the stage writes shares no byte with anything else of it. Its operators may share scratch. */
static bool is_apart(const struct sz_graph *graph, uint32_t i, struct sz_fault *fault)
{
    const struct sz_op_record *op = &graph->ops[i];
    for (uint32_t k = 0; k < graph->header->band_ops; k++) {
        const struct sz_op_record *other = &graph->ops[k];
        fault->tensor = other->outputs[0];
        if (k != i && sz_overlaps(output_of(graph, i), output_of(graph, k)) &&
            !may_share(graph, op->outputs[0], other->outputs[0]))
            return false;
        if (op->scratch != SZ_NONE && sz_overlaps(&graph->tensors[op->scratch], output_of(graph, k)))
            return false;
        fault->tensor = other->inputs[0];
        if (is_line(graph, other->inputs[0]))
            continue;
        bool is_last = i + 1 == graph->header->band_ops;
        if ((!is_last && sz_overlaps(output_of(graph, i), &graph->tensors[other->inputs[0]])) ||
            (op->scratch != SZ_NONE &&
             sz_overlaps(&graph->tensors[op->scratch], &graph->tensors[other->inputs[0]])))
            return false;
    }
    fault->tensor = SZ_NONE;
    return true;
}

/* From the first to the last that any of them reads. */
static bool are_segments_few(const struct sz_graph *graph)
{
    uint16_t lowest = UINT16_MAX, highest = 0;
    for (uint32_t i = 0; i < graph->header->band_ops; i++) {
        for (uint32_t k = 0; k < graph->ops[i].input_count; k++) {
            const struct sz_tensor_record *t = &graph->tensors[graph->ops[i].inputs[k]];
            if (graph->ops[i].inputs[k] == SZ_NONE || t->place != SZ_WEIGHTS)
                continue;
            lowest = t->segment < lowest ? t->segment : lowest;
            highest = t->segment > highest ? t->segment : highest;
        }
    }
    return highest < lowest || highest - lowest < SZ_MAX_BAND_SEGMENTS;
}

/* Does somebody still need a row of what operator k computes? */
static bool is_live(const struct sz_bands *bands, uint32_t k)
{
    for (uint32_t c = 0; c < bands->count; c++) {
        const struct sz_band_op *consumer = &bands->ops[c];
        if ((bands->ops[k].consumers >> c & 1u) != 0 && consumer->done < consumer->height &&
            (int32_t)consumer->done * consumer->stride - consumer->before < (int32_t)bands->ops[k].done)
            return true;
    }
    return false;
}

static bool overwrites_live_rows(const struct sz_graph *graph, const struct sz_bands *bands, uint32_t op)
{
    for (uint32_t k = 0; k < bands->count; k++)
        if (k != op && sz_overlaps(output_of(graph, op), output_of(graph, k)) && is_live(bands, k))
            return true;
    return false;
}

/* Would the next row of the stage's output lie where a row of its plain inputs is still to be read? */
static bool overwrites_input_rows(const struct sz_graph *graph, const struct sz_bands *bands)
{
    const struct sz_tensor_record *y = output_of(graph, bands->count - 1);
    uint64_t row_bytes = y->bytes / y->dims[1];
    uint64_t first = y->offset + bands->ops[bands->count - 1].done * row_bytes;
    for (uint32_t c = 0; c < bands->count; c++) {
        const struct sz_op_record *op = &graph->ops[c];
        const struct sz_tensor_record *x = &graph->tensors[op->inputs[0]];
        if (is_line(graph, op->inputs[0]) || bands->ops[c].done == bands->ops[c].height)
            continue;
        int64_t row = (int64_t)bands->ops[c].done * op->ints[SZ_STRIDE_H] - op->ints[SZ_PAD_TOP];
        uint64_t read = row <= 0 ? 0 : (uint64_t)row < x->dims[1] ? (uint64_t)row : x->dims[1];
        read *= x->bytes / x->dims[1];
        if (first < (uint64_t)x->offset + x->bytes && first + row_bytes > x->offset + read)
            return true;
    }
    return false;
}

/* Every row gets computed: each step is one, so this ends. */
static bool do_lines_suffice(const struct sz_graph *graph)
{
    struct sz_bands bands;
    uint32_t op;
    sz_bands_start(graph, &bands);
    while ((op = sz_bands_next(&bands)) < bands.count) {
        if (overwrites_live_rows(graph, &bands, op) ||
            (op + 1 == bands.count && overwrites_input_rows(graph, &bands)))
            return false;
        bands.ops[op].done++;
    }
    return bands.ops[bands.count - 1].done == bands.ops[bands.count - 1].height;
}

enum sz_engine_status sz_check_bands(const struct sz_graph *graph, uint8_t *valid, struct sz_fault *fault)
{
    const struct sz_graph_header *h = graph->header;
    if (h->band_ops == 0)
        return SZ_ENGINE_OK;
    if (graph->native == NULL || h->band_ops > SZ_MAX_BAND_OPS || h->band_ops > h->op_count)
        return SZ_ENGINE_LIMIT;
    for (uint16_t i = 0; i < h->band_ops; i++) {
        fault->op = i;
        if (!is_op_valid(graph, valid, i))
            return SZ_ENGINE_OPERATOR;
        if (is_line(graph, graph->ops[i].outputs[0]) && !are_lines_valid(graph, graph->ops[i].outputs[0]))
            return SZ_ENGINE_TENSOR;
        if (!is_apart(graph, i, fault))
            return SZ_ENGINE_OVERLAP;
    }
    fault->op = 0;
    if (!are_segments_few(graph))
        return SZ_ENGINE_SEGMENT;
    if (!do_lines_suffice(graph))
        return SZ_ENGINE_LIVENESS;
    for (uint16_t i = 0; i < h->band_ops; i++) {
        sz_forget_overwritten(graph, graph->ops[i].outputs[0], valid);
        if (graph->ops[i].scratch != SZ_NONE)
            sz_forget_overwritten(graph, graph->ops[i].scratch, valid);
    }
    valid[graph->ops[h->band_ops - 1u].outputs[0]] = 1;
    fault->op = SZ_NONE;
    return SZ_ENGINE_OK;
}
