/* Average and maximum over a window, mean over the whole picture. Channels are innermost. */
#include "../requant.h"
#include "../window.h"
#include "kernels.h"
#include "lanes.h"

#define CHANNELS 64 /* int8 sums kept at once: 256 bytes of stack */

struct window {
    struct sz_span h, w;
    size_t picture;     /* index of the picture's first value in x */
    size_t row, column; /* values between rows and between pixels */
};

static struct window window_at(const struct sz_call *call, uint32_t n, uint32_t y, uint32_t x)
{
    const int32_t *ints = call->op->ints;
    const uint32_t *in = call->in[0].record->dims;
    struct window w = {
        .h =
            sz_span_at((int32_t)y, ints[SZ_STRIDE_H], ints[SZ_PAD_TOP], 1, ints[SZ_WINDOW_H], (int32_t)in[1]),
        .w = sz_span_at((int32_t)x, ints[SZ_STRIDE_W], ints[SZ_PAD_LEFT], 1, ints[SZ_WINDOW_W],
                        (int32_t)in[2]),
        .picture = (size_t)n * in[1] * in[2] * in[3],
        .row = (size_t)in[2] * in[3],
        .column = in[3],
    };
    return w;
}

static size_t tap_at(const struct window *w, int32_t i, int32_t j)
{
    return w->picture + (size_t)(w->h.origin + i) * w->row + (size_t)(w->w.origin + j) * w->column;
}

static int32_t covered(const struct window *w)
{
    return (w->h.end - w->h.first) * (w->w.end - w->w.first);
}

typedef void (*pool_at)(const struct sz_call *call, const struct window *w, size_t channels, size_t out);

static void for_each_window(const struct sz_call *call, pool_at pool)
{
    const uint32_t *out = call->out->dims;
    size_t at = 0;
    for (uint32_t n = 0; n < out[0]; n++) {
        for (uint32_t y = 0; y < out[1]; y++) {
            for (uint32_t x = 0; x < out[2]; x++) {
                struct window w = window_at(call, n, y, x);
                pool(call, &w, out[3], at);
                at += out[3];
            }
        }
    }
}

static void average_at_f32(const struct sz_call *call, const struct window *w, size_t channels, size_t out)
{
    const float *x = call->in[0].data;
    float *y = (float *)call->y + out;
    float count = (float)covered(w);
    for (size_t c = 0; c < channels; c++)
        y[c] = 0.0f;
    for (int32_t i = w->h.first; i < w->h.end; i++) {
        for (int32_t j = w->w.first; j < w->w.end; j++) {
            const float *tap = x + tap_at(w, i, j);
            for (size_t c = 0; c < channels; c++)
                y[c] += tap[c];
        }
    }
    for (size_t c = 0; c < channels; c++)
        y[c] /= count;
}

static void max_at_f32(const struct sz_call *call, const struct window *w, size_t channels, size_t out)
{
    const float *x = call->in[0].data;
    float *y = (float *)call->y + out;
    memcpy(y, x + tap_at(w, w->h.first, w->w.first), channels * sizeof(*y));
    for (int32_t i = w->h.first; i < w->h.end; i++) {
        for (int32_t j = w->w.first; j < w->w.end; j++) {
            const float *tap = x + tap_at(w, i, j);
            for (size_t c = 0; c < channels; c++)
                y[c] = tap[c] > y[c] ? tap[c] : y[c];
        }
    }
}

/* On the quantised values, as TFLite: for int8 half away from zero; for uint8, which are 128 more, half up.
 */
static int8_t rounded_average(int32_t sum, int32_t count, bool half_up, struct sz_bounds bounds)
{
    int32_t q;
    if (half_up)
        q = (sum + 128 * count + count / 2) / count - 128;
    else
        q = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
    q = q < bounds.low ? bounds.low : q;
    return (int8_t)(q > bounds.high ? bounds.high : q);
}

static void average_at_i8(const struct sz_call *call, const struct window *w, size_t channels, size_t out)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = (int8_t *)call->y + out;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    bool half_up = call->op->ints[SZ_HALF_UP] != 0;
    int32_t sums[CHANNELS];
    for (size_t first = 0; first < channels; first += CHANNELS) {
        size_t n = channels - first < CHANNELS ? channels - first : CHANNELS;
        memset(sums, 0, sizeof(sums));
        for (int32_t i = w->h.first; i < w->h.end; i++) {
            for (int32_t j = w->w.first; j < w->w.end; j++) {
                const int8_t *tap = x + tap_at(w, i, j) + first;
                for (size_t c = 0; c < n; c++)
                    sums[c] += tap[c];
            }
        }
        for (size_t c = 0; c < n; c++)
            y[first + c] = rounded_average(sums[c], covered(w), half_up, bounds);
    }
}

static void max_at_i8(const struct sz_call *call, const struct window *w, size_t channels, size_t out)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = (int8_t *)call->y + out;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    for (size_t c = 0; c < channels; c++)
        y[c] = (int8_t)bounds.low;
    for (int32_t i = w->h.first; i < w->h.end; i++) {
        for (int32_t j = w->w.first; j < w->w.end; j++) {
            const int8_t *tap = x + tap_at(w, i, j);
            for (size_t c = 0; c < channels; c++)
                y[c] = tap[c] > y[c] ? tap[c] : y[c];
        }
    }
    for (size_t c = 0; c < channels; c++)
        y[c] = y[c] > bounds.high ? (int8_t)bounds.high : y[c];
}

void sz_ref_average_pool_f32(const struct sz_call *call)
{
    for_each_window(call, average_at_f32);
    sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

void sz_ref_max_pool_f32(const struct sz_call *call)
{
    for_each_window(call, max_at_f32);
    sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

void sz_ref_average_pool_i8(const struct sz_call *call)
{
    for_each_window(call, average_at_i8);
}

void sz_ref_max_pool_i8(const struct sz_call *call)
{
    for_each_window(call, max_at_i8);
}

void sz_ref_global_mean_f32(const struct sz_call *call)
{
    const uint32_t *in = call->in[0].record->dims;
    const float *x = call->in[0].data;
    float *y = call->y;
    size_t pixels = (size_t)in[1] * in[2];
    size_t channels = in[3];
    for (uint32_t n = 0; n < in[0]; n++, y += channels) {
        for (size_t c = 0; c < channels; c++)
            y[c] = 0.0f;
        for (size_t p = 0; p < pixels; p++, x += channels)
            for (size_t c = 0; c < channels; c++)
                y[c] += x[c];
        for (size_t c = 0; c < channels; c++)
            y[c] /= (float)pixels;
    }
}

void sz_ref_global_mean_i8(const struct sz_call *call)
{
    const uint32_t *in = call->in[0].record->dims;
    const int8_t *x = call->in[0].data;
    int8_t *y = call->y;
    int32_t zero = call->in[0].record->zero_point;
    size_t pixels = (size_t)in[1] * in[2];
    size_t channels = in[3];
    float scale = call->in[0].record->scale / (call->out->scale * (float)pixels);
    struct sz_bounds bounds = sz_bounds_of(call->out, SZ_ACT_NONE);
    int32_t sums[CHANNELS];
    for (uint32_t n = 0; n < in[0]; n++, x += pixels * channels, y += channels) {
        for (size_t first = 0; first < channels; first += CHANNELS) {
            size_t count = channels - first < CHANNELS ? channels - first : CHANNELS;
            memset(sums, 0, sizeof(sums));
            for (size_t p = 0; p < pixels; p++)
                for (size_t c = 0; c < count; c++)
                    sums[c] += x[p * channels + first + c] - zero;
            for (size_t c = 0; c < count; c++)
                y[first + c] = sz_requantise(sums[c], scale, call->out->zero_point, bounds);
        }
    }
}
