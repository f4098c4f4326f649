/*
 * int8 panels with dot product instructions: 4 rows times 16 columns, weights [depth / 4][16 columns][4].
 * SDOT adds four products to each of four columns. Where no more than 8 columns are left, only those are
 * computed.
 */
#include "kernels.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include "load.h"
#include "requantise.h"
#include "tile_4x16.h"

#include <string.h>

#define COLUMNS 16
#define ROWS 4

#define MULTIPLY(S, B, A, K) "sdot v" #S ".4s, v" #B ".16b, v" #A ".4b[" #K "]\n\t"
#define INPUTS(R) "ld1 {v" #R ".16b}, [%[a" #R "]], #16\n\t"

/* The last groups, one at a time. */
#define LOAD_GROUP(R, S0, S1, S2, S3) "ld1 {v" #R ".s}[0], [%[a" #R "]], #4\n\t"
#define TILE(N, WIDTH)                                                                                       \
    EACH_##N(BIAS_##WIDTH) "subs %[n], %[n], #4\n\t"                                                         \
                           "b.lo 2f\n"                                                                       \
                           "1:\n\t" FOUR_GROUPS(                                                             \
                               N, WIDTH) "b.hs 1b\n"                                                         \
                                         "2:\n\t"                                                            \
                                         "adds %[n], %[n], #4\n\t"                                           \
                                         "b.eq 4f\n"                                                         \
                                         "3:\n\t" LOAD_B_##WIDTH(4, 5, 6, 7)                                 \
                                             EACH_##N(LOAD_GROUP) "subs %[n], %[n], #1\n\t" GROUP_##N(       \
                                                 ROW_##WIDTH, 0, 4, 5, 6, 7) "b.ne 3b\n"                     \
                                                                             "4:\n\t"

struct tile {
    const uint8_t *a[ROWS];
    const uint8_t *b; /* the panel */
    size_t depth;
    int32x4_t sums[ROWS][COLUMNS / 4];
};

#define RUN(N, WIDTH)                                                                                        \
    __asm__(                                                                                                 \
        TILE(N, WIDTH)                                                                                       \
        : "=w"(s0), "=w"(s1), "=w"(s2), "=w"(s3), "=w"(s4), "=w"(s5), "=w"(s6), "=w"(s7), "=w"(s8),          \
          "=w"(s9), "=w"(s10), "=w"(s11), "=w"(s12), "=w"(s13), "=w"(s14),                                   \
          "=w"(s15), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b] "+r"(b), [n] "+r"(n)    \
        : [bias] "r"(t->b), [step] "r"((size_t)4 * COLUMNS)                                                  \
        : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11")

static inline __attribute__((always_inline)) void sum_tile(struct tile *t, size_t rows, bool wide)
{
    register int32x4_t s0 __asm__("v16"), s1 __asm__("v17"), s2 __asm__("v18"), s3 __asm__("v19");
    register int32x4_t s4 __asm__("v20"), s5 __asm__("v21"), s6 __asm__("v22"), s7 __asm__("v23");
    register int32x4_t s8 __asm__("v24"), s9 __asm__("v25"), s10 __asm__("v26"), s11 __asm__("v27");
    register int32x4_t s12 __asm__("v28"), s13 __asm__("v29"), s14 __asm__("v30"), s15 __asm__("v31");
    const uint8_t *a0 = t->a[0], *a1 = t->a[1], *a2 = t->a[2], *a3 = t->a[3], *b = t->b + 8 * COLUMNS;
    size_t n = t->depth / 4;
    if (rows == 4 && wide)
        RUN(4, 16);
    else if (rows == 4)
        RUN(4, 8);
    else if (rows == 3 && wide)
        RUN(3, 16);
    else if (rows == 3)
        RUN(3, 8);
    else if (rows == 2 && wide)
        RUN(2, 16);
    else if (rows == 2)
        RUN(2, 8);
    else if (wide)
        RUN(1, 16);
    else
        RUN(1, 8);
    int32x4_t sums[ROWS][COLUMNS / 4] = {
        {s0, s1, s2, s3}, {s4, s5, s6, s7}, {s8, s9, s10, s11}, {s12, s13, s14, s15}};
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLUMNS / 4; c++)
            t->sums[r][c] = sums[r][c];
}

/* A row's sums to bytes. */
static inline __attribute__((always_inline)) void store_row(const int32x4_t sums[COLUMNS / 4],
                                                            const float32x4_t scale[COLUMNS / 4], size_t left,
                                                            const struct sz_neon_output *out, uint8_t *y)
{
    int32x4_t s[COLUMNS / 4];
    for (size_t i = 0; i < COLUMNS / 4; i++)
        s[i] = sz_neon_scaled(sums[i], scale[i], out);
    uint8x16_t values = vreinterpretq_u8_s8(sz_neon_narrow(s[0], s[1], s[2], s[3], out));
    if (left >= COLUMNS) {
        sz_neon_store_16(y, values);
    } else {
        uint8_t bytes[COLUMNS];
        sz_neon_store_16(bytes, values);
        memcpy(y, bytes, left);
    }
}

static inline __attribute__((always_inline)) void run_rows(const struct sz_panel_job *job, struct tile *t,
                                                           size_t row, size_t rows, size_t column,
                                                           const struct sz_neon_output *out)
{
    size_t left = job->columns - column;
    uint8_t *y = (uint8_t *)job->y + row * job->y_stride + column;
    float32x4_t scale[COLUMNS / 4];
    for (size_t r = 0; r < ROWS; r++)
        t->a[r] = (const uint8_t *)job->a + (row + (r < rows ? r : 0)) * job->a_stride;
    sum_tile(t, rows, left > COLUMNS / 2);
    for (size_t i = 0; i < COLUMNS / 4; i++)
        scale[i] = vreinterpretq_f32_u8(sz_neon_load_16(t->b + 4 * COLUMNS + 16 * i));
    for (size_t r = 0; r < rows; r++, y += job->y_stride) {
        if (job->row_terms != NULL)
            for (size_t i = 0; i < COLUMNS / 4; i++)
                t->sums[r][i] = vaddq_s32(t->sums[r][i], vdupq_n_s32(job->row_terms[row + r]));
        store_row(t->sums[r], scale, left, out, y);
    }
}

/* All rows pass over one panel before the next. */
void sz_neon_panels_i8(const struct sz_panel_job *job)
{
    struct sz_neon_output out = sz_neon_output_of(job->zero_y, job->bounds);
    struct tile t = {.depth = job->depth, .b = job->b};
    for (size_t column = 0; column < job->columns; column += COLUMNS, t.b += job->panel_bytes) {
        size_t row = 0;
        for (; row + ROWS <= job->rows; row += ROWS)
            run_rows(job, &t, row, ROWS, column, &out);
        if (job->rows - row == 3)
            run_rows(job, &t, row, 3, column, &out);
        else if (job->rows - row == 2)
            run_rows(job, &t, row, 2, column, &out);
        else if (job->rows - row == 1)
            run_rows(job, &t, row, 1, column, &out);
    }
}

#else
typedef int sz_not_empty;
#endif
