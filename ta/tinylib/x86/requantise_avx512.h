/* requant.h for 64 sums at once. */
#ifndef SZ_TINYLIB_X86_REQUANTISE_AVX512_H
#define SZ_TINYLIB_X86_REQUANTISE_AVX512_H

#include "../requant.h"
#include "unroll.h"

#include <immintrin.h>

#define SZ_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define SZ_VNNI_INLINE SZ_VNNI static inline __attribute__((always_inline))

/* sums + the products of four unsigned and four signed bytes, per 32-bit lane. GCC 12 copies the sums of the
 * intrinsic to another register and to memory at every step. */
SZ_VNNI_INLINE __m512i sz_dot4(__m512i sums, __m512i u, __m512i w)
{
#if defined(__clang__)
    return _mm512_dpbusd_epi32(sums, u, w);
#else
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(u), "v"(w));
    return sums;
#endif
}

struct sz_output_512 {
    __m512 most;       /* less the zero point */
    __m512i zero_y;    /* int16 */
    __m512i low, high; /* int8 */
};

SZ_VNNI_INLINE struct sz_output_512 sz_output_of(int32_t zero_y, struct sz_bounds bounds)
{
    struct sz_output_512 out = {
        .most = _mm512_set1_ps((float)(bounds.high - zero_y)),
        .zero_y = _mm512_set1_epi16((int16_t)zero_y),
        .low = _mm512_set1_epi8((int8_t)bounds.low),
        .high = _mm512_set1_epi8((int8_t)bounds.high),
    };
    return out;
}

/* Scales below 1, as they usually are: then every scaled sum fits int32. */
SZ_VNNI_INLINE bool sz_is_tame(const void *scale)
{
    __m512i magnitude = _mm512_and_si512(_mm512_loadu_si512(scale), _mm512_set1_epi32(0x7fffffff));
    return _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(0x3f800000)) == 0xffff;
}

/* Rounded, not yet clamped. What is not tame is clamped from above before: min() gives its second operand
 * where one is NaN, the conversion then INT32_MIN, and like every sum that is too small it ends as `low`. */
SZ_VNNI_INLINE __m512i sz_scaled(__m512i sums, __m512 scale, const struct sz_output_512 *out, bool is_tame)
{
    __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scale);
    return _mm512_cvtps_epi32(is_tame ? scaled : _mm512_min_ps(out->most, scaled));
}

/* Of 128-bit lane q: the four values of v[0], then of v[1], v[2], v[3]. */
SZ_VNNI_INLINE __m512i sz_narrowed(const __m512i v[4], const struct sz_output_512 *out)
{
    __m512i first = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), out->zero_y);
    __m512i second = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), out->zero_y);
    __m512i bytes = _mm512_packs_epi16(first, second);
    return _mm512_min_epi8(_mm512_max_epi8(bytes, out->low), out->high);
}

#endif
