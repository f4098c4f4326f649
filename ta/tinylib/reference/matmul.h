/*
 * Convolution and fully connected as a matrix product: rows are output pixels, columns output channels, and
 * the depth runs over the window's taps and their channels. Both kernels gather a piece of four rows' inputs
 * into a small buffer (so borders and dilation cost nothing in the inner loop), then run all columns over it.
 */
#ifndef SZ_TINYLIB_REFERENCE_MATMUL_H
#define SZ_TINYLIB_REFERENCE_MATMUL_H

#include "../window.h"

#define SZ_ROWS 4

struct sz_geometry {
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int32_t window_h, window_w;
    int32_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t groups;
    int32_t first;   /* output channel that the weights begin with */
    int32_t columns; /* output channels of a group */
    size_t rows;     /* output pixels of all pictures */
    size_t depth;    /* taps times channels of one group */
};

/* w_h: which of the weights' dims is the window's height. */
struct sz_geometry sz_geometry_of_conv(const struct sz_call *call, uint32_t w_h);
struct sz_geometry sz_geometry_of_fully_connected(const struct sz_call *call, size_t inputs);

/* Goes through a piece of one row's depth, run by run of values that are contiguous in x. */
struct sz_gather {
    const struct sz_geometry *g;
    int32_t y, x;         /* the window's top left in the picture, may be negative */
    size_t picture;       /* elements before this picture */
    int32_t tap, channel; /* where the next run starts; channel counts within the group */
    int32_t group;
};

struct sz_gather sz_gather_start(const struct sz_geometry *g, size_t row, int32_t group, size_t depth_offset);

/*
 * The next run, at most `most` values long. Returns its length; *at is the index of its first value in x, or
 * SZ_GATHER_OUTSIDE where the tap is in the padding.
 */
#define SZ_GATHER_OUTSIDE SIZE_MAX
size_t sz_gather_next(struct sz_gather *gather, size_t most, size_t *at);

#endif
