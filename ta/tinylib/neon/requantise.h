/* requant.h, sixteen values at once. */
#ifndef SZ_TINYLIB_NEON_REQUANTISE_H
#define SZ_TINYLIB_NEON_REQUANTISE_H

#include "../requant.h"

#include <arm_neon.h>

struct sz_neon_output {
    float32x4_t low, high; /* bounds before the zero point is added */
    int8x16_t zero;
};

static inline struct sz_neon_output sz_neon_output_of(int32_t zero_y, struct sz_bounds bounds)
{
    struct sz_neon_output out = {
        vdupq_n_f32((float)(bounds.low - zero_y)),
        vdupq_n_f32((float)(bounds.high - zero_y)),
        vdupq_n_s8((int8_t)zero_y),
    };
    return out;
}

/* The rounded values, clamped, as int32. fmaxnm takes the number where the other is NaN: `low`. */
static inline int32x4_t sz_neon_scaled(int32x4_t sums, float32x4_t scale, const struct sz_neon_output *out)
{
    float32x4_t value = vmulq_f32(vcvtq_f32_s32(sums), scale);
    return vcvtnq_s32_f32(vminnmq_f32(vmaxnmq_f32(value, out->low), out->high));
}

/* Four vectors of int32 that came from sz_neon_scaled(): their low bytes, zero point added. The sum is taken
 * modulo 256, which is exact because it is within int8. */
static inline int8x16_t sz_neon_narrow(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d,
                                       const struct sz_neon_output *out)
{
    int16x8_t ab = vuzp1q_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
    int16x8_t cd = vuzp1q_s16(vreinterpretq_s16_s32(c), vreinterpretq_s16_s32(d));
    return vaddq_s8(vuzp1q_s8(vreinterpretq_s8_s16(ab), vreinterpretq_s8_s16(cd)), out->zero);
}

#endif
