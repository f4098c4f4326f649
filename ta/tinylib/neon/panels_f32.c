/*
 * float32 panels: 4 rows times 16 columns, weights [depth][16], the depth a multiple of four. A row's inputs
 * are loaded four at a time and multiplied by element. Where no more than 8 columns are left, only those are
 * computed.
 */
#include "kernels.h"

#if defined(__aarch64__)
#include "tile_4x16.h"

#include <string.h>

#define COLUMNS 16
#define ROWS 4

#define MULTIPLY(S, B, A, K) "fmla v" #S ".4s, v" #B ".4s, v" #A ".s[" #K "]\n\t"
#define INPUTS(R) "ld1 {v" #R ".4s}, [%[a" #R "]], #16\n\t"

/* Registers 12 and 13: the activation's range. */
#define CLAMP(S) "fmax v" #S ".4s, v" #S ".4s, v12.4s\n\tfmin v" #S ".4s, v" #S ".4s, v13.4s\n\t"
#define STORE_16(R, S0, S1, S2, S3)                                                                          \
    CLAMP(S0)                                                                                                \
    CLAMP(S1)                                                                                                \
    CLAMP(S2) CLAMP(S3) "st1 {v" #S0 ".4s, v" #S1 ".4s, v" #S2 ".4s, v" #S3 ".4s}, [%[y]], %[y_stride]\n\t"
#define STORE_8(R, S0, S1, S2, S3)                                                                           \
    CLAMP(S0) CLAMP(S1) "st1 {v" #S0 ".4s, v" #S1 ".4s}, [%[y]], %[y_stride]\n\t"

/* clang-format off */
#define SUMS_OF(N, WIDTH) "1:\n\t" FOUR_GROUPS(N, WIDTH) "b.ne 1b\n\t"
#if defined(SZ_CORTEX_A53)
#include "tile_4x16_a53.h"
#define SUMS_4_16 SUMS_A53
#else
#define SUMS_4_16 SUMS_OF(4, 16)
#endif
#define SUMS_3_16 SUMS_OF(3, 16)
#define SUMS_2_16 SUMS_OF(2, 16)
#define SUMS_1_16 SUMS_OF(1, 16)
#define SUMS_4_8 SUMS_OF(4, 8)
#define SUMS_3_8 SUMS_OF(3, 8)
#define SUMS_2_8 SUMS_OF(2, 8)
#define SUMS_1_8 SUMS_OF(1, 8)

#define TILE(N, WIDTH) \
    EACH_##N(BIAS_##WIDTH) SUMS_##N##_##WIDTH \
    "dup v12.4s, %w[low]\n\t" \
    "dup v13.4s, %w[high]\n\t" EACH_##N(STORE_##WIDTH)
/* clang-format on */

struct tile {
    const uint8_t *a[ROWS];
    const uint8_t *b; /* the panel's bias, weights behind it */
    size_t depth;
    uint8_t *y;
    size_t y_stride;
    uint32_t low, high; /* bits of the floats */
};

#define RUN(N, WIDTH)                                                                                        \
    __asm__ volatile(                                                                                        \
        TILE(N, WIDTH)                                                                                       \
        : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b] "+r"(b), [n] "+r"(n), [y] "+r"(y)  \
        : [bias] "r"(t->b), [y_stride] "r"(t->y_stride), [step] "r"((size_t)4 * COLUMNS), [low] "r"(t->low), \
          [high] "r"(t->high)                                                                                \
        : "cc", "memory", "x9", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",    \
          "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",  \
          "v26", "v27", "v28", "v29", "v30", "v31")

static inline __attribute__((always_inline)) void run_tile(const struct tile *t, size_t rows, bool wide)
{
    const uint8_t *a0 = t->a[0], *a1 = t->a[1], *a2 = t->a[2], *a3 = t->a[3], *b = t->b + 4 * COLUMNS;
    size_t n = t->depth;
    uint8_t *y = t->y;
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
}

/* Fewer columns than a tile has. */
static void store_part(const float *from, const struct sz_panel_job *job, size_t rows, size_t row,
                       size_t column)
{
    for (size_t r = 0; r < rows; r++) {
        float *to = (float *)(void *)((uint8_t *)job->y + (row + r) * job->y_stride) + column;
        for (size_t c = 0; c < job->columns - column; c++)
            to[c] = from[r * COLUMNS + c];
    }
}

static inline __attribute__((always_inline)) void run_rows(const struct sz_panel_job *job, struct tile *t,
                                                           size_t row, size_t rows, size_t column)
{
    float part[ROWS * COLUMNS];
    size_t left = job->columns - column;
    bool direct = left >= COLUMNS || left == COLUMNS / 2;
    for (size_t r = 0; r < ROWS; r++)
        t->a[r] = (const uint8_t *)job->a + (row + (r < rows ? r : 0)) * job->a_stride;
    t->y = direct ? (uint8_t *)job->y + row * job->y_stride + column * sizeof(float) : (uint8_t *)part;
    t->y_stride = direct ? job->y_stride : COLUMNS * sizeof(float);
    run_tile(t, rows, left > COLUMNS / 2);
    if (!direct)
        store_part(part, job, rows, row, column);
}

/* All rows pass over one panel before the next: it may be all that the first cache holds. */
void sz_neon_panels_f32(const struct sz_panel_job *job)
{
    struct tile t = {.depth = job->depth, .b = job->b};
    memcpy(&t.low, &job->low, sizeof(t.low));
    memcpy(&t.high, &job->high, sizeof(t.high));
    for (size_t column = 0; column < job->columns; column += COLUMNS, t.b += job->panel_bytes) {
        size_t row = 0;
        for (; row + ROWS <= job->rows; row += ROWS)
            run_rows(job, &t, row, ROWS, column);
        if (job->rows - row == 3)
            run_rows(job, &t, row, 3, column);
        else if (job->rows - row == 2)
            run_rows(job, &t, row, 2, column);
        else if (job->rows - row == 1)
            run_rows(job, &t, row, 1, column);
    }
}

#else
typedef int sz_not_empty;
#endif
