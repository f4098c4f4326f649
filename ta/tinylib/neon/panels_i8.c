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
#include "load.h"
#include "requantise.h"

#define COLUMNS 4
#define TILE_ROWS 4
#define NEAR_BYTES 16384 /* weights that stay in the first cache while all rows pass */

/*
 * Registers: 0..7 inputs, two of each row; 8..11 weights, one of each column; 12..15 products; 16 + 4 * row +
 * column sums. Four products at a time hide the latency of the multiplier on cores that issue in order.
 */
/* clang-format off */
#define SMULL(T, A, B) "smull v" #T ".8h, v" #A ".8b, v" #B ".8b\n\t"
#define SMLAL(T, A, B) "smlal2 v" #T ".8h, v" #A ".16b, v" #B ".16b\n\t"
#define SADALP(OP, S, T) OP " v" #S ".4s, v" #T ".8h\n\t"

#define QUAD(OP, A0, B0, S0, A1, B1, S1, A2, B2, S2, A3, B3, S3) \
    SMULL(12, A0, B0) SMULL(13, A1, B1) SMULL(14, A2, B2) SMULL(15, A3, B3) \
    SMLAL(12, A0, B0) SMLAL(13, A1, B1) SMLAL(14, A2, B2) SMLAL(15, A3, B3) \
    SADALP(OP, S0, 12) SADALP(OP, S1, 13) SADALP(OP, S2, 14) SADALP(OP, S3, 15)

/* The same for a depth of 8. */
#define QUAD_8(OP, A0, B0, S0, A1, B1, S1, A2, B2, S2, A3, B3, S3) \
    SMULL(12, A0, B0) SMULL(13, A1, B1) SMULL(14, A2, B2) SMULL(15, A3, B3) \
    SADALP(OP, S0, 12) SADALP(OP, S1, 13) SADALP(OP, S2, 14) SADALP(OP, S3, 15)

/* All columns of one to four rows, whose inputs are in A0, ... */
#define ALL_4(Q, OP, A0, A1, A2, A3) \
    Q(OP, A0, 8, 16, A1, 8, 20, A2, 8, 24, A3, 8, 28) \
    Q(OP, A0, 9, 17, A1, 9, 21, A2, 9, 25, A3, 9, 29) \
    Q(OP, A0, 10, 18, A1, 10, 22, A2, 10, 26, A3, 10, 30) \
    Q(OP, A0, 11, 19, A1, 11, 23, A2, 11, 27, A3, 11, 31)
#define ALL_3(Q, OP, A0, A1, A2, A3) \
    Q(OP, A0, 8, 16, A1, 8, 20, A2, 8, 24, A0, 9, 17) \
    Q(OP, A1, 9, 21, A2, 9, 25, A0, 10, 18, A1, 10, 22) \
    Q(OP, A2, 10, 26, A0, 11, 19, A1, 11, 23, A2, 11, 27)
#define ALL_2(Q, OP, A0, A1, A2, A3) \
    Q(OP, A0, 8, 16, A1, 8, 20, A0, 9, 17, A1, 9, 21) \
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

#define STEP_32(ROWS, OP) \
    LOAD_##ROWS(TO_32, "32") LOAD_B ALL_##ROWS(QUAD, OP, 0, 2, 4, 6) \
    LOAD_B ALL_##ROWS(QUAD, "sadalp", 1, 3, 5, 7)
#define STEP_16(ROWS, OP) LOAD_##ROWS(TO_16, "16") LOAD_B ALL_##ROWS(QUAD, OP, 0, 2, 4, 6)
#define STEP_8(ROWS, OP) LOAD_##ROWS(TO_8, "8") LOAD_B_8 ALL_##ROWS(QUAD_8, OP, 0, 2, 4, 6)

/* The sums of a row's four columns to its first register. */
#define REDUCE(C0, C1, C2, C3) \
    "addp v" #C0 ".4s, v" #C0 ".4s, v" #C1 ".4s\n\t" \
    "addp v" #C2 ".4s, v" #C2 ".4s, v" #C3 ".4s\n\t"
#define REDUCE_AGAIN(C0, C2) "addp v" #C0 ".4s, v" #C0 ".4s, v" #C2 ".4s\n\t"
#define REDUCE_1 REDUCE(16, 17, 18, 19) REDUCE_AGAIN(16, 18)
#define REDUCE_2 REDUCE(16, 17, 18, 19) REDUCE(20, 21, 22, 23) REDUCE_AGAIN(16, 18) REDUCE_AGAIN(20, 22)
#define REDUCE_3 REDUCE_2 REDUCE(24, 25, 26, 27) REDUCE_AGAIN(24, 26)
#define REDUCE_4 REDUCE_2 REDUCE(24, 25, 26, 27) REDUCE(28, 29, 30, 31) REDUCE_AGAIN(24, 26) REDUCE_AGAIN(28, 30)

/* The depth of one tile. The first step sets the sums (SADDLP), so that nothing is cleared before it. */
#define ANY_TILE(ROWS) \
    "subs %[n], %[depth], #32\n\t" \
    "b.lo 4f\n\t" STEP_32(ROWS, "saddlp") \
    "subs %[n], %[n], #64\n\t" \
    "b.lo 2f\n" \
    "1:\n\t" STEP_32(ROWS, "sadalp") STEP_32(ROWS, "sadalp") \
    "subs %[n], %[n], #64\n\t" \
    "b.hs 1b\n" \
    "2:\n\t" /* what is left, less 64: the lower bits are the same */ \
    "tbz %[n], #5, 3f\n\t" STEP_32(ROWS, "sadalp") \
    "3:\n\t" \
    "tbz %[n], #4, 6f\n\t" STEP_16(ROWS, "sadalp") \
    "b 6f\n" \
    "4:\n\t" \
    "tbz %[n], #4, 5f\n\t" STEP_16(ROWS, "saddlp") \
    "b 6f\n" \
    "5:\n\t" STEP_8(ROWS, "saddlp") \
    "b 7f\n" \
    "6:\n\t" \
    "tbz %[n], #3, 7f\n\t" STEP_8(ROWS, "sadalp") \
    "7:\n\t" REDUCE_##ROWS

#define TILE_1 ANY_TILE(1)
#define TILE_2 ANY_TILE(2)
#define TILE_3 ANY_TILE(3)
#if defined(SZ_CORTEX_A53)
#include "panels_i8_a53.h"
#define TILE_4 TILE_A53
#else
#define TILE_4 ANY_TILE(4)
#endif

/* requant.h for the sums of all rows. Registers: 0 bias, 1 scale, 2 low, 3 high, 4 zero_y; 8..11 the rows' terms. */
#define EACH_1(OP) OP(16)
#define EACH_2(OP) EACH_1(OP) OP(20)
#define EACH_3(OP) EACH_2(OP) OP(24)
#define EACH_4(OP) EACH_3(OP) OP(28)
#define ADD_BIAS(S) "add v" #S ".4s, v" #S ".4s, v0.4s\n\t"
#define TO_FLOAT(S) "scvtf v" #S ".4s, v" #S ".4s\n\t"
#define SCALE(S) "fmul v" #S ".4s, v" #S ".4s, v1.4s\n\t"
#define LOW(S) "fmaxnm v" #S ".4s, v" #S ".4s, v2.4s\n\t"
#define HIGH(S) "fminnm v" #S ".4s, v" #S ".4s, v3.4s\n\t"
#define ROUND(S) "fcvtns v" #S ".4s, v" #S ".4s\n\t"
#define TERM(S, T) "add v" #S ".4s, v" #S ".4s, v" #T ".4s\n\t"
#define STORE_1 "st1 {v16.s}[0], [%[y0]], #4\n\t"
#define STORE_2 STORE_1 "st1 {v16.s}[1], [%[y1]], #4\n\t"
#define STORE_3 STORE_2 "st1 {v16.s}[2], [%[y2]], #4\n\t"
#define STORE_4 STORE_3 "st1 {v16.s}[3], [%[y3]], #4\n\t"
#define BACK_1 "sub %[a0], %[a0], %[depth]\n\t"
#define BACK_2 BACK_1 "sub %[a1], %[a1], %[depth]\n\t"
#define BACK_3 BACK_2 "sub %[a2], %[a2], %[depth]\n\t"
#define BACK_4 BACK_3 "sub %[a3], %[a3], %[depth]\n\t"

#define PANELS(ROWS) \
    "0:\n\t" \
    "add %[b], %[panel], #32\n\t" TILE_##ROWS \
    "ld1 {v0.4s, v1.4s}, [%[panel]]\n\t" \
    "ld1 {v2.4s, v3.4s, v4.4s}, [%[output]]\n\t" BACK_##ROWS EACH_##ROWS(ADD_BIAS) \
    "cbz %[terms], 8f\n\t" \
    "ld1 {v8.4s, v9.4s, v10.4s, v11.4s}, [%[terms]]\n\t" TERM(16, 8) TERM(20, 9) TERM(24, 10) TERM(28, 11) \
    "8:\n\t" \
    EACH_##ROWS(TO_FLOAT) EACH_##ROWS(SCALE) EACH_##ROWS(LOW) EACH_##ROWS(HIGH) EACH_##ROWS(ROUND) \
    "uzp1 v16.8h, v16.8h, v20.8h\n\t" \
    "uzp1 v24.8h, v24.8h, v28.8h\n\t" \
    "mov %[panel], %[b]\n\t" \
    "uzp1 v16.16b, v16.16b, v24.16b\n\t" \
    "add v16.16b, v16.16b, v4.16b\n\t" \
    "subs %[count], %[count], #1\n\t" STORE_##ROWS \
    "b.ne 0b\n\t"
/* clang-format on */

/* Some rows times some whole panels. */
struct part {
    const uint8_t *a, *panel;
    size_t a_stride, y_stride, depth, count; /* of panels */
    uint8_t *y;                              /* 4-byte aligned */
    const uint8_t *output;                   /* low, high, zero_y: 16 bytes each */
    const int32_t *terms;                    /* each row's term; NULL: none */
};

/* One to four rows from `row` on. */
static inline __attribute__((always_inline)) void run_rows(const struct part *part, size_t row, size_t height)
{
    size_t a_step = part->a_stride, y_step = part->y_stride;
    const uint8_t *a0 = part->a + row * a_step;
    const uint8_t *a1 = height > 1 ? a0 + a_step : a0;
    const uint8_t *a2 = height > 2 ? a1 + a_step : a0;
    const uint8_t *a3 = height > 3 ? a2 + a_step : a0;
    uint8_t *y0 = part->y + row * y_step;
    uint8_t *y1 = height > 1 ? y0 + y_step : y0;
    uint8_t *y2 = height > 2 ? y1 + y_step : y0;
    uint8_t *y3 = height > 3 ? y2 + y_step : y0;
    const uint8_t *panel = part->panel;
    size_t count = part->count;
    int32_t terms[TILE_ROWS * 4];
    const int32_t *row_terms = NULL;
    const uint8_t *b;
    size_t n;
    if (part->terms != NULL) {
        for (size_t r = 0; r < height; r++)
            sz_neon_store_16(terms + 4 * r, vreinterpretq_u8_s32(vdupq_n_s32(part->terms[row + r])));
        row_terms = terms;
    }
#define RUN(ROWS)                                                                                            \
    __asm__ volatile(                                                                                        \
        PANELS(ROWS)                                                                                         \
        : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [y0] "+r"(y0), [y1] "+r"(y1),          \
          [y2] "+r"(y2), [y3] "+r"(y3), [panel] "+r"(panel), [count] "+r"(count), [b] "=&r"(b), [n] "=&r"(n) \
        : [depth] "r"(part->depth), [output] "r"(part->output), [terms] "r"(row_terms)                       \
        : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",   \
          "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",  \
          "v27", "v28", "v29", "v30", "v31")
    if (height == 4)
        RUN(4);
    else if (height == 3)
        RUN(3);
    else if (height == 2)
        RUN(2);
    else
        RUN(1);
#undef RUN
}

static void run_part(const struct part *part, size_t rows)
{
    size_t row = 0;
    for (; row + TILE_ROWS <= rows; row += TILE_ROWS)
        run_rows(part, row, 4);
    if (rows - row == 3)
        run_rows(part, row, 3);
    else if (rows - row == 2)
        run_rows(part, row, 2);
    else if (rows - row == 1)
        run_rows(part, row, 1);
}

/* One panel for any weights and with any number of columns: the products are added one by one. */
static void run_any(const struct sz_panel_job *job, size_t row, const uint8_t *panel, size_t column)
{
    const uint8_t *a = (const uint8_t *)job->a + row * job->a_stride;
    int32x4_t s[COLUMNS] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    struct sz_neon_output out = sz_neon_output_of(job->zero_y, job->bounds);
    size_t whole = job->depth / 16 * 16;
    for (size_t k = 0; k < job->depth; k += 8) {
        /* Both halves of 16 have 16 values between columns, the rest 8. */
        const uint8_t *b = panel + 32 + k / 16 * 16 * COLUMNS + (k < whole ? k % 16 : 0);
        int8x8_t x = vreinterpret_s8_u8(sz_neon_load_8(a + k));
        for (size_t c = 0; c < COLUMNS; c++)
            s[c] = vpadalq_s16(s[c],
                               vmull_s8(x, vreinterpret_s8_u8(sz_neon_load_8(b + c * (k < whole ? 16 : 8)))));
    }
    int32x4_t sums = vpaddq_s32(vpaddq_s32(s[0], s[1]), vpaddq_s32(s[2], s[3]));
    float32x4_t scale = vabsq_f32(vreinterpretq_f32_u8(sz_neon_load_16(panel + 16)));
    int32_t term = job->row_terms != NULL ? job->row_terms[row] : 0;
    uint8_t bytes[16];
    sums = vaddq_s32(vaddq_s32(sums, vreinterpretq_s32_u8(sz_neon_load_16(panel))), vdupq_n_s32(term));
    sums = sz_neon_scaled(sums, scale, &out);
    sz_neon_store_16(bytes, vreinterpretq_u8_s8(sz_neon_narrow(sums, sums, sums, sums, &out)));
    for (size_t c = 0; c < COLUMNS && c < job->columns - column; c++)
        ((uint8_t *)job->y)[row * job->y_stride + column + c] = bytes[c];
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
    uint8_t output[3 * 16];
    /* The fast way stores four bytes at once. */
    bool is_fast = (((uintptr_t)job->y | job->y_stride) & 3) == 0 && !has_mark(job);
    size_t whole = is_fast ? job->columns / COLUMNS : 0;
    size_t group = NEAR_BYTES / job->panel_bytes > 2 ? NEAR_BYTES / job->panel_bytes : 2;
    struct part part = {job->a, job->b, job->a_stride, job->y_stride, job->depth,
                        0,      job->y, output,        job->row_terms};
    sz_neon_store_16(output, vreinterpretq_u8_f32(out.low));
    sz_neon_store_16(output + 16, vreinterpretq_u8_f32(out.high));
    sz_neon_store_16(output + 32, vreinterpretq_u8_s8(out.zero));
    for (size_t left = whole; left > 0; left -= part.count) {
        part.count = left < group ? left : group;
        run_part(&part, job->rows);
        part.panel += part.count * job->panel_bytes;
        part.y += part.count * COLUMNS;
    }
    for (size_t c = whole * COLUMNS; c < job->columns; c += COLUMNS)
        for (size_t r = 0; r < job->rows; r++)
            run_any(job, r, job->b + c / COLUMNS * job->panel_bytes, c);
}

#else
typedef int sz_not_empty;
#endif
