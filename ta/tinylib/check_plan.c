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
 * it belongs).
 */
#include "check.h"

static bool is_exact_alias(const struct sz_tensor_record *a, const struct sz_tensor_record *b)
{
    return a->place == SZ_ARENA && b->place == SZ_ARENA && a->offset == b->offset && a->bytes == b->bytes &&
           a->dtype == b->dtype;
}

static bool may_run_in_place(uint8_t code)
{
    switch (code) {
    case SZ_OP_ADD:
    case SZ_OP_MUL:
    case SZ_OP_RESHAPE:
    case SZ_OP_SOFTMAX:
    case SZ_OP_LOGISTIC:
    case SZ_OP_TANH:
    case SZ_OP_RELU:
    case SZ_OP_LEAKY_RELU:
    case SZ_OP_PRELU:
    case SZ_OP_HARD_SWISH:
    case SZ_OP_QUANTIZE:
        return true;
    default:
        return false;
    }
}

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

static bool is_overlap_allowed(const struct sz_graph *graph, const struct sz_op_record *op, uint32_t index)
{
    const struct sz_tensor_record *in = &graph->tensors[op->inputs[index]];
    const struct sz_tensor_record *out = &graph->tensors[op->outputs[0]];
    if (op->code == SZ_OP_CONCAT)
        return is_concat_input_placed(graph, op, index);
    return may_run_in_place(op->code) && is_exact_alias(in, out);
}

/* After an operator ran, does the tensor still hold its value although the output shares bytes with it? */
static bool survives(const struct sz_graph *graph, const struct sz_op_record *op, uint16_t tensor)
{
    if (op->code == SZ_OP_RESHAPE)
        return op->inputs[0] == tensor &&
               is_exact_alias(&graph->tensors[tensor], &graph->tensors[op->outputs[0]]);
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
    }
    fault->tensor = SZ_NONE;
    return SZ_ENGINE_OK;
}

static void write_output(const struct sz_graph *graph, const struct sz_op_record *op, uint8_t *valid)
{
    const struct sz_tensor_record *out = &graph->tensors[op->outputs[0]];
    for (uint16_t t = 0; t < graph->header->tensor_count; t++)
        if (valid[t] && sz_overlaps(&graph->tensors[t], out) && !survives(graph, op, t))
            valid[t] = 0;
    valid[op->outputs[0]] = 1;
}

enum sz_engine_status sz_check_plan(const struct sz_graph *graph, uint8_t *valid, struct sz_fault *fault)
{
    const struct sz_graph_header *h = graph->header;
    memset(valid, 0, h->tensor_count);
    if (h->input >= h->tensor_count || graph->tensors[h->input].place != SZ_ARENA) {
        fault->tensor = h->input;
        return SZ_ENGINE_HEAD;
    }
    valid[h->input] = 1;
    for (uint16_t i = 0; i < h->op_count; i++) {
        enum sz_engine_status status = check_inputs(graph, &graph->ops[i], valid, fault);
        if (status != SZ_ENGINE_OK) {
            fault->op = i;
            return status;
        }
        write_output(graph, &graph->ops[i], valid);
    }
    return SZ_ENGINE_OK;
}
