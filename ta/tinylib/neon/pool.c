/* Maximum over a window, and the mean over the whole picture. Channels are innermost. */
#include "kernels.h"

#if defined(__aarch64__)
#include "../bounds_f32.h"
#include "../window.h"
#include "load.h"
#include "requantise.h"

struct taps {
    const uint8_t *first; /* channel 0 of the first tap inside the picture */
    int32_t rows, columns;
    size_t row, column; /* bytes */
};

static inline struct taps taps_at(const struct sz_call *call, uint32_t n, uint32_t y, uint32_t x, size_t size)
{
    const int32_t *ints = call->op->ints;
    const uint32_t *in = call->in[0].record->dims;
    struct sz_span h =
        sz_span_at((int32_t)y, ints[SZ_STRIDE_H], ints[SZ_PAD_TOP], 1, ints[SZ_WINDOW_H], (int32_t)in[1]);
    struct sz_span w =
        sz_span_at((int32_t)x, ints[SZ_STRIDE_W], ints[SZ_PAD_LEFT], 1, ints[SZ_WINDOW_W], (int32_t)in[2]);
    struct taps t = {call->in[0].data, h.end - h.first, w.end - w.first, in[2] * in[3] * size, in[3] * size};
    t.first += ((size_t)n * in[1] + (size_t)(h.origin + h.first)) * t.row;
    t.first += (size_t)(w.origin + w.first) * t.column;
    return t;
}

static inline int8x16_t greatest_i8(const struct taps *t, size_t c, int8x16_t low)
{
    const uint8_t *row = t->first + c;
    for (int32_t i = 0; i < t->rows; i++, row += t->row) {
        const uint8_t *at = row;
        for (int32_t j = 0; j < t->columns; j++, at += t->column)
            low = vmaxq_s8(low, vreinterpretq_s8_u8(sz_neon_load_16(at)));
    }
    return low;
}

/* One channel. */
static int8_t greatest_of(const struct taps *t, size_t c, struct sz_bounds bounds)
{
    int32_t most = bounds.low;
    for (int32_t i = 0; i < t->rows; i++) {
        for (int32_t j = 0; j < t->columns; j++) {
            int8_t value = (int8_t)t->first[(size_t)i * t->row + (size_t)j * t->column + c];
            most = value > most ? value : most;
        }
    }
    return (int8_t)(most < bounds.high ? most : bounds.high);
}

/* 16 channels of a window of 3 x 3. */
static inline int8x16_t greatest_of_9(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2, size_t step)
{
    int8x16_t a, b, c, d;
    __asm__ volatile("ld1 {%0.16b}, [%4], %7\n\t"
                     "ld1 {%1.16b}, [%5], %7\n\t"
                     "ld1 {%2.16b}, [%6], %7\n\t"
                     "ld1 {%3.16b}, [%4], %7\n\t"
                     "smax %0.16b, %0.16b, %1.16b\n\t"
                     "ld1 {%1.16b}, [%5], %7\n\t"
                     "smax %2.16b, %2.16b, %3.16b\n\t"
                     "ld1 {%3.16b}, [%6], %7\n\t"
                     "smax %0.16b, %0.16b, %1.16b\n\t"
                     "ld1 {%1.16b}, [%4]\n\t"
                     "smax %2.16b, %2.16b, %3.16b\n\t"
                     "ld1 {%3.16b}, [%5]\n\t"
                     "smax %0.16b, %0.16b, %1.16b\n\t"
                     "ld1 {%1.16b}, [%6]\n\t"
                     "smax %2.16b, %2.16b, %3.16b\n\t"
                     "smax %0.16b, %0.16b, %1.16b\n\t"
                     "smax %0.16b, %0.16b, %2.16b\n\t"
                     : "=&w"(a), "=&w"(b), "=&w"(c), "=&w"(d), "+r"(r0), "+r"(r1), "+r"(r2)
                     : "r"(step)
                     : "memory");
    return a;
}

void sz_neon_max_pool_i8(const struct sz_call *call)
{
    const uint32_t *out = call->out->dims;
    size_t channels = out[3], whole = channels / 16 * 16;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    int8x16_t low = vdupq_n_s8((int8_t)bounds.low), high = vdupq_n_s8((int8_t)bounds.high);
    int8_t *y = call->y;
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++, y += channels) {
            struct taps t = taps_at(call, row / out[1], row % out[1], column, 1);
            bool is_3x3 = t.rows == 3 && t.columns == 3;
            for (size_t c = 0; c < whole; c += 16) {
                const uint8_t *at = t.first + c;
                int8x16_t most;
                if (is_3x3)
                    most = vmaxq_s8(greatest_of_9(at, at + t.row, at + 2 * t.row, t.column), low);
                else
                    most = greatest_i8(&t, c, low);
                sz_neon_store_16(y + c, vreinterpretq_u8_s8(vminq_s8(most, high)));
            }
            for (size_t c = whole; c < channels; c++)
                y[c] = greatest_of(&t, c, bounds);
        }
    }
}

/* As the reference, a NaN stays only where it comes first. */
#define GREATER(V) "fcmgt %3.4s, %" #V ".4s, %0.4s\n\tbit %0.16b, %" #V ".16b, %3.16b\n\t"

/* 4 channels of a window of 3 x 3. */
static inline float32x4_t greatest_of_9_f32(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2,
                                            size_t step)
{
    float32x4_t most, a, b, mask;
    /* clang-format off */
    __asm__ volatile("ld1 {%0.4s}, [%4], %7\n\t"
                     "ld1 {%1.4s}, [%4], %7\n\t"
                     "ld1 {%2.4s}, [%4]\n\t" GREATER(1)
                     "ld1 {%1.4s}, [%5], %7\n\t" GREATER(2)
                     "ld1 {%2.4s}, [%5], %7\n\t" GREATER(1)
                     "ld1 {%1.4s}, [%5]\n\t" GREATER(2)
                     "ld1 {%2.4s}, [%6], %7\n\t" GREATER(1)
                     "ld1 {%1.4s}, [%6], %7\n\t" GREATER(2)
                     "ld1 {%2.4s}, [%6]\n\t" GREATER(1) GREATER(2)
                     : "=&w"(most), "=&w"(a), "=&w"(b), "=&w"(mask), "+r"(r0), "+r"(r1), "+r"(r2)
                     : "r"(step)
                     : "memory");
    /* clang-format on */
    return most;
}

static inline float32x4_t greatest_f32(const struct taps *t, size_t c)
{
    const uint8_t *row = t->first + c * sizeof(float);
    float32x4_t most = vreinterpretq_f32_u8(sz_neon_load_16(row));
    for (int32_t i = 0; i < t->rows; i++, row += t->row) {
        const uint8_t *at = row;
        for (int32_t j = 0; j < t->columns; j++, at += t->column) {
            float32x4_t value = vreinterpretq_f32_u8(sz_neon_load_16(at));
            most = vbslq_f32(vcgtq_f32(value, most), value, most);
        }
    }
    return most;
}

static float greatest_of_f32(const struct taps *t, size_t c)
{
    const float *first = (const float *)(const void *)t->first + c;
    float most = *first;
    for (int32_t i = 0; i < t->rows; i++) {
        for (int32_t j = 0; j < t->columns; j++) {
            float value = first[((size_t)i * t->row + (size_t)j * t->column) / sizeof(float)];
            most = value > most ? value : most;
        }
    }
    return most;
}

void sz_neon_max_pool_f32(const struct sz_call *call)
{
    const uint32_t *out = call->out->dims;
    size_t channels = out[3], whole = channels / 4 * 4;
    struct sz_range range = sz_range_of(call->op->activation);
    float32x4_t low = vdupq_n_f32(range.low), high = vdupq_n_f32(range.high);
    float *y = call->y;
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++, y += channels) {
            struct taps t = taps_at(call, row / out[1], row % out[1], column, sizeof(float));
            bool is_3x3 = t.rows == 3 && t.columns == 3;
            for (size_t c = 0; c < whole; c += 4) {
                const uint8_t *at = t.first + c * sizeof(float);
                float32x4_t most;
                if (is_3x3)
                    most = greatest_of_9_f32(at, at + t.row, at + 2 * t.row, t.column);
                else
                    most = greatest_f32(&t, c);
                most = vminq_f32(vmaxq_f32(most, low), high);
                sz_neon_store_16(y + c, vreinterpretq_u8_f32(most));
            }
            for (size_t c = whole; c < channels; c++) {
                float32x4_t most = vdupq_n_f32(greatest_of_f32(&t, c));
                y[c] = vgetq_lane_f32(vminq_f32(vmaxq_f32(most, low), high), 0);
            }
        }
    }
}

#define FLUSH 255 /* int8 values whose sum fits int16 */

/* Sums of 8 channels over all pixels. */
static void sum_pixels(const uint8_t *x, size_t pixels, size_t channels, int32x4_t sums[2])
{
    sums[0] = vdupq_n_s32(0);
    sums[1] = vdupq_n_s32(0);
    while (pixels > 0) {
        size_t count = pixels < FLUSH ? pixels : FLUSH;
        int16x8_t sum = vdupq_n_s16(0);
        for (size_t p = 0; p < count; p++, x += channels)
            sum = vaddw_s8(sum, vreinterpret_s8_u8(sz_neon_load_8(x)));
        sums[0] = vaddw_s16(sums[0], vget_low_s16(sum));
        sums[1] = vaddw_high_s16(sums[1], sum);
        pixels -= count;
    }
}

void sz_neon_global_mean_i8(const struct sz_call *call)
{
    const uint32_t *in = call->in[0].record->dims;
    size_t pixels = (size_t)in[1] * in[2], channels = in[3];
    const uint8_t *x = call->in[0].data;
    uint8_t *y = call->y;
    struct sz_bounds bounds = sz_bounds_of(call->out, SZ_ACT_NONE);
    struct sz_neon_output out = sz_neon_output_of(call->out->zero_point, bounds);
    float scale = call->in[0].record->scale / (call->out->scale * (float)pixels);
    /* Modulo 2^32, as the sums. */
    uint32_t zero = (uint32_t)pixels * (uint32_t)call->in[0].record->zero_point;
    int32x4_t zeros = vdupq_n_s32((int32_t)zero);
    for (uint32_t n = 0; n < in[0]; n++, x += pixels * channels, y += channels) {
        size_t c = 0;
        for (; c + 8 <= channels; c += 8) {
            int32x4_t sums[2];
            sum_pixels(x + c, pixels, channels, sums);
            sums[0] = sz_neon_scaled(vsubq_s32(sums[0], zeros), vdupq_n_f32(scale), &out);
            sums[1] = sz_neon_scaled(vsubq_s32(sums[1], zeros), vdupq_n_f32(scale), &out);
            int8x16_t values = sz_neon_narrow(sums[0], sums[1], sums[0], sums[1], &out);
            sz_neon_store_8(y + c, vreinterpret_u8_s8(vget_low_s8(values)));
        }
        for (; c < channels; c++) {
            int32_t sum = 0;
            for (size_t p = 0; p < pixels; p++)
                sum += (int8_t)x[p * channels + c] - call->in[0].record->zero_point;
            y[c] = (uint8_t)sz_requantise(sum, scale, call->out->zero_point, bounds);
        }
    }
}

#else
typedef int sz_not_empty;
#endif
