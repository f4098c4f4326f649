/*
 * Depthwise convolution over packed weights, one output row at a time: depthwise_rows.c copies the input rows
 * that the window is over into a ring of rows with their padding left and right, so that kernels know no
 * borders, and y may take x's place.
 */
#ifndef SZ_TINYLIB_DEPTHWISE_ROWS_H
#define SZ_TINYLIB_DEPTHWISE_ROWS_H

#include "kernel.h"
#include "packing.h"
#include "requant.h"

#define SZ_MAX_DEPTHWISE_WINDOW 16 /* greatest window height that can be packed */

struct sz_depthwise_job {
    /* Row i of the window, with padding: pixel p, channel c at [p * channels + c]. Padding holds zero_x (f32:
     * 0). Output pixel o takes pixels o * stride + j * dilation for j < window_w. Not aligned. */
    const void *rows[SZ_MAX_DEPTHWISE_WINDOW];
    size_t window_h, window_w;
    size_t stride, dilation;
    size_t channels;
    size_t pixels;    /* output pixels of the row */
    const uint8_t *w; /* packed; 16-byte aligned */
    void *y;          /* pixels * channels values; not aligned */
    /* i8 */
    int32_t zero_w;
    int32_t zero_y;
    struct sz_bounds bounds;
    /* f32 */
    float low, high;
};

typedef void (*sz_depthwise_kernel)(const struct sz_depthwise_job *job);

#endif
