/* Four floats at once, in the compiler's own portable vector type: plain C would leave it to luck whether
 * accumulators stay in registers. */
#ifndef SZ_TINYLIB_REFERENCE_LANES_H
#define SZ_TINYLIB_REFERENCE_LANES_H

#include "../bounds_f32.h"
#include "../kernel.h"

#include <string.h>

#if defined(__aarch64__)
#include "../neon/load.h"
#endif

typedef float sz_f32x4 __attribute__((vector_size(16)));

/* TAs are compiled with -mstrict-align: there the compiler would take an unaligned vector apart. */
#if defined(__aarch64__)
static inline sz_f32x4 sz_load4(const float *p)
{
    return vreinterpretq_f32_u8(sz_neon_load_16(p));
}

static inline void sz_store4(float *p, sz_f32x4 v)
{
    sz_neon_store_16(p, vreinterpretq_u8_f32(v));
}
#else
static inline sz_f32x4 sz_load4(const float *p)
{
    sz_f32x4 v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

static inline void sz_store4(float *p, sz_f32x4 v)
{
    __builtin_memcpy(p, &v, sizeof(v));
}
#endif

static inline sz_f32x4 sz_splat4(float x)
{
    return (sz_f32x4){x, x, x, x};
}

/* NaN stays NaN. */
static inline float sz_clamp(float x, struct sz_range range)
{
    x = x < range.low ? range.low : x;
    return x > range.high ? range.high : x;
}

static inline void sz_clamp_all(float *x, size_t n, struct sz_range range)
{
    for (size_t i = 0; i < n; i++)
        x[i] = sz_clamp(x[i], range);
}

#endif
