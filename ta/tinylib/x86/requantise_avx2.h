/* requant.h for 16 sums at once. */
#ifndef SZ_TINYLIB_X86_REQUANTISE_AVX2_H
#define SZ_TINYLIB_X86_REQUANTISE_AVX2_H

#include "../requant.h"
#include "unroll.h"

#include <immintrin.h>

#define SZ_AVX2 __attribute__((target("avx2")))
#define SZ_AVX2_INLINE SZ_AVX2 static inline __attribute__((always_inline))

/* sums + the sums of pairs of products of int16, per 32-bit lane. GCC 12 keeps one of eight vectors of sums
 * in memory where these are intrinsics. */
SZ_AVX2_INLINE __m256i sz_add_pairs(__m256i sums, __m256i x, __m256i w)
{
#if defined(__clang__)
    return _mm256_add_epi32(sums, _mm256_madd_epi16(x, w));
#else
    __m256i products;
    __asm__("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0" : "+x"(sums), "=&x"(products) : "x"(x), "x"(w));
    return sums;
#endif
}

struct sz_output_256 {
    __m256 high;    /* less the zero point */
    __m256i zero_y; /* int16 */
    __m128i low;    /* int8 */
};

SZ_AVX2_INLINE struct sz_output_256 sz_output_of(int32_t zero_y, struct sz_bounds bounds)
{
    struct sz_output_256 out = {
        .high = _mm256_set1_ps((float)(bounds.high - zero_y)),
        .zero_y = _mm256_set1_epi16((int16_t)zero_y),
        .low = _mm_set1_epi8((int8_t)bounds.low),
    };
    return out;
}

/* Pairs of sums that belong together, of eight columns, become the columns' sums in order. */
SZ_AVX2_INLINE __m256i sz_joined(__m256i first, __m256i second)
{
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(first, second), 0xd8);
}

/* Rounded, not yet clamped from below. min() gives its second operand where one is NaN, the conversion then
 * INT32_MIN: like every sum that is too small it saturates to the least value and is raised to `low`. */
SZ_AVX2_INLINE __m256i sz_scaled(__m256i sums, __m256 scale, const struct sz_output_256 *out)
{
    __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), scale);
    return _mm256_cvtps_epi32(_mm256_min_ps(out->high, scaled));
}

SZ_AVX2_INLINE __m128i sz_narrowed(__m256i first, __m256i second, const struct sz_output_256 *out)
{
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xd8);
    words = _mm256_adds_epi16(words, out->zero_y);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return _mm_max_epi8(bytes, out->low);
}

SZ_AVX2_INLINE void sz_store_bytes(int8_t *y, __m128i bytes, size_t n)
{
    int8_t all[16];
    if (n >= sizeof(all)) {
        _mm_storeu_si128((__m128i *)(void *)y, bytes);
        return;
    }
    _mm_storeu_si128((__m128i *)(void *)all, bytes);
    memcpy(y, all, n);
}

#endif
