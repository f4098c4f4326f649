/*
 * THE int8 requantisation, on every architecture:
 *
 *     q = clamp(zero_point + round_half_even((float)accumulator * scale), low, high)
 *
 * with (float) of the int32 accumulator rounded to nearest even, one float32 product, and
 * scale = (float)((float)(scale_x * scale_w) / scale_y) computed when the model is packed. This is the
 * arithmetic of XNNPACK's "fp32" requantisation, and so of TFLite where it runs through XNNPACK. It costs the
 * same on NEON, SSE, AVX2 and AVX-512, and has one result everywhere as long as the compiler does not
 * contract or reassociate: build with -ffp-contract=off and without -ffast-math.
 *
 * The clamp comes before the conversion to integer, so that every scale (also NaN or infinity from a bad
 * weight segment) has a defined result.
 */
#ifndef SZ_TINYLIB_REQUANT_H
#define SZ_TINYLIB_REQUANT_H

#include "graph.h"

#include <string.h>

/* Bounds of an int8 output after its fused activation. */
struct sz_bounds {
    int32_t low;
    int32_t high;
};

struct sz_bounds sz_bounds_of(const struct sz_tensor_record *out, uint8_t activation);

/* Small copies of known length are written __builtin_memcpy here and elsewhere: freestanding compilers call
 * memcpy() for what they could do in one instruction. */

/* Rounds half to even; for |value| <= 2^22. 1.5 * 2^23 has units in its last place: adding it leaves the
 * integer in the low mantissa bits. */
static inline int32_t sz_round_half_even(float value)
{
    float shifted = value + 12582912.0f;
    int32_t bits;
    __builtin_memcpy(&bits, &shifted, sizeof(bits));
    return bits - 0x4b400000;
}

/* Rounds a real value in units of the output's scale, adds the zero point and clamps; NaN gives `low`. */
static inline int8_t sz_quantise_scaled(float value, int32_t zero_point, struct sz_bounds bounds)
{
    float low = (float)(bounds.low - zero_point);
    float high = (float)(bounds.high - zero_point);
    value = value > low ? value : low;
    value = value < high ? value : high;
    return (int8_t)(sz_round_half_even(value) + zero_point);
}

static inline int8_t sz_requantise(int32_t accumulator, float scale, int32_t zero_point,
                                   struct sz_bounds bounds)
{
    return sz_quantise_scaled((float)accumulator * scale, zero_point, bounds);
}

/* Sum modulo 2^32: a bias is whatever the weights say, and signed overflow would be undefined. */
static inline int32_t sz_add_wrapping(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/*
 * int8 addition, in XNNPACK's way: y = zp_y + ((a - zp_a) * multiplier_a + (b - zp_b) * multiplier_b +
 * 2^(shift-1)) >> shift, the shift arithmetic, where the multipliers are scale_a / scale_y and scale_b /
 * scale_y times 2^shift, rounded half to even, and shift makes the greater one lie in [2^20, 2^21].
 */
struct sz_add_terms {
    int32_t multiplier_a;
    int32_t multiplier_b;
    uint32_t shift; /* 13..30: the sum fits int32 */
};

/* False if the greater of the two ratios is outside [2^-10, 2^8). */
bool sz_add_terms_of(const struct sz_tensor_record *a, const struct sz_tensor_record *b,
                     const struct sz_tensor_record *y, struct sz_add_terms *terms);

#endif
