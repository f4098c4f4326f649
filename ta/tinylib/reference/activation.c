/* Functions of one value. int8 goes through a table of all 256 results. y may be x. */
#include "../../tinylibm/tinylibm.h"
#include "../requant.h"
#include "kernels.h"
#include "lanes.h"

typedef int32_t i32x4 __attribute__((vector_size(16))); /* what comparing sz_f32x4 gives */

static float activate(const struct sz_op_record *op, float x)
{
    const struct sz_range six = {0.0f, 6.0f};
    switch (op->code) {
    case SZ_OP_LOGISTIC:
        return sz_sigmoidf(x);
    case SZ_OP_TANH:
        return sz_tanhf(x);
    case SZ_OP_HARD_SWISH:
        return x * sz_clamp(x + 3.0f, six) * (1.0f / 6.0f);
    case SZ_OP_LEAKY_RELU:
        return x < 0.0f ? x * op->floats[0] : x;
    default:
        return sz_clamp(x, sz_range_of(op->activation));
    }
}

/* x < 0 ? x * slope : x. Written as a choice, compilers leave a branch in it: a multiplication could trap. */
static sz_f32x4 leaky_relu4(sz_f32x4 x, sz_f32x4 slope)
{
    i32x4 is_negative = x < sz_splat4(0.0f);
    i32x4 negative = (i32x4)(x * slope) & is_negative;
    return (sz_f32x4)(negative | ((i32x4)x & ~is_negative));
}

static void leaky_relu_all(const float *x, float *y, size_t n, float slope)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        sz_store4(y + i, leaky_relu4(sz_load4(x + i), sz_splat4(slope)));
    for (; i < n; i++)
        y[i] = x[i] < 0.0f ? x[i] * slope : x[i];
}

void sz_ref_activation_f32(const struct sz_call *call)
{
    const float *x = call->in[0].data;
    float *y = call->y;
    size_t n = sz_elements(call->out);
    if (call->op->code == SZ_OP_LEAKY_RELU) {
        leaky_relu_all(x, y, n, call->op->floats[0]);
        return;
    }
    if (call->op->code == SZ_OP_RELU) {
        memmove(y, x, n * sizeof(*y));
        sz_clamp_all(y, n, sz_range_of(call->op->activation));
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[i] = activate(call->op, x[i]);
}

void sz_ref_activation_table_i8(const struct sz_call *call, int8_t table[256])
{
    const struct sz_tensor_record *in = call->in[0].record;
    const struct sz_tensor_record *out = call->out;
    struct sz_bounds bounds = {-128, 127};
    bool same_scale = in->scale == out->scale;
    for (int32_t q = -128; q <= 127; q++) {
        if (call->op->code == SZ_OP_RELU && same_scale) {
            bounds = sz_bounds_of(out, call->op->activation);
            table[q + 128] = sz_quantise_scaled((float)(q - in->zero_point), out->zero_point, bounds);
            continue;
        }
        float real = (float)(q - in->zero_point) * in->scale;
        table[q + 128] = sz_quantise_scaled(activate(call->op, real) / out->scale, out->zero_point, bounds);
    }
}

void sz_ref_activation_i8(const struct sz_call *call)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = call->y;
    size_t n = sz_elements(call->out);
    int8_t table[256];
    sz_ref_activation_table_i8(call, table);
    for (size_t i = 0; i < n; i++)
        y[i] = table[x[i] + 128];
}

void sz_ref_prelu_f32(const struct sz_call *call)
{
    const float *x = call->in[0].data;
    const float *alpha = call->in[1].data;
    float *y = call->y;
    size_t channels = sz_elements(call->in[1].record);
    size_t rows = sz_elements(call->out) / channels;
    for (size_t row = 0; row < rows; row++)
        for (size_t c = 0; c < channels; c++, x++, y++)
            *y = *x < 0.0f ? *x * alpha[c] : *x;
}

void sz_ref_prelu_i8(const struct sz_call *call)
{
    const struct sz_tensor_record *in = call->in[0].record;
    const struct sz_tensor_record *slope = call->in[1].record;
    const int8_t *x = call->in[0].data;
    const int8_t *alpha = call->in[1].data;
    int8_t *y = call->y;
    size_t channels = sz_elements(slope);
    size_t rows = sz_elements(call->out) / channels;
    float scale = in->scale / call->out->scale;
    float negative_scale = in->scale * slope->scale / call->out->scale;
    struct sz_bounds bounds = {-128, 127};
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = 0; c < channels; c++, x++, y++) {
            int32_t v = *x - in->zero_point;
            int32_t product = v < 0 ? v * (alpha[c] - slope->zero_point) : v;
            *y = sz_requantise(product, v < 0 ? negative_scale : scale, call->out->zero_point, bounds);
        }
    }
}
