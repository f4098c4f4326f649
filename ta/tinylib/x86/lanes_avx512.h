/* Sixteen floats at once. What is written for LANES (panels_f32_lanes.h and others) is compiled once with
 * this and once with lanes_avx2.h. */
#ifndef SZ_TINYLIB_X86_LANES_AVX512_H
#define SZ_TINYLIB_X86_LANES_AVX512_H

#include "unroll.h"

#include <immintrin.h>
#include <stddef.h>

#define LANES 16
#define LANES_TARGET __attribute__((target("avx512f")))
#define LANES_INLINE LANES_TARGET static inline __attribute__((always_inline))

typedef __m512 lanes;
typedef __mmask16 lanes_mask;

/* The first n of all lanes. */
LANES_INLINE lanes_mask first_lanes(size_t n)
{
    return (lanes_mask)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

LANES_INLINE lanes load(const float *p)
{
    return _mm512_loadu_ps(p);
}

/* 0 where the mask is not set: nothing is read there. */
LANES_INLINE lanes load_some(const float *p, lanes_mask mask)
{
    return _mm512_maskz_loadu_ps(mask, p);
}

LANES_INLINE void store(float *p, lanes v)
{
    _mm512_storeu_ps(p, v);
}

LANES_INLINE void store_some(float *p, lanes_mask mask, lanes v)
{
    _mm512_mask_storeu_ps(p, mask, v);
}

LANES_INLINE lanes splat(float x)
{
    return _mm512_set1_ps(x);
}

/* a * b + c, rounded once */
LANES_INLINE lanes multiply_add(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* NaN gives `low`. */
LANES_INLINE lanes clamp(lanes v, lanes low, lanes high)
{
    return _mm512_min_ps(_mm512_max_ps(v, low), high);
}

#endif
