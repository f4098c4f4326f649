/*
 * int8 depthwise convolution: 8 channels at once, inputs and weights (less their zero point) widened to
 * int16, so that every weight and zero point is exact. Blocks are [window_h][window_w][8].
 *
 * 3x3 with stride 1 computes two pixels from four columns of inputs, two of which stay in registers for the
 * next two; 3x3 with other strides one pixel at a time.
 */
#include "kernels.h"

#if defined(__aarch64__)
#include "depthwise_i8.h"
#include "load.h"
#include "requantise.h"

#define CHANNELS 8

/* Registers: 0..8 weights; 9..20 inputs, three rows of each column; 21..24 sums; 25, 26 scale; 27 low, 28
 * high, 29 zero_y; 30, 31 spare. */
#define WEIGHT(V) "ld1 {v" #V ".8b}, [%[w]], x10\n\t"
#define WIDEN(V) "ssubl v" #V ".8h, v" #V ".8b, v31.8b\n\t"
#define SET_UP                                                                                               \
    "add x9, %[terms], #4\n\t"                                                                               \
    "ld1r {v27.4s}, [%[terms]]\n\t"                                                                          \
    "ld1r {v28.4s}, [x9], #4\n\t"                                                                            \
    "ld1r {v29.16b}, [x9], #1\n\t"                                                                           \
    "ld1r {v31.8b}, [x9]\n\t"                                                                                \
    "ld1 {v25.4s, v26.4s}, [%[scale]]\n\t"                                                                   \
    "mov x10, #16\n\t" WEIGHT(0) WEIGHT(1) WEIGHT(2) WEIGHT(3) WEIGHT(4) WEIGHT(5) WEIGHT(6) WEIGHT(7)       \
        WEIGHT(8) WIDEN(0) WIDEN(1) WIDEN(2) WIDEN(3) WIDEN(4) WIDEN(5) WIDEN(6) WIDEN(7) WIDEN(8)

#define LOAD(R, V, STEP) "ld1 {v" #V ".8b}, [%[r" #R "]], %[" STEP "]\n\t"
#define SIGNED(V) "sshll v" #V ".8h, v" #V ".8b, #0\n\t"
#define COLUMN_BY(STEP, X0, X1, X2)                                                                          \
    LOAD(0, X0, STEP) LOAD(1, X1, STEP) LOAD(2, X2, STEP) SIGNED(X0) SIGNED(X1) SIGNED(X2)
#define COLUMN(X0, X1, X2) COLUMN_BY("step", X0, X1, X2)

#define BIAS(LO, HI) "ld1 {v" #LO ".4s, v" #HI ".4s}, [%[bias]]\n\t"
#define SMLAL(S, X, W) "smlal v" #S ".4s, v" #X ".4h, v" #W ".4h\n\t"
#define SMLAL2(S, X, W) "smlal2 v" #S ".4s, v" #X ".8h, v" #W ".8h\n\t"
#define TAP(W, X) SMLAL(21, X, W) SMLAL2(22, X, W)
#define OTHER(W, X) SMLAL(23, X, W) SMLAL2(24, X, W)
#define TAPS(W, X, X_NEXT) TAP(W, X) OTHER(W, X_NEXT)

#define SCALE(S, F)                                                                                          \
    "scvtf v" #S ".4s, v" #S ".4s\n\t"                                                                       \
    "fmul v" #S ".4s, v" #S ".4s, v" #F ".4s\n\t"                                                            \
    "fmaxnm v" #S ".4s, v" #S ".4s, v27.4s\n\t"                                                              \
    "fminnm v" #S ".4s, v" #S ".4s, v28.4s\n\t"                                                              \
    "fcvtns v" #S ".4s, v" #S ".4s\n\t"

#define FINISH_TWO                                                                                           \
    SCALE(21, 25)                                                                                            \
    SCALE(22, 26)                                                                                            \
    SCALE(23, 25)                                                                                            \
    SCALE(24, 26)                                                                                            \
    "uzp1 v21.8h, v21.8h, v22.8h\n\t"                                                                        \
    "uzp1 v23.8h, v23.8h, v24.8h\n\t"                                                                        \
    "uzp1 v21.16b, v21.16b, v23.16b\n\t"                                                                     \
    "add v21.16b, v21.16b, v29.16b\n\t"                                                                      \
    "st1 {v21.8b}, [%[y]], %[step]\n\t"                                                                      \
    "st1 {v21.d}[1], [%[y]], %[step]\n\t"

#define FINISH_ONE                                                                                           \
    SCALE(21, 25)                                                                                            \
    SCALE(22, 26)                                                                                            \
    "uzp1 v21.8h, v21.8h, v22.8h\n\t"                                                                        \
    "xtn v21.8b, v21.8h\n\t"                                                                                 \
    "add v21.8b, v21.8b, v29.8b\n\t"                                                                         \
    "st1 {v21.8b}, [%[y]], %[step]\n\t"

/* clang-format off */
/* Two pixels; A, B are the columns from before, C and D are loaded. */
#define TWO(A0, A1, A2, B0, B1, B2, C0, C1, C2, D0, D1, D2) \
    COLUMN(C0, C1, C2) COLUMN(D0, D1, D2) BIAS(21, 22) BIAS(23, 24) \
    TAPS(0, A0, B0) TAPS(3, A1, B1) TAPS(6, A2, B2) \
    TAPS(1, B0, C0) TAPS(4, B1, C1) TAPS(7, B2, C2) \
    TAPS(2, C0, D0) TAPS(5, C1, D1) TAPS(8, C2, D2) FINISH_TWO
#define ONE(A0, A1, A2, B0, B1, B2, C0, C1, C2) \
    COLUMN(C0, C1, C2) BIAS(21, 22) \
    TAP(0, A0) TAP(3, A1) TAP(6, A2) TAP(1, B0) TAP(4, B1) TAP(7, B2) TAP(2, C0) TAP(5, C1) TAP(8, C2) FINISH_ONE
/* clang-format on */

#define CLOBBERS                                                                                             \
    "cc", "memory", "x9", "x10", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",   \
        "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",    \
        "v26", "v27", "v28", "v29", "v30", "v31"

static void stride_1(const struct sz_neon_depthwise_part *block)
{
    const uint8_t *r0 = block->rows[0], *r1 = block->rows[1], *r2 = block->rows[2], *w = block->w;
    uint8_t *y = block->y;
    size_t n = block->pixels;
    __asm__ volatile(
        SET_UP COLUMN(9, 10, 11) COLUMN(
            12, 13, 14) "1:\n\t"
                        "subs %[n], %[n], #2\n\t"
                        "b.lo 2f\n\t" TWO(9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                          20) "subs %[n], %[n], #2\n\t"
                                              "b.lo 3f\n\t" TWO(15, 16, 17, 18, 19, 20, 9, 10, 11, 12, 13,
                                                                14) "b 1b\n"
                                                                    "2:\n\t"
                                                                    "tbz %[n], #0, 4f\n\t" ONE(
                                                                        9, 10, 11, 12, 13, 14, 15, 16,
                                                                        17) "b 4f\n"
                                                                            "3:\n\t"
                                                                            "tbz %[n], #0, 4f\n\t" ONE(
                                                                                15, 16, 17, 18, 19, 20, 9, 10,
                                                                                11) "4:\n\t"
        : [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [w] "+r"(w), [y] "+r"(y), [n] "+r"(n)
        : [step] "r"(block->step), [terms] "r"(&block->terms), [bias] "r"(block->bias),
          [scale] "r"(block->scale)
        : CLOBBERS);
}

static void any_stride(const struct sz_neon_depthwise_part *block)
{
    const uint8_t *r0 = block->rows[0], *r1 = block->rows[1], *r2 = block->rows[2], *w = block->w;
    uint8_t *y = block->y;
    size_t n = block->pixels;
    /* The last column's load would leave the pointers behind the row for the last window, which is not read.
     */
    __asm__ volatile(SET_UP "1:\n\t" COLUMN(9, 10, 11) COLUMN(12, 13, 14) COLUMN_BY("jump", 15, 16, 17)
                         BIAS(21, 22) "smull v23.4s, v12.4h, v1.4h\n\t"
                                      "smull2 v24.4s, v12.8h, v1.8h\n\t" TAP(0, 9) OTHER(4, 13) TAP(3, 10)
                                          OTHER(7, 14) TAP(6, 11) OTHER(2, 15) TAP(5, 16)
                                              OTHER(8, 17) "add v21.4s, v21.4s, v23.4s\n\t"
                                                           "add v22.4s, v22.4s, v24.4s\n\t"
                                                           "subs %[n], %[n], #1\n\t" FINISH_ONE "b.ne 1b\n\t"
                     : [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [w] "+r"(w), [y] "+r"(y), [n] "+r"(n)
                     : [step] "r"(block->step), [jump] "r"(block->jump), [terms] "r"(&block->terms),
                       [bias] "r"(block->bias), [scale] "r"(block->scale)
                     : CLOBBERS);
}

static int8x8_t load_some(const uint8_t *from, size_t n)
{
    uint8_t bytes[CHANNELS] = {0};
    if (n >= CHANNELS)
        return vreinterpret_s8_u8(sz_neon_load_8(from));
    for (size_t i = 0; i < n; i++)
        bytes[i] = from[i];
    return vreinterpret_s8_u8(sz_neon_load_8(bytes));
}

/* Up to 8 channels from c on, any window. */
static void any_window(const struct sz_depthwise_job *job, size_t c,
                       const struct sz_neon_depthwise_part *part, const struct sz_neon_output *out)
{
    size_t n = job->channels - c < CHANNELS ? job->channels - c : CHANNELS;
    float32x4_t scale_low = vreinterpretq_f32_u8(sz_neon_load_16(part->scale));
    float32x4_t scale_high = vreinterpretq_f32_u8(sz_neon_load_16(part->scale + 16));
    int8x8_t zero_w = vdup_n_s8((int8_t)job->zero_w);
    uint8_t *y = part->y;
    for (size_t pixel = 0; pixel < job->pixels; pixel++, y += job->channels) {
        int32x4_t low = vreinterpretq_s32_u8(sz_neon_load_16(part->bias));
        int32x4_t high = vreinterpretq_s32_u8(sz_neon_load_16(part->bias + 16));
        const uint8_t *w = part->w;
        for (size_t i = 0; i < job->window_h; i++) {
            const uint8_t *x = (const uint8_t *)job->rows[i] + pixel * job->stride * job->channels + c;
            for (size_t j = 0; j < job->window_w;
                 j++, x += job->dilation * job->channels, w += SZ_NEON_BLOCK) {
                int16x8_t wide_w = vsubl_s8(vreinterpret_s8_u8(sz_neon_load_8(w)), zero_w);
                int16x8_t wide_x = vmovl_s8(load_some(x, n));
                low = vmlal_s16(low, vget_low_s16(wide_x), vget_low_s16(wide_w));
                high = vmlal_high_s16(high, wide_x, wide_w);
            }
        }
        low = sz_neon_scaled(low, scale_low, out);
        high = sz_neon_scaled(high, scale_high, out);
        uint8x8_t values = vreinterpret_u8_s8(vget_low_s8(sz_neon_narrow(low, high, low, high, out)));
        if (n == CHANNELS) {
            sz_neon_store_8(y, values);
        } else {
            uint8_t bytes[CHANNELS];
            sz_neon_store_8(bytes, values);
            for (size_t i = 0; i < n; i++)
                y[i] = bytes[i];
        }
    }
}

void sz_neon_depthwise_i8(const struct sz_depthwise_job *job)
{
    struct sz_neon_output out = sz_neon_output_of(job->zero_y, job->bounds);
    size_t taps = job->window_h * job->window_w;
    bool is_3x3 = job->window_h == 3 && job->window_w == 3 && job->dilation == 1;
    /* ST1 of the upper half wants 8-byte alignment where the processor checks it. */
    bool aligned = (((uintptr_t)job->y | job->channels) & 7) == 0;
    struct sz_neon_depthwise_part part = {
        .pixels = job->pixels,
        .step = job->channels,
        .jump = (job->stride - 2) * job->channels, /* modulo 2^64 */
        .terms = {(float)(job->bounds.low - job->zero_y), (float)(job->bounds.high - job->zero_y),
                  (int8_t)job->zero_y, (int8_t)job->zero_w},
    };
    for (size_t c = 0; c < job->channels; c += CHANNELS) {
        size_t half = c % SZ_NEON_BLOCK;
        const uint8_t *block = job->w + c / SZ_NEON_BLOCK * (8 + taps) * SZ_NEON_BLOCK;
        part.bias = block + 4 * half;
        part.scale = block + 4 * (SZ_NEON_BLOCK + half);
        part.w = block + 8 * SZ_NEON_BLOCK + half;
        part.y = (uint8_t *)job->y + c;
        for (size_t i = 0; is_3x3 && i < 3; i++)
            part.rows[i] = (const uint8_t *)job->rows[i] + c;
        if (is_3x3 && half == 0 && job->channels - c >= SZ_NEON_BLOCK && sz_neon_is_pairs(&part)) {
            sz_neon_depthwise_pairs(&part, job->stride);
            c += CHANNELS;
        } else if (!is_3x3 || !aligned) {
            any_window(job, c, &part, &out);
        } else if (job->stride == 1) {
            stride_1(&part);
        } else {
            any_stride(&part);
        }
    }
}

#else
typedef int sz_not_empty;
#endif
