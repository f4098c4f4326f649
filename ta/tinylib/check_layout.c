/* Operators that move values: concat, pad, reshape, resize, transpose, slice. */
#include "check.h"

static enum sz_engine_status check_concat(const struct sz_checked_op *c)
{
    int32_t axis = c->op->ints[0];
    uint64_t along = 0;
    if (axis < 0 || axis >= c->out->rank)
        return SZ_ENGINE_PARAMETER;
    for (uint32_t i = 0; i < c->op->input_count; i++) {
        const struct sz_tensor_record *in = c->in[i];
        if (in->place != SZ_ARENA || in->dtype != c->out->dtype)
            return SZ_ENGINE_OPERATOR;
        if (in->rank != c->out->rank)
            return SZ_ENGINE_SHAPE;
        for (int32_t d = 0; d < SZ_MAX_RANK; d++)
            if (d != axis && in->dims[d] != c->out->dims[d])
                return SZ_ENGINE_SHAPE;
        along += in->dims[axis];
    }
    return along == c->out->dims[axis] ? SZ_ENGINE_OK : SZ_ENGINE_SHAPE;
}

static enum sz_engine_status check_pad(const struct sz_checked_op *c)
{
    const int32_t *ints = c->op->ints;
    if (c->in[0]->rank != c->out->rank)
        return SZ_ENGINE_SHAPE;
    if (c->in[0]->dtype == SZ_I8 && sz_float_bits(c->op->floats[0]) != 0)
        return SZ_ENGINE_PARAMETER;
    for (uint32_t d = 0; d < SZ_MAX_RANK; d++) {
        if (ints[d] < 0 || ints[4 + d] < 0)
            return SZ_ENGINE_PARAMETER;
        if ((int64_t)c->in[0]->dims[d] + ints[d] + ints[4 + d] != (int64_t)c->out->dims[d])
            return SZ_ENGINE_SHAPE;
    }
    return SZ_ENGINE_OK;
}

static enum sz_engine_status check_resize(const struct sz_checked_op *c)
{
    const int32_t *ints = c->op->ints;
    const uint32_t *in = c->in[0]->dims;
    const uint32_t *out = c->out->dims;
    if (ints[0] < 0 || ints[0] > 1 || ints[1] < 0 || ints[1] > 1 || ints[0] + ints[1] == 2)
        return SZ_ENGINE_PARAMETER;
    if (c->in[0]->rank != 4 || c->out->rank != 4 || in[0] != out[0] || in[3] != out[3])
        return SZ_ENGINE_SHAPE;
    return SZ_ENGINE_OK;
}

static enum sz_engine_status check_transpose(const struct sz_checked_op *c)
{
    const int32_t *ints = c->op->ints;
    uint32_t seen = 0;
    if (c->in[0]->rank != c->out->rank)
        return SZ_ENGINE_SHAPE;
    for (int32_t d = 0; d < SZ_MAX_RANK; d++) {
        if (ints[d] < 0 || ints[d] >= SZ_MAX_RANK || (d >= c->out->rank && ints[d] != d))
            return SZ_ENGINE_PARAMETER;
        seen |= 1u << ints[d];
        if (c->out->dims[d] != c->in[0]->dims[ints[d]])
            return SZ_ENGINE_SHAPE;
    }
    return seen == 15u ? SZ_ENGINE_OK : SZ_ENGINE_PARAMETER;
}

static enum sz_engine_status check_slice(const struct sz_checked_op *c)
{
    if (c->in[0]->rank != c->out->rank)
        return SZ_ENGINE_SHAPE;
    for (uint32_t d = 0; d < SZ_MAX_RANK; d++) {
        if (c->op->ints[d] < 0)
            return SZ_ENGINE_PARAMETER;
        if ((int64_t)c->op->ints[d] + c->out->dims[d] > c->in[0]->dims[d])
            return SZ_ENGINE_SHAPE;
    }
    return SZ_ENGINE_OK;
}

enum sz_engine_status sz_check_layout(const struct sz_checked_op *c)
{
    if (c->op->code == SZ_OP_CONCAT)
        return check_concat(c);
    if (!sz_same_quantisation(c->in[0], c->out))
        return SZ_ENGINE_QUANTISATION;
    switch (c->op->code) {
    case SZ_OP_PAD:
        return check_pad(c);
    case SZ_OP_RESHAPE:
        return c->in[0]->bytes == c->out->bytes ? SZ_ENGINE_OK : SZ_ENGINE_SHAPE;
    case SZ_OP_TRANSPOSE:
        return check_transpose(c);
    case SZ_OP_SLICE:
        return check_slice(c);
    default:
        return check_resize(c);
    }
}
