/* Which of an operator's ints is what, and where a window lies, for everything that slides one over a
 * picture. */
#ifndef SZ_TINYLIB_WINDOW_H
#define SZ_TINYLIB_WINDOW_H

#include "kernel.h"

enum sz_window_int {
    SZ_STRIDE_H = 0,
    SZ_STRIDE_W = 1,
    SZ_DILATION_H = 2, /* convolutions */
    SZ_DILATION_W = 3,
    SZ_WINDOW_H = 2, /* pooling */
    SZ_WINDOW_W = 3,
    SZ_PAD_TOP = 4,
    SZ_PAD_LEFT = 5,
    SZ_PAD_BOTTOM = 6,
    SZ_PAD_RIGHT = 7,
    SZ_GROUPS = 8,        /* depthwise: the multiplier */
    SZ_HALF_UP = 8,       /* average pooling */
    SZ_FIRST_CHANNEL = 9, /* convolution, fully connected: where a part of y begins */
};

/* A window's place in one dimension: taps first .. end - 1 are inside, tap 0 would be at `origin`. */
struct sz_span {
    int32_t origin;
    int32_t first;
    int32_t end;
};

static inline struct sz_span sz_span_at(int32_t position, int32_t stride, int32_t before, int32_t dilation,
                                        int32_t window, int32_t size)
{
    struct sz_span span = {position * stride - before, 0, window};
    if (span.origin < 0)
        span.first = (-span.origin + dilation - 1) / dilation;
    if (span.origin + (window - 1) * dilation >= size)
        span.end = size > span.origin ? (size - span.origin + dilation - 1) / dilation : 0;
    if (span.first > window)
        span.first = window;
    if (span.end < span.first)
        span.end = span.first;
    return span;
}

#endif
