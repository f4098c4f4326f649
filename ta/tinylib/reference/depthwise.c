/* Depthwise convolution: every channel by itself, so channels go side by side through the vector lanes. */
#include "../requant.h"
#include "../window.h"
#include "kernels.h"
#include "lanes.h"

#define LANES_F32 8
#define LANES_I8 16

struct place {
    struct sz_span h, w;
    size_t picture; /* index of the picture's first value in x */
};

struct shape {
    const int32_t *ints;
    int32_t in_h, in_w, window_h, window_w;
    size_t in_c, out_c, multiplier;
};

static struct shape shape_of(const struct sz_call *call)
{
    const uint32_t *in = call->in[0].record->dims;
    const uint32_t *w = call->in[1].record->dims;
    struct shape s = {
        .ints = call->op->ints,
        .in_h = (int32_t)in[1],
        .in_w = (int32_t)in[2],
        .window_h = (int32_t)w[1],
        .window_w = (int32_t)w[2],
        .in_c = in[3],
        .out_c = w[3],
        .multiplier = (size_t)call->op->ints[SZ_GROUPS],
    };
    return s;
}

static struct place place_of(const struct shape *s, uint32_t n, uint32_t y, uint32_t x)
{
    const int32_t *i = s->ints;
    struct place p = {
        .h = sz_span_at((int32_t)y, i[SZ_STRIDE_H], i[SZ_PAD_TOP], i[SZ_DILATION_H], s->window_h, s->in_h),
        .w = sz_span_at((int32_t)x, i[SZ_STRIDE_W], i[SZ_PAD_LEFT], i[SZ_DILATION_W], s->window_w, s->in_w),
        .picture = (size_t)n * (size_t)s->in_h * (size_t)s->in_w * s->in_c,
    };
    return p;
}

/* Index in x of channel 0 under tap (i, j), which is inside. */
static size_t tap_at(const struct shape *s, const struct place *p, int32_t i, int32_t j)
{
    size_t y = (size_t)(p->h.origin + i * s->ints[SZ_DILATION_H]);
    size_t x = (size_t)(p->w.origin + j * s->ints[SZ_DILATION_W]);
    return p->picture + (y * (size_t)s->in_w + x) * s->in_c;
}

static size_t weight_at(const struct shape *s, int32_t i, int32_t j)
{
    return ((size_t)i * (size_t)s->window_w + (size_t)j) * s->out_c;
}

static void lanes_f32(const struct shape *s, const struct place *p, const float *x, const float *w, size_t c,
                      float *y)
{
    sz_f32x4 low = sz_load4(y + c);
    sz_f32x4 high = sz_load4(y + c + 4);
    for (int32_t i = p->h.first; i < p->h.end; i++) {
        for (int32_t j = p->w.first; j < p->w.end; j++) {
            const float *xs = x + tap_at(s, p, i, j) + c;
            const float *ws = w + weight_at(s, i, j) + c;
            low += sz_load4(xs) * sz_load4(ws);
            high += sz_load4(xs + 4) * sz_load4(ws + 4);
        }
    }
    sz_store4(y + c, low);
    sz_store4(y + c + 4, high);
}

static float single_f32(const struct shape *s, const struct place *p, const float *x, const float *w,
                        size_t c, float sum)
{
    for (int32_t i = p->h.first; i < p->h.end; i++)
        for (int32_t j = p->w.first; j < p->w.end; j++)
            sum += x[tap_at(s, p, i, j) + c / s->multiplier] * w[weight_at(s, i, j) + c];
    return sum;
}

void sz_ref_depthwise_f32(const struct sz_call *call)
{
    struct shape s = shape_of(call);
    const float *x = call->in[0].data;
    const float *w = call->in[1].data;
    const float *bias = call->in[2].data;
    const uint32_t *out = call->out->dims;
    float *y = call->y;
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++) {
            struct place p = place_of(&s, row / out[1], row % out[1], column);
            size_t c = 0;
            for (size_t i = 0; i < s.out_c; i++)
                y[i] = bias != NULL ? bias[i] : 0.0f;
            for (; s.multiplier == 1 && c + LANES_F32 <= s.out_c; c += LANES_F32)
                lanes_f32(&s, &p, x, w, c, y);
            for (; c < s.out_c; c++)
                y[c] = single_f32(&s, &p, x, w, c, y[c]);
            y += s.out_c;
        }
    }
    if (call->op->activation != SZ_ACT_NONE)
        sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

struct zeros {
    int16_t x, w;
};

static void lanes_i8(const struct shape *s, const struct place *p, const int8_t *x, const int8_t *w, size_t c,
                     struct zeros zero, int32_t *sums)
{
    memset(sums, 0, LANES_I8 * sizeof(*sums));
    for (int32_t i = p->h.first; i < p->h.end; i++) {
        for (int32_t j = p->w.first; j < p->w.end; j++) {
            const int8_t *xs = x + tap_at(s, p, i, j) + c;
            const int8_t *ws = w + weight_at(s, i, j) + c;
            for (size_t l = 0; l < LANES_I8; l++)
                sums[l] += (int16_t)(xs[l] - zero.x) * (int16_t)(ws[l] - zero.w);
        }
    }
}

static int32_t single_i8(const struct shape *s, const struct place *p, const int8_t *x, const int8_t *w,
                         size_t c, struct zeros zero)
{
    int32_t sum = 0;
    for (int32_t i = p->h.first; i < p->h.end; i++)
        for (int32_t j = p->w.first; j < p->w.end; j++)
            sum +=
                (x[tap_at(s, p, i, j) + c / s->multiplier] - zero.x) * (w[weight_at(s, i, j) + c] - zero.w);
    return sum;
}

void sz_ref_depthwise_i8(const struct sz_call *call)
{
    struct shape s = shape_of(call);
    const int8_t *x = call->in[0].data;
    const int8_t *w = call->in[1].data;
    const int32_t *bias = call->in[2].data;
    const float *scale = call->in[3].data;
    const uint32_t *out = call->out->dims;
    struct zeros zero = {(int16_t)call->in[0].record->zero_point, (int16_t)call->in[1].record->zero_point};
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    int32_t sums[LANES_I8];
    int8_t *y = call->y;
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++) {
            struct place p = place_of(&s, row / out[1], row % out[1], column);
            size_t step;
            for (size_t c = 0; c < s.out_c; c += step) {
                step = s.multiplier == 1 && c + LANES_I8 <= s.out_c ? LANES_I8 : 1;
                if (step == LANES_I8)
                    lanes_i8(&s, &p, x, w, c, zero, sums);
                else
                    sums[0] = single_i8(&s, &p, x, w, c, zero);
                for (size_t l = 0; l < step; l++) {
                    int32_t sum = bias != NULL ? sz_add_wrapping(sums[l], bias[c + l]) : sums[l];
                    y[c + l] = sz_requantise(sum, scale[c + l], call->out->zero_point, bounds);
                }
            }
            y += s.out_c;
        }
    }
}
