/* Pooling windows: the part of each that is inside the picture. */
#ifndef SZ_TINYLIB_TAPS_H
#define SZ_TINYLIB_TAPS_H

#include "window.h"

struct sz_taps {
    const uint8_t *first; /* channel 0 of the first tap inside the picture */
    int32_t rows, columns;
    size_t row, column; /* bytes from tap to tap */
};

/* Of output pixel (y, x) of picture n; `size` of an element in bytes. */
static inline struct sz_taps sz_taps_at(const struct sz_call *call, uint32_t n, uint32_t y, uint32_t x,
                                        size_t size)
{
    const int32_t *ints = call->op->ints;
    const uint32_t *in = call->in[0].record->dims;
    struct sz_span h =
        sz_span_at((int32_t)y, ints[SZ_STRIDE_H], ints[SZ_PAD_TOP], 1, ints[SZ_WINDOW_H], (int32_t)in[1]);
    struct sz_span w =
        sz_span_at((int32_t)x, ints[SZ_STRIDE_W], ints[SZ_PAD_LEFT], 1, ints[SZ_WINDOW_W], (int32_t)in[2]);
    struct sz_taps t = {call->in[0].data, h.end - h.first, w.end - w.first, in[2] * in[3] * size,
                        in[3] * size};
    t.first += ((size_t)n * in[1] + (size_t)(h.origin + h.first)) * t.row;
    t.first += (size_t)(w.origin + w.first) * t.column;
    return t;
}

/* y: where the pixel's channels go. */
typedef void (*sz_pool_at)(const struct sz_call *call, const struct sz_taps *taps, size_t channels, void *y);

static inline void sz_pool(const struct sz_call *call, size_t size, sz_pool_at pool)
{
    const uint32_t *out = call->out->dims;
    uint8_t *y = call->y;
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++, y += out[3] * size) {
            struct sz_taps taps = sz_taps_at(call, row / out[1], row % out[1], column, size);
            pool(call, &taps, out[3], y);
        }
    }
}

#endif
