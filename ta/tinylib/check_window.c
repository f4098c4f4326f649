/* Convolutions, fully connected, pooling, mean: the output's shape follows from input, window and steps. */
#include "check.h"
#include "window.h"

/* Strides, dilations, windows and pads. With dims up to 2^24 all coordinates then fit int32. */
#define SZ_MAX_STEP 4096

static bool in_range(int32_t value, int32_t low, int32_t high)
{
    return value >= low && value <= high;
}

/* Number of window positions along one dimension; 0 if the window does not fit. All arguments are small
 * enough. */
static int64_t positions(int64_t size, int64_t window, int64_t dilation, int64_t stride, int64_t before,
                         int64_t after)
{
    int64_t span = (window - 1) * dilation + 1;
    int64_t room = size + before + after - span;
    return room < 0 ? 0 : room / stride + 1;
}

static bool is_vector(const struct sz_tensor_record *t, uint8_t dtype, uint64_t length)
{
    return t->place == SZ_WEIGHTS && t->dtype == dtype && t->rank == 1 && t->dims[0] == length;
}

/* w, b and s: types, places; and b and s have one value for each of `outputs` channels. */
static enum sz_engine_status check_weights(const struct sz_checked_op *c, uint64_t outputs)
{
    bool quantised = c->in[0]->dtype == SZ_I8;
    const struct sz_tensor_record *w = c->in[1];
    if (w->place != SZ_WEIGHTS || w->dtype != c->in[0]->dtype)
        return SZ_ENGINE_OPERATOR;
    if (w->layout != SZ_LAYOUT_PLAIN) /* holds bias and scales too */
        return c->op->input_count == 2 ? SZ_ENGINE_OK : SZ_ENGINE_OPERATOR;
    if (quantised ? c->op->input_count != 4 : c->op->input_count > 3)
        return SZ_ENGINE_OPERATOR;
    if (c->in[2] != NULL && !is_vector(c->in[2], quantised ? SZ_I32 : SZ_F32, outputs))
        return SZ_ENGINE_SHAPE;
    if (quantised && !is_vector(c->in[3], SZ_F32, outputs))
        return SZ_ENGINE_SHAPE;
    return SZ_ENGINE_OK;
}

/* Steps are in range and y is [N, positions, positions, channels]. */
static enum sz_engine_status check_geometry(const struct sz_checked_op *c, int64_t window_h, int64_t window_w,
                                            int64_t dilation_h, int64_t dilation_w, uint64_t channels)
{
    const int32_t *ints = c->op->ints;
    const uint32_t *in = c->in[0]->dims;
    const uint32_t *out = c->out->dims;
    if (!in_range(ints[SZ_STRIDE_H], 1, SZ_MAX_STEP) || !in_range(ints[SZ_STRIDE_W], 1, SZ_MAX_STEP))
        return SZ_ENGINE_PARAMETER;
    for (int i = SZ_PAD_TOP; i <= SZ_PAD_RIGHT; i++)
        if (!in_range(ints[i], 0, SZ_MAX_STEP))
            return SZ_ENGINE_PARAMETER;
    int64_t h =
        positions(in[1], window_h, dilation_h, ints[SZ_STRIDE_H], ints[SZ_PAD_TOP], ints[SZ_PAD_BOTTOM]);
    int64_t w =
        positions(in[2], window_w, dilation_w, ints[SZ_STRIDE_W], ints[SZ_PAD_LEFT], ints[SZ_PAD_RIGHT]);
    if (c->out->rank != 4 || out[0] != in[0] || (int64_t)out[1] != h || (int64_t)out[2] != w ||
        out[3] != channels)
        return SZ_ENGINE_SHAPE;
    return SZ_ENGINE_OK;
}

/* Output channels first, first + 1, ... first + outputs - 1 of y. */
static bool is_part_inside(const struct sz_checked_op *c, uint64_t outputs)
{
    int32_t first = c->op->ints[SZ_FIRST_CHANNEL];
    return first >= 0 && (uint64_t)first + outputs <= c->out->dims[c->out->rank - 1];
}

static enum sz_engine_status check_convolution(const struct sz_checked_op *c)
{
    const struct sz_tensor_record *x = c->in[0];
    const struct sz_tensor_record *w = c->in[1];
    const int32_t *ints = c->op->ints;
    bool depthwise = c->op->code == SZ_OP_DEPTHWISE_2D;
    bool packed = w->layout != SZ_LAYOUT_PLAIN;
    bool output_first = !depthwise && (x->dtype == SZ_I8 || packed);
    if (x->rank != 4 || w->rank != 4 || c->out->rank != 4)
        return SZ_ENGINE_SHAPE;
    const uint32_t *kernel = &w->dims[depthwise || output_first ? 1 : 0];
    uint64_t outputs = output_first ? w->dims[0] : w->dims[3];
    uint64_t depth = (uint64_t)kernel[0] * kernel[1];
    if (!in_range(ints[SZ_DILATION_H], 1, SZ_MAX_STEP) || !in_range(ints[SZ_DILATION_W], 1, SZ_MAX_STEP) ||
        kernel[0] > SZ_MAX_STEP || kernel[1] > SZ_MAX_STEP || ints[SZ_GROUPS] < 1)
        return SZ_ENGINE_PARAMETER;
    if (packed && (ints[SZ_GROUPS] != 1 || (depthwise && kernel[0] > SZ_MAX_DEPTHWISE_WINDOW)))
        return SZ_ENGINE_PARAMETER;
    uint64_t last = (uint64_t)ints[SZ_GROUPS];
    if (depthwise) {
        if (w->dims[0] != 1 || outputs != x->dims[3] * last)
            return SZ_ENGINE_SHAPE;
    } else {
        uint32_t inputs = output_first ? w->dims[3] : w->dims[2];
        if (inputs * last != x->dims[3] || outputs % last != 0)
            return SZ_ENGINE_SHAPE;
        depth *= inputs;
    }
    if (x->dtype == SZ_I8 && depth > SZ_MAX_INT8_DEPTH)
        return SZ_ENGINE_SHAPE;
    enum sz_engine_status status = check_weights(c, outputs);
    if (status != SZ_ENGINE_OK)
        return status;
    /* Depthwise has no parts (its ints end before), grouped convolutions have none either. */
    if (!is_part_inside(c, outputs) || ((depthwise || last > 1) && outputs != c->out->dims[3]))
        return SZ_ENGINE_SHAPE;
    return check_geometry(c, kernel[0], kernel[1], ints[SZ_DILATION_H], ints[SZ_DILATION_W], c->out->dims[3]);
}

static enum sz_engine_status check_fully_connected(const struct sz_checked_op *c)
{
    const struct sz_tensor_record *x = c->in[0];
    const struct sz_tensor_record *w = c->in[1];
    bool quantised = x->dtype == SZ_I8;
    if (w->rank != 2)
        return SZ_ENGINE_SHAPE;
    bool output_first = quantised || w->layout != SZ_LAYOUT_PLAIN;
    uint64_t inputs = w->dims[output_first ? 1 : 0];
    uint64_t outputs = w->dims[output_first ? 0 : 1];
    uint64_t channels = c->out->dims[c->out->rank - 1];
    for (int i = 0; i < SZ_FIRST_CHANNEL; i++)
        if (c->op->ints[i] != 0)
            return SZ_ENGINE_RESERVED;
    uint64_t elements = x->bytes / sz_dtype_size(x->dtype);
    if (quantised && inputs > SZ_MAX_INT8_DEPTH)
        return SZ_ENGINE_SHAPE;
    if (elements % inputs != 0 || !is_part_inside(c, outputs))
        return SZ_ENGINE_SHAPE;
    /* Both factors are below 2^31. */
    if (elements / inputs * channels != c->out->bytes / sz_dtype_size(c->out->dtype))
        return SZ_ENGINE_SHAPE;
    return check_weights(c, outputs);
}

static enum sz_engine_status check_pool(const struct sz_checked_op *c)
{
    const int32_t *ints = c->op->ints;
    int32_t h = ints[SZ_WINDOW_H];
    int32_t w = ints[SZ_WINDOW_W];
    if (c->in[0]->rank != 4)
        return SZ_ENGINE_SHAPE;
    /* 512 * 512 values of int8 are summed without overflow; and every window covers at least one value. */
    if (!in_range(h, 1, 512) || !in_range(w, 1, 512) || ints[SZ_PAD_TOP] >= h || ints[SZ_PAD_BOTTOM] >= h ||
        ints[SZ_PAD_LEFT] >= w || ints[SZ_PAD_RIGHT] >= w)
        return SZ_ENGINE_PARAMETER;
    if (!in_range(ints[SZ_HALF_UP], 0, c->in[0]->dtype == SZ_I8 ? 1 : 0))
        return SZ_ENGINE_PARAMETER;
    if (!sz_same_quantisation(c->in[0], c->out))
        return SZ_ENGINE_QUANTISATION;
    return check_geometry(c, h, w, 1, 1, c->in[0]->dims[3]);
}

static enum sz_engine_status check_global_mean(const struct sz_checked_op *c)
{
    const struct sz_tensor_record *x = c->in[0];
    const uint32_t *out = c->out->dims;
    /* 2^20 values of int8 less a zero point are summed without overflow. */
    if (x->rank != 4 || (uint64_t)x->dims[1] * x->dims[2] > 1u << 20)
        return SZ_ENGINE_SHAPE;
    if (c->out->rank == 4)
        return out[0] == x->dims[0] && out[1] == 1 && out[2] == 1 && out[3] == x->dims[3] ? SZ_ENGINE_OK
                                                                                          : SZ_ENGINE_SHAPE;
    return c->out->rank == 2 && out[0] == x->dims[0] && out[1] == x->dims[3] ? SZ_ENGINE_OK : SZ_ENGINE_SHAPE;
}

enum sz_engine_status sz_check_window(const struct sz_checked_op *c)
{
    switch (c->op->code) {
    case SZ_OP_CONV_2D:
    case SZ_OP_DEPTHWISE_2D:
        return check_convolution(c);
    case SZ_OP_FULLY_CONNECTED:
        return check_fully_connected(c);
    case SZ_OP_GLOBAL_MEAN:
        return check_global_mean(c);
    default:
        return check_pool(c);
    }
}
