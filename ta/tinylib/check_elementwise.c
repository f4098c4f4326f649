/* Operators that keep the shape: add, mul, activations, softmax, quantise. */
#include "check.h"
#include "requant.h"

static bool is_vector_over_channels(const struct sz_tensor_record *v, const struct sz_tensor_record *x)
{
    uint32_t channels = x->dims[x->rank - 1];
    return v->dims[v->rank - 1] == channels && v->bytes == (uint64_t)channels * sz_dtype_size(v->dtype);
}

static bool is_single(const struct sz_tensor_record *t)
{
    return t->bytes == sz_dtype_size(t->dtype);
}

static enum sz_engine_status check_binary(const struct sz_checked_op *c)
{
    const struct sz_tensor_record *a = c->in[0];
    const struct sz_tensor_record *b = c->in[1];
    if (b->dtype != a->dtype)
        return SZ_ENGINE_OPERATOR;
    if (!sz_same_shape(a, b) && !is_single(b) && !is_vector_over_channels(b, a))
        return SZ_ENGINE_SHAPE;
    if (a->dtype == SZ_I8 && c->op->code == SZ_OP_ADD) {
        struct sz_add_terms terms;
        if (!sz_add_terms_of(a, b, c->out, &terms))
            return SZ_ENGINE_QUANTISATION;
    }
    return SZ_ENGINE_OK;
}

enum sz_engine_status sz_check_elementwise(const struct sz_checked_op *c)
{
    const struct sz_tensor_record *x = c->in[0];
    if (!sz_same_shape(x, c->out))
        return SZ_ENGINE_SHAPE;
    switch (c->op->code) {
    case SZ_OP_ADD:
    case SZ_OP_MUL:
        return check_binary(c);
    case SZ_OP_SOFTMAX:
        return c->op->floats[0] > 0 ? SZ_ENGINE_OK : SZ_ENGINE_PARAMETER;
    case SZ_OP_RELU:
        return c->op->activation != SZ_ACT_NONE ? SZ_ENGINE_OK : SZ_ENGINE_PARAMETER;
    case SZ_OP_PRELU:
        if (c->in[1]->place != SZ_WEIGHTS || c->in[1]->dtype != x->dtype)
            return SZ_ENGINE_OPERATOR;
        return is_single(c->in[1]) || is_vector_over_channels(c->in[1], x) ? SZ_ENGINE_OK : SZ_ENGINE_SHAPE;
    default:
        return SZ_ENGINE_OK;
    }
}
