/* Depthwise convolution: every channel by itself, so channels go side by side through the vector lanes. */
#include "../requant.h"
#include "../window.h"
#include "kernels.h"
#include "lanes.h"

#define BLOCK_I8 128 /* int8 sums kept at once: 512 bytes of stack */

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

/* One tap for all channels; with more than one output channel for each input channel, `multiplier`. */
static void add_tap_f32(const float *restrict x, const float *restrict w, size_t multiplier, size_t n,
                        float *restrict y)
{
    if (multiplier == 1)
        for (size_t c = 0; c < n; c++)
            y[c] += x[c] * w[c];
    else
        for (size_t c = 0; c < n; c++)
            y[c] += x[c / multiplier] * w[c];
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
            for (size_t c = 0; c < s.out_c; c++)
                y[c] = bias != NULL ? bias[c] : 0.0f;
            for (int32_t i = p.h.first; i < p.h.end; i++)
                for (int32_t j = p.w.first; j < p.w.end; j++)
                    add_tap_f32(x + tap_at(&s, &p, i, j), w + weight_at(&s, i, j), s.multiplier, s.out_c, y);
            y += s.out_c;
        }
    }
    if (call->op->activation != SZ_ACT_NONE)
        sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

struct zeros {
    int16_t x, w;
};

/* One tap for n channels. */
static void add_tap_i8(const int8_t *restrict x, const int8_t *restrict w, struct zeros zero, size_t n,
                       int32_t *restrict sums)
{
    for (size_t c = 0; c < n; c++)
        sums[c] += (int16_t)(x[c] - zero.x) * (int16_t)(w[c] - zero.w);
}

/* Sums of n output channels from c on. */
static void block_i8(const struct shape *s, const struct place *p, const int8_t *x, const int8_t *w, size_t c,
                     struct zeros zero, size_t n, int32_t *sums)
{
    memset(sums, 0, n * sizeof(*sums));
    for (int32_t i = p->h.first; i < p->h.end; i++) {
        for (int32_t j = p->w.first; j < p->w.end; j++) {
            const int8_t *from = x + tap_at(s, p, i, j), *by = w + weight_at(s, i, j) + c;
            if (s->multiplier == 1)
                add_tap_i8(from + c, by, zero, n, sums);
            else
                for (size_t l = 0; l < n; l++)
                    sums[l] += (from[(c + l) / s->multiplier] - zero.x) * (by[l] - zero.w);
        }
    }
}

void sz_ref_depthwise_i8(const struct sz_call *call)
{
    struct shape s = shape_of(call);
    const int8_t *x = call->in[0].data;
    const int8_t *w = call->in[1].data;
    const int32_t *bias = call->in[2].data;
    const float *scale = call->in[3].data;
    const uint32_t *out = call->out->dims;
    int32_t zero_y = call->out->zero_point;
    struct zeros zero = {(int16_t)call->in[0].record->zero_point, (int16_t)call->in[1].record->zero_point};
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    int32_t sums[BLOCK_I8];
    int8_t *y = call->y;
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++) {
            struct place p = place_of(&s, row / out[1], row % out[1], column);
            size_t n;
            for (size_t c = 0; c < s.out_c; c += n) {
                n = s.out_c - c < BLOCK_I8 ? s.out_c - c : BLOCK_I8;
                block_i8(&s, &p, x, w, c, zero, n, sums);
                for (size_t l = 0; l < n; l++)
                    y[c + l] = sz_requantise(sz_add_wrapping(sums[l], bias != NULL ? bias[c + l] : 0),
                                             scale[c + l], zero_y, bounds);
            }
            y += s.out_c;
        }
    }
}
