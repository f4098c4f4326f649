/*
 * The memory plan, verified instead of trusted: what an operator writes must not destroy what it still reads,
 * and what it reads must be whole.
 *
 *     arena   |  input  |      a      |
 *             |   b   |       | c |   |      b overwrote the input: valid = {a, b}; c overwrites a: valid =
 * {b, c}
 *
 * `valid` says for every tensor whether the arena holds its value now. An operator's inputs must be valid;
 * its output becomes valid and every other tensor that shares a byte with it stops being so, unless the
 * operator leaves that tensor's bytes as they were (a reshape in place, an input of a concat that lies where
 * it belongs, a slice that is where it would be copied to). Scratch becomes valid for nobody. The parts of an
 * output follow each other directly: nobody can read it between.
 */
#include "bands.h"
#include "window.h"

static bool is_exact_alias(const struct sz_tensor_record *a, const struct sz_tensor_record *b)
{
    return a->place == SZ_ARENA && b->place == SZ_ARENA && a->offset == b->offset && a->bytes == b->bytes &&
           a->dtype == b->dtype;
}

/* Operators whose output may lie over an input of the same size: they read each value once, before they write
 * it. */
static const uint32_t in_place = 1u << SZ_OP_ADD | 1u << SZ_OP_MUL | 1u << SZ_OP_RESHAPE |
                                 1u << SZ_OP_SOFTMAX | 1u << SZ_OP_LOGISTIC | 1u << SZ_OP_TANH |
                                 1u << SZ_OP_RELU | 1u << SZ_OP_LEAKY_RELU | 1u << SZ_OP_PRELU |
                                 1u << SZ_OP_HARD_SWISH | 1u << SZ_OP_QUANTIZE;
_Static_assert(SZ_OP_LAST < 32, "operators in 32 bits");

/* Does input `index` of a concat lie in y exactly where the concat would copy it? */
static bool is_concat_input_placed(const struct sz_graph *graph, const struct sz_op_record *op,
                                   uint32_t index)
{
    const struct sz_tensor_record *out = &graph->tensors[op->outputs[0]];
    const struct sz_tensor_record *in = &graph->tensors[op->inputs[index]];
    uint64_t offset = out->offset;
    for (int32_t d = 0; d < op->ints[0]; d++)
        if (out->dims[d] != 1)
            return false;
    for (uint32_t i = 0; i < index; i++)
        offset += graph->tensors[op->inputs[i]].bytes;
    return in->offset == offset && sz_same_quantisation(in, out);
}

/* Bytes from the start of x to a slice that is contiguous in it; false if it is not. */
static bool slice_start(const struct sz_op_record *op, const struct sz_tensor_record *x,
                        const struct sz_tensor_record *y, uint64_t *start)
{
    uint64_t stride = x->bytes;
    bool cut = false;
    *start = 0;
    for (uint32_t d = 0; d < SZ_MAX_RANK; d++) {
        stride /= x->dims[d];
        *start += (uint64_t)op->ints[d] * stride;
        if (cut && y->dims[d] != x->dims[d])
            return false;
        cut = cut || y->dims[d] != 1;
    }
    return true;
}

static bool is_slice_placed(const struct sz_graph *graph, const struct sz_op_record *op)
{
    const struct sz_tensor_record *x = &graph->tensors[op->inputs[0]];
    const struct sz_tensor_record *y = &graph->tensors[op->outputs[0]];
    uint64_t start;
    return slice_start(op, x, y, &start) && y->offset == x->offset + start;
}

/* depthwise_rows.c keeps the rows that it still needs in its ring. */
static bool is_depthwise_in_place(const struct sz_graph *graph, const struct sz_op_record *op)
{
    const struct sz_tensor_record *x = &graph->tensors[op->inputs[0]];
    const struct sz_tensor_record *y = &graph->tensors[op->outputs[0]];
    const struct sz_tensor_record *w = &graph->tensors[op->inputs[1]];
    int64_t span = ((int64_t)w->dims[1] - 1) * op->ints[SZ_DILATION_H] + 1;
    return w->layout == SZ_LAYOUT_DEPTHWISE && x->dims[0] == 1 && y->offset == x->offset &&
           y->dims[2] <= x->dims[2] && op->ints[SZ_PAD_TOP] < span;
}

static bool is_overlap_allowed(const struct sz_graph *graph, const struct sz_op_record *op, uint32_t index)
{
    const struct sz_tensor_record *in = &graph->tensors[op->inputs[index]];
    const struct sz_tensor_record *out = &graph->tensors[op->outputs[0]];
    uint64_t start;
    if (op->code == SZ_OP_CONCAT)
        return is_concat_input_placed(graph, op, index);
    if (op->code == SZ_OP_SLICE)
        return slice_start(op, in, out, &start);
    if (op->code == SZ_OP_DEPTHWISE_2D)
        return is_depthwise_in_place(graph, op);
    return (in_place >> op->code & 1u) != 0 && is_exact_alias(in, out);
}

/* After an operator ran, does the tensor still hold its value although the output shares bytes with it? */
static bool survives(const struct sz_graph *graph, const struct sz_op_record *op, uint16_t tensor)
{
    if (op->code == SZ_OP_RESHAPE)
        return op->inputs[0] == tensor &&
               is_exact_alias(&graph->tensors[tensor], &graph->tensors[op->outputs[0]]);
    if (op->code == SZ_OP_SLICE) /* nothing is written at all */
        return is_slice_placed(graph, op);
    if (op->code != SZ_OP_CONCAT)
        return false;
    for (uint32_t i = 0; i < op->input_count; i++)
        if (op->inputs[i] == tensor)
            return is_concat_input_placed(graph, op, i);
    return false;
}

static enum sz_engine_status check_inputs(const struct sz_graph *graph, const struct sz_op_record *op,
                                          const uint8_t *valid, struct sz_fault *fault)
{
    for (uint32_t i = 0; i < op->input_count; i++) {
        uint16_t index = op->inputs[i];
        if (index == SZ_NONE || graph->tensors[index].place != SZ_ARENA)
            continue;
        fault->tensor = index;
        if (!valid[index])
            return SZ_ENGINE_LIVENESS;
        if (sz_overlaps(&graph->tensors[index], &graph->tensors[op->outputs[0]]) &&
            !is_overlap_allowed(graph, op, i))
            return SZ_ENGINE_OVERLAP;
        if (op->scratch != SZ_NONE && sz_overlaps(&graph->tensors[index], &graph->tensors[op->scratch]))
            return SZ_ENGINE_OVERLAP;
    }
    fault->tensor = op->scratch;
    if (op->scratch != SZ_NONE && sz_overlaps(&graph->tensors[op->outputs[0]], &graph->tensors[op->scratch]))
        return SZ_ENGINE_OVERLAP;
    fault->tensor = SZ_NONE;
    return SZ_ENGINE_OK;
}

/* Channels before and behind those that an operator computes. */
struct part {
    uint32_t first, end, all;
};

static struct part part_of(const struct sz_graph *graph, const struct sz_op_record *op)
{
    const struct sz_tensor_record *y = &graph->tensors[op->outputs[0]];
    uint32_t all = y->dims[y->rank - 1];
    if (op->code != SZ_OP_CONV_2D && op->code != SZ_OP_FULLY_CONNECTED)
        return (struct part){0, all, all};
    const struct sz_tensor_record *w = &graph->tensors[op->inputs[1]];
    bool output_first = w->dtype == SZ_I8 || w->layout != SZ_LAYOUT_PLAIN;
    uint32_t first = (uint32_t)op->ints[SZ_FIRST_CHANNEL];
    return (struct part){first, first + w->dims[output_first ? 0 : w->rank - 1], all};
}

static bool is_same_but_for_channels(const struct sz_op_record *a, const struct sz_op_record *b)
{
    return a->code == b->code && a->activation == b->activation && a->inputs[0] == b->inputs[0] &&
           a->outputs[0] == b->outputs[0] &&
           memcmp(a->ints, b->ints, SZ_FIRST_CHANNEL * sizeof(a->ints[0])) == 0;
}

/* Operator i goes on where the one before it stopped; `*expected` is that channel, 0 between outputs. */
static bool is_in_order(const struct sz_graph *graph, uint16_t i, uint32_t *expected)
{
    struct part part = part_of(graph, &graph->ops[i]);
    bool is_next = part.first == *expected &&
                   (part.first == 0 || is_same_but_for_channels(&graph->ops[i], &graph->ops[i - 1]));
    *expected = part.end == part.all ? 0 : part.end;
    return is_next;
}

void sz_forget_overwritten(const struct sz_graph *graph, uint16_t written, uint8_t *valid)
{
    for (uint16_t t = 0; t < graph->header->tensor_count; t++)
        if (valid[t] && sz_overlaps(&graph->tensors[t], &graph->tensors[written]))
            valid[t] = 0;
}

static void write_output(const struct sz_graph *graph, const struct sz_op_record *op, uint8_t *valid)
{
    const struct sz_tensor_record *out = &graph->tensors[op->outputs[0]];
    if (op->scratch != SZ_NONE)
        sz_forget_overwritten(graph, op->scratch, valid);
    for (uint16_t t = 0; t < graph->header->tensor_count; t++)
        if (valid[t] && sz_overlaps(&graph->tensors[t], out) && !survives(graph, op, t))
            valid[t] = 0;
    valid[op->outputs[0]] = 1;
}

enum sz_engine_status sz_check_plan(const struct sz_graph *graph, uint8_t *valid, struct sz_fault *fault)
{
    const struct sz_graph_header *h = graph->header;
    uint32_t expected = 0;
    memset(valid, 0, h->tensor_count);
    if (h->input >= h->tensor_count || graph->tensors[h->input].place != SZ_ARENA ||
        graph->tensors[h->input].layout != SZ_LAYOUT_PLAIN) {
        fault->tensor = h->input;
        return SZ_ENGINE_HEAD;
    }
    valid[h->input] = 1;
    enum sz_engine_status bands = sz_check_bands(graph, valid, fault);
    if (bands != SZ_ENGINE_OK)
        return bands;
    for (uint16_t i = h->band_ops; i < h->op_count; i++) {
        enum sz_engine_status status = check_inputs(graph, &graph->ops[i], valid, fault);
        if (status == SZ_ENGINE_OK && !is_in_order(graph, i, &expected))
            status = SZ_ENGINE_PARAMETER;
        if (status != SZ_ENGINE_OK) {
            fault->op = i;
            return status;
        }
        write_output(graph, &graph->ops[i], valid);
    }
    if (expected != 0) {
        fault->op = (uint16_t)(h->op_count - 1);
        return SZ_ENGINE_PARAMETER;
    }
    return SZ_ENGINE_OK;
}
