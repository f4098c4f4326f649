/*
 * int8 depthwise convolution, 3x3, the fast way: 16 channels at once, the products of two taps added in
 * int16, which holds them as long as no weight is -128.
 */
#include "depthwise_i8.h"

#if defined(__aarch64__)
#include "load.h"

bool sz_neon_is_pairs(const struct sz_neon_depthwise_part *part)
{
    int8x16_t least = vdupq_n_s8(0);
    for (size_t tap = 0; tap < 9; tap++)
        least = vminq_s8(least, vreinterpretq_s8_u8(sz_neon_load_16(part->w + tap * SZ_NEON_BLOCK)));
    return part->terms.zero_w == 0 && vminvq_s8(least) != -128;
}

/* Registers: 0..8 weights; 9..17 inputs, three rows of each column; 18..21 sums; 22..27 products, later
 * scale; 29 low, 30 high, 31 zero_y. */
#define WEIGHT(V) "ld1 {v" #V ".16b}, [%[w]], #16\n\t"
#define SET_UP                                                                                               \
    "add x9, %[terms], #4\n\t"                                                                               \
    "ld1r {v29.4s}, [%[terms]]\n\t"                                                                          \
    "ld1r {v30.4s}, [x9], #4\n\t"                                                                            \
    "ld1r {v31.16b}, [x9]\n\t" WEIGHT(0) WEIGHT(1) WEIGHT(2) WEIGHT(3) WEIGHT(4) WEIGHT(5) WEIGHT(6)         \
        WEIGHT(7) WEIGHT(8)

#define LOAD(R, V, STEP) "ld1 {v" #V ".16b}, [%[r" #R "]], %[" STEP "]\n\t"
#define COLUMN_BY(STEP, X0, X1, X2) LOAD(0, X0, STEP) LOAD(1, X1, STEP) LOAD(2, X2, STEP)
#define COLUMN(X0, X1, X2) COLUMN_BY("step", X0, X1, X2)

#define FIRST(P, Q, X, W)                                                                                    \
    "smull v" #P ".8h, v" #X ".8b, v" #W ".8b\n\t"                                                           \
    "smull2 v" #Q ".8h, v" #X ".16b, v" #W ".16b\n\t"
#define SECOND(P, Q, X, W)                                                                                   \
    "smlal v" #P ".8h, v" #X ".8b, v" #W ".8b\n\t"                                                           \
    "smlal2 v" #Q ".8h, v" #X ".16b, v" #W ".16b\n\t"
#define ADD(P, Q)                                                                                            \
    "saddw v18.4s, v18.4s, v" #P ".4h\n\t"                                                                   \
    "saddw v20.4s, v20.4s, v" #Q ".4h\n\t"                                                                   \
    "saddw2 v19.4s, v19.4s, v" #P ".8h\n\t"                                                                  \
    "saddw2 v21.4s, v21.4s, v" #Q ".8h\n\t"

#define ALL(OP) OP(18, 22) OP(19, 23) OP(20, 24) OP(21, 25)
#define TO_FLOAT(S, F) "scvtf v" #S ".4s, v" #S ".4s\n\t"
#define SCALE(S, F) "fmul v" #S ".4s, v" #S ".4s, v" #F ".4s\n\t"
#define LOW(S, F) "fmaxnm v" #S ".4s, v" #S ".4s, v29.4s\n\t"
#define HIGH(S, F) "fminnm v" #S ".4s, v" #S ".4s, v30.4s\n\t"
#define ROUND(S, F) "fcvtns v" #S ".4s, v" #S ".4s\n\t"

/* clang-format off */
#define PIXEL(A0, A1, A2, B0, B1, B2, C0, C1, C2) \
    "ld1 {v18.4s, v19.4s, v20.4s, v21.4s}, [%[bias]]\n\t" \
    FIRST(22, 23, A0, 0) FIRST(24, 25, A2, 6) SECOND(22, 23, A1, 3) SECOND(24, 25, B0, 1) \
    FIRST(26, 27, B1, 4) ADD(22, 23) SECOND(26, 27, B2, 7) FIRST(22, 23, C0, 2) ADD(24, 25) \
    SECOND(22, 23, C1, 5) FIRST(24, 25, C2, 8) ADD(26, 27) ADD(22, 23) ADD(24, 25) \
    "ld1 {v22.4s, v23.4s, v24.4s, v25.4s}, [%[scale]]\n\t" \
    ALL(TO_FLOAT) ALL(SCALE) ALL(LOW) ALL(HIGH) ALL(ROUND) \
    "uzp1 v18.8h, v18.8h, v19.8h\n\t" \
    "uzp1 v20.8h, v20.8h, v21.8h\n\t" \
    "uzp1 v18.16b, v18.16b, v20.16b\n\t" \
    "add v18.16b, v18.16b, v31.16b\n\t" \
    "st1 {v18.16b}, [%[y]], %[step]\n\t"
/* clang-format on */

#define CLOBBERS                                                                                             \
    "cc", "memory", "x9", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12",   \
        "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",    \
        "v27", "v29", "v30", "v31"

/* Each pixel loads one column; the other two are from before. */
static void stride_1(const struct sz_neon_depthwise_part *part)
{
    const uint8_t *r0 = part->rows[0], *r1 = part->rows[1], *r2 = part->rows[2], *w = part->w;
    uint8_t *y = part->y;
    size_t n = part->pixels;
    __asm__ volatile(
        SET_UP COLUMN(9, 10, 11)
            COLUMN(12, 13, 14) "1:\n\t" COLUMN(15, 16, 17) "subs %[n], %[n], #1\n\t" PIXEL(
                9, 10, 11, 12, 13, 14, 15, 16,
                17) "b.eq 2f\n\t" COLUMN(9, 10,
                                         11) "subs %[n], %[n], #1\n\t" PIXEL(12, 13, 14, 15, 16, 17, 9, 10,
                                                                             11) "b.eq 2f\n\t" COLUMN(12, 13,
                                                                                                      14) "su"
                                                                                                          "bs"
                                                                                                          " %"
                                                                                                          "[n"
                                                                                                          "],"
                                                                                                          " %"
                                                                                                          "[n"
                                                                                                          "],"
                                                                                                          " "
                                                                                                          "#1"
                                                                                                          "\n"
                                                                                                          "\t" PIXEL(
                                                                                                              15,
                                                                                                              16,
                                                                                                              17,
                                                                                                              9,
                                                                                                              10,
                                                                                                              11,
                                                                                                              12,
                                                                                                              13,
                                                                                                              14) "b.ne "
                                                                                                                  "1b\n"
                                                                                                                  "2:\n\t"
        : [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [w] "+r"(w), [y] "+r"(y), [n] "+r"(n)
        : [step] "r"(part->step), [terms] "r"(&part->terms), [bias] "r"(part->bias), [scale] "r"(part->scale)
        : CLOBBERS);
}

static void any_stride(const struct sz_neon_depthwise_part *part)
{
    const uint8_t *r0 = part->rows[0], *r1 = part->rows[1], *r2 = part->rows[2], *w = part->w;
    uint8_t *y = part->y;
    size_t n = part->pixels;
    __asm__ volatile(SET_UP "1:\n\t" COLUMN(9, 10, 11) COLUMN(12, 13, 14)
                         COLUMN_BY("jump", 15, 16, 17) "subs %[n], %[n], #1\n\t" PIXEL(
                             9, 10, 11, 12, 13, 14, 15, 16, 17) "b.ne 1b\n\t"
                     : [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [w] "+r"(w), [y] "+r"(y), [n] "+r"(n)
                     : [step] "r"(part->step), [jump] "r"(part->jump), [terms] "r"(&part->terms),
                       [bias] "r"(part->bias), [scale] "r"(part->scale)
                     : CLOBBERS);
}

void sz_neon_depthwise_pairs(const struct sz_neon_depthwise_part *part, size_t stride)
{
    if (stride == 1)
        stride_1(part);
    else
        any_stride(part);
}

#else
typedef int sz_not_empty;
#endif
