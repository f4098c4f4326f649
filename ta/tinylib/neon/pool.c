/* Maximum over a window, and the mean over the whole picture. Channels are innermost. */
#include "kernels.h"

#if defined(__aarch64__)
#include "../bounds_f32.h"
#include "../reference/kernels.h"
#include "../taps.h"
#include "load.h"
#include "requantise.h"

static inline int8x16_t greatest_i8(const struct sz_taps *t, size_t c, int8x16_t low)
{
    const uint8_t *row = t->first + c;
    for (int32_t i = 0; i < t->rows; i++, row += t->row) {
        const uint8_t *at = row;
        for (int32_t j = 0; j < t->columns; j++, at += t->column)
            low = vmaxq_s8(low, vreinterpretq_s8_u8(sz_neon_load_16(at)));
    }
    return low;
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

/* The last vector of channels may overlap the one before: y is not x. */
void sz_neon_max_pool_i8(const struct sz_call *call)
{
    const uint32_t *out = call->out->dims;
    size_t channels = out[3];
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    int8x16_t low = vdupq_n_s8((int8_t)bounds.low), high = vdupq_n_s8((int8_t)bounds.high);
    int8_t *y = call->y;
    if (channels < 16) {
        sz_ref_max_pool_i8(call);
        return;
    }
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++, y += channels) {
            struct sz_taps t = sz_taps_at(call, row / out[1], row % out[1], column, 1);
            bool is_3x3 = t.rows == 3 && t.columns == 3;
            for (size_t next = 0; next < channels; next += 16) {
                size_t c = next + 16 <= channels ? next : channels - 16;
                const uint8_t *at = t.first + c;
                int8x16_t most;
                if (is_3x3)
                    most = vmaxq_s8(greatest_of_9(at, at + t.row, at + 2 * t.row, t.column), low);
                else
                    most = greatest_i8(&t, c, low);
                sz_neon_store_16(y + c, vreinterpretq_u8_s8(vminq_s8(most, high)));
            }
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

static inline float32x4_t greatest_f32(const struct sz_taps *t, size_t c)
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

void sz_neon_max_pool_f32(const struct sz_call *call)
{
    const uint32_t *out = call->out->dims;
    size_t channels = out[3];
    struct sz_range range = sz_range_of(call->op->activation);
    float32x4_t low = vdupq_n_f32(range.low), high = vdupq_n_f32(range.high);
    float *y = call->y;
    if (channels < 4) {
        sz_ref_max_pool_f32(call);
        return;
    }
    for (uint32_t row = 0; row < out[0] * out[1]; row++) {
        for (uint32_t column = 0; column < out[2]; column++, y += channels) {
            struct sz_taps t = sz_taps_at(call, row / out[1], row % out[1], column, sizeof(float));
            bool is_3x3 = t.rows == 3 && t.columns == 3;
            for (size_t next = 0; next < channels; next += 4) {
                size_t c = next + 4 <= channels ? next : channels - 4;
                const uint8_t *at = t.first + c * sizeof(float);
                float32x4_t most;
                if (is_3x3)
                    most = greatest_of_9_f32(at, at + t.row, at + 2 * t.row, t.column);
                else
                    most = greatest_f32(&t, c);
                most = vminq_f32(vmaxq_f32(most, low), high);
                sz_neon_store_16(y + c, vreinterpretq_u8_f32(most));
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
    if (channels < 8) {
        sz_ref_global_mean_i8(call);
        return;
    }
    for (uint32_t n = 0; n < in[0]; n++, x += pixels * channels, y += channels) {
        for (size_t next = 0; next < channels; next += 8) {
            size_t c = next + 8 <= channels ? next : channels - 8;
            int32x4_t sums[2];
            sum_pixels(x + c, pixels, channels, sums);
            sums[0] = sz_neon_scaled(vsubq_s32(sums[0], zeros), vdupq_n_f32(scale), &out);
            sums[1] = sz_neon_scaled(vsubq_s32(sums[1], zeros), vdupq_n_f32(scale), &out);
            int8x16_t values = sz_neon_narrow(sums[0], sums[1], sums[0], sums[1], &out);
            sz_neon_store_8(y + c, vreinterpret_u8_s8(vget_low_s8(values)));
        }
    }
}

#else
typedef int sz_not_empty;
#endif
