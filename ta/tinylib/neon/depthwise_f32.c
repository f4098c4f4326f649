/*
 * float32 depthwise convolution: 4 channels at once. Blocks are [window_h][window_w][4]. As depthwise_i8.c,
 * with two sums for each pixel, so that multiplications do not wait for each other on cores that issue in
 * order.
 */
#include "kernels.h"

#if defined(__aarch64__)
#include "load.h"

#define CHANNELS 4

struct block {
    const uint8_t *rows[3];
    const uint8_t *w; /* the block: bias, weights */
    uint8_t *y;
    size_t pixels;
    size_t step; /* bytes from pixel to pixel */
    size_t jump; /* bytes from behind the window's second pixel to the next window's first */
    float range[2];
};

/* Registers: 0..8 weights; 9..20 inputs, three rows of each column; 21, 22 sums of one pixel, 23, 24 of the
 * other; 25 bias; 26 low, 27 high. */
#define SET_UP                                                                                               \
    "ld1r {v26.4s}, [%[range]], #4\n\t"                                                                      \
    "ld1r {v27.4s}, [%[range]]\n\t"                                                                          \
    "ld1 {v25.4s}, [%[w]], #16\n\t"                                                                          \
    "ld1 {v0.4s, v1.4s, v2.4s, v3.4s}, [%[w]], #64\n\t"                                                      \
    "ld1 {v4.4s, v5.4s, v6.4s, v7.4s}, [%[w]], #64\n\t"                                                      \
    "ld1 {v8.4s}, [%[w]]\n\t"

#define LOAD(R, V, STEP) "ld1 {v" #V ".4s}, [%[r" #R "]], %[" STEP "]\n\t"
#define COLUMN_BY(STEP, X0, X1, X2) LOAD(0, X0, STEP) LOAD(1, X1, STEP) LOAD(2, X2, STEP)
#define COLUMN(X0, X1, X2) COLUMN_BY("step", X0, X1, X2)

#define START(S, T, X0, W0, X1, W1)                                                                          \
    "mov v" #S ".16b, v25.16b\n\t"                                                                           \
    "fmul v" #T ".4s, v" #X1 ".4s, v" #W1 ".4s\n\t" FMLA(S, X0, W0)
#define FMLA(S, X, W) "fmla v" #S ".4s, v" #X ".4s, v" #W ".4s\n\t"
#define FINISH(S, T)                                                                                         \
    "fadd v" #S ".4s, v" #S ".4s, v" #T ".4s\n\t"                                                            \
    "fmax v" #S ".4s, v" #S ".4s, v26.4s\n\t"                                                                \
    "fmin v" #S ".4s, v" #S ".4s, v27.4s\n\t"                                                                \
    "st1 {v" #S ".4s}, [%[y]], %[step]\n\t"

/* clang-format off */
/* Two pixels; A, B are the columns from before, C and D are loaded. */
#define TWO(A0, A1, A2, B0, B1, B2, C0, C1, C2, D0, D1, D2) \
    COLUMN(C0, C1, C2) COLUMN(D0, D1, D2) START(21, 22, A0, 0, A1, 3) START(23, 24, B0, 0, B1, 3) \
    FMLA(21, A2, 6) FMLA(23, B2, 6) FMLA(22, B0, 1) FMLA(24, C0, 1) FMLA(21, B1, 4) FMLA(23, C1, 4) \
    FMLA(22, B2, 7) FMLA(24, C2, 7) FMLA(21, C0, 2) FMLA(23, D0, 2) FMLA(22, C1, 5) FMLA(24, D1, 5) \
    FMLA(21, C2, 8) FMLA(23, D2, 8) FINISH(21, 22) FINISH(23, 24)
#define TAPS(A0, A1, A2, B0, B1, B2, C0, C1, C2) \
    START(21, 22, A0, 0, A1, 3) FMLA(21, A2, 6) FMLA(22, B0, 1) FMLA(21, B1, 4) FMLA(22, B2, 7) \
    FMLA(21, C0, 2) FMLA(22, C1, 5) FMLA(21, C2, 8) FINISH(21, 22)
/* clang-format on */

#define CLOBBERS                                                                                             \
    "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",  \
        "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27"

static void stride_1(const struct block *block)
{
    const uint8_t *r0 = block->rows[0], *r1 = block->rows[1], *r2 = block->rows[2], *w = block->w;
    const float *range = block->range;
    uint8_t *y = block->y;
    size_t n = block->pixels;
    __asm__ volatile(
        SET_UP COLUMN(9, 10, 11)
            COLUMN(12, 13, 14) "1:\n\t"
                               "subs %[n], %[n], #2\n\t"
                               "b.lo 2f\n\t" TWO(9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                                 20) "subs %[n], %[n], #2\n\t"
                                                     "b.lo 3f\n\t" TWO(
                                                         15, 16, 17, 18, 19, 20, 9, 10, 11, 12, 13,
                                                         14) "b 1b\n"
                                                             "2:\n\t"
                                                             "tbz %[n], #0, 4f\n\t" COLUMN(15, 16, 17) TAPS(
                                                                 9, 10, 11, 12, 13, 14, 15, 16,
                                                                 17) "b 4f\n"
                                                                     "3:\n\t"
                                                                     "tbz %[n], #0, 4f\n\t" COLUMN(9, 10, 11)
                                                                         TAPS(15, 16, 17, 18, 19, 20, 9, 10,
                                                                              11) "4:\n\t"
        : [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [w] "+r"(w), [y] "+r"(y), [n] "+r"(n),
          [range] "+r"(range)
        : [step] "r"(block->step)
        : CLOBBERS);
}

static void any_stride(const struct block *block)
{
    const uint8_t *r0 = block->rows[0], *r1 = block->rows[1], *r2 = block->rows[2], *w = block->w;
    const float *range = block->range;
    uint8_t *y = block->y;
    size_t n = block->pixels;
    __asm__ volatile(SET_UP "1:\n\t" COLUMN(9, 10, 11) COLUMN(12, 13, 14) COLUMN_BY("jump", 15, 16, 17)
                         TAPS(9, 10, 11, 12, 13, 14, 15, 16, 17) "subs %[n], %[n], #1\n\t"
                                                                 "b.ne 1b\n\t"
                     : [r0] "+r"(r0), [r1] "+r"(r1), [r2] "+r"(r2), [w] "+r"(w), [y] "+r"(y), [n] "+r"(n),
                       [range] "+r"(range)
                     : [step] "r"(block->step), [jump] "r"(block->jump)
                     : CLOBBERS);
}

static float32x4_t load_some(const float *from, size_t n)
{
    float values[CHANNELS] = {0};
    if (n >= CHANNELS)
        return vreinterpretq_f32_u8(sz_neon_load_16(from));
    for (size_t i = 0; i < n; i++)
        values[i] = from[i];
    return vreinterpretq_f32_u8(sz_neon_load_16(values));
}

/* Up to 4 channels from c on, any window. */
static void any_window(const struct sz_depthwise_job *job, size_t c, const float *block)
{
    size_t n = job->channels - c < CHANNELS ? job->channels - c : CHANNELS;
    float *y = (float *)job->y + c;
    for (size_t pixel = 0; pixel < job->pixels; pixel++, y += job->channels) {
        float32x4_t sum = vreinterpretq_f32_u8(sz_neon_load_16(block));
        const float *w = block + CHANNELS;
        for (size_t i = 0; i < job->window_h; i++) {
            const float *x = (const float *)job->rows[i] + pixel * job->stride * job->channels + c;
            for (size_t j = 0; j < job->window_w; j++, x += job->dilation * job->channels, w += CHANNELS)
                sum = vfmaq_f32(sum, load_some(x, n), vreinterpretq_f32_u8(sz_neon_load_16(w)));
        }
        sum = vminq_f32(vmaxq_f32(sum, vdupq_n_f32(job->low)), vdupq_n_f32(job->high));
        if (n == CHANNELS) {
            sz_neon_store_16(y, vreinterpretq_u8_f32(sum));
        } else {
            float values[CHANNELS];
            sz_neon_store_16(values, vreinterpretq_u8_f32(sum));
            for (size_t i = 0; i < n; i++)
                y[i] = values[i];
        }
    }
}

void sz_neon_depthwise_f32(const struct sz_depthwise_job *job)
{
    size_t bytes = (1 + job->window_h * job->window_w) * CHANNELS * sizeof(float);
    bool is_3x3 = job->window_h == 3 && job->window_w == 3 && job->dilation == 1;
    struct block block = {
        .pixels = job->pixels,
        .step = job->channels * sizeof(float),
        .jump = (job->stride - 2) * job->channels * sizeof(float), /* modulo 2^64 */
        .range = {job->low, job->high},
    };
    for (size_t c = 0; c < job->channels; c += CHANNELS) {
        const uint8_t *w = job->w + c / CHANNELS * bytes;
        if (!is_3x3 || job->channels - c < CHANNELS) {
            any_window(job, c, (const float *)(const void *)w);
            continue;
        }
        for (size_t i = 0; i < 3; i++)
            block.rows[i] = (const uint8_t *)job->rows[i] + c * sizeof(float);
        block.w = w;
        block.y = (uint8_t *)job->y + c * sizeof(float);
        if (job->stride == 1)
            stride_1(&block);
        else
            any_stride(&block);
    }
}

#else
typedef int sz_not_empty;
#endif
