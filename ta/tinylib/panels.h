/*
 * Convolution and fully connected over packed panels: panels.c lays the inputs of some output pixels side by
 * side (a row of the matrix product each; nothing is copied where they already lie so), a target's kernel
 * multiplies them with some panels.
 */
#ifndef SZ_TINYLIB_PANELS_H
#define SZ_TINYLIB_PANELS_H

#include "kernel.h"
#include "packing.h"
#include "requant.h"

/* y[r][c] = activation(bias'[c] + sum(a[r][k] * b[k][c])) for 1 <= rows <= packing.rows rows, and `columns`
 * <= packing.panels * packing.columns output channels. */
struct sz_panel_job {
    const void *a;   /* first row: depth values, filled up with zeros to depth' values */
    size_t a_stride; /* bytes from row to row; not aligned */
    size_t rows;
    const uint8_t *b;   /* first panel, 16-byte aligned */
    size_t panel_bytes; /* from panel to panel */
    size_t depth;       /* depth': a multiple of packing.depth_step */
    size_t columns;     /* only these are written */
    void *y;            /* first row's first value; not aligned */
    size_t y_stride;    /* bytes from row to row */
    /* i8 */
    const int32_t *row_terms; /* one for each row, added to its sums; NULL: all 0 */
    int32_t zero_y;
    struct sz_bounds bounds;
    /* f32: the activation's range, infinite where there is none */
    float low, high;
};

typedef void (*sz_panel_kernel)(const struct sz_panel_job *job);

#endif
