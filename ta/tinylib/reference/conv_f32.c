/* float32 convolution and fully connected. Sums start at the bias and are kept in the output itself between
 * pieces. */
#include "kernels.h"
#include "lanes.h"
#include "matmul.h"

#define PIECE 256 /* depth gathered at once: four rows of float are 4 KB of stack */
#define BLOCK 8   /* columns at once: with four rows, eight registers of sums */

struct job {
    struct sz_geometry g;
    const float *x;
    const float *w; /* [depth][columns] */
    const float *bias;
    float *y;
};

static void gather_row(const struct job *job, size_t row, int32_t group, size_t from, size_t n, float *piece)
{
    struct sz_gather gather = sz_gather_start(&job->g, row, group, from);
    while (n > 0) {
        size_t at;
        size_t run = sz_gather_next(&gather, n, &at);
        if (at == SZ_GATHER_OUTSIDE)
            memset(piece, 0, run * sizeof(*piece));
        else
            memcpy(piece, job->x + at, run * sizeof(*piece));
        piece += run;
        n -= run;
    }
}

/* y[r][0..7] += x[r][k] * w[k][0..7] for four rows. */
static void block_of_rows(const float x[SZ_ROWS][PIECE], const float *w, size_t w_stride, size_t n, float *y,
                          size_t y_stride)
{
    sz_f32x4 s[SZ_ROWS][2];
    for (size_t r = 0; r < SZ_ROWS; r++) {
        s[r][0] = sz_load4(y + r * y_stride);
        s[r][1] = sz_load4(y + r * y_stride + 4);
    }
    for (size_t k = 0; k < n; k++) {
        sz_f32x4 low = sz_load4(w + k * w_stride);
        sz_f32x4 high = sz_load4(w + k * w_stride + 4);
        for (size_t r = 0; r < SZ_ROWS; r++) {
            sz_f32x4 v = sz_splat4(x[r][k]);
            s[r][0] += v * low;
            s[r][1] += v * high;
        }
    }
    for (size_t r = 0; r < SZ_ROWS; r++) {
        sz_store4(y + r * y_stride, s[r][0]);
        sz_store4(y + r * y_stride + 4, s[r][1]);
    }
}

/* One row, any number of columns: adds one weight row after the other. */
static void row_alone(const float *x, const float *w, size_t stride, size_t n, size_t columns,
                      float *restrict y)
{
    for (size_t k = 0; k < n; k++) {
        float v = x[k];
        const float *restrict row = w + k * stride;
        for (size_t c = 0; c < columns; c++)
            y[c] += v * row[c];
    }
}

static void run_rows(const struct job *job, size_t row, size_t rows, int32_t group)
{
    float pieces[SZ_ROWS][PIECE];
    size_t depth = job->g.depth;
    size_t y_stride = (size_t)job->g.out_c;
    size_t columns = (size_t)job->g.columns;
    size_t w_stride = columns * (size_t)job->g.groups;
    size_t first = (size_t)group * columns;
    float *y = job->y + row * y_stride + (size_t)job->g.first + first;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            y[r * y_stride + c] = job->bias != NULL ? job->bias[first + c] : 0.0f;
    for (size_t from = 0; from < depth; from += PIECE) {
        size_t n = depth - from < PIECE ? depth - from : PIECE;
        const float *w = job->w + from * w_stride + first;
        size_t done = 0;
        for (size_t r = 0; r < rows; r++)
            gather_row(job, row + r, group, from, n, pieces[r]);
        if (rows == SZ_ROWS)
            for (; done + BLOCK <= columns; done += BLOCK)
                block_of_rows((const float(*)[PIECE])pieces, w + done, w_stride, n, y + done, y_stride);
        if (done < columns)
            for (size_t r = 0; r < rows; r++)
                row_alone(pieces[r], w + done, w_stride, n, columns - done, y + r * y_stride + done);
    }
}

static void run(const struct sz_call *call, const struct sz_geometry *g)
{
    struct job job = {
        .g = *g,
        .x = call->in[0].data,
        .w = call->in[1].data,
        .bias = call->in[2].data,
        .y = call->y,
    };
    for (int32_t group = 0; group < g->groups; group++)
        for (size_t row = 0; row < g->rows; row += SZ_ROWS)
            run_rows(&job, row, g->rows - row < SZ_ROWS ? g->rows - row : SZ_ROWS, group);
    if (call->op->activation != SZ_ACT_NONE)
        sz_clamp_all(job.y, sz_elements(call->out), sz_range_of(call->op->activation));
}

void sz_ref_conv_f32(const struct sz_call *call)
{
    struct sz_geometry g = sz_geometry_of_conv(call, 0);
    run(call, &g);
}

void sz_ref_fully_connected_f32(const struct sz_call *call)
{
    struct sz_geometry g = sz_geometry_of_fully_connected(call, call->in[1].record->dims[0]);
    run(call, &g);
}
