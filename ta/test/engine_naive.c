#include "engine_naive.h"

#include <math.h>

static int64_t index_of(const struct sz_tensor_record *t, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return ((n * t->dims[1] + h) * t->dims[2] + w) * t->dims[3] + c;
}

static double flat(const struct naive_tensor *x, int64_t i)
{
    if (x->t->dtype == SZ_F32)
        return (double)((const float *)x->data)[i];
    if (x->t->dtype == SZ_I32)
        return (double)((const int32_t *)x->data)[i];
    return (double)(((const int8_t *)x->data)[i] - x->t->zero_point);
}

double naive_at(const struct naive_tensor *x, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return flat(x, index_of(x->t, n, h, w, c));
}

static int is_inside(const struct sz_tensor_record *t, int64_t h, int64_t w)
{
    return h >= 0 && h < (int64_t)t->dims[1] && w >= 0 && w < (int64_t)t->dims[2];
}

static double bounded(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static double activated(double v, const struct sz_op_record *op)
{
    switch (op->activation) {
    case SZ_ACT_RELU:
        return v < 0 ? 0 : v;
    case SZ_ACT_RELU6:
        return bounded(v, 0, 6);
    case SZ_ACT_RELU_N1_TO_1:
        return bounded(v, -1, 1);
    default:
        return v;
    }
}

/* An integer already rounded, in units of y: zero point, activation and int8 bounds. */
static double quantised(double q, const struct sz_op_record *op, const struct sz_tensor_record *out)
{
    double zero = out->zero_point;
    double scale = (double)out->scale;
    double low = -128, high = 127;
    if (op->activation == SZ_ACT_RELU || op->activation == SZ_ACT_RELU6)
        low = fmax(low, zero);
    if (op->activation == SZ_ACT_RELU_N1_TO_1)
        low = fmax(low, zero + nearbyint((double)(float)(-1 / scale)));
    if (op->activation == SZ_ACT_RELU6)
        high = fmin(high, zero + nearbyint((double)(float)(6 / scale)));
    if (op->activation == SZ_ACT_RELU_N1_TO_1)
        high = fmin(high, zero + nearbyint((double)(float)(1 / scale)));
    return bounded(q + zero, low, high);
}

static void convolve(const struct sz_op_record *op, const struct naive_tensor *in,
                     const struct sz_tensor_record *out, const int64_t at[4], double *value, double *slack)
{
    const int32_t *ints = op->ints;
    int depthwise = op->code == SZ_OP_DEPTHWISE_2D;
    int quantised_w = in[0].t->dtype == SZ_I8;
    int first = depthwise || quantised_w ? 1 : 0;
    int64_t kh = in[1].t->dims[first], kw = in[1].t->dims[first + 1];
    int64_t depth = depthwise ? 1 : in[0].t->dims[3] / (uint32_t)ints[8];
    int64_t group = depthwise ? at[3] / ints[8] : at[3] / (out->dims[3] / (uint32_t)ints[8]);
    double sum = 0, size = 0;
    for (int64_t i = 0; i < kh; i++) {
        for (int64_t j = 0; j < kw; j++) {
            int64_t h = at[1] * ints[0] + i * ints[2] - ints[4];
            int64_t w = at[2] * ints[1] + j * ints[3] - ints[5];
            if (!is_inside(in[0].t, h, w))
                continue;
            for (int64_t c = 0; c < depth; c++) {
                double x = naive_at(&in[0], at[0], h, w, group * depth + c);
                double k = depthwise     ? naive_at(&in[1], 0, i, j, at[3])
                           : quantised_w ? naive_at(&in[1], at[3], i, j, c)
                                         : naive_at(&in[1], i, j, c, at[3]);
                sum += x * k;
                size += fabs(x * k);
            }
        }
    }
    if (in[2].t != 0)
        sum += flat(&in[2], at[3]);
    if (quantised_w) {
        float scale = ((const float *)in[3].data)[at[3]];
        *value = quantised(nearbyint((double)((float)sum * scale)), op, out);
        *slack = 0;
    } else {
        *value = activated(sum, op);
        *slack = 1e-5 * size + 1e-6;
    }
}

static void pool(const struct sz_op_record *op, const struct naive_tensor *in,
                 const struct sz_tensor_record *out, const int64_t at[4], double *value, double *slack)
{
    const int32_t *ints = op->ints;
    double sum = 0, count = 0, greatest = -1e30;
    double zero = out->zero_point;
    for (int64_t i = 0; i < ints[2]; i++) {
        for (int64_t j = 0; j < ints[3]; j++) {
            int64_t h = at[1] * ints[0] + i - ints[4];
            int64_t w = at[2] * ints[1] + j - ints[5];
            if (!is_inside(in[0].t, h, w))
                continue;
            double v = naive_at(&in[0], at[0], h, w, at[3]);
            sum += v + (in[0].t->dtype == SZ_I8 ? zero : 0);
            count += 1;
            greatest = fmax(greatest, v);
        }
    }
    double v = op->code == SZ_OP_MAX_POOL_2D ? greatest : sum / count;
    if (in[0].t->dtype == SZ_F32) {
        *value = activated(v, op);
        *slack = 1e-5 * (1 + fabs(v));
        return;
    }
    *slack = 0;
    double average = ints[8] ? floor(v + 0.5) : round(v);
    *value = quantised(op->code == SZ_OP_MAX_POOL_2D ? v : average - zero, op, out);
}

static void binary(const struct sz_op_record *op, const struct naive_tensor *in,
                   const struct sz_tensor_record *out, const int64_t at[4], double *value, double *slack)
{
    const struct sz_tensor_record *b = in[1].t;
    double x = naive_at(&in[0], at[0], at[1], at[2], at[3]);
    double y = naive_at(&in[1], b->dims[0] > 1 ? at[0] : 0, b->dims[1] > 1 ? at[1] : 0,
                        b->dims[2] > 1 ? at[2] : 0, b->dims[3] > 1 ? at[3] : 0);
    int add = op->code == SZ_OP_ADD;
    if (out->dtype == SZ_F32) {
        *value = activated(add ? x + y : x * y, op);
        *slack = 1e-6 * (fabs(x) + fabs(y) + fabs(x * y));
        return;
    }
    double exact =
        add ? x * (double)in[0].t->scale / (double)out->scale + y * (double)b->scale / (double)out->scale
            : x * y * (double)in[0].t->scale * (double)b->scale / (double)out->scale;
    *value = quantised(nearbyint(exact), op, out);
    /* The multipliers of an addition have 20 bits: next to the middle between two values either is right. */
    *slack = fabs(exact - floor(exact) - 0.5) < 1e-3 ? 1 : 0;
}

void naive_value(const struct sz_op_record *op, const struct naive_tensor *in,
                 const struct sz_tensor_record *out, int64_t n, int64_t h, int64_t w, int64_t c,
                 double *value, double *slack)
{
    const int64_t at[4] = {n, h, w, c};
    switch (op->code) {
    case SZ_OP_CONV_2D:
    case SZ_OP_DEPTHWISE_2D:
        convolve(op, in, out, at, value, slack);
        return;
    case SZ_OP_AVERAGE_POOL_2D:
    case SZ_OP_MAX_POOL_2D:
        pool(op, in, out, at, value, slack);
        return;
    case SZ_OP_ADD:
    case SZ_OP_MUL:
        binary(op, in, out, at, value, slack);
        return;
    case SZ_OP_TRANSPOSE: {
        int64_t from[4];
        for (int d = 0; d < 4; d++)
            from[op->ints[d]] = at[d];
        *value = naive_at(&in[0], from[0], from[1], from[2], from[3]);
        break;
    }
    case SZ_OP_SLICE:
        *value = naive_at(&in[0], n + op->ints[0], h + op->ints[1], w + op->ints[2], c + op->ints[3]);
        break;
    default: { /* SZ_OP_PAD */
        int64_t from[4];
        int inside = 1;
        for (int d = 0; d < 4; d++) {
            from[d] = at[d] - op->ints[d];
            inside = inside && from[d] >= 0 && from[d] < (int64_t)in[0].t->dims[d];
        }
        *value = inside ? naive_at(&in[0], from[0], from[1], from[2], from[3]) : (double)op->floats[0];
        break;
    }
    }
    /* These only move values. */
    *value += out->dtype == SZ_I8 ? out->zero_point : 0;
    *slack = 0;
}
