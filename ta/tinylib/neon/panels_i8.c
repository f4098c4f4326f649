/*
 * int8 panels without dot product instructions: 4 rows times 4 columns, every sum over the depth in an
 * accumulator of four int32.
 *
 * Panels are [depth / 16][4 columns][16], and where depth is an odd multiple of 8, [4 columns][8] behind
 * that. SMULL multiplies the first eight of 16, SMLAL2 adds the products of the other eight in int16, SADALP
 * adds pairs of those to the accumulator: three instructions for 16 products.
 *
 * The sum of two products leaves int16 only if all four factors are -128. Panels where two weights that meet
 * so (eight apart) are both -128 have the sign bit of their first scale set by the packer, and take a slower
 * way.
 */
#include "kernels.h"

#if defined(__aarch64__) && !defined(__ARM_FEATURE_DOTPROD)
#include "requantise.h"

#include <string.h>

#define COLUMNS 4

/*
 * Registers: 0..7 inputs, two of each row; 8..11 weights, one of each column; 12..15 products; 16 + 4 * row +
 * column sums. Four products at a time hide the latency of the multiplier on cores that issue in order.
 */
#define SMULL(T, A, B) "smull v" #T ".8h, v" #A ".8b, v" #B ".8b\n\t"
#define SMLAL(T, A, B) "smlal2 v" #T ".8h, v" #A ".16b, v" #B ".16b\n\t"
#define SADALP(OP, S, T) OP " v" #S ".4s, v" #T ".8h\n\t"

#define QUAD(OP, A0, B0, S0, A1, B1, S1, A2, B2, S2, A3, B3, S3)                                             \
    SMULL(12, A0, B0)                                                                                        \
    SMULL(13, A1, B1) SMULL(14, A2, B2) SMULL(15, A3, B3) SMLAL(12, A0, B0) SMLAL(13, A1, B1)                \
        SMLAL(14, A2, B2) SMLAL(15, A3, B3) SADALP(OP, S0, 12) SADALP(OP, S1, 13) SADALP(OP, S2, 14)         \
            SADALP(OP, S3, 15)

/* The same for a depth of 8. */
#define QUAD_8(OP, A0, B0, S0, A1, B1, S1, A2, B2, S2, A3, B3, S3)                                           \
    SMULL(12, A0, B0)                                                                                        \
    SMULL(13, A1, B1) SMULL(14, A2, B2) SMULL(15, A3, B3) SADALP(OP, S0, 12) SADALP(OP, S1, 13)              \
        SADALP(OP, S2, 14) SADALP(OP, S3, 15)

/* All columns of one to four rows, whose inputs are in A0, ... */
#define ALL_4(Q, OP, A0, A1, A2, A3)                                                                         \
    Q(OP, A0, 8, 16, A1, 8, 20, A2, 8, 24, A3, 8, 28)                                                        \
    Q(OP, A0, 9, 17, A1, 9, 21, A2, 9, 25, A3, 9, 29)                                                        \
    Q(OP, A0, 10, 18, A1, 10, 22, A2, 10, 26, A3, 10, 30)                                                    \
    Q(OP, A0, 11, 19, A1, 11, 23, A2, 11, 27, A3, 11, 31)
#define ALL_3(Q, OP, A0, A1, A2, A3)                                                                         \
    Q(OP, A0, 8, 16, A1, 8, 20, A2, 8, 24, A0, 9, 17)                                                        \
    Q(OP, A1, 9, 21, A2, 9, 25, A0, 10, 18, A1, 10, 22)                                                      \
    Q(OP, A2, 10, 26, A0, 11, 19, A1, 11, 23, A2, 11, 27)
#define ALL_2(Q, OP, A0, A1, A2, A3)                                                                         \
    Q(OP, A0, 8, 16, A1, 8, 20, A0, 9, 17, A1, 9, 21)                                                        \
    Q(OP, A0, 10, 18, A1, 10, 22, A0, 11, 19, A1, 11, 23)
#define ALL_1(Q, OP, A0, A1, A2, A3) Q(OP, A0, 8, 16, A0, 9, 17, A0, 10, 18, A0, 11, 19)

/* Loads of all rows. LD1 of bytes has no alignment to fault on, and loads several registers at once. */
#define LOAD_1(TO, STEP) "ld1 {" TO(0, 1) "}, [%[a0]], #" STEP "\n\t"
#define LOAD_2(TO, STEP) LOAD_1(TO, STEP) "ld1 {" TO(2, 3) "}, [%[a1]], #" STEP "\n\t"
#define LOAD_3(TO, STEP) LOAD_2(TO, STEP) "ld1 {" TO(4, 5) "}, [%[a2]], #" STEP "\n\t"
#define LOAD_4(TO, STEP) LOAD_3(TO, STEP) "ld1 {" TO(6, 7) "}, [%[a3]], #" STEP "\n\t"
#define TO_32(A, B) "v" #A ".16b, v" #B ".16b"
#define TO_16(A, B) "v" #A ".16b"
#define TO_8(A, B) "v" #A ".8b"
#define LOAD_B "ld1 {v8.16b, v9.16b, v10.16b, v11.16b}, [%[b]], #64\n\t"
#define LOAD_B_8 "ld1 {v8.8b, v9.8b, v10.8b, v11.8b}, [%[b]], #32\n\t"

#define STEP_32(ROWS, OP)                                                                                    \
    LOAD_##ROWS(TO_32, "32") LOAD_B ALL_##ROWS(QUAD, OP, 0, 2, 4, 6)                                         \
        LOAD_B ALL_##ROWS(QUAD, "sadalp", 1, 3, 5, 7)
#define STEP_16(ROWS, OP) LOAD_##ROWS(TO_16, "16") LOAD_B ALL_##ROWS(QUAD, OP, 0, 2, 4, 6)
#define STEP_8(ROWS, OP) LOAD_##ROWS(TO_8, "8") LOAD_B_8 ALL_##ROWS(QUAD_8, OP, 0, 2, 4, 6)

/* The sums of a row's four columns to its first register. */
#define REDUCE(C0, C1, C2, C3)                                                                               \
    "addp v" #C0 ".4s, v" #C0 ".4s, v" #C1 ".4s\n\t"                                                         \
    "addp v" #C2 ".4s, v" #C2 ".4s, v" #C3 ".4s\n\t"                                                         \
    "addp v" #C0 ".4s, v" #C0 ".4s, v" #C2 ".4s\n\t"
#define REDUCE_1 REDUCE(16, 17, 18, 19)
#define REDUCE_2 REDUCE_1 REDUCE(20, 21, 22, 23)
#define REDUCE_3 REDUCE_2 REDUCE(24, 25, 26, 27)
#define REDUCE_4 REDUCE_3 REDUCE(28, 29, 30, 31)

/* The first step sets the sums (SADDLP), so that nothing is cleared before it. */
#define TILE(ROWS)                                                                                           \
    "subs %[n], %[n], #32\n\t"                                                                               \
    "b.lo 3f\n\t" STEP_32(                                                                                   \
        ROWS,                                                                                                \
        "saddlp") "subs %[n], %[n], #32\n\t"                                                                 \
                  "b.lo 2f\n"                                                                                \
                  "1:\n\t" STEP_32(                                                                          \
                      ROWS,                                                                                  \
                      "sadalp") "subs %[n], %[n], #32\n\t"                                                   \
                                "b.hs 1b\n"                                                                  \
                                "2:\n\t"                                                                     \
                                "tbz %[n], #4, 5f\n\t" STEP_16(                                              \
                                    ROWS,                                                                    \
                                    "sadalp") "b 5f\n"                                                       \
                                              "3:\n\t"                                                       \
                                              "tbz %[n], #4, 4f\n\t" STEP_16(                                \
                                                  ROWS,                                                      \
                                                  "saddlp") "b 5f\n"                                         \
                                                            "4:\n\t" STEP_8(                                 \
                                                                ROWS,                                        \
                                                                "saddlp") "b 6f\n"                           \
                                                                          "5:\n\t"                           \
                                                                          "tbz %[n], #3, 6f\n\t" STEP_8(     \
                                                                              ROWS,                          \
                                                                              "sadalp") "6:"                 \
                                                                                        "\n\t" REDUCE_##ROWS

/* Sums of `rows` rows from a on; depth is a multiple of 8. */
static inline __attribute__((always_inline)) void sum_tile(size_t rows, const uint8_t *const a[4],
                                                           const uint8_t *b, size_t depth, int32x4_t sums[4])
{
    register int32x4_t s0 __asm__("v16");
    register int32x4_t s1 __asm__("v20");
    register int32x4_t s2 __asm__("v24");
    register int32x4_t s3 __asm__("v28");
    const uint8_t *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3];
#define SUM(ROWS)                                                                                            \
    __asm__(                                                                                                 \
        TILE(ROWS)                                                                                           \
        : "=w"(s0), "=w"(s1), "=w"(s2),                                                                      \
          "=w"(s3), [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b] "+r"(b), [n] "+r"(depth) \
        :                                                                                                    \
        : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",   \
          "v13", "v14", "v15", "v17", "v18", "v19", "v21", "v22", "v23", "v25", "v26", "v27", "v29", "v30",  \
          "v31")
    if (rows == 4)
        SUM(4);
    else if (rows == 3)
        SUM(3);
    else if (rows == 2)
        SUM(2);
    else
        SUM(1);
#undef SUM
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* The same for any weights, with the sums of eight products added one by one. */
static void sum_tile_of_any(size_t rows, const uint8_t *const a[4], const uint8_t *b, size_t depth,
                            int32x4_t sums[4])
{
    for (size_t r = 0; r < rows; r++) {
        int32x4_t s[COLUMNS] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
        for (size_t k = 0; k < depth; k += 8) {
            /* Both halves of 16 have 16 values between columns, the rest 8. */
            size_t whole = depth / 16 * 16;
            size_t step = k < whole ? 16 : 8;
            const uint8_t *at = b + k / 16 * 16 * COLUMNS + (k < whole ? k % 16 : 0);
            int8x8_t x = vreinterpret_s8_u8(vld1_u8(a[r] + k));
            for (size_t c = 0; c < COLUMNS; c++)
                s[c] = vpadalq_s16(s[c], vmull_s8(x, vreinterpret_s8_u8(vld1_u8(at + c * step))));
        }
        sums[r] = vpaddq_s32(vpaddq_s32(s[0], s[1]), vpaddq_s32(s[2], s[3]));
    }
}

static void store_bytes(uint8_t *y, size_t y_stride, size_t rows, size_t columns, int8x16_t values)
{
    uint8_t bytes[16];
    vst1q_u8(bytes, vreinterpretq_u8_s8(values));
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            y[r * y_stride + c] = bytes[r * COLUMNS + c];
}

/* One to four rows, all columns. */
static inline __attribute__((always_inline)) void run_rows(const struct sz_panel_job *job, size_t first,
                                                           size_t rows, bool any,
                                                           const struct sz_neon_output *out)
{
    const uint8_t *a[4];
    uint8_t *y = (uint8_t *)job->y + first * job->y_stride;
    const uint8_t *b = job->b;
    bool aligned = (((uintptr_t)y | job->y_stride) & 3) == 0;
    for (size_t r = 0; r < 4; r++)
        a[r] = (const uint8_t *)job->a + (first + (r < rows ? r : 0)) * job->a_stride;
    for (size_t c = 0; c < job->columns; c += COLUMNS, b += job->panel_bytes, y += COLUMNS) {
        int32x4_t sums[4];
        int32x4_t bias = vreinterpretq_s32_u8(vld1q_u8(b));
        float32x4_t scale = vreinterpretq_f32_u8(vld1q_u8(b + 16));
        if (any)
            scale = vabsq_f32(scale);
        if (any)
            sum_tile_of_any(rows, a, b + 32, job->depth, sums);
        else
            sum_tile(rows, a, b + 32, job->depth, sums);
        for (size_t r = 0; r < rows; r++) {
            sums[r] = vaddq_s32(sums[r], bias);
            if (job->row_terms != NULL)
                sums[r] = vaddq_s32(sums[r], vdupq_n_s32(job->row_terms[first + r]));
            sums[r] = sz_neon_scaled(sums[r], scale, out);
        }
        for (size_t r = rows; r < 4; r++)
            sums[r] = sums[0];
        int8x16_t values = sz_neon_narrow(sums[0], sums[1], sums[2], sums[3], out);
        if (!aligned || job->columns - c < COLUMNS) {
            store_bytes(y, job->y_stride, rows, job->columns - c < COLUMNS ? job->columns - c : COLUMNS,
                        values);
            continue;
        }
        int32x4_t words = vreinterpretq_s32_s8(values);
        vst1q_lane_s32((void *)y, words, 0);
        if (rows > 1)
            vst1q_lane_s32((void *)(y + job->y_stride), words, 1);
        if (rows > 2)
            vst1q_lane_s32((void *)(y + 2 * job->y_stride), words, 2);
        if (rows > 3)
            vst1q_lane_s32((void *)(y + 3 * job->y_stride), words, 3);
    }
}

/* Has the packer marked one of the panels? */
static bool has_mark(const struct sz_panel_job *job)
{
    const uint8_t *b = job->b;
    uint8_t marks = 0;
    for (size_t c = 0; c < job->columns; c += COLUMNS, b += job->panel_bytes)
        marks |= b[4 * COLUMNS + 3];
    return (marks & 0x80) != 0;
}

void sz_neon_panels_i8(const struct sz_panel_job *job)
{
    struct sz_neon_output out = sz_neon_output_of(job->zero_y, job->bounds);
    size_t row = 0;
    if (has_mark(job)) {
        for (; row < job->rows; row += 4)
            run_rows(job, row, job->rows - row < 4 ? job->rows - row : 4, true, &out);
        return;
    }
    for (; row + 4 <= job->rows; row += 4)
        run_rows(job, row, 4, false, &out);
    if (job->rows - row == 3)
        run_rows(job, row, 3, false, &out);
    else if (job->rows - row == 2)
        run_rows(job, row, 2, false, &out);
    else if (job->rows - row == 1)
        run_rows(job, row, 1, false, &out);
}

#else
typedef int sz_not_empty;
#endif
