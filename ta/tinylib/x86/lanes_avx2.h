/* Eight floats at once: see lanes_avx512.h. */
#ifndef SZ_TINYLIB_X86_LANES_AVX2_H
#define SZ_TINYLIB_X86_LANES_AVX2_H

#include "unroll.h"

#include <immintrin.h>
#include <stddef.h>

#define LANES 8
#define LANES_TARGET __attribute__((target("avx2,fma")))
#define LANES_INLINE LANES_TARGET static inline __attribute__((always_inline))

typedef __m256 lanes;
typedef __m256i lanes_mask;

LANES_INLINE lanes_mask first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > LANES ? LANES : (int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

LANES_INLINE lanes load(const float *p)
{
    return _mm256_loadu_ps(p);
}

LANES_INLINE lanes load_some(const float *p, lanes_mask mask)
{
    return _mm256_maskload_ps(p, mask);
}

LANES_INLINE void store(float *p, lanes v)
{
    _mm256_storeu_ps(p, v);
}

LANES_INLINE void store_some(float *p, lanes_mask mask, lanes v)
{
    _mm256_maskstore_ps(p, mask, v);
}

LANES_INLINE lanes splat(float x)
{
    return _mm256_set1_ps(x);
}

LANES_INLINE lanes multiply_add(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

LANES_INLINE lanes clamp(lanes v, lanes low, lanes high)
{
    return _mm256_min_ps(_mm256_max_ps(v, low), high);
}

#endif
