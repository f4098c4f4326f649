/* y = a + b, y = a * b; b of a's shape, a vector over the channels, or one value. y may be a or b. */
#include "../requant.h"
#include "kernels.h"
#include "lanes.h"

/* How b runs along a: `rows` times `length` values, b starting again in each row; step 0 for one value. */
struct rows {
    size_t rows, length, b_step;
};

static struct rows rows_of(const struct sz_call *call)
{
    size_t a = sz_elements(call->in[0].record);
    size_t b = sz_elements(call->in[1].record);
    struct rows r = {1, a, 1};
    if (b == a)
        return r;
    if (b == 1) {
        r.b_step = 0;
        return r;
    }
    r.rows = a / b;
    r.length = b;
    return r;
}

static void binary_f32(const struct sz_call *call, bool multiply)
{
    struct rows r = rows_of(call);
    const float *a = call->in[0].data;
    const float *b = call->in[1].data;
    float *y = call->y;
    for (size_t row = 0; row < r.rows; row++)
        for (size_t i = 0; i < r.length; i++, a++, y++)
            *y = multiply ? *a * b[i * r.b_step] : *a + b[i * r.b_step];
    sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

void sz_ref_add_f32(const struct sz_call *call)
{
    binary_f32(call, false);
}

void sz_ref_mul_f32(const struct sz_call *call)
{
    binary_f32(call, true);
}

static int8_t add_one(int32_t a, int32_t b, const struct sz_add_terms *t, int32_t zero,
                      struct sz_bounds bounds)
{
    int32_t sum = a * t->multiplier_a + b * t->multiplier_b + (1 << (t->shift - 1));
    int32_t q = (sum >> t->shift) + zero; /* gcc and clang shift arithmetically */
    q = q < bounds.low ? bounds.low : q;
    return (int8_t)(q > bounds.high ? bounds.high : q);
}

void sz_ref_add_i8(const struct sz_call *call)
{
    struct rows r = rows_of(call);
    const int8_t *a = call->in[0].data;
    const int8_t *b = call->in[1].data;
    int8_t *y = call->y;
    int32_t zero_a = call->in[0].record->zero_point;
    int32_t zero_b = call->in[1].record->zero_point;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    struct sz_add_terms terms;
    if (!sz_add_terms_of(call->in[0].record, call->in[1].record, call->out, &terms))
        return; /* sz_graph_open() has refused that */
    for (size_t row = 0; row < r.rows; row++)
        for (size_t i = 0; i < r.length; i++, a++, y++)
            *y = add_one(*a - zero_a, b[i * r.b_step] - zero_b, &terms, call->out->zero_point, bounds);
}

void sz_ref_mul_i8(const struct sz_call *call)
{
    struct rows r = rows_of(call);
    const int8_t *a = call->in[0].data;
    const int8_t *b = call->in[1].data;
    int8_t *y = call->y;
    int32_t zero_a = call->in[0].record->zero_point;
    int32_t zero_b = call->in[1].record->zero_point;
    float scale = call->in[0].record->scale * call->in[1].record->scale / call->out->scale;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    for (size_t row = 0; row < r.rows; row++)
        for (size_t i = 0; i < r.length; i++, a++, y++)
            *y = sz_requantise((*a - zero_a) * (b[i * r.b_step] - zero_b), scale, call->out->zero_point,
                               bounds);
}
