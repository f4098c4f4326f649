/*
 * The front of a network, row by row. A network's first tensors are by far its largest. Where memory is short
 * the first `band_ops` operators therefore run together: each computes one row as soon as the rows it reads
 * are there, into a line buffer that holds no more rows than somebody still needs (layout SZ_LAYOUT_LINES).
 * Nothing is computed twice.
 *
 * The next operator is always the last one that can compute a row: what is there is used up before more is
 * made. This order follows from the graph alone; the check goes through it once, without computing, and
 * refuses a graph whose line buffers do not suffice.
 *
 * The stage's output may lie over the input that it is made of, where its rows follow those that have been
 * read.
 *
 * After Lin et al., "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning" (2021), with
 * rows instead of patches, so that no halo is computed again.
 */
#ifndef SZ_TINYLIB_BANDS_H
#define SZ_TINYLIB_BANDS_H

#include "check.h"

#define SZ_MAX_BAND_OPS 32
#define SZ_MAX_BAND_ROWS 1024  /* of any tensor of the stage */
#define SZ_MAX_BAND_SEGMENTS 8 /* that the stage's weights may be divided among */

/* A line buffer: row r lies in slot r % slots, between its padding. */
struct sz_lines {
    uint32_t offset; /* in the arena */
    uint32_t slots;
    size_t pitch;       /* bytes from slot to slot */
    size_t left, inner; /* bytes of padding before a row, and of the row */
};

/* What one operator of the stage reads and writes. */
struct sz_band_op {
    uint32_t height;                         /* rows to compute */
    uint32_t done;                           /* rows computed */
    uint32_t inputs;                         /* bit p: reads what operator p of the stage computes */
    uint32_t consumers;                      /* bit c: operator c reads what this one computes */
    int32_t stride, before, span, in_height; /* rows of its input for one of its own */
    struct sz_lines out;                     /* slots is 0 where the output is no line buffer */
};

struct sz_bands {
    uint32_t count;
    struct sz_band_op ops[SZ_MAX_BAND_OPS];
};

/* Of a tensor of layout SZ_LAYOUT_LINES; slots is 0 if its bytes are no whole number of them. */
struct sz_lines sz_lines_of(const struct sz_graph *graph, uint16_t tensor);

/* The operator of the stage that computes a tensor; band_ops if it is none of theirs. */
uint32_t sz_band_producer(const struct sz_graph *graph, uint16_t tensor);

/* The stage before its first row. */
void sz_bands_start(const struct sz_graph *graph, struct sz_bands *bands);

/* The operator that computes a row next, or `count` if none can: at the end, or because a line buffer is too
 * small. */
uint32_t sz_bands_next(const struct sz_bands *bands);

enum sz_engine_status sz_check_bands(const struct sz_graph *graph, uint8_t *valid, struct sz_fault *fault);

/* Runs the stage. Its segments are there. */
void sz_run_bands(const struct sz_graph *graph, const struct sz_segment *segments, uint8_t *arena);

#endif
