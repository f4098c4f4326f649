/* int8 convolution and fully connected: sums of (x - zero_x) * (w - zero_w) in int32, then requant.h. */
#include "../requant.h"
#include "kernels.h"
#include "matmul.h"

#define PIECE 512  /* depth gathered at once: four rows of int16 are 4 KB of stack */
#define COLUMNS 64 /* sums kept at once: 1 KB */

struct job {
    struct sz_geometry g;
    const int8_t *x;
    const int8_t *w; /* [columns][depth] */
    const int32_t *bias;
    const float *scale;
    int8_t *y;
    int16_t zero_x, zero_w;
    int32_t zero_y;
    struct sz_bounds bounds;
};

static void gather_row(const struct job *job, size_t row, int32_t group, size_t from, size_t n,
                       int16_t *piece)
{
    struct sz_gather gather = sz_gather_start(&job->g, row, group, from);
    while (n > 0) {
        size_t at;
        size_t run = sz_gather_next(&gather, n, &at);
        if (at == SZ_GATHER_OUTSIDE) {
            memset(piece, 0, run * sizeof(*piece));
        } else {
            for (size_t i = 0; i < run; i++)
                piece[i] = (int16_t)(job->x[at + i] - job->zero_x);
        }
        piece += run;
        n -= run;
    }
}

/* Four rows with the same weights, which are then widened once. */
static void dot_rows(const int16_t x[SZ_ROWS][PIECE], const int8_t *w, int16_t zero_w, size_t n,
                     int32_t *sums)
{
    const int16_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (size_t k = 0; k < n; k++) {
        int16_t v = (int16_t)(w[k] - zero_w);
        s0 += x0[k] * v;
        s1 += x1[k] * v;
        s2 += x2[k] * v;
        s3 += x3[k] * v;
    }
    sums[0] += s0;
    sums[1 * COLUMNS] += s1;
    sums[2 * COLUMNS] += s2;
    sums[3 * COLUMNS] += s3;
}

static void finish(const struct job *job, const int32_t *sums, size_t row, size_t column, size_t columns)
{
    int8_t *y = job->y + row * (size_t)job->g.out_c + (size_t)job->g.first + column;
    for (size_t c = 0; c < columns; c++) {
        int32_t sum = job->bias != NULL ? sz_add_wrapping(sums[c], job->bias[column + c]) : sums[c];
        y[c] = sz_requantise(sum, job->scale[column + c], job->zero_y, job->bounds);
    }
}

/* `rows` (1..4) rows, all columns of one group. Where there are fewer than four, the first stands in for the
 * others. */
static void run_rows(const struct job *job, size_t row, size_t rows, int32_t group)
{
    int16_t pieces[SZ_ROWS][PIECE];
    int32_t sums[SZ_ROWS][COLUMNS];
    size_t depth = job->g.depth;
    size_t per_group = (size_t)job->g.columns;
    size_t first = (size_t)group * per_group;
    for (size_t block = 0; block < per_group; block += COLUMNS) {
        size_t columns = per_group - block < COLUMNS ? per_group - block : COLUMNS;
        memset(sums, 0, sizeof(sums));
        for (size_t from = 0; from < depth; from += PIECE) {
            size_t n = depth - from < PIECE ? depth - from : PIECE;
            if (block == 0 || depth > PIECE)
                for (size_t r = 0; r < SZ_ROWS; r++)
                    gather_row(job, row + (r < rows ? r : 0), group, from, n, pieces[r]);
            for (size_t c = 0; c < columns; c++) {
                const int8_t *w = job->w + (first + block + c) * depth + from;
                dot_rows((const int16_t(*)[PIECE])pieces, w, job->zero_w, n, &sums[0][c]);
            }
        }
        for (size_t r = 0; r < rows; r++)
            finish(job, sums[r], row + r, first + block, columns);
    }
}

static void run(const struct sz_call *call, const struct sz_geometry *g)
{
    struct job job = {
        .g = *g,
        .x = call->in[0].data,
        .w = call->in[1].data,
        .bias = call->in[2].data,
        .scale = call->in[3].data,
        .y = call->y,
        .zero_x = (int16_t)call->in[0].record->zero_point,
        .zero_w = (int16_t)call->in[1].record->zero_point,
        .zero_y = call->out->zero_point,
        .bounds = sz_bounds_of(call->out, call->op->activation),
    };
    for (int32_t group = 0; group < g->groups; group++)
        for (size_t row = 0; row < g->rows; row += SZ_ROWS)
            run_rows(&job, row, g->rows - row < SZ_ROWS ? g->rows - row : SZ_ROWS, group);
}

void sz_ref_conv_i8(const struct sz_call *call)
{
    struct sz_geometry g = sz_geometry_of_conv(call, 1);
    run(call, &g);
}

void sz_ref_fully_connected_i8(const struct sz_call *call)
{
    struct sz_geometry g = sz_geometry_of_fully_connected(call, call->in[1].record->dims[1]);
    run(call, &g);
}
