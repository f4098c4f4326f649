/* Every operator record: number, place and type of its tensors, unused fields, then what is particular to its
 * code. */
#include "check.h"
#include "run_packed.h"

#define ANY_ACTIVATION true
#define NO_ACTIVATION false

enum family {
    WINDOW,      /* convolutions, fully connected, pooling */
    ELEMENTWISE, /* one output value from one value of each input */
    LAYOUT,      /* moves values */
};

struct rule {
    uint8_t least_inputs;
    uint8_t most_inputs;
    uint8_t ints;   /* ints[0 .. ints-1] are used */
    uint8_t floats; /* floats[0 .. floats-1] are used */
    bool activation;
    enum family family;
};

static const struct rule rules[SZ_OP_LAST + 1] = {
    [SZ_OP_CONV_2D] = {2, 4, 10, 0, ANY_ACTIVATION, WINDOW},
    [SZ_OP_DEPTHWISE_2D] = {2, 4, 9, 0, ANY_ACTIVATION, WINDOW},
    [SZ_OP_FULLY_CONNECTED] = {2, 4, 10, 0, ANY_ACTIVATION, WINDOW},
    [SZ_OP_AVERAGE_POOL_2D] = {1, 1, 9, 0, ANY_ACTIVATION, WINDOW},
    [SZ_OP_MAX_POOL_2D] = {1, 1, 8, 0, ANY_ACTIVATION, WINDOW},
    [SZ_OP_GLOBAL_MEAN] = {1, 1, 0, 0, NO_ACTIVATION, WINDOW},
    [SZ_OP_ADD] = {2, 2, 0, 0, ANY_ACTIVATION, ELEMENTWISE},
    [SZ_OP_MUL] = {2, 2, 0, 0, ANY_ACTIVATION, ELEMENTWISE},
    [SZ_OP_CONCAT] = {1, SZ_MAX_OP_INPUTS, 1, 0, NO_ACTIVATION, LAYOUT},
    [SZ_OP_PAD] = {1, 1, 8, 1, NO_ACTIVATION, LAYOUT},
    [SZ_OP_RESHAPE] = {1, 1, 0, 0, NO_ACTIVATION, LAYOUT},
    [SZ_OP_RESIZE_NEAREST] = {1, 1, 2, 0, NO_ACTIVATION, LAYOUT},
    [SZ_OP_RESIZE_BILINEAR] = {1, 1, 2, 0, NO_ACTIVATION, LAYOUT},
    [SZ_OP_SOFTMAX] = {1, 1, 0, 1, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_LOGISTIC] = {1, 1, 0, 0, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_TANH] = {1, 1, 0, 0, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_RELU] = {1, 1, 0, 0, ANY_ACTIVATION, ELEMENTWISE},
    [SZ_OP_LEAKY_RELU] = {1, 1, 0, 1, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_PRELU] = {2, 2, 0, 0, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_HARD_SWISH] = {1, 1, 0, 0, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_QUANTIZE] = {1, 1, 0, 0, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_DEQUANTIZE] = {1, 1, 0, 0, NO_ACTIVATION, ELEMENTWISE},
    [SZ_OP_TRANSPOSE] = {1, 1, 4, 0, NO_ACTIVATION, LAYOUT},
    [SZ_OP_SLICE] = {1, 1, 4, 0, NO_ACTIVATION, LAYOUT},
};

static bool is_unused_clear(const struct sz_op_record *op, const struct rule *rule)
{
    if (op->reserved != 0)
        return false;
    for (uint32_t i = op->input_count; i < SZ_MAX_OP_INPUTS; i++)
        if (op->inputs[i] != SZ_NONE)
            return false;
    for (uint32_t i = op->output_count; i < SZ_MAX_OP_OUTPUTS; i++)
        if (op->outputs[i] != SZ_NONE)
            return false;
    for (uint32_t i = rule->ints; i < SZ_OP_INTS; i++)
        if (op->ints[i] != 0)
            return false;
    for (uint32_t i = rule->floats; i < SZ_OP_FLOATS; i++)
        if (sz_float_bits(op->floats[i]) != 0)
            return false;
    return true;
}

/* The only optional input is the bias of convolutions and fully connected, input 2. */
static bool may_be_absent(const struct sz_op_record *op, uint32_t input)
{
    return input == 2 &&
           (op->code == SZ_OP_CONV_2D || op->code == SZ_OP_DEPTHWISE_2D || op->code == SZ_OP_FULLY_CONNECTED);
}

/* In which layout an operator may read its input `index`; every other one is plain. */
static bool is_layout_valid(const struct sz_op_record *op, uint32_t index, uint8_t layout, bool in_bands)
{
    if (layout == SZ_LAYOUT_PLAIN || (layout == SZ_LAYOUT_LINES && in_bands))
        return true;
    if (index != 1)
        return false;
    return op->code == SZ_OP_DEPTHWISE_2D ? layout == SZ_LAYOUT_DEPTHWISE
                                          : layout == SZ_LAYOUT_PANELS && (op->code == SZ_OP_CONV_2D ||
                                                                           op->code == SZ_OP_FULLY_CONNECTED);
}

static enum sz_engine_status look_up(const struct sz_graph *graph, struct sz_checked_op *c,
                                     struct sz_fault *fault)
{
    const struct sz_op_record *op = c->op;
    bool in_bands = op < graph->ops + graph->header->band_ops;
    for (uint32_t i = 0; i < op->input_count; i++) {
        fault->tensor = op->inputs[i];
        if (op->inputs[i] == SZ_NONE && may_be_absent(op, i))
            continue;
        if (op->inputs[i] >= graph->header->tensor_count)
            return SZ_ENGINE_OPERATOR;
        c->in[i] = &graph->tensors[op->inputs[i]];
        if (!is_layout_valid(op, i, c->in[i]->layout, in_bands))
            return SZ_ENGINE_OPERATOR;
    }
    fault->tensor = op->outputs[0];
    if (op->outputs[0] >= graph->header->tensor_count)
        return SZ_ENGINE_OPERATOR;
    c->out = &graph->tensors[op->outputs[0]];
    if (c->out->layout != SZ_LAYOUT_PLAIN && !(c->out->layout == SZ_LAYOUT_LINES && in_bands))
        return SZ_ENGINE_OPERATOR;
    fault->tensor = SZ_NONE;
    return SZ_ENGINE_OK;
}

/* x and y are in the arena, of the types that the operator converts between. */
static bool are_ends_valid(const struct sz_checked_op *c)
{
    uint8_t from = c->in[0]->dtype;
    uint8_t to = c->out->dtype;
    if (c->in[0]->place != SZ_ARENA || c->out->place != SZ_ARENA)
        return false;
    switch (c->op->code) {
    case SZ_OP_QUANTIZE:
        return to == SZ_I8;
    case SZ_OP_DEQUANTIZE:
        return from == SZ_I8 && to == SZ_F32;
    default:
        return from == to;
    }
}

uint64_t sz_scratch_needed(const struct sz_checked_op *c)
{
    const struct sz_tensor_record *w = c->op->input_count > 1 ? c->in[1] : NULL;
    if (w == NULL || w->layout == SZ_LAYOUT_PLAIN)
        return 0;
    if (c->in[0]->layout == SZ_LAYOUT_LINES) /* its rows lie as the kernels read them */
        return 0;
    if (w->layout == SZ_LAYOUT_DEPTHWISE)
        return sz_depthwise_scratch(c->op, c->in[0], w);
    const struct sz_packing *packing = w->dtype == SZ_I8 ? &c->native->packing_i8 : &c->native->packing_f32;
    return sz_panels_scratch(packing, c->op, c->in[0], w);
}

/* A vector of bytes, long enough; or none where none is needed. */
static enum sz_engine_status check_scratch(const struct sz_graph *graph, const struct sz_checked_op *c,
                                           struct sz_fault *fault)
{
    uint64_t needed = sz_scratch_needed(c);
    if (needed == 0)
        return c->op->scratch == SZ_NONE ? SZ_ENGINE_OK : SZ_ENGINE_RESERVED;
    fault->tensor = c->op->scratch;
    if (c->op->scratch >= graph->header->tensor_count)
        return SZ_ENGINE_OPERATOR;
    const struct sz_tensor_record *scratch = &graph->tensors[c->op->scratch];
    if (scratch->place != SZ_ARENA || scratch->dtype != SZ_I8 || scratch->rank != 1)
        return SZ_ENGINE_OPERATOR;
    if (scratch->bytes < needed)
        return SZ_ENGINE_SHAPE;
    fault->tensor = SZ_NONE;
    return SZ_ENGINE_OK;
}

static enum sz_engine_status check_family(const struct sz_checked_op *c, enum family family)
{
    switch (family) {
    case WINDOW:
        return sz_check_window(c);
    case ELEMENTWISE:
        return sz_check_elementwise(c);
    default:
        return sz_check_layout(c);
    }
}

static enum sz_engine_status check_op(const struct sz_graph *graph, const struct sz_op_record *op,
                                      struct sz_fault *fault)
{
    struct sz_checked_op c = {.native = graph->native, .op = op};
    if (op->code == 0 || op->code > SZ_OP_LAST)
        return SZ_ENGINE_OPERATOR;
    const struct rule *rule = &rules[op->code];
    if (op->input_count < rule->least_inputs || op->input_count > rule->most_inputs || op->output_count != 1)
        return SZ_ENGINE_OPERATOR;
    if (op->activation > SZ_ACT_RELU_N1_TO_1 || (op->activation != SZ_ACT_NONE && !rule->activation))
        return SZ_ENGINE_PARAMETER;
    if (!is_unused_clear(op, rule))
        return SZ_ENGINE_RESERVED;
    for (uint32_t i = 0; i < rule->floats; i++)
        if (!sz_is_finite(op->floats[i]))
            return SZ_ENGINE_PARAMETER;
    enum sz_engine_status status = look_up(graph, &c, fault);
    if (status != SZ_ENGINE_OK)
        return status;
    if (!are_ends_valid(&c))
        return SZ_ENGINE_OPERATOR;
    status = check_family(&c, rule->family);
    return status == SZ_ENGINE_OK ? check_scratch(graph, &c, fault) : status;
}

enum sz_engine_status sz_check_operators(const struct sz_graph *graph, struct sz_fault *fault)
{
    for (uint16_t i = 0; i < graph->header->op_count; i++) {
        enum sz_engine_status status = check_op(graph, &graph->ops[i], fault);
        if (status != SZ_ENGINE_OK) {
            fault->op = i;
            return status;
        }
    }
    return SZ_ENGINE_OK;
}
