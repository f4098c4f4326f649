/* Four floats at once, for what is written for LANES (x86/lanes_avx512.h). */
#ifndef SZ_TINYLIB_NEON_LANES_NEON_H
#define SZ_TINYLIB_NEON_LANES_NEON_H

#include "../x86/unroll.h"
#include "load.h"

#define LANES 4
#define LANES_TARGET
#define LANES_INLINE static inline __attribute__((always_inline))

typedef float32x4_t lanes;
typedef size_t lanes_mask; /* how many */

LANES_INLINE lanes_mask first_lanes(size_t n)
{
    return n < LANES ? n : LANES;
}

LANES_INLINE lanes load(const float *p)
{
    return vreinterpretq_f32_u8(sz_neon_load_16(p));
}

LANES_INLINE void store(float *p, lanes v)
{
    sz_neon_store_16(p, vreinterpretq_u8_f32(v));
}

LANES_INLINE void store_some(float *p, lanes_mask mask, lanes v)
{
    float values[LANES];
    store(values, v);
    for (size_t i = 0; i < mask; i++)
        p[i] = values[i];
}

LANES_INLINE lanes splat(float x)
{
    return vdupq_n_f32(x);
}

LANES_INLINE lanes clamp(lanes v, lanes low, lanes high)
{
    return vminq_f32(vmaxq_f32(v, low), high);
}

#endif
